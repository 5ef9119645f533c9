//! `cargo xtask pictures`.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use crate::{
    pictures::{capture, packets, recording, screen, terminal},
    process, setup,
    target::Target,
    workspace,
};

/// The folder of the pictures that README.md shows.
const FOLDER: &str = "docs/pictures";

/// Draws what `flowtag top` and a reader of captures show of the last demo.
pub fn run() -> Result<()> {
    let demo = workspace::target_folder().join("demo");
    let [events, traffic] = ["flows.jsonl", "traffic.pcapng"].map(|name| demo.join(name));
    for file in [&events, &traffic] {
        ensure!(file.exists(), "there is no {}: run `cargo xtask demo` as root first", file.display());
    }
    setup::ensure(Target::default(), &[setup::TERMINAL_PROGRAMS, setup::CAPTURE_PROGRAMS].concat())?;
    let flowtag = workspace::build_binary("flowtag")?;

    let _progress = process::progress("Drawing…".to_owned());
    draw("top.svg", &screen::picture(&shown_by_top(&flowtag, &events)?)?)?;
    draw("packets.svg", &packets::picture(&capture::packets(&traffic)?)?)
}

/// What the terminal shows of `flowtag top` at the moment when most flows live.
fn shown_by_top(flowtag: &Path, events: &Path) -> Result<String> {
    let events = fs::read_to_string(events).with_context(|| format!("read {}", events.display()))?;
    let busiest = recording::busiest(&events)?;
    let folder = workspace::target_folder().join("pictures");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    // `top` shows the name as it is typed.
    let file = folder.join("flows.jsonl");
    fs::write(&file, busiest.events).with_context(|| format!("write {}", file.display()))?;

    let top = terminal::Terminal::open(&folder, &format!("{} {}", flowtag.display(), screen::ARGUMENTS))?;
    let lines = top.wait_for(&format!(", {} flows, ", busiest.flows))?;
    let row = screen::row_to_open(&lines).context("no process in `flowtag top` has from three to six flows")?;
    top.press(&vec!["Down"; row + 1])?;
    top.press(&["Enter"])?;
    // Each flow has its own end in its line.
    top.wait_for(" from ")?;
    top.shown()
}

fn draw(name: &str, picture: &str) -> Result<()> {
    let folder = workspace::root().join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let file = folder.join(name);
    fs::write(&file, picture).with_context(|| format!("write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
