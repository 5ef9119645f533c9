//! The echo requests of the test's own programs, in the life of the driver that is for traffic.

use super::{
    Finding,
    flows::{described, must},
};
use crate::selftest::{
    evidence::{Evidence, Kind, Life, TrueFlow},
    told::{ToldFlow, join_echoes, read},
};

/// Judges each: what is wrong with it, in words; `None` for one that does not count.
fn each(
    evidence: &Evidence,
    what: &str,
    wrong: impl Fn(&Life, &TrueFlow, Option<&ToldFlow<'_>>) -> Option<Result<(), String>>,
) -> Finding {
    let Some(life) = evidence.life(Kind::Traffic) else { return Finding::unknown("the driver did not stop") };
    let told = read(&life.told);
    let mut count = 0;
    let mut problems = Vec::new();
    for joined in join_echoes(life, &told) {
        let Some(judged) = wrong(life, joined.flow, joined.told) else { continue };
        count += 1;
        problems.extend(judged.err().map(|wrong| format!("{}: {wrong}", described(life, joined.flow))));
    }
    match Finding::count(count, what, &problems) {
        finding if count == 0 && !life.refused.is_empty() => {
            Finding { seen: format!("{}: {}", finding.seen, life.refused.join("; ")), ..finding }
        }
        finding => finding,
    }
}

pub(super) fn told_of(evidence: &Evidence) -> Finding {
    each(evidence, "echo requests", |_, flow, told| {
        let Some(told) = told else { return Some(Err("nothing tells of it".to_owned())) };
        // One that was not closed fails another claim.
        let &(_, traffic, _) = told.closes.last()?;
        let (counted, sent) = (traffic.out_bytes, flow.talk.sent);
        Some(must(counted == sent, || format!("{counted} instead of {sent} bytes out")))
    })
}

pub(super) fn owner(evidence: &Evidence) -> Finding {
    each(evidence, "echo requests", |life, flow, told| {
        let told = told?.first.process.id;
        Some(must(told == life.owner(flow).hello.pid, || format!("told as that of process {told}")))
    })
}

pub(super) fn reply(evidence: &Evidence) -> Finding {
    each(evidence, "replies to echo requests", |_, flow, told| {
        let received = flow.talk.received;
        (received > 0).then_some(())?;
        let &(_, traffic, _) = told?.closes.last()?;
        let counted = traffic.in_bytes;
        Some(must(counted == received, || format!("{counted} instead of {received} bytes in")))
    })
}
