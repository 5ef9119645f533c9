//! The echo requests of the test's own programs, in the life of the driver that is for traffic.

use super::{
    Finding, Word,
    flows::{each_of, must},
};
use crate::selftest::{
    evidence::{Evidence, Kind, Life, TrueFlow},
    told::{ToldFlow, join_echoes},
};

/// Judges each; where there is none, says why.
fn each(
    evidence: &Evidence,
    what: &str,
    wrong: impl Fn(&Life, &TrueFlow, Option<&ToldFlow<'_>>) -> Option<Result<(), String>>,
) -> Finding {
    let finding = each_of(evidence, what, join_echoes, wrong);
    let refused = evidence.life(Kind::Traffic).map_or(&[][..], |life| &life.refused);
    if finding.word != Word::Unknown || refused.is_empty() {
        return finding;
    }
    Finding { seen: format!("{}: {}", finding.seen, refused.join("; ")), ..finding }
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
