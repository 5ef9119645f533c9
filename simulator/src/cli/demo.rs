//! `flowtag-sim demo`.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::events::EventFile;
use crate::{
    demo::{
        command::Ended,
        driver::Driver,
        live::{self, INTERRUPTED},
        packets::{
            Packets,
            annotate::annotate,
            tcpdump::{Captured, Tcpdump},
        },
        play,
        recorded::{self, Recorder},
        replay::replay,
        reuse,
        run::{Judged, Lines, Run},
        simulated::Simulated,
        summary,
        verdict::Mode,
    },
    output,
    traffic::live::Capture,
};

/// The exit code of a command that Ctrl-C ended, as a shell has it.
const INTERRUPTED_BY_HAND: u8 = 130;

/// The level of a session that wants all.
const ALL_LEVELS: u8 = 0;

/// Show the driver tagging what real programs do on this machine's network.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The driver, flowtag.sys
    #[arg(long, value_name = "SYS")]
    driver: PathBuf,
    /// The eBPF probes that watch the network
    #[arg(long, value_name = "OBJECT", required_unless_present = "recorded")]
    probes: Option<PathBuf>,
    /// End with one line of JSON on standard output; the trace lines go to standard error
    #[arg(long)]
    json: bool,
    /// Keep what happens in a file that --recorded can replay
    #[arg(long, value_name = "FILE", conflicts_with = "recorded")]
    record: Option<PathBuf>,
    /// Write the driver's events to a file, one line of JSON for each
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Capture what the demo's own programs say to each other with tcpdump, and have this program, flowtag, name the owner of each packet
    #[arg(long, value_name = "FLOWTAG", requires = "folder")]
    annotate: Option<PathBuf>,
    /// The folder for the captures, and for the events that flowtag is given
    #[arg(long, value_name = "FOLDER", requires = "annotate", overrides_with = "folder")]
    folder: Option<PathBuf>,
    /// Replay a recording instead of starting programs: the one that comes with flowtag, or FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "this is how clap says: absent, without a value, with one")]
    recorded: Option<Option<PathBuf>>,
    /// Run this command instead of the demo's own programs. Nobody reports what it does, so that only leaks and bug checks are judged
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "recorded")]
    command: Vec<String>,
}

/// Runs the demo.
///
/// # Errors
/// The driver or the probes cannot be used, or a program is missing or fails.
pub fn run(arguments: &Args) -> Result<ExitCode> {
    let driver = Simulated::new(&arguments.driver)?;
    if let Some(folder) = &arguments.folder {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let flows = arguments.folder.as_deref().map(|folder| folder.join("flows.jsonl"));
    let events = [arguments.events.as_deref(), flows.as_deref()].into_iter().flatten().map(EventFile::create);
    let events = events.collect::<Result<Vec<_>>>()?;
    let listening = (!events.is_empty()).then(|| driver.listen(ALL_LEVELS)).transpose()?;
    let image = fs::read(&arguments.driver).with_context(|| format!("read {}", arguments.driver.display()))?;
    let sha256 = Sha256::digest(&image).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let recorder = arguments.record.as_deref().map(Recorder::create).transpose()?;
    let lines = if arguments.json { Lines::Errors } else { Lines::Output };
    let mut run = Run::new(&driver, recorder, lines);
    // Whatever ends the demo, the programs and their cgroup must go.
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("listen for Ctrl-C")?;
    let (mode, captured) = if let Some(mut capture) = capture(arguments)? {
        let captured = if arguments.command.is_empty() {
            let tcpdump = tcpdump(arguments);
            play::own_programs(&mut run, &mut capture)?;
            tcpdump.map(Tcpdump::finish)
        } else {
            live::any_command(&mut run, &mut capture, &arguments.command)?;
            Err("a command of your own reports no flows".into())
        };
        run.lost(capture.lost()?)?;
        (Mode::Live, captured)
    } else {
        replay(&mut run, recording(arguments)?)?;
        (Mode::Recorded, Err("a recording has none".into()))
    };
    if let Some(listening) = listening {
        let told = driver.events(listening);
        for mut file in events {
            file.write(&told)?;
            file.finish(driver.events_lost(listening))?;
        }
    }
    let packets = match captured {
        Ok(captured) => annotated(arguments, &captured?, flows.as_deref())?,
        Err(why) => Err(why),
    };
    tell(arguments, &run.judge(mode, sha256, &packets)?)
}

/// tcpdump, if it is wanted and can run, or why not.
fn tcpdump(arguments: &Args) -> Result<Tcpdump, String> {
    let folder = arguments.folder.as_deref().ok_or("nobody has asked for it, by --annotate")?;
    Tcpdump::start(&folder.join("traffic.pcap")).map_err(|error| {
        let why = format!("{error:#}");
        output::note(format_args!("flowtag-sim: no packets are captured here: {why}"));
        why
    })
}

/// What was captured, with owners.
fn annotated(arguments: &Args, captured: &Captured, flows: Option<&Path>) -> Result<Packets> {
    let (flowtag, flows) = arguments.annotate.as_deref().zip(flows).context("clap asks for both")?;
    annotate(flowtag, captured, flows, captured.file.with_extension("pcapng")).map(Ok)
}

/// The live capture; `None` when a recording is to be replayed.
fn capture(arguments: &Args) -> Result<Option<Capture>> {
    let Some(probes) = arguments.probes.as_deref().filter(|_| arguments.recorded.is_none()) else { return Ok(None) };
    ensure!(Path::is_file(probes), "{} is not a file: cargo xtask builds the probes", probes.display());
    let own_programs = arguments.command.is_empty();
    let possible = if own_programs { own_programs_can_run() } else { Ok(()) };
    match possible.and_then(|()| Capture::start(probes)) {
        Ok(capture) => Ok(Some(capture)),
        Err(error) if own_programs && arguments.record.is_none() => {
            // The first line says it; behind it there may be pages of the kernel's verifier.
            let reason = format!("{error:#}");
            output::note(format_args!(
                "flowtag-sim: no live capture here: {}",
                reason.lines().next().unwrap_or_default()
            ));
            output::note("flowtag-sim: replaying a recording of real traffic instead");
            Ok(None)
        }
        Err(error) => Err(error.context("capture live traffic")),
    }
}

/// Whether this machine has all that the demo's own programs need.
fn own_programs_can_run() -> Result<()> {
    TcpListener::bind("[::1]:0").context("listen on ::1: IPv6 is off")?;
    reuse::possible()
}

fn recording(arguments: &Args) -> Result<Vec<recorded::Step>> {
    match arguments.recorded.as_ref().and_then(Option::as_deref) {
        Some(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("read the recording {}", file.display()))?;
            recorded::read(&text, &file.display().to_string())
        }
        None => recorded::read(recorded::DEMO, "the recording that comes with flowtag"),
    }
}

/// Shows the table and the verdict.
fn tell(arguments: &Args, judged: &Judged) -> Result<ExitCode> {
    let (words, good) = summary::summary(judged);
    if arguments.json {
        output::note(words.trim_end());
        output::print(&format!("{}\n", serde_json::to_string(&judged.verdict)?))?;
    } else {
        output::print(&words)?;
    }
    Ok(match &judged.command {
        _ if !good => ExitCode::FAILURE,
        Some(Ended::Interrupted(_)) => ExitCode::from(INTERRUPTED_BY_HAND),
        Some(Ended::Failed(_)) => ExitCode::FAILURE,
        Some(Ended::Well) | None => ExitCode::SUCCESS,
    })
}
