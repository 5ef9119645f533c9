//! What docs/simulator.md guesses of Windows, as far as it can be seen from outside; its list numbers them.

use std::collections::BTreeSet;

use super::{
    Finding,
    flows::{described, each, is_older},
};
use crate::{
    event::{Direction, Event},
    flows::UDP,
    selftest::{
        evidence::{Evidence, Kind, Step, WithoutBfe},
        machine::STOPPED,
        told::{join, read},
    },
};

pub(super) fn path(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |_, _, told| {
        let path = &told.first.process.path;
        let is_so = path.starts_with(r"\device\harddiskvolume") && *path == path.to_lowercase();
        let beginning: String = path.split('\\').take(3).collect::<Vec<_>>().join("\\");
        Some(if is_so { Ok(()) } else { Err(format!("{beginning}…")) })
    })
}

pub(super) fn first_datagram(evidence: &Evidence) -> Finding {
    each(evidence, "inbound UDP flows", |life, flow, told| {
        let talk = &flow.talk;
        let counts = talk.protocol == UDP && talk.inbound && talk.first > 0 && !is_older(life, flow);
        counts.then_some(())?;
        let &(_, traffic, _) = told.closes.last()?;
        let is_so = traffic.in_bytes + talk.first == talk.received;
        Some(if is_so { Ok(()) } else { Err(format!("{} of {} bytes", traffic.in_bytes, talk.received)) })
    })
}

pub(super) fn direction(evidence: &Evidence) -> Finding {
    each(evidence, "older flows", |life, flow, told| {
        is_older(life, flow).then_some(())?;
        let is_so = (told.first.direction == Direction::In) == flow.talk.inbound;
        Some(if is_so { Ok(()) } else { Err(format!("told as {:?}", told.first.direction)) })
    })
}

pub(super) fn without_bfe(evidence: &Evidence) -> Finding {
    if evidence.answer(Step::BfeStop).is_none_or(|answer| (answer.error, answer.state) != (0, STOPPED)) {
        return Finding::unknown("it was not stopped");
    }
    let life = evidence.life(Kind::Bfe).and_then(|life| Some((life, life.without_bfe?)));
    let Some((life, WithoutBfe { stopped, starts, .. })) = life else {
        return Finding::unknown("the driver did not stop");
    };
    let told = read(&life.told);
    let joined = join(life, &told).into_iter();
    let meanwhile: Vec<_> = joined.filter(|joined| (stopped..starts).contains(&joined.flow.talk.opened)).collect();
    // The last packet of a connection may come when the engine runs again, and authorizes it.
    let tagged = meanwhile.iter().filter(|joined| joined.told.is_some_and(|told| told.at.is_none_or(|at| at < starts)));
    let problems: Vec<_> = tagged.map(|joined| format!("tagged: {}", described(life, joined.flow))).collect();
    Finding::count(meanwhile.len(), "flows were not", &problems)
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
    let has_other = |local, remote| told.iter().any(|told| (told.first.local, told.first.remote) == (remote, local));
    let ends: Vec<_> = outbound.map(|joined| &joined.flow.talk).collect();
    let alone = ends.iter().filter(|talk| !has_other(talk.local, talk.remote));
    let problems: Vec<_> = alone.map(|talk| format!("nothing tells of the other end of {}", talk.local)).collect();
    Finding::count(ends.len(), "connections", &problems)
}
