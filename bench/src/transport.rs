//! One packet of a tagged flow at the transport layer.

use std::{sync::Barrier, thread};

use anyhow::{Context, Result};
use flowtag_simulator::{
    Machine,
    computer::Cpu,
    wfp::{Direction, FlowHandle, Packet, Prepared},
};

use crate::{
    subject::{Subject, flow},
    timing::{Spread, nanoseconds_of, over},
};

/// Calls that are timed together.
const BATCH: u32 = 1_000;

/// What the tagged packet is compared with.
extern "win64" fn empty_callout() {}

/// A TCP segment in so many `NET_BUFFER`s.
pub fn packet(buffers: usize) -> Packet {
    Packet { payloads: vec![1_440; buffers], transport_header: 20 }
}

/// Nanoseconds of a packet over an empty callout, after the flow's first packet.
pub fn nanoseconds(subject: &Subject, buffers: usize, rounds: usize) -> Result<Spread> {
    let flow = subject.open(&flow(0))?;
    let prepared = prepare(&subject.machine, flow, buffers)?;
    Ok(subject.machine.run(|cpu| {
        over(
            rounds,
            || nanoseconds_of(BATCH, || prepared.classify(cpu)),
            || nanoseconds_of(BATCH, || prepared.call(cpu, empty_callout as *const () as u64)),
        )
    })?)
}

/// The same among these flows, each packet of another one. The driver traces nothing.
pub fn nanoseconds_among(subject: &Subject, flows: &[FlowHandle], rounds: usize) -> Result<Spread> {
    /// More contexts than this do not fit into a cache either.
    const MOST: usize = 65_536;
    let step = flows.len().div_ceil(MOST).max(1);
    let machine = &subject.machine;
    let first = prepare(machine, flows[0], 1)?;
    // Opened in this order, so a stride that is no divisor scatters them.
    let chosen: Vec<_> = flows.iter().step_by(step).collect();
    let contexts: Result<Vec<_>> = (0..chosen.len())
        .map(|index| {
            let flow = *chosen[index * 7_919 % chosen.len()];
            machine.flow_context(flow, Direction::Outbound)
        })
        .map(|context| context.context("a flow without context"))
        .collect();
    let contexts = contexts?;
    Ok(machine.run(|cpu| {
        let mut next = contexts.iter().cycle();
        over(
            rounds,
            || {
                nanoseconds_of(BATCH, || {
                    if let Some(context) = next.next() {
                        first.classify_with(cpu, context);
                    }
                })
            },
            || nanoseconds_of(BATCH, || first.call(cpu, empty_callout as *const () as u64)),
        )
    })?)
}

/// Two CPUs at once, on one flow or on one each.
pub fn nanoseconds_on_two_cpus(same_flow: bool, rounds: usize) -> Result<Spread> {
    let subject = Subject::flowtag(2, 16)?;
    let first = subject.open(&flow(0))?;
    let second = if same_flow { first } else { subject.open(&flow(0))? };
    let prepared = [prepare(&subject.machine, first, 1)?, prepare(&subject.machine, second, 1)?];
    let (barrier, machine) = (Barrier::new(2), &subject.machine);
    let measured = thread::scope(|scope| {
        let threads = prepared.each_ref().map(|prepared| {
            let barrier = &barrier;
            scope.spawn(move || {
                let together = |call: &dyn Fn(&Cpu), cpu: &Cpu| {
                    barrier.wait();
                    nanoseconds_of(BATCH, || call(cpu))
                };
                machine.run(|cpu| {
                    over(
                        rounds,
                        || together(&|cpu| prepared.classify(cpu), cpu),
                        || together(&|cpu| prepared.call(cpu, empty_callout as *const () as u64), cpu),
                    )
                })
            })
        });
        threads.map(|thread| thread.join().expect("a measuring thread does not panic"))
    });
    let [first, second] = measured;
    Ok(first?.mean(second?))
}

fn prepare(machine: &Machine, flow: FlowHandle, buffers: usize) -> Result<Prepared> {
    let packet = packet(buffers);
    // The first packet prints a line at TraceLevel 2.
    machine.transport(flow, Direction::Outbound, &packet)?;
    machine.prepare(flow, Direction::Outbound, &packet).context("the driver has no context on the flow")
}
