use super::*;
use crate::{
    event::{
        Direction::{In, Out},
        Loaded, Why,
    },
    top::samples::{Heard, at, flow, process, traffic},
};

const REMOTE: &str = "93.184.216.34:443";

fn curl() -> Flow {
    flow(1, process(7, "curl.exe"), REMOTE)
}

/// Name, and totals both ways with the past, of each process in the order of their names.
fn totals(snapshot: &Snapshot) -> Vec<(String, u64, u64)> {
    let mut totals: Vec<_> = snapshot
        .processes
        .iter()
        .map(|row| {
            let mut total = row.past;
            row.flows.iter().for_each(|flow| total += flow.figures.total);
            (row.process.name().to_owned(), total.sent, total.received)
        })
        .collect();
    totals.sort();
    totals
}

/// The only flow.
fn only(snapshot: &Snapshot) -> &FlowRow {
    let flows: Vec<_> = snapshot.processes.iter().flat_map(|row| &row.flows).collect();
    assert_eq!(flows.len(), 1, "{flows:?}");
    flows[0]
}

#[test]
fn packets_are_counted_for_their_flow_each_way() {
    let other = flow(2, process(8, "ssh.exe"), REMOTE);
    let mut heard = Heard::default();
    heard.open(0, &curl()).open(0, &other);
    heard.packet(1, &curl(), Out, 100).packet(2, &curl(), In, 2000).packet(3, &other, Out, 5);
    heard.packet(4, &curl(), In, 3000);
    assert_eq!(totals(&heard.snapshot(5)), [("curl.exe".into(), 100, 5000), ("ssh.exe".into(), 5, 0)]);
}

#[test]
fn rates_are_those_of_the_last_seconds() {
    let mut heard = Heard::default();
    heard.open(0, &curl());
    (0..20).for_each(|second| {
        heard.packet(second * 1000, &curl(), Out, 1000);
    });
    let snapshot = heard.snapshot(19_500);
    assert_eq!(
        snapshot.rate(only(&snapshot).figures.recent.sent),
        Some(1142),
        "four packets in three and a half seconds"
    );
    let snapshot = heard.snapshot(60_000);
    assert_eq!(snapshot.rate(only(&snapshot).figures.recent.sent), Some(0));
    assert_eq!(only(&snapshot).figures.total.sent, 20_000);
}

#[test]
fn what_a_flow_did_before_anybody_listened_is_in_its_total_and_in_no_rate() {
    let mut heard = Heard::default();
    heard.rundown(0, &curl(), traffic(500, 700, 60_000)).packet(1, &curl(), Out, 1);
    let snapshot = heard.snapshot(1000);
    assert_eq!(
        only(&snapshot).figures,
        Figures { recent: Bytes { sent: 1, received: 0 }, total: Bytes { sent: 501, received: 700 } }
    );
    assert_eq!(only(&snapshot).age, Some(61_000 * MILLISECOND));
}

#[test]
fn a_flow_that_is_told_twice_is_one() {
    for rundown_first in [false, true] {
        let mut heard = Heard::default();
        if rundown_first {
            heard.rundown(10, &curl(), traffic(500, 0, 10)).open(10, &curl());
        } else {
            heard.open(0, &curl()).packet(5, &curl(), Out, 500).rundown(10, &curl(), traffic(500, 0, 10));
        }
        let snapshot = heard.snapshot(1010);
        assert_eq!(only(&snapshot).figures.total.sent, 500, "{rundown_first}");
        assert_eq!(only(&snapshot).age, Some(1010 * MILLISECOND), "{rundown_first}");
    }
}

#[test]
fn a_flow_that_has_ended_lingers_and_then_is_its_process_s_past() {
    let mut heard = Heard::default();
    heard.open(0, &curl()).packet(1000, &curl(), In, 10).close(2000, &curl(), traffic(5, 10, 2000));
    let snapshot = heard.snapshot(11_999);
    assert!(only(&snapshot).is_over);
    assert_eq!(only(&snapshot).age, Some(2000 * MILLISECOND), "its age stands still");
    assert_eq!(totals(&snapshot), [("curl.exe".into(), 5, 10)]);
    let snapshot = heard.snapshot(12_000);
    assert!(snapshot.processes[0].flows.is_empty());
    assert_eq!(totals(&snapshot), [("curl.exe".into(), 5, 10)]);
}

#[test]
fn of_a_flow_that_is_only_heard_of_at_its_end_all_is_told_then() {
    let mut heard = Heard::default();
    heard.close(5000, &curl(), traffic(5, 10, 2000));
    let snapshot = heard.snapshot(5000);
    assert_eq!(totals(&snapshot), [("curl.exe".into(), 5, 10)]);
    assert_eq!((only(&snapshot).is_over, only(&snapshot).age), (true, Some(2000 * MILLISECOND)));
}

#[test]
fn a_handle_that_another_flow_has_got_is_that_one_s() {
    let other = Flow { handle: 1, ..flow(2, process(8, "ssh.exe"), "10.0.0.9:22") };
    let mut heard = Heard::default();
    heard.open(0, &curl()).packet(1, &curl(), Out, 100).open(2, &other).packet(3, &other, Out, 5);
    let snapshot = heard.snapshot(4);
    assert_eq!(totals(&snapshot), [("curl.exe".into(), 100, 0), ("ssh.exe".into(), 5, 0)]);
    assert_eq!(snapshot.live(), 1);
}

#[test]
fn packets_of_a_flow_that_nobody_told_of_are_their_process_s_until_it_is_told() {
    let mut heard = Heard::default();
    heard.packet(0, &curl(), Out, 100);
    let snapshot = heard.snapshot(0);
    assert_eq!((&*only(&snapshot).text, snapshot.processes[0].process.id), ("flow 0x1", 7));
    heard.rundown(10, &curl(), traffic(900, 0, 60_000));
    let snapshot = heard.snapshot(10);
    assert_eq!(totals(&snapshot), [("curl.exe".into(), 900, 0)]);
    assert_eq!(only(&snapshot).figures.recent.sent, 100);
}

#[test]
fn a_flow_that_nobody_tells_of_is_the_past_when_no_packets_come_any_more() {
    let mut heard = Heard::default();
    heard.packet(0, &curl(), Out, 100);
    assert_eq!(heard.snapshot(3999).live(), 1);
    let snapshot = heard.snapshot(4000);
    assert_eq!((snapshot.live(), totals(&snapshot)), (0, vec![(String::new(), 100, 0)]));
}

#[test]
fn who_was_named_by_a_packet_without_a_start_key_is_gone_when_its_flow_is_told() {
    let unknown = Process { start_key: 0, ..process(7, "curl.exe") };
    let mut heard = Heard::default();
    heard.packet(0, &Flow { process: unknown.clone(), ..curl() }, Out, 100);
    heard.open(1, &Flow { process: unknown, ..curl() });
    assert_eq!(totals(&heard.snapshot(2)), [("curl.exe".into(), 100, 0)]);
}

#[test]
fn where_the_driver_is_loaded_again_its_former_flows_have_ended() {
    let loaded = Event::Loaded(Loaded { version: "0.1.0".into(), trace_level: 0, max_flows: 0 });
    let mut heard = Heard::default();
    heard.open(0, &curl()).hear(1, loaded);
    assert_eq!(heard.snapshot(2).live(), 0);
}

#[test]
fn of_flows_that_have_ended_only_so_many_linger_and_none_of_what_they_did_is_lost() {
    let mut heard = Heard::default();
    for handle in 0..=LINGERING as u64 {
        heard.close(0, &flow(handle, process(7, "curl.exe"), REMOTE), traffic(1, 0, 0));
    }
    let snapshot = heard.snapshot(0);
    assert_eq!(snapshot.processes[0].flows.len(), LINGERING);
    assert_eq!(totals(&snapshot), [("curl.exe".into(), LINGERING as u64 + 1, 0)]);
}

#[test]
fn events_without_times_make_totals_but_neither_rates_nor_ages() {
    let mut model = Model::default();
    for event in [Event::FlowOpen(curl()), Event::FlowClose(curl(), traffic(9, 0, 5), Why::Ended)] {
        model.hear(&Told { time: None, event });
    }
    let now = model.newest();
    let snapshot = model.snapshot(now);
    assert_eq!((snapshot.rate(1), only(&snapshot).age, only(&snapshot).figures.total.sent), (None, None, 9));
    assert_eq!(snapshot.age(&process(7, "curl.exe")), None);
}

#[test]
fn a_process_is_as_old_as_it_says_unless_it_does_not() {
    let snapshot = Heard::default().open(0, &curl()).snapshot(5000);
    assert_eq!(snapshot.age(&curl().process), Some(15_000 * MILLISECOND));
    assert_eq!(snapshot.age(&Process { created: Time::FIRST, ..curl().process }), None);
    assert_eq!(snapshot.age(&Process { created: at(6000), ..curl().process }), None);
}

#[test]
fn a_flow_says_whom_it_is_with_before_all_else() {
    let text = |flow: &Flow| only(&Heard::default().open(0, flow).snapshot(0)).text.to_string();
    assert_eq!(text(&curl()), "tcp to 93.184.216.34:443 from 10.0.0.5:50123");
    let accepted = Flow { direction: In, service_tag: 0x2a, protocol: 17, ..curl() };
    assert_eq!(text(&accepted), "udp from 93.184.216.34:443 to 10.0.0.5:50123 service 0x2a");
    let (local, remote) = ("10.0.0.5:8".parse().unwrap(), "10.0.0.1:0".parse().unwrap());
    let echo = Flow { protocol: 1, local, remote, ..curl() };
    assert_eq!(text(&echo), "icmp to 10.0.0.1 from 10.0.0.5 type=8 code=0");
}
