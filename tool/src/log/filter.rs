//! Which events are wanted. A filter is about flows: with one, events about the driver are not shown.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::event::{Event, Flow, Process};

/// What is wanted. What is empty wants all.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names of programs, or ids of processes.
    pub processes: Vec<String>,
    /// Networks of the other end.
    pub remotes: Vec<IpNet>,
    /// Numbers of protocols.
    pub protocols: Vec<u8>,
}

/// Applies it to one event after the other.
#[derive(Debug)]
pub struct Filter {
    wanted: Wanted,
    /// The handles of live flows that are wanted: packets tell nothing else of their flow.
    live: HashSet<u64>,
}

impl Filter {
    /// One for this.
    #[must_use]
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, live: HashSet::new() }
    }

    /// Whether this event is wanted.
    pub fn takes(&mut self, event: &Event) -> bool {
        if self.wanted.is_everything() {
            return true;
        }
        match event {
            Event::FlowOpen(flow) | Event::FlowRundown(flow, _) => {
                let wanted = self.wanted.has(flow);
                if wanted {
                    self.live.insert(flow.handle);
                } else {
                    self.live.remove(&flow.handle);
                }
                wanted
            }
            Event::FlowClose(flow, ..) => {
                self.live.remove(&flow.handle);
                self.wanted.has(flow)
            }
            Event::FirstPacket(packet) | Event::Packet(packet) => self.live.contains(&packet.handle),
            _ => false,
        }
    }
}

impl Wanted {
    fn is_everything(&self) -> bool {
        self.processes.is_empty() && self.remotes.is_empty() && self.protocols.is_empty()
    }

    fn has(&self, flow: &Flow) -> bool {
        let process = self.processes.is_empty() || self.processes.iter().any(|name| is_named(&flow.process, name));
        let remote = self.remotes.is_empty() || self.remotes.iter().any(|net| net.contains(&flow.remote.ip()));
        let protocol = self.protocols.is_empty() || self.protocols.contains(&flow.protocol);
        process && remote && protocol
    }
}

/// By its id, or by its file name, with or without `.exe`, in capitals or not.
fn is_named(process: &Process, name: &str) -> bool {
    if let Ok(id) = name.parse::<u32>() {
        return process.id == id;
    }
    let (own, name) = (process.name().to_lowercase(), name.to_lowercase());
    own == name || own.strip_suffix(".exe") == Some(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Direction, Origin, Packet, Traffic, Why};

    fn flow(handle: u64, pid: u32, path: &str, remote: &str, protocol: u8) -> Flow {
        Flow {
            handle,
            process: Process { id: pid, path: path.into(), ..Process::default() },
            service_tag: 0,
            package_sid: "S-1-0-0".into(),
            direction: Direction::Out,
            protocol,
            local: "10.0.0.5:1".parse().unwrap(),
            remote: remote.parse().unwrap(),
            interface: 0,
            compartment: 0,
            origin: Origin::New,
        }
    }

    fn curl() -> Flow {
        flow(1, 4242, r"\device\harddiskvolume3\windows\curl.exe", "93.184.216.34:443", 6)
    }

    fn packet(handle: u64) -> Event {
        Event::Packet(Packet { handle, process_id: 0, start_key: 0, direction: Direction::In, bytes: 1 })
    }

    fn takes(wanted: Wanted, flow: Flow) -> bool {
        Filter::new(wanted).takes(&Event::FlowOpen(flow))
    }

    fn by_process(name: &str) -> Wanted {
        Wanted { processes: vec![name.into()], ..Wanted::default() }
    }

    #[test]
    fn a_process_is_wanted_by_its_name_or_its_id() {
        for name in ["curl.exe", "curl", "CURL", "4242"] {
            assert!(takes(by_process(name), curl()), "{name}");
        }
        for name in ["url", "curl.ex", "424", "windows"] {
            assert!(!takes(by_process(name), curl()), "{name}");
        }
    }

    #[test]
    fn the_other_end_is_wanted_by_its_network() {
        let by = |net: &str| Wanted { remotes: vec![net.parse().unwrap()], ..Wanted::default() };
        assert!(takes(by("93.184.0.0/16"), curl()) && !takes(by("93.185.0.0/16"), curl()));
        let v6 = flow(1, 1, "x", "[2001:db8::1]:443", 6);
        assert!(takes(by("2001:db8::/32"), v6.clone()) && !takes(by("0.0.0.0/0"), v6));
    }

    #[test]
    fn each_kind_of_wish_has_to_come_true() {
        let both = Wanted { protocols: vec![17], ..by_process("curl") };
        assert!(!takes(both.clone(), curl()));
        assert!(takes(both, Flow { protocol: 17, ..curl() }));
    }

    #[test]
    fn packets_are_wanted_with_their_flow_as_long_as_it_lives() {
        let mut filter = Filter::new(by_process("curl"));
        assert!(!filter.takes(&packet(1)));
        filter.takes(&Event::FlowRundown(curl(), Traffic::default()));
        assert!(filter.takes(&packet(1)) && !filter.takes(&packet(2)));
        assert!(filter.takes(&Event::FlowClose(curl(), Traffic::default(), Why::Ended)));
        assert!(!filter.takes(&packet(1)));
    }

    #[test]
    fn a_handle_that_another_flow_got_is_not_wanted_any_more() {
        let mut filter = Filter::new(by_process("curl"));
        filter.takes(&Event::FlowOpen(curl()));
        filter.takes(&Event::FlowOpen(flow(1, 7, "other.exe", "10.0.0.9:1", 6)));
        assert!(!filter.takes(&packet(1)));
    }

    #[test]
    fn events_about_the_driver_are_shown_to_who_wants_all() {
        let stopping = Event::Stopping { live_flows: 1 };
        assert!(Filter::new(Wanted::default()).takes(&stopping));
        assert!(!Filter::new(by_process("curl")).takes(&stopping));
    }
}
