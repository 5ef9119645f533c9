//! What the threads do: they open, use and end flows that they share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flowtag_simulator::{
    Machine,
    kernel::processes::ProcessSpec,
    wfp::{Direction, FlowHandle, FlowSpec, Owner, Packet, Verdict},
};
use flowtag_tests::rig::{ICMP, TCP, UDP, endpoint, path_blob};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// So many flows are open at most.
const SHARED: usize = 256;
/// So many different processes and endpoints a thread has.
const SPECS: usize = 64;
/// So many steps a thread goes as one CPU, before it becomes one again.
const STRETCH: usize = 1_000;

/// The flows that all threads of a round use, and the counts of what they do.
pub struct Shared {
    /// Handles of open flows; 0 where there is none.
    flows: Vec<AtomicU64>,
    /// The threads are to end.
    pub done: AtomicBool,
    /// Flows opened.
    pub opened: AtomicU64,
    /// Packets sent and received.
    pub packets: AtomicU64,
    /// Flows authorized again, those not counted that a packet caused.
    pub reauthorized: AtomicU64,
}

impl Shared {
    /// Without flows.
    pub fn new() -> Self {
        Self {
            flows: (0..SHARED).map(|_| AtomicU64::new(0)).collect(),
            done: AtomicBool::new(false),
            opened: AtomicU64::new(0),
            packets: AtomicU64::new(0),
            reauthorized: AtomicU64::new(0),
        }
    }

    /// One thread's traffic, until it is told to end or the machine has stopped.
    ///
    /// # Panics
    /// When traffic is blocked.
    pub fn drive(&self, machine: &Machine, seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let specs: Vec<_> = (0..SPECS).map(|_| spec(&mut random)).collect();
        while !self.done.load(Ordering::Relaxed) {
            let program = ProcessSpec::program(r"\Device\HarddiskVolume3\curl.exe");
            let came_and_went = machine.start_process(&program).and_then(|process| machine.exit_process(process, 0));
            if came_and_went.is_err() {
                return; // whoever stops the driver tells of it
            }
            let stretch = machine.run(|_| {
                for _ in 0..STRETCH {
                    self.step(machine, &specs, &mut random);
                }
            });
            if stretch.is_err() {
                return; // whoever stops the driver tells of it
            }
        }
    }

    fn step(&self, machine: &Machine, specs: &[FlowSpec], random: &mut ChaCha8Rng) {
        let [slot, direction, several, spec, what, ends, after, _] = random.random::<u64>().to_le_bytes();
        let slot = &self.flows[usize::from(slot) % SHARED];
        let direction = if direction & 1 == 0 { Direction::Outbound } else { Direction::Inbound };
        let spec = &specs[usize::from(spec) % SPECS];
        match what % 8 {
            0..=3 => {
                if ends < 2 {
                    let after = 1 + u32::from(after & 1);
                    machine.wfp().set(|switches| switches.end_flow_after_associations = Some(after));
                }
                let opened = machine.open_flow(spec).expect("a stopped machine unwinds past this");
                self.opened.fetch_add(1, Ordering::Relaxed);
                end(machine, slot.swap(opened.0, Ordering::Relaxed));
            }
            4 | 5 => {
                let payloads = if several & 1 == 0 { vec![100] } else { vec![1_460, 0, 7] };
                let packet = Packet { payloads, ..Packet::new(TCP, 0) };
                let flow = FlowHandle(slot.load(Ordering::Relaxed));
                let verdict = machine.transport(flow, direction, &packet).expect("as above");
                assert_eq!(verdict, Verdict::Permit, "a packet's verdict");
                self.packets.fetch_add(1, Ordering::Relaxed);
            }
            6 => {
                let flow = FlowHandle(slot.load(Ordering::Relaxed));
                let verdict = machine.reauthorize(flow, direction).expect("as above");
                assert_eq!(verdict, Verdict::Permit, "a reauthorization");
                self.reauthorized.fetch_add(1, Ordering::Relaxed);
            }
            _ => end(machine, slot.swap(0, Ordering::Relaxed)),
        }
    }
}

fn end(machine: &Machine, flow: u64) {
    machine.close_flow(FlowHandle(flow)).expect("a stopped machine unwinds past this");
}

/// Some process with some endpoints: its path may be missing, or longer than the driver keeps.
fn spec(random: &mut ChaCha8Rng) -> FlowSpec {
    let v6: bool = random.random();
    let (local, remote) = if v6 { ("fe80::2", "2001:db8::1") } else { ("10.0.0.5", "93.184.216.34") };
    let folders = random.random_range(0..40);
    let path = format!(r"\device\harddiskvolume3{}\curl.exe", r"\größer".repeat(folders));
    FlowSpec {
        pid: Some(random.random_range(4..100_000)),
        path: (folders > 2).then(|| path_blob(&path)),
        owner: Owner::default(),
        direction: if random.random() { Direction::Outbound } else { Direction::Inbound },
        protocol: [TCP, UDP, ICMP][random.random_range(0..3)],
        local: endpoint(local, random.random()),
        remote: endpoint(remote, random.random()),
    }
}
