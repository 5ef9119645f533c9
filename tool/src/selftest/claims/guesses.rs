//! What docs/simulator.md guesses of Windows, as far as it can be seen from outside; its list numbers them.

use std::collections::BTreeSet;

use super::{
    Finding,
    flows::{described, each, is_away, is_older, must},
};
use crate::{
    event::{Direction, Event},
    selftest::{
        evidence::{Evidence, Kind, Step, WithoutBfe},
        machine::STOPPED,
        report::Talk,
        told::{join, read},
    },
};

pub(super) fn path(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |_, _, told| {
        let path = &told.first.process.path;
        let is_so = path.starts_with(r"\device\harddiskvolume") && *path == path.to_lowercase();
        let beginning: String = path.split('\\').take(3).collect::<Vec<_>>().join("\\");
        Some(must(is_so, || format!("{beginning}…")))
    })
}

pub(super) fn interface(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |_, _, told| Some(must(told.first.interface != 0, || "no interface".to_owned())))
}

pub(super) fn direction(evidence: &Evidence) -> Finding {
    each(evidence, "older flows", |life, flow, told| {
        is_older(life, flow).then_some(())?;
        let is_so = (told.first.direction == Direction::In) == flow.talk.inbound;
        Some(must(is_so, || format!("told as {:?}", told.first.direction)))
    })
}

pub(super) fn tags_without_bfe(evidence: &Evidence) -> Finding {
    if evidence.answer(Step::BfeStop).is_none_or(|answer| (answer.error, answer.state) != (0, STOPPED)) {
        return Finding::unknown("it was not stopped");
    }
    let life = evidence.life(Kind::Bfe).and_then(|life| Some((life, life.without_bfe?)));
    let Some((life, WithoutBfe { stopped, .. })) = life else { return Finding::unknown("the driver did not stop") };
    let told = read(&life.told);
    let lasting = life.flows.iter().filter(|flow| flow.talk.opened < stopped && flow.talk.closed > life.ended);
    let lasting: Vec<_> = lasting.collect();
    // One that lost its tag gets another one.
    let tags = |talk: &Talk| {
        told.iter().filter(|told| (told.first.local, told.first.remote) == (talk.local, talk.remote)).count()
    };
    let other = lasting.iter().filter(|flow| tags(&flow.talk) != 1);
    let problems: Vec<_> = other.map(|flow| format!("{}: {} tags", described(life, flow), tags(&flow.talk))).collect();
    Finding::count(lasting.len(), "flows", &problems)
}

pub(super) fn handles(evidence: &Evidence) -> Finding {
    let opened = evidence.lives.iter().flat_map(|life| &life.told).filter_map(|told| match &told.event {
        Event::FlowOpen(flow) => Some(flow.handle),
        _ => None,
    });
    let opened: Vec<_> = opened.collect();
    let handles: BTreeSet<_> = opened.iter().collect();
    if handles.len() == opened.len() {
        return Finding::unknown(format!("not among {} flows", opened.len()));
    }
    Finding::of(true, format!("{} handles of {} flows", handles.len(), opened.len()))
}

pub(super) fn both_ends(evidence: &Evidence) -> Finding {
    let Some(life) = evidence.life(Kind::Traffic) else { return Finding::unknown("the driver did not stop") };
    let told = read(&life.told);
    let joined = join(life, &told);
    let outbound = joined.iter().filter(|joined| !joined.flow.talk.inbound && joined.told.is_some());
    let outbound = outbound.filter(|joined| !is_away(joined.flow));
    let has_other = |local, remote| told.iter().any(|told| (told.first.local, told.first.remote) == (remote, local));
    let ends: Vec<_> = outbound.map(|joined| &joined.flow.talk).collect();
    let alone = ends.iter().filter(|talk| !has_other(talk.local, talk.remote));
    let problems: Vec<_> = alone.map(|talk| format!("nothing tells of the other end of {}", talk.local)).collect();
    Finding::count(ends.len(), "connections", &problems)
}
