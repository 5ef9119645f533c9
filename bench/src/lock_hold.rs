//! How long the ring's lock is held: the driver's own source on this machine, without the simulator in between.

use std::{
    arch::x86_64::{_mm_clflush, _mm_mfence},
    collections::VecDeque,
    mem, ptr,
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use flowtag_on_host::{
    details::Details,
    flow::{Captured, Flow, FlowRef, InSlot, NewFlow, NoSlot, RING},
    flow_ring::{BATCH, FlowRing, LOOKS, Slot},
    identity::Identity,
    package::Stored,
    path::Path,
    side::Side,
    sync::AtDispatch,
    tag::{Address, Direction, Endpoint, Family, Given, Origin, TCP, Tag},
};

use crate::timing::Spread;

/// Slots of the ring for one hold. What it touches does not depend on how many there are.
const SLOTS: usize = 64;
/// Bytes that one flush empties a cache of.
const LINE: usize = 64;

/// How long one hold of the lock takes.
pub struct Hold {
    /// For the figures.
    pub name: &'static str,
    /// What is done meanwhile.
    pub what: &'static str,
    /// Nanoseconds while what it touches is in the cache.
    pub warm: Spread,
    /// Nanoseconds while none of it is.
    pub cold: Spread,
}

/// What is done under the lock, in a full ring.
#[derive(Clone, Copy)]
enum Step {
    /// A slot is asked for, and whom to evict, while so many of the oldest are in use.
    Evict(u32),
    /// A flow is committed, and another becomes old.
    Commit,
    /// The first few flows are captured.
    Capture,
}

/// Every hold that a full ring makes longer.
pub fn all(rounds: usize) -> Result<Vec<Hold>> {
    let steps = [
        ("evict_1_look", "the first flow looked at is evicted", Step::Evict(0)),
        ("evict_8_looks", "the eighth flow looked at is evicted", Step::Evict(LOOKS - 1)),
        ("turned_away", "eight flows are looked at, the newcomer turned away", Step::Evict(LOOKS)),
        ("commit", "a flow becomes live, another one old", Step::Commit),
        ("capture", "32 live flows are captured", Step::Capture),
    ];
    let spread = |step, cold| (0..rounds).map(|_| nanoseconds(step, cold)).collect::<Result<_>>().map(Spread::of);
    steps
        .into_iter()
        .map(|(name, what, step)| Ok(Hold { name, what, warm: spread(step, false)?, cold: spread(step, true)? }))
        .collect()
}

/// The holds of one capture, which come one after the other.
#[derive(Clone, Copy, Default)]
pub struct CaptureHolds {
    /// How many there are.
    pub holds: usize,
    /// Nanoseconds of each.
    pub spread: Spread,
    /// And of the longest.
    pub longest: f64,
}

/// Captures so many flows once, without writing events.
pub fn capture(flows: u32) -> Result<CaptureHolds> {
    let ring = FullRing::new(flows as usize)?;
    let irql = AtDispatch::raise();
    ring.touch(true);
    let (mut batch, mut captured, mut times) = (Captured::start(), 0, Vec::new());
    loop {
        let (time, more) = timed(|| batch.next(&irql));
        captured += batch.take().count();
        if !more {
            break;
        }
        times.push(time);
    }
    ensure!(captured == ring.contexts.len(), "{captured} flows were captured");
    ring.end_all();
    let longest = times.iter().copied().fold(0.0, f64::max);
    Ok(CaptureHolds { holds: times.len(), spread: Spread::of(times), longest })
}

/// How long a hold takes, less what looking at the clock does.
fn timed<T>(hold: impl FnOnce() -> T) -> (f64, T) {
    let clock = Instant::now().elapsed();
    let start = Instant::now();
    let value = hold();
    let time = start.elapsed().saturating_sub(clock);
    #[expect(clippy::cast_precision_loss, reason = "far less than a day")]
    let nanoseconds = time.as_nanos() as f64;
    (nanoseconds, value)
}

/// One round, in a ring of its own.
fn nanoseconds(step: Step, cold: bool) -> Result<f64> {
    let mut ring = FullRing::new(SLOTS)?;
    let irql = AtDispatch::raise();
    let newcomer = newcomer(u64::MAX)?;
    match step {
        Step::Evict(moved) => ring.contexts.iter().take(moved as usize).for_each(|context| {
            // SAFETY: the flow is live.
            let side = unsafe { Side::from_context(*context) };
            side.map(|side| side.count(1, 100));
        }),
        Step::Commit => {
            ring.end_oldest();
            ensure!(newcomer.reserve(&mut RING.lock_raised(&irql)).is_ok(), "no slot though a flow has ended");
            mem::forget((newcomer.clone(), newcomer.clone()));
        }
        Step::Capture => {}
    }
    ring.touch(cold);
    let time = match step {
        Step::Evict(_) => {
            let (time, evicted) = timed(|| {
                let mut ring = RING.lock_raised(&irql);
                let Err(NoSlot::Full) = newcomer.reserve(&mut ring) else { bail!("the ring is not full") };
                Ok(ring.evict(InSlot::moved, |record| {
                    // SAFETY: the ring has just handed it out, and is locked.
                    unsafe { record.keep() }
                }))
            });
            drop(evicted?);
            time
        }
        Step::Commit => {
            let (time, _) = timed(|| newcomer.commit(&irql));
            give_back(newcomer.context(Direction::Out));
            time
        }
        Step::Capture => {
            let mut batch = Captured::start();
            let (time, _) = timed(|| batch.next(&irql));
            ensure!(batch.take().count() == BATCH as usize, "not every flow of the batch was captured");
            time
        }
    };
    ring.end_all();
    Ok(time)
}

/// The driver's ring, full of live flows.
struct FullRing {
    slots: *const Slot<InSlot>,
    chains: *const u32,
    /// How many there are of each.
    size: usize,
    /// The outbound contexts of the flows, by age.
    contexts: VecDeque<u64>,
}

impl FullRing {
    fn new(size: usize) -> Result<Self> {
        let slots = Box::leak((0..size).map(|_| Slot::FREE).collect::<Box<[_]>>());
        let chains = Box::leak(vec![0; size].into_boxed_slice());
        let mut ring = Self { slots: slots.as_ptr(), chains: chains.as_ptr(), size, contexts: VecDeque::new() };
        *RING.lock() = FlowRing::new(slots, chains);
        let irql = AtDispatch::raise();
        for handle in 1..=size as u64 {
            let flow = newcomer(handle)?;
            ensure!(flow.reserve(&mut RING.lock_raised(&irql)).is_ok(), "no slot for a flow");
            mem::forget((flow.clone(), flow.clone()));
            ensure!(flow.commit(&irql), "a flow that has not ended is gone");
            ring.contexts.push_back(flow.context(Direction::Out));
        }
        Ok(ring)
    }

    /// The oldest flow ends: WFP gives both contexts back.
    fn end_oldest(&mut self) {
        if let Some(context) = self.contexts.pop_front() {
            give_back(context);
        }
    }

    /// And so do all that are left.
    fn end_all(mut self) {
        mem::take(&mut self.contexts).into_iter().for_each(give_back);
    }

    /// Brings what a hold may touch into the cache, or out of it.
    #[expect(clippy::cast_possible_truncation, reason = "x86-64 alone has what flushes a line of the cache")]
    fn touch(&self, cold: bool) {
        let records =
            self.contexts.iter().map(|context| (ptr::with_exposed_provenance(*context as usize), size_of::<Flow>()));
        let slots = (self.slots.cast::<u8>(), self.size * size_of::<Slot<InSlot>>());
        let chains = (self.chains.cast::<u8>(), self.size * size_of::<u32>());
        let lock = (ptr::from_ref(&RING).cast::<u8>(), size_of_val(&RING));
        for (first, bytes) in records.chain([slots, chains, lock]) {
            for offset in (0..bytes).step_by(LINE).chain([bytes - 1]) {
                let byte = first.wrapping_add(offset);
                if cold {
                    // SAFETY: the byte exists, and nothing happens to it.
                    unsafe { _mm_clflush(byte) };
                } else {
                    // SAFETY: as above; nobody else uses the ring.
                    let _ = unsafe { byte.read_volatile() };
                }
            }
        }
        // SAFETY: every processor that the simulator runs on has it.
        unsafe { _mm_mfence() };
    }
}

impl Drop for FullRing {
    fn drop(&mut self) {
        let (slots, chains) = mem::replace(&mut *RING.lock(), FlowRing::empty()).into_memory();
        // SAFETY: leaked when the ring was made, and no longer its.
        drop(unsafe { Box::from_raw(ptr::from_mut(slots)) });
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(ptr::from_mut(chains)) });
    }
}

fn newcomer(handle: u64) -> Result<FlowRef> {
    let end = Endpoint { address: Address::V4([10, 0, 0, 5]), port: Given::number(443) };
    let tag = Tag {
        flow: handle,
        pid: 4242,
        local: end,
        remote: end,
        protocol: Given::number(TCP.into()),
        family: Family::V4,
        direction: Direction::Out,
        origin: Origin::New,
    };
    let details = Details { service_tag: 0, compartment: 1, interface: 12, identity: Identity::UNKNOWN };
    let flow = NewFlow::allocate(&tag, details, &Path::of(&[]), Stored::of(None)).context("no memory for a record")?;
    Ok(flow.bring_to_life())
}

/// Drops the references that stand for a flow's two contexts.
fn give_back(context: u64) {
    for _ in 0..2 {
        // SAFETY: two references were forgotten for it, and this is called once a flow.
        drop(unsafe { FlowRef::from_context(context) });
    }
}
