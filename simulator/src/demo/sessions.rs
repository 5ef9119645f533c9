//! What those who listen to the driver's events have heard: all that happened, and the same as the lines say.

use std::collections::{HashMap, VecDeque};

use super::{
    events::{self, First, Heard},
    report::Protocol,
    trace::Tagged,
};
use crate::{
    etw::Event,
    traffic::event::{Flow, protocol},
};

/// The events of the sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    /// Of one that was there before the driver.
    pub first: Vec<Event>,
    /// Of one that came later.
    pub late: Option<Late>,
    /// How many events they have lost together.
    pub lost: u64,
}

/// What a session that came later has heard.
#[derive(Debug)]
pub struct Late {
    /// Its events: the captured state first.
    pub events: Vec<Event>,
    /// The flows that the driver had to know when the state was captured.
    pub live: Vec<Flow>,
}

/// What is wrong, each in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// `FlowOpen` without `FlowClose`.
    pub unclosed: Vec<String>,
    /// The session that came later does not know a flow.
    pub unheard: Vec<String>,
    /// An event tells of a flow what no line does, or a line what no event does.
    pub disagreeing: Vec<String>,
}

/// Holds the events against the lines, and against the flows that there were.
#[must_use]
pub fn judge(sessions: &Sessions, lines: &[Tagged]) -> Findings {
    let mut findings = Findings::default();
    let flows = events::read(&sessions.first);
    // A handle is used again: the events of its flows come in the order of their lines.
    let mut told: HashMap<u64, VecDeque<&Heard>> = HashMap::new();
    for flow in &flows {
        told.entry(flow.tagged.flow).or_default().push_back(flow);
        if flow.first == First::Open && flow.tagged.counted.is_none() {
            findings.unclosed.push(format!("FlowOpen without FlowClose: {}", described(&flow.tagged)));
        }
    }
    for line in lines {
        let event = told.get_mut(&line.flow).and_then(VecDeque::pop_front);
        match event {
            Some(Heard { tagged, first: First::Open, consistent: true }) if events::agree(line, tagged) => {}
            Some(Heard { tagged, .. }) => findings.disagreeing.push(format!("a line says {line:?}, events {tagged:?}")),
            None => findings.disagreeing.push(format!("no event tells of {}", described(line))),
        }
    }
    let unwritten = told.into_values().flatten().map(|flow| format!("no line tells of {}", described(&flow.tagged)));
    findings.disagreeing.extend(unwritten);
    if let Some(late) = &sessions.late {
        findings.unheard = unheard(late);
    }
    findings
}

/// What a session that came later does not know: flows that were live then, and those that it hears the end of.
fn unheard(late: &Late) -> Vec<String> {
    let mut flows = events::read(&late.events);
    let mut unheard = Vec::new();
    for live in &late.live {
        // The same addresses may come again: each flow is one.
        match flows.iter().position(|flow| flow.first != First::Close && is(&flow.tagged, live)) {
            Some(index) => drop(flows.remove(index)),
            None => unheard.push(format!("live when a session came, and not told: {live:?}")),
        }
    }
    let unknown = flows.iter().filter(|flow| flow.first == First::Close);
    unheard.extend(unknown.map(|flow| format!("closed, and not told before: {}", described(&flow.tagged))));
    unheard
}

fn is(told: &Tagged, live: &Flow) -> bool {
    let number = told.protocol.map(|known| match known {
        Protocol::Tcp => protocol::TCP,
        Protocol::Udp => protocol::UDP,
    });
    live.pid.is_some_and(|pid| told.pid == u64::from(pid))
        && (told.direction, number) == (live.direction, Some(live.protocol))
        && told.ends == Some((live.local, live.remote))
}

fn described(flow: &Tagged) -> String {
    format!("flow {:#x} of process {}, {:?}", flow.flow, flow.pid, flow.ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{demo::events::tests::event, etw::tracelogging::Value, traffic::event::Direction};

    /// The line that an event agrees with.
    fn line(of: &Event) -> Tagged {
        events::read(std::slice::from_ref(of)).remove(0).tagged
    }

    fn open() -> Event {
        event("FlowOpen", &[])
    }

    fn close() -> Event {
        event("FlowClose", &[])
    }

    fn judged(first: Vec<Event>, lines: &[Tagged]) -> Findings {
        judge(&Sessions { first, ..Sessions::default() }, lines)
    }

    /// The flow of [`event`].
    fn live() -> Flow {
        let ends = ["10.0.0.5:50123", "[::1]:443"].map(|end| end.parse().unwrap());
        Flow {
            id: 1,
            pid: Some(4242),
            path: None,
            direction: Direction::Outbound,
            protocol: 6,
            local: ends[0],
            remote: ends[1],
        }
    }

    fn judged_late(events: Vec<Event>, live: Vec<Flow>) -> Vec<String> {
        judge(&Sessions { late: Some(Late { events, live }), ..Sessions::default() }, &[]).unheard
    }

    #[test]
    fn events_that_say_what_lines_say_are_right() {
        assert_eq!(judged(vec![open(), close()], &[line(&close())]), Findings::default());
    }

    #[test]
    fn an_open_without_a_close_is_found() {
        let findings = judged(vec![open()], &[line(&open())]);

        assert_eq!((findings.unclosed.len(), findings.disagreeing.len()), (1, 0));
    }

    #[test]
    fn a_flow_that_only_lines_or_only_events_tell_of_is_found() {
        assert_eq!(judged(Vec::new(), &[line(&close())]).disagreeing.len(), 1);
        assert_eq!(judged(vec![open(), close()], &[]).disagreeing.len(), 1);
    }

    #[test]
    fn a_flow_that_events_and_lines_tell_otherwise_is_found() {
        let other = Tagged { pid: 7, ..line(&close()) };

        assert_eq!(judged(vec![open(), close()], &[other]).disagreeing.len(), 1);
    }

    #[test]
    fn a_close_that_tells_otherwise_than_its_open_or_has_none_is_found() {
        let other = event("FlowClose", &[("ParentProcessId", Value::Unsigned(7))]);

        assert_eq!(judged(vec![open(), other], &[line(&close())]).disagreeing.len(), 1);
        assert_eq!(judged(vec![close()], &[line(&close())]).disagreeing.len(), 1);
    }

    #[test]
    fn each_use_of_a_handle_has_its_line() {
        let second = event("FlowClose", &[("OutBytes", Value::Unsigned(7))]);
        let events = vec![open(), close(), open(), second.clone()];

        assert_eq!(judged(events.clone(), &[line(&close()), line(&second)]), Findings::default());
        assert_eq!(judged(events, &[line(&second), line(&close())]).disagreeing.len(), 2);
    }

    #[test]
    fn a_session_that_comes_later_knows_live_flows_by_rundown_or_open() {
        for name in ["FlowRundown", "FlowOpen"] {
            assert_eq!(judged_late(vec![event(name, &[]), close()], vec![live()]), [""; 0], "{name}");
        }
    }

    #[test]
    fn a_live_flow_that_it_is_not_told_of_is_found() {
        let others = [
            ("ProcessId", Value::Unsigned(7)),
            ("Direction", Value::Unsigned(1)),
            ("Protocol", Value::Unsigned(17)),
            ("LocalAddress", Value::Socket("10.0.0.5:1".parse().unwrap())),
            ("RemoteAddress", Value::Socket("[::1]:1".parse().unwrap())),
        ];
        for other in others {
            let rundown = event("FlowRundown", std::slice::from_ref(&other));

            assert_eq!(judged_late(vec![rundown], vec![live()]).len(), 1, "{other:?}");
        }
    }

    #[test]
    fn one_rundown_does_not_serve_two_flows() {
        assert_eq!(judged_late(vec![event("FlowRundown", &[])], vec![live(), live()]).len(), 1);
    }

    #[test]
    fn the_end_of_a_flow_that_it_was_not_told_of_is_found() {
        assert_eq!(judged_late(vec![close()], Vec::new()).len(), 1);
    }
}
