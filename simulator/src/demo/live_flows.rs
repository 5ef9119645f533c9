//! Which flows of this machine a driver has to know at any moment: those that are open and have been authorized while it ran.

use std::collections::BTreeMap;

use crate::traffic::event::{Event, Flow, protocol};

/// The flows that are open, by what the probes saw.
#[derive(Debug, Default)]
pub struct LiveFlows {
    driver_runs: bool,
    /// And whether the driver has to know it.
    flows: BTreeMap<u64, (Flow, bool)>,
}

impl LiveFlows {
    /// The driver runs from now on.
    pub const fn driver_starts(&mut self) {
        self.driver_runs = true;
    }

    /// Something happens.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Begin(_) | Event::Exit { .. } => {}
            Event::Open { flow, .. } => drop(self.flows.insert(flow.id, (flow.clone(), self.driver_runs))),
            // An older flow is authorized again at its next packet.
            Event::Packet { flow, .. } => {
                if let Some((_, known)) = self.flows.get_mut(flow) {
                    *known |= self.driver_runs;
                }
            }
            Event::Close { flow } => drop(self.flows.remove(flow)),
        }
    }

    /// Those over TCP and UDP that it has to know now. Without an owner Windows authorizes none.
    #[must_use]
    pub fn known(&self) -> Vec<Flow> {
        let known = self.flows.values().filter(|(flow, known)| {
            *known && flow.pid.is_some() && [protocol::TCP, protocol::UDP].contains(&flow.protocol)
        });
        known.map(|(flow, _)| flow.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::event::{Direction, Packet};

    fn flow(id: u64) -> Flow {
        let local = "127.0.0.1:1".parse().unwrap();
        let remote = "127.0.0.1:2".parse().unwrap();
        Flow { id, pid: Some(7), path: None, direction: Direction::Outbound, protocol: 6, local, remote }
    }

    fn open(flow: Flow) -> Event {
        Event::Open { flow, arrived: None }
    }

    fn packet(flow: u64) -> Event {
        Event::Packet { flow, direction: Direction::Outbound, packet: Packet { header: 20, payload: 0 } }
    }

    fn known(before: &[Event], after: &[Event]) -> Vec<u64> {
        let mut flows = LiveFlows::default();
        for event in before {
            flows.observe(event);
        }
        flows.driver_starts();
        for event in after {
            flows.observe(event);
        }
        flows.known().iter().map(|flow| flow.id).collect()
    }

    #[test]
    fn a_flow_is_known_from_its_beginning_to_its_end() {
        assert_eq!(known(&[], &[open(flow(1)), open(flow(2)), Event::Close { flow: 1 }]), [2]);
    }

    #[test]
    fn an_older_flow_is_known_from_its_next_packet_on() {
        assert_eq!(known(&[open(flow(1)), open(flow(2)), packet(2)], &[packet(1)]), [1]);
    }

    #[test]
    fn a_flow_without_owner_or_over_icmp_is_not_wanted() {
        let nobody = Flow { pid: None, ..flow(1) };
        let echo = Flow { protocol: protocol::ICMP, ..flow(2) };

        assert_eq!(known(&[], &[open(nobody), open(echo)]), [0; 0]);
    }
}
