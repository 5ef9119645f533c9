//! The operations that are counted, one by one.

use anyhow::{Result, ensure};
use flowtag_simulator::{
    kernel::processes::ProcessSpec,
    wfp::{Direction, FlowHandle, Packet},
};

use crate::{
    capture,
    counts::{Counted, Counts, count},
    subject::{Subject, flow, path},
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
    let unheard = Subject::unheard(16)?;
    let heard_by_none = unheard.open(&flow(60))?;
    counted.insert("transport_first_unheard".into(), packet_of(&unheard, heard_by_none, &packet(1))?);
    counted.insert("transport_unheard".into(), packet_of(&unheard, heard_by_none, &packet(1))?);
    counted.insert("flow_life_unheard_path60".into(), life(&Subject::unheard(16)?, 60)?);
    counted.insert("flow_life_session_path60".into(), life(&Subject::with_session(16)?, 60)?);
    counted.insert("capture_per_flow".into(), capture::per_flow()?);
    counted.insert("process_life".into(), process_life(&Subject::unheard(16)?)?);
    counted.insert("reauthorize_tagged".into(), reauthorize(&Subject::flowtag(2, 16)?)?);
    let full = Subject::flowtag(0, 1_000)?;
    let flows = full.open_many(1_000, 0)?;
    counted.insert("flow_life_evicting".into(), evicting(&full)?);
    // That evicted the first two; of the next eight the eighth goes, and then eight are in use.
    counted.insert("flow_life_evicting_8_looks".into(), evicting_after(&full, &flows[2..9])?);
    counted.insert("turned_away".into(), turned_away(&full, &flows[10..18])?);
    counted.insert("unload_per_flow".into(), unload::measured(&full, 1_000)?.per_flow);
    Ok(counted)
}

/// One packet after the first of a flow.
pub fn classify(subject: &Subject, flow: FlowHandle, packet: &Packet) -> Result<Counts> {
    packet_of(subject, flow, packet)?;
    packet_of(subject, flow, packet)
}

/// One packet of a flow.
fn packet_of(subject: &Subject, flow: FlowHandle, packet: &Packet) -> Result<Counts> {
    let send = || subject.machine.transport(flow, Direction::Outbound, packet);
    let (verdict, counts) = count(&subject.machine, send)?;
    verdict?;
    Ok(counts)
}

/// A process begins and exits, when another one has done so before.
fn process_life(subject: &Subject) -> Result<Counts> {
    let spec = ProcessSpec::program(&path(60));
    let begin_and_exit = || {
        let process = subject.machine.start_process(&spec)?;
        subject.machine.exit_process(process, 0)
    };
    begin_and_exit()?;
    let (exited, counts) = count(&subject.machine, begin_and_exit)?;
    exited?;
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

/// One more flow when the ring is full: its authorization, and all of another one's end.
pub fn evicting(full: &Subject) -> Result<Counts> {
    full.open(&flow(0))?;
    evicting_after(full, &[])
}

/// The same, when these, which would have had to go first, are in use.
fn evicting_after(full: &Subject, busy: &[FlowHandle]) -> Result<Counts> {
    let evicted = || full.machine.faults().calls("FwpsFlowRemoveContext0") / 2;
    let before = evicted();
    let counts = one_more(full, busy)?;
    ensure!(evicted() == before + 1, "no flow was evicted");
    Ok(counts)
}

/// One more flow when the ring is full, and all flows that are looked at for it are in use.
fn turned_away(full: &Subject, busy: &[FlowHandle]) -> Result<Counts> {
    let before = full.machine.wfp().contexts();
    let counts = one_more(full, busy)?;
    ensure!(full.machine.wfp().contexts() == before, "a flow was tagged");
    Ok(counts)
}

fn one_more(full: &Subject, busy: &[FlowHandle]) -> Result<Counts> {
    for flow in busy {
        full.machine.transport(*flow, Direction::Outbound, &packet(1))?;
    }
    let (opened, counts) = count(&full.machine, || full.open(&flow(0)))?;
    opened?;
    Ok(counts)
}
