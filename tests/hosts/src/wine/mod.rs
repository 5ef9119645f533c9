//! The x64 image as a service of Wine's. Its loader, registry, service manager and kernel were written elsewhere; what it
//! lacks of a Windows kernel is in tests/wine.

mod inf;
mod pages;
mod prefix;
mod selftest;
mod service;
mod tool;

use std::{env, fs, path::PathBuf, rc::Rc};

use anyhow::{Context, Result, anyhow, ensure};
use flowtag_simulator::service::Win32Error;

use self::prefix::Prefix;
use crate::{
    case::{self, Arguments, Case, Unavailable},
    script::{Script, Step},
    transcript::Transcript,
};

/// The two answers that `FwpsFlowAssociateContext0` may have for a flow with a context: `STATUS_OBJECT_NAME_EXISTS`, as
/// documented, or `STATUS_SUCCESS`, into which fwpkclnt may fold it. The stand-in knows these words.
const EXISTS: &str = "exists";
const FOLDED: &str = "folded";

/// Each script, the one that authorizes flows again with both answers; the pages' commands; the package's INF; and the command.
pub fn cases(arguments: &Arguments) -> Result<Vec<Case>, Unavailable> {
    let image = arguments.image("FLOWTAG_SYS")?;
    let stand_ins = built("FLOWTAG_WINE_STAND_INS")?;
    let inf = built("FLOWTAG_INF")?;
    let tools = [built("FLOWTAG_EXE")?, built("FLOWTAG_TOOL")?];
    if !Prefix::is_possible() {
        let what = "Wine is not installed, and could not be (Debian: the packages wine and wine64)";
        return Err(Unavailable::Missing(what.into()));
    }
    let prefix = Rc::new(Prefix::make(&stand_ins, &image)?);
    for driver in ["fwpkclnt", "script"] {
        service::create(&prefix, driver, &format!(r"C:\windows\system32\drivers\{driver}.sys"))?;
    }
    let scripts = |answer| {
        let prefix = Rc::clone(&prefix);
        case::scripts(move |script| act(&prefix, script, answer))
    };
    let mut cases = scripts(EXISTS)?;
    // Of a start that fails, no context comes.
    let folded = scripts(FOLDED)?.into_iter().filter(|case| case.name() != "failures");
    cases.extend(folded.map(|case| case.when("existing contexts folded into success")));
    let of_pages = Rc::clone(&prefix);
    cases.push(Case::new("the pages' commands", move || pages::type_all(&of_pages)));
    let (of_selftest, exe, beside) = (Rc::clone(&prefix), tools[0].clone(), stand_ins.clone());
    cases.push(Case::new("flowtag selftest", move || selftest::judge(&of_selftest, &beside, &exe)));
    let of_tool = Rc::clone(&prefix);
    cases.push(Case::new("flowtag.exe", move || tool::compare(&of_tool, &stand_ins, &tools)));
    cases.push(Case::new("flowtag.inf", move || inf::install(&prefix, &inf, &image)));
    Ok(cases)
}

fn built(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).with_context(|| format!("{variable} is not set: run `cargo xtask verify`"))?;
    PathBuf::from(&path).canonicalize().with_context(|| format!("find {}", path.display()))
}

/// Acts a script out, in services that know nothing of an earlier one.
fn act(prefix: &Prefix, script: &Script, answer: &str) -> Result<Transcript> {
    // It is there only if the last case failed.
    prefix.run_first(&["sc", "delete", service::FLOWTAG])?;
    fail_nothing(prefix)?;
    // It stays loaded, and keeps the flows from one life of the driver to the next.
    service::start(prefix, "fwpkclnt")?;
    service::create(prefix, service::FLOWTAG, r"C:\flowtag\flowtag.sys")?;
    let text = fs::read_to_string(&script.path).with_context(|| format!("read {}", script.path.display()))?;
    let lines: Vec<_> = text.lines().collect();
    let mut traffic = Vec::new();
    for (number, step) in &script.steps {
        let line = lines.get(number - 1).context("the script has changed")?;
        let acted = match step {
            Step::Setting { name, value } => set(prefix, name, *value),
            Step::Fail { import, status } => fail_next(prefix, import, *status),
            Step::Start { status } => {
                act_traffic(prefix, answer, &std::mem::take(&mut traffic)).and_then(|()| start(prefix, *status))
            }
            Step::Stop => act_traffic(prefix, answer, &std::mem::take(&mut traffic))
                .and_then(|()| service::stop(prefix, service::FLOWTAG)),
            _ => {
                traffic.push(*line);
                Ok(())
            }
        };
        let place = || format!("Wine, line {number} of {}: {line}", script.path.display());
        acted.map_err(|error| anyhow!("{error:#}\n{}", service::last_lines(prefix))).with_context(place)?;
    }
    service::delete(prefix, service::FLOWTAG)?;
    Ok(Transcript::new(service::lines(prefix)?))
}

/// Stores a setting.
fn set(prefix: &Prefix, name: &str, value: u32) -> Result<()> {
    let key = format!(r"{}\Parameters", service::KEY);
    service::must(prefix, &["reg", "add", &key, "/v", name, "/t", "REG_DWORD", "/d", &value.to_string(), "/f"])?;
    Ok(())
}

/// Writes down what is to fail at the next start, for the stand-in that completes the driver's import table.
fn fail_next(prefix: &Prefix, import: &str, status: Option<u32>) -> Result<()> {
    let status = status.map_or_else(|| "null".to_owned(), |status| format!("{status:#x}"));
    fs::write(prefix.folder().join("fault"), format!("{import} {status}")).context("write down a fault")
}

fn fail_nothing(prefix: &Prefix) -> Result<()> {
    fs::write(prefix.folder().join("fault"), "").context("remove a fault")
}

fn start(prefix: &Prefix, status: u32) -> Result<()> {
    if status == 0 {
        service::start(prefix, service::FLOWTAG)?;
    } else {
        service::start_failing(prefix, service::FLOWTAG, win32_error(status))?;
    }
    fail_nothing(prefix)
}

/// What `sc start` says of a status: what it says in the simulator, but for the filtering platform's, which Wine lacks.
fn win32_error(status: u32) -> u32 {
    const FILTERING_PLATFORM: u32 = 0xC022_0000;
    const MESSAGE_NOT_FOUND: u32 = 317;
    if status & 0xFFFF_0000 == FILTERING_PLATFORM { MESSAGE_NOT_FOUND } else { Win32Error::from_status(status).0 }
}

/// Has the driver script.sys act lines out.
fn act_traffic(prefix: &Prefix, answer: &str, lines: &[&str]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let text = format!("{answer}\n{}\n", lines.join("\n"));
    ensure!(text.len() < 8192, "so many lines do not fit into script.sys");
    fs::write(prefix.folder().join("script"), text).context("write lines for script.sys")?;
    service::start(prefix, "script")?;
    service::stop(prefix, "script")
}
