//! What the simulator's eBPF probes send: records of every kind, size and content, and the flows that follow from them.

use std::collections::HashSet;

use arbitrary::{Arbitrary, Unstructured};
use flowtag_simulator::traffic::{event::Event, live::wire, tracker::Tracker};

#[derive(Arbitrary, Debug)]
struct Record {
    kind: Kind,
    content: Vec<u8>,
}

/// The records of probes.bpf.c, by their sizes.
#[derive(Arbitrary, Debug)]
enum Kind {
    Socket,
    Process,
    Exited,
    Packet,
    /// None of them.
    Other,
}

/// Reads the records in turn; every packet and every end must belong to a flow that is open, every exit to a process that runs.
pub fn run(input: &[u8]) {
    let Ok(records) = Vec::<Record>::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let mut tracker = Tracker::default();
    let mut open = HashSet::new();
    let mut running = HashSet::new();
    for Record { kind, mut content } in records {
        match kind {
            Kind::Socket => content.resize(72, 0),
            Kind::Process => content.resize(2088, 0),
            Kind::Exited => content.resize(24, 0),
            Kind::Packet => content.resize(160, 0),
            Kind::Other => {}
        }
        let Some(seen) = wire::read(&content, 0, |pid| Some(format!("/proc/{pid}"))) else { continue };
        let mut events = Vec::new();
        tracker.observe(seen, &mut events);
        for event in events {
            match event {
                Event::Begin(process) => {
                    assert!(running.insert(process.pid), "process {} has begun twice", process.pid);
                }
                Event::Exit { pid } => assert!(running.remove(&pid), "process {pid} exits, which does not run"),
                Event::Open { flow, .. } => assert!(open.insert(flow.id), "flow {} was opened twice", flow.id),
                Event::Packet { flow, .. } => {
                    assert!(open.contains(&flow), "a packet of flow {flow}, which is not open");
                }
                Event::Close { flow } => assert!(open.remove(&flow), "the end of flow {flow}, which is not open"),
            }
        }
    }
}
