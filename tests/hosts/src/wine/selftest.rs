//! `flowtag selftest` in Wine: services and settings are Wine's. It delivers no events, so that nothing about flows can be judged.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{prefix::Prefix, service, tool};

/// The claims that need no events.
const JUDGED: [&str; 5] = ["start", "start-twice", "stop-twice", "start-again", "no-crash"];

/// What the command prints, as far as it is looked at.
#[derive(Deserialize)]
struct Verdict {
    given_up: Option<String>,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    id: String,
    verdict: String,
    seen: String,
}

/// A setting that is no number. The driver does without it, and the test takes it away meanwhile.
const ODD: [&str; 6] = ["/v", "TraceLevel", "/t", "REG_SZ", "/d", "loud"];

/// Runs it where there is no service, and where there is one with a setting of its own. What the test can judge it must find good, and the rest
/// unknown; in the end all must be as before.
pub fn judge(prefix: &Prefix, stand_ins: &Path, exe: &Path) -> Result<()> {
    let folder = tool::install(prefix, stand_ins, exe)?;
    // It is there only if the last case failed.
    prefix.run_first(&["sc", "delete", service::FLOWTAG])?;

    run(prefix, &folder)?;
    let left = prefix.run(&["sc", "query", service::FLOWTAG])?;
    ensure!(!left.success, "its service is left behind:\n{}", left.text);

    service::create(prefix, service::FLOWTAG, r"C:\flowtag\flowtag.sys")?;
    let parameters = format!(r"{}\Parameters", service::KEY);
    service::must(prefix, &[["reg", "add", &parameters].as_slice(), &ODD, &["/f"]].concat())?;
    run(prefix, &folder)?;
    let stored = service::must(prefix, &["reg", "query", &parameters])?.text;
    ensure!(
        stored.contains("TraceLevel    REG_SZ    loud") && !stored.contains("MaxFlows"),
        "the settings are not as before:\n{stored}"
    );
    service::delete(prefix, service::FLOWTAG)
}

fn run(prefix: &Prefix, folder: &Path) -> Result<()> {
    let typed = [tool::PROGRAM, "selftest", "--driver", r"C:\flowtag\flowtag.sys", "--json"];
    let (code, [output, errors]) = prefix.run_in(folder, &typed)?;
    let shown = || format!("{}{}", String::from_utf8_lossy(&output), String::from_utf8_lossy(&errors));
    let verdict: Verdict = serde_json::from_slice(&output).with_context(|| format!("no verdict:\n{}", shown()))?;
    // Not all was tested.
    ensure!(code == Some(1), "exit code {code:?} instead of 1:\n{}", shown());
    let given_up = verdict.given_up.as_deref().unwrap_or_default();
    ensure!(given_up.contains("only to administrators"), "it was given up otherwise than it should:\n{}", shown());
    let claims: BTreeMap<_, _> = verdict.claims.iter().map(|claim| (claim.id.as_str(), claim)).collect();
    for id in JUDGED {
        let found = claims.get(id).with_context(|| format!("there is no claim {id}"))?;
        ensure!(found.verdict == "PASS", "{id}: {} {}\n{}", found.verdict, found.seen, service::last_lines(prefix));
    }
    for (id, found) in claims.iter().filter(|(id, _)| !JUDGED.contains(id)) {
        ensure!(found.verdict == "UNKNOWN", "{id} is {} in Wine, which has no events: {}", found.verdict, found.seen);
    }
    Ok(())
}
