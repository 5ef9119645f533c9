//! What can be counted exactly: instructions, imports, allocations and locks of one operation.

use std::collections::BTreeMap;

use anyhow::Result;
use flowtag_simulator::{
    BugCheck, Machine,
    wfp::{Direction, FlowHandle, Packet},
};
use serde::{Deserialize, Serialize};

use crate::{
    subject::{Subject, flow},
    transport::packet,
    unload,
};

/// The counts of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Instructions of the driver's image.
    pub instructions: u64,
    /// Calls of imports, `memcpy` and the like included.
    pub imports: u64,
    /// Allocations of pool.
    pub pool_allocations: u64,
    /// Pairs of `KfRaiseIrql` and `KeLowerIrql`: one around each lock.
    pub irql_pairs: u64,
}

impl Counts {
    /// The counts with their names.
    pub fn named(&self) -> [(&'static str, u64); 4] {
        [
            ("instructions", self.instructions),
            ("imports", self.imports),
            ("pool_allocations", self.pool_allocations),
            ("irql_pairs", self.irql_pairs),
        ]
    }
}

/// The counts of operations, by their names.
pub type Counted = BTreeMap<String, Counts>;

/// Counts what the driver does during `operation`.
pub fn count<T>(machine: &Machine, operation: impl FnOnce() -> T) -> Result<(T, Counts), BugCheck> {
    let before =
        (machine.faults().all_calls(), machine.faults().calls("ExAllocatePool2"), machine.irql_changes().raised());
    let (value, instructions) = machine.run(|cpu| cpu.count_instructions(operation))?;
    let counts = Counts {
        instructions: instructions.count(),
        imports: machine.faults().all_calls() - before.0 + instructions.native_calls(),
        pool_allocations: machine.faults().calls("ExAllocatePool2") - before.1,
        irql_pairs: machine.irql_changes().raised() - before.2,
    };
    Ok((value, counts))
}

/// Everything that the budget limits.
pub fn all() -> Result<Counted> {
    let mut counted = Counted::new();
    for (name, level, buffers) in [("transport", 2, 1), ("transport_trace0", 0, 1), ("transport_chain8", 2, 8)] {
        let subject = Subject::flowtag(level, 16)?;
        counted.insert(name.into(), classify(&subject, subject.open(&flow(0))?, &packet(buffers))?);
    }
    for (trace, level) in [("", 0), ("_trace2", 2)] {
        for (path, length) in [("", 0), ("_path60", 60), ("_path260", 260)] {
            counted.insert(format!("flow_life{trace}{path}"), life(&Subject::flowtag(level, 16)?, length)?);
        }
    }
    counted.insert("reauthorize_tagged".into(), reauthorize(&Subject::flowtag(2, 16)?)?);
    let full = Subject::flowtag(0, 1_000)?;
    full.open_many(1_000)?;
    counted.insert("flow_life_evicting".into(), evicting(&full)?);
    counted.insert("unload_per_flow".into(), unload::measured(&full, 1_000)?.per_flow);
    Ok(counted)
}

/// One packet after the first of a flow.
pub fn classify(subject: &Subject, flow: FlowHandle, packet: &Packet) -> Result<Counts> {
    let send = || subject.machine.transport(flow, Direction::Outbound, packet);
    send()?;
    let (verdict, counts) = count(&subject.machine, send)?;
    verdict?;
    Ok(counts)
}

/// One more authorization of a flow that has its tag.
fn reauthorize(subject: &Subject) -> Result<Counts> {
    let flow = subject.open(&flow(60))?;
    let again = || subject.machine.reauthorize(flow, Direction::Outbound);
    again()?;
    let (verdict, counts) = count(&subject.machine, again)?;
    verdict?;
    Ok(counts)
}

/// One life of a flow, when another was before.
pub fn life(subject: &Subject, path_length: usize) -> Result<Counts> {
    let spec = flow(path_length);
    subject.live(&spec)?;
    let (life, counts) = count(&subject.machine, || subject.live(&spec))?;
    life?;
    Ok(counts)
}

/// One more flow when the ring is full: its authorization, and all of the oldest one's end.
pub fn evicting(full: &Subject) -> Result<Counts> {
    full.open(&flow(0))?;
    let (opened, counts) = count(&full.machine, || full.open(&flow(0)))?;
    opened?;
    Ok(counts)
}
