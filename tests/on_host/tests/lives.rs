//! Lives of flows on real threads. Natively they run as they are; Miri and `ThreadSanitizer` look for what a run that ends
//! well does not show: pointers used beyond what they may reach, and races.

use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use flowtag_on_host::{Machine, event_tracing, filter_engine, kernel, processes, tag::Direction};

/// How many flows a thread goes through: Miri takes a thousand times as long.
const FLOWS: u64 = if cfg!(miri) { 12 } else { 3_000 };

fn path() -> Vec<u8> {
    r"\device\harddiskvolume3\windows\curl.exe".encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_flow_lives_and_ends() {
    let machine = Machine::start(16, 3);
    machine.authorize(0x2a1, 4242, &mut path());
    machine.transport(0x2a1, Direction::Out, &[517, 20]);
    machine.transport(0x2a1, Direction::In, &[1500]);
    assert_eq!(filter_engine::contexts(), 2);
    machine.end(0x2a1);
    assert_eq!(filter_engine::contexts(), 0);
    machine.stop();
}

#[test]
fn flows_are_authorized_while_their_owners_come_and_go() {
    let machine = Machine::start(16, 1);
    processes::make_room(4);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=FLOWS {
                // Ids are used again, and those that exited make room for one another.
                let (pid, key) = (4 * (number % 3), NonZeroU64::new(number).unwrap());
                processes::begin(pid, key, &path());
                processes::exit(pid, key);
            }
        });
        for flow in 1..=FLOWS {
            machine.authorize(flow, 4 * (flow % 3), &mut path());
            machine.end(flow);
        }
    });
    processes::forget();
    machine.stop();
}

#[test]
fn a_flow_lives_until_unload() {
    let machine = Machine::start(16, 2);
    machine.authorize(0x2a1, 4242, &mut path());
    machine.stop();
}

#[test]
fn a_flow_without_memory_is_not_tagged() {
    let machine = Machine::start(16, 2);
    kernel::run_short_of_memory(1);
    machine.authorize(0x2a1, 4242, &mut path());
    assert_eq!(filter_engine::contexts(), 0);
    machine.stop();
}

#[test]
fn a_flow_that_has_its_tag_keeps_it() {
    let machine = Machine::start(16, 2);
    machine.authorize(0x2a1, 4242, &mut path());
    machine.authorize(0x2a1, 4242, &mut path());
    assert_eq!(filter_engine::contexts(), 2);
    machine.stop();
}

#[test]
fn a_flow_that_was_evicted_is_tagged_anew() {
    let machine = Machine::start(16, 1);
    for flow in (1..=17).chain([1]) {
        machine.authorize(flow, 4242, &mut path());
    }
    assert_eq!(filter_engine::contexts(), 32);
    machine.stop();
}

#[test]
fn in_a_full_ring_each_flow_evicts_another() {
    let machine = Machine::start(16, 1);
    for flow in 1..=20 {
        machine.authorize(flow, 4242, &mut path());
    }
    assert_eq!(filter_engine::contexts(), 32);
    machine.stop();
}

#[test]
fn threads_authorize_send_and_end_the_same_flows_while_the_driver_is_unloaded() {
    let machine = Machine::start(16, 2);
    let half_way = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for flow in 1..=FLOWS {
                machine.authorize(flow, 4242, &mut path());
                half_way.store(flow >= FLOWS / 2, Ordering::Relaxed);
            }
            half_way.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            for flow in 1..=FLOWS {
                machine.authorize(flow, 4711, &mut path());
                machine.end(flow);
            }
        });
        scope.spawn(|| {
            for flow in 1..=FLOWS {
                machine.transport(flow, Direction::Out, &[517, 20]);
                machine.transport(flow.saturating_sub(2), Direction::In, &[1500]);
            }
        });
        while !half_way.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        machine.stop();
    });
}

#[test]
fn a_session_that_asks_gets_each_live_flow_once() {
    let machine = Machine::start(64, 0);
    for flow in 1..=40 {
        machine.authorize(flow, 4242, &mut path());
    }
    machine.end(7);
    event_tracing::enable();
    let before = event_tracing::events();
    event_tracing::capture();
    assert_eq!(event_tracing::events() - before, 39);
    event_tracing::disable();
    event_tracing::capture();
    assert_eq!(event_tracing::events() - before, 39);
    machine.stop();
}

#[test]
fn a_session_comes_asks_and_goes_while_flows_live_and_end_and_the_driver_is_unloaded() {
    let machine = Machine::start(16, 0);
    let half_way = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for flow in 1..=FLOWS {
                machine.authorize(flow, 4242, &mut path());
                machine.transport(flow, Direction::Out, &[517, 20]);
                machine.end(flow.saturating_sub(3));
                half_way.store(flow >= FLOWS / 2, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            for _ in 1..=FLOWS / 4 {
                event_tracing::enable();
                event_tracing::capture();
                event_tracing::capture();
                event_tracing::disable();
            }
        });
        while !half_way.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        machine.stop();
    });
}
