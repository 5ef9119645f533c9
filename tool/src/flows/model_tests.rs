//! The table, held against the rule itself, applied to every flow for every packet.

use proptest::prelude::*;

use super::*;
use crate::{
    event::{Direction, Event, Flow, Origin, Process, Told, Traffic, Why},
    time::Time,
};

const TOLERANCE: u64 = 3;

/// A flow as the generator makes it: which of three tuples, the way, whose, and from when to when.
#[derive(Clone, Copy, Debug)]
struct Made {
    port: u16,
    mirrored: bool,
    pid: u32,
    opened: u64,
    lived: u64,
}

fn ends(port: u16, mirrored: bool) -> (std::net::SocketAddr, std::net::SocketAddr) {
    let one = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let other = std::net::SocketAddr::from(([127, 0, 0, 1], 443));
    if mirrored { (other, one) } else { (one, other) }
}

fn told(handle: usize, made: &Made) -> Told {
    let (local, remote) = ends(made.port, made.mirrored);
    let process = Process { id: made.pid, start_key: made.pid.into(), ..Process::default() };
    let flow = Flow {
        handle: handle as u64,
        process,
        service_tag: 0,
        package_sid: String::new(),
        direction: Direction::Out,
        protocol: TCP,
        local,
        remote,
        interface: 0,
        compartment: 0,
        origin: Origin::New,
    };
    let traffic = Traffic { duration: made.lived, ..Traffic::default() };
    Told { time: Some(Time(made.opened + made.lived)), event: Event::FlowClose(flow, traffic, Why::Ended) }
}

/// Nobody, and several, among process ids.
const NOBODY: u32 = 0;
const SEVERAL: u32 = u32::MAX;

/// The rule: of the flows that live at the time, and if there are none of those that nearly do, all have to be one process's.
fn expected(all: &[Made], port: u16, mirrored: bool, time: u64) -> u32 {
    let within = |tolerance: u64| {
        let mut pids: Vec<u32> = all
            .iter()
            .filter(|made| (made.port, made.mirrored) == (port, mirrored))
            .filter(|made| {
                made.opened.saturating_sub(tolerance) <= time && time <= made.opened + made.lived + tolerance
            })
            .map(|made| made.pid)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    };
    let mut pids = within(0);
    if pids.is_empty() {
        pids = within(TOLERANCE);
    }
    match pids[..] {
        [] => NOBODY,
        [pid] => pid,
        _ => SEVERAL,
    }
}

proptest! {
    #[test]
    fn the_table_answers_as_the_rule_does(
        flows in prop::collection::vec((1u16..4, any::<bool>(), 1u32..4, 10u64..60, 0u64..20), 0..12),
        asked in prop::collection::vec((1u16..4, any::<bool>(), 0u64..100), 50),
    ) {
        let flows: Vec<Made> = flows
            .into_iter()
            .map(|(port, mirrored, pid, opened, lived)| Made { port, mirrored, pid, opened, lived })
            .collect();
        let mut lives = Lives::default();
        for (handle, made) in flows.iter().enumerate() {
            lives.hear(&told(handle, made));
        }
        let table = Table::new(lives, TOLERANCE);
        let questions: Vec<(Tuple, Time)> = asked
            .iter()
            .map(|&(port, mirrored, time)| {
                let (source, destination) = ends(port, mirrored);
                (Tuple { protocol: TCP, source, destination }, Time(time))
            })
            .collect();
        let mut answers = Vec::new();
        table.all_at(&questions, &mut answers);
        prop_assert_eq!(answers.len(), asked.len());
        for (((port, mirrored, time), (tuple, at)), sides) in asked.into_iter().zip(&questions).zip(answers) {
            prop_assert_eq!(table.at(tuple, *at), sides);
            let answered = |answer| match answer {
                Answer::Nobody => NOBODY,
                Answer::Owner(id) => table.owners().get(id).id,
                Answer::Several => SEVERAL,
            };
            prop_assert_eq!(answered(sides.source), expected(&flows, port, mirrored, time));
            prop_assert_eq!(answered(sides.destination), expected(&flows, port, !mirrored, time));
        }
    }
}
