//! What the driver tells of itself, and of flows from their beginning to their end.

use super::{
    Finding,
    flows::{begun, described, each, must},
};
use crate::{
    event::{Event, Flow, Loaded, Told, Totals, Why},
    flows::{Protocol, TCP},
    selftest::{
        evidence::{Evidence, Kind, Life, Settings, Step, WithoutBfe},
        machine::RUNNING,
        report::Talk,
        run::in_words,
        told::{ToldFlow, join, read},
    },
    time::MILLISECOND,
};

/// The defaults of docs/windows.md.
const DEFAULTS: (u32, u32) = (2, 65_536);
/// How long the driver may take to let go of its flows, in milliseconds.
const LONGEST_DRAIN: u64 = 2_000;

fn of_flow(flow: &Flow) -> String {
    format!("flow {:#x} ({} of process {})", flow.handle, Protocol(flow.protocol), flow.process.id)
}

pub(super) fn closed(evidence: &Evidence) -> Finding {
    let mut count = 0;
    let mut problems = Vec::new();
    for life in &evidence.lives {
        for flow in read(&life.told) {
            count += 1;
            let told = of_flow(flow.first);
            match flow.closes.as_slice() {
                _ if !flow.opened => problems.push(format!("{told} has no FlowOpen")),
                [] => problems.push(format!("{told} has no FlowClose")),
                [(close, ..)] if *close == flow.first => {}
                [_] => problems
                    .push(format!("the FlowClose of {told} tells another owner or other ends than its FlowOpen")),
                more => problems.push(format!("{told} has {} of FlowClose", more.len())),
            }
        }
    }
    Finding::count(count, "flows, those of others among them", &problems)
}

pub(super) fn why(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |life, flow, told| {
        let &(_, _, why) = told.closes.last()?;
        let open_at_stop = flow.talk.closed > life.ended;
        // Whether TIME_WAIT keeps a flow is a guess of its own.
        (open_at_stop || flow.talk.protocol != TCP || why != Why::Unload).then_some(())?;
        let expected = if open_at_stop { Why::Unload } else { Why::Ended };
        Some(must(why == expected, || format!("{why:?} instead of {expected:?}")))
    })
}

pub(super) fn closed_connections(evidence: &Evidence) -> Finding {
    each(evidence, "closed connections", |life, flow, told| {
        let &(_, _, why) = told.closes.last()?;
        (flow.talk.protocol == TCP && flow.talk.closed < life.stopped).then_some(())?;
        Some(must(why != Why::Unload, || "told as ended by unload".to_owned()))
    })
}

pub(super) fn rundown(evidence: &Evidence) -> Finding {
    let (Some(late), Some(life)) = (&evidence.late, evidence.life(Kind::Traffic)) else {
        return Finding::unknown("no session came late");
    };
    let told: Vec<_> = late.told.iter().filter_map(|told| begun(&told.event)).collect();
    // Those that surely were there: open when the session came, and when the driver stopped, and told to others.
    let heard = read(&life.told);
    let was_live = |talk: &Talk| talk.opened < late.at && talk.closed > life.ended;
    let joined = join(life, &heard).into_iter();
    let there: Vec<_> = joined.filter(|joined| joined.told.is_some() && was_live(&joined.flow.talk)).collect();
    let is =
        |talk: &Talk, told: &Flow| (told.protocol, told.local, told.remote) == (talk.protocol, talk.local, talk.remote);
    let untold = there.iter().filter(|joined| !told.iter().any(|told| is(&joined.flow.talk, told)));
    let mut problems: Vec<_> =
        untold.map(|joined| format!("nothing told it of {}", described(life, joined.flow))).collect();
    // One that ended while the state was captured was told of before, to those who listened.
    let captured = late.told.iter().rposition(|told| matches!(told.event, Event::FlowRundown(..)));
    let behind = &late.told[captured.map_or(0, |last| last + 1)..];
    let ends: Vec<_> = behind.iter().filter_map(|told| ended(&told.event)).collect();
    let unknown = read(&late.told).into_iter().filter(|flow| begun_with_close(flow));
    let unknown = unknown.filter(|flow| ends.iter().any(|end| std::ptr::eq(*end, flow.first)));
    problems.extend(unknown.map(|flow| format!("the end of {} is told, and nothing before", of_flow(flow.first))));
    Finding::count(there.len(), "live flows", &problems)
}

const fn ended(event: &Event) -> Option<&Flow> {
    match event {
        Event::FlowClose(flow, ..) => Some(flow),
        _ => None,
    }
}

fn begun_with_close(flow: &ToldFlow<'_>) -> bool {
    flow.closes.first().is_some_and(|(close, ..)| std::ptr::eq(*close, flow.first))
}

fn find<'a, T>(life: &'a Life, of: impl Fn(&'a Told) -> Option<T>) -> Option<T> {
    life.told.iter().find_map(of)
}

pub(super) fn totals(evidence: &Evidence) -> Finding {
    let mut problems = Vec::new();
    let mut sum = 0;
    for (life, number) in evidence.lives.iter().zip(1..) {
        let totals = find(life, |told| match told.event {
            Event::Totals(totals) => Some(totals),
            _ => None,
        });
        let count = |is: fn(&Event) -> bool| life.told.iter().filter(|told| is(&told.event)).count() as u64;
        let opened = count(|event| matches!(event, Event::FlowOpen(_)));
        let evicted = count(|event| matches!(event, Event::FlowClose(_, _, Why::Evicted)));
        match totals {
            None => problems.push(format!("life {number} ended without Totals")),
            Some(Totals { opened: told, closed, evicted: told_evicted, .. }) => {
                sum += told;
                if told != closed {
                    problems.push(format!("life {number}: opened={told} closed={closed}"));
                } else if (told, told_evicted) != (opened, evicted) {
                    let events = format!("{opened} of FlowOpen, {evicted} of FlowClose with Why 1");
                    problems.push(format!("life {number}: opened={told} evicted={told_evicted}, and {events}"));
                }
            }
        }
    }
    Finding::count(evidence.lives.len(), &format!("lives of the driver, {sum} flows in all"), &problems)
}

pub(super) fn drain(evidence: &Evidence) -> Finding {
    let Some(life) = evidence.life(Kind::Traffic) else { return Finding::unknown("the driver did not stop") };
    let stopping = find(life, |told| match told.event {
        Event::Stopping { live_flows } => Some((told.time?, live_flows)),
        _ => None,
    });
    let ended = find(life, |told| match told.event {
        Event::Totals(_) => told.time,
        _ => None,
    });
    let (Some((began, flows)), Some(ended)) = (stopping, ended) else {
        return Finding::unknown("Stopping or Totals did not come");
    };
    let took = ended.0.saturating_sub(began.0) / MILLISECOND;
    Finding::of(took <= LONGEST_DRAIN, format!("{took} ms with {flows} flows"))
}

pub(super) fn settings(evidence: &Evidence) -> Finding {
    let mut problems = Vec::new();
    for life in &evidence.lives {
        let Settings { trace_level, max_flows } = life.settings;
        let expected = (trace_level.unwrap_or(DEFAULTS.0), max_flows.unwrap_or(DEFAULTS.1));
        let loaded = find(life, |told| match &told.event {
            Event::Loaded(Loaded { trace_level, max_flows, .. }) => Some((*trace_level, *max_flows)),
            _ => None,
        });
        match loaded {
            None => problems.push("Loaded did not come".to_owned()),
            Some(found) if found == expected => {}
            Some(found) => problems.push(format!("{found:?} instead of {expected:?}")),
        }
    }
    Finding::count(evidence.lives.len(), "lives of the driver, one with settings of its own", &problems)
}

pub(super) fn limit(evidence: &Evidence) -> Finding {
    let Some(life) = evidence.life(Kind::Limit) else { return Finding::unknown("the driver did not stop") };
    let Some(limit) = life.settings.max_flows.map(i64::from) else { return Finding::unknown("none was set") };
    let (mut tagged, mut most) = (0_i64, 0);
    for told in &life.told {
        tagged += match told.event {
            Event::FlowOpen(_) => 1,
            Event::FlowClose(..) => -1,
            _ => 0,
        };
        most = most.max(tagged);
    }
    if most < limit {
        return Finding::unknown(format!("no more than {most} at once, with room for {limit}"));
    }
    Finding::of(most == limit, format!("{most} at once, of {}, with room for {limit}", life.flows.len()))
}

pub(super) fn bfe(evidence: &Evidence) -> Finding {
    let (Some(stop), Some(start)) = (evidence.answer(Step::BfeStop), evidence.answer(Step::BfeStart)) else {
        return Finding::unknown("it was not restarted: --restart-bfe does so, and interrupts the network");
    };
    let Some(after) = evidence.answer(Step::AfterBfe) else { return Finding::unknown("it did not come to that") };
    if (stop.error, start.error) != (0, 0) {
        return Finding::unknown(format!("it stopped with {}, started with {}", in_words(stop), in_words(start)));
    }
    if after.state != RUNNING {
        return Finding::of(false, format!("the driver then: {}", in_words(after)));
    }
    let Some(life) = evidence.life(Kind::Bfe) else { return Finding::unknown("the driver did not stop") };
    let Some(WithoutBfe { back, .. }) = life.without_bfe else { return Finding::unknown("it did not come to that") };
    let told = read(&life.told);
    let joined: Vec<_> = join(life, &told).into_iter().filter(|joined| joined.flow.talk.opened >= back).collect();
    let untold = joined.iter().filter(|joined| joined.told.is_none());
    let problems: Vec<_> = untold.map(|joined| format!("nothing tells of {}", described(life, joined.flow))).collect();
    Finding::count(joined.len(), "flows after its start", &problems)
}
