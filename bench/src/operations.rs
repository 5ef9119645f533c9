//! The operations that are counted, one by one.

use anyhow::Result;
use flowtag_simulator::wfp::{Direction, FlowHandle, Packet};

use crate::{
    counts::{Counted, Counts, count},
    subject::{Subject, flow},
    transport::packet,
    unload,
};

/// Everything that the budget limits.
pub fn counted() -> Result<Counted> {
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
