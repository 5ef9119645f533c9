//! The driver's steps around its ring and its count, one for one: compare `flow.rs`, `callouts/authorize.rs`, `unload.rs`.

use flowtag_on_host::{
    flow_ring::{Batch, Contexts, FlowRing, Refused, Slot},
    tag::{Direction, Family},
};

use super::{
    Arc, Mutex, UnsafeCell,
    atomic::{AtomicU32, AtomicU64, Ordering},
    filter_engine::{Answer, FilterEngine},
    references::References,
    thread,
    trace::Trace,
};

/// A record. The last reference frees it; whoever touches it then, or at the same time, is found out.
pub struct Record {
    references: References,
    packets: AtomicU64,
    noted: AtomicU64,
    freed: UnsafeCell<bool>,
    notes: UnsafeCell<Notes>,
}

/// What only the authorizer writes and only the last reference reads.
struct Notes {
    slot: Option<u32>,
    opened: bool,
}

// SAFETY: the cells are accessed as the references allow, which is what is checked.
unsafe impl Send for Record {}
// SAFETY: as above.
unsafe impl Sync for Record {}

impl Record {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            references: References::one(),
            packets: AtomicU64::new(0),
            noted: AtomicU64::new(0),
            freed: UnsafeCell::new(false),
            notes: UnsafeCell::new(Notes { slot: None, opened: false }),
        })
    }

    fn read(&self) {
        // SAFETY: loom checks that nobody writes meanwhile.
        let freed = self.freed.with(|freed| unsafe { *freed });
        assert!(!freed, "a record is read after it was freed");
    }

    fn free(&self) {
        // SAFETY: loom checks that nobody reads meanwhile.
        let freed = self.freed.with_mut(|freed| unsafe { freed.replace(true) });
        assert!(!freed, "a record is freed twice");
    }

    fn note(&self, change: impl FnOnce(&mut Notes)) {
        // SAFETY: loom checks that nobody else has it.
        self.notes.with_mut(|notes| change(unsafe { &mut *notes }));
    }
}

/// Why a flow gets no slot.
#[derive(PartialEq, Eq)]
enum NoSlot {
    Full,
    Known,
}

/// A slot's way to its record: a number in the list of all that ever were, so that a slot which leads to a freed one is
/// found out.
type InSlot = usize;

/// The driver, and the machine around it.
pub struct Driver {
    ring: Mutex<FlowRing<'static, InSlot>>,
    /// The list's lock is the host's, which is no step of the model.
    records: std::sync::Mutex<Vec<Arc<Record>>>,
    live: AtomicU32,
    /// Twice those who are authorizing, and 1 once somebody waits for them.
    rundown: AtomicU32,
    wfp: FilterEngine,
    trace: Trace,
}

impl Driver {
    /// Loads it, with a ring of so many slots.
    pub fn load(slots: usize) -> Arc<Self> {
        let chains = Box::leak(vec![0; slots].into_boxed_slice());
        let slots = Box::leak(vec![Slot::FREE; slots].into_boxed_slice());
        Arc::new(Self {
            ring: Mutex::new(FlowRing::new(slots, chains)),
            records: std::sync::Mutex::default(),
            live: AtomicU32::new(0),
            rundown: AtomicU32::new(0),
            wfp: FilterEngine::new(),
            trace: Trace::default(),
        })
    }

    fn ring<R>(&self, what: &str, step: impl FnOnce(&mut FlowRing<'static, InSlot>) -> R) -> R {
        let mut ring = self.ring.lock().unwrap();
        self.trace.note(what, 0);
        step(&mut ring)
    }

    /// Authorizes a flow. When the ring is full, another flow is evicted, unless this is a reauthorization.
    pub fn authorize(&self, flow: u64, reauthorization: bool) {
        let known = self.ring("look", |ring| {
            let known = ring.find(flow);
            known.inspect(|occupant| self.record(*occupant.record).read()).is_some()
        });
        if known {
            return;
        }
        let record = Record::new();
        if self.rundown.fetch_add(2, Ordering::Acquire) & 1 != 0 {
            self.rundown.fetch_sub(2, Ordering::Release);
            return;
        }
        self.live.fetch_add(1, Ordering::Relaxed);
        self.associate_all(Contexts { flow, family: Family::V4 }, &record, reauthorization);
        self.release(&record);
        self.rundown.fetch_sub(2, Ordering::Release);
    }

    fn associate_all(&self, contexts: Contexts, record: &Arc<Record>, reauthorization: bool) {
        let Some(slot) = self.reserve(contexts, record, reauthorization) else { return };
        record.note(|notes| notes.slot = Some(slot));
        if !self.hand_over(contexts, record, Direction::Out) {
            return;
        }
        if !self.hand_over(contexts, record, Direction::In) {
            self.ring("abandon", |ring| ring.abandon(slot));
            self.wfp.remove(self, contexts.flow, Direction::Out);
            return;
        }
        let complete = self.ring("commit", |ring| {
            let complete = record.references.are(3);
            if complete {
                ring.commit(slot, |in_slot| self.moved(in_slot));
            } else {
                ring.abandon(slot);
            }
            complete
        });
        if !complete {
            self.wfp.remove(self, contexts.flow, Direction::Out);
            self.wfp.remove(self, contexts.flow, Direction::In);
            return;
        }
        record.note(|notes| notes.opened = true);
        record.read();
    }

    fn reserve(&self, contexts: Contexts, record: &Arc<Record>, reauthorization: bool) -> Option<u32> {
        let in_slot = {
            let mut records = self.records.lock().unwrap();
            records.push(Arc::clone(record));
            records.len() - 1
        };
        let (outcome, evicted) = self.ring("reserve", |ring| {
            let outcome = self.reserve_in(ring, contexts, in_slot);
            let evicts = outcome == Err(NoSlot::Full) && !reauthorization;
            let evict = || ring.evict(|in_slot| self.moved(in_slot), |in_slot| self.keep(in_slot));
            (outcome, if evicts { evict() } else { None })
        });
        if outcome != Err(NoSlot::Full) || reauthorization {
            return outcome.ok();
        }
        if let Some((evicted, kept)) = evicted {
            self.wfp.remove(self, evicted.flow, Direction::Out);
            self.wfp.remove(self, evicted.flow, Direction::In);
            self.release(&kept);
        }
        self.ring("reserve again", |ring| self.reserve_in(ring, contexts, in_slot)).ok()
    }

    /// As the driver does, reads the record of a slot that bears the handle already.
    fn reserve_in(
        &self,
        ring: &mut FlowRing<'static, InSlot>,
        contexts: Contexts,
        in_slot: InSlot,
    ) -> Result<u32, NoSlot> {
        match ring.reserve(contexts, in_slot) {
            Ok(slot) => Ok(slot),
            Err(Refused::Full) => Err(NoSlot::Full),
            Err(Refused::Known(occupant)) => {
                self.record(*occupant.record).read();
                Err(NoSlot::Known)
            }
        }
    }

    fn record(&self, in_slot: InSlot) -> Arc<Record> {
        Arc::clone(&self.records.lock().unwrap()[in_slot])
    }

    fn moved(&self, in_slot: InSlot) -> u64 {
        let record = self.record(in_slot);
        record.read();
        let packets = record.packets.load(Ordering::Relaxed);
        let before = record.noted.load(Ordering::Relaxed);
        record.noted.store(packets, Ordering::Relaxed);
        packets - before
    }

    fn keep(&self, in_slot: InSlot) -> Option<Arc<Record>> {
        let record = self.record(in_slot);
        record.read();
        record.references.take_if_alive().then_some(record)
    }

    fn hand_over(&self, contexts: Contexts, record: &Arc<Record>, direction: Direction) -> bool {
        record.references.take();
        let taken = self.wfp.associate(contexts.flow, direction, record) == Answer::Success;
        self.trace.note(if taken { "associated" } else { "refused" }, contexts.flow);
        if !taken {
            self.release(record);
        }
        taken
    }

    fn release(&self, record: &Record) {
        if !record.references.give_back() {
            return;
        }
        let (mut slot, mut opened) = (None, false);
        record.note(|notes| (slot, opened) = (notes.slot, notes.opened));
        self.ring("release", |ring| slot.map(|slot| ring.release(slot)));
        if opened {
            record.read();
        }
        record.free();
        self.live.fetch_sub(1, Ordering::Release);
    }

    /// `flowDeleteFn`.
    pub fn flow_delete(&self, record: &Record) {
        self.trace.note("delete", 0);
        self.release(record);
    }

    /// The transport classify.
    pub fn transport(&self, record: &Record) {
        record.read();
        record.packets.fetch_add(1, Ordering::Relaxed);
        self.trace.note("packet", 0);
    }

    /// A packet of a flow.
    pub fn packet(&self, flow: u64) {
        self.wfp.classify(self, flow, Direction::Out);
    }

    /// The network ends a flow.
    pub fn end(&self, flow: u64) {
        self.wfp.end(self, flow);
    }

    /// Another flow begins, with the handle of one that has ended.
    pub fn begin_again(&self, flow: u64) {
        self.wfp.begin_again(flow);
    }

    /// While nobody does anything: a flow that the ring knows has both contexts, and one that it does not know has none.
    /// Otherwise it would be without one of them until it ends, since an authorization finds it tagged.
    pub fn assert_tagged_as_known(&self, flow: u64) {
        let Some(ways) = self.wfp.ways(flow) else { return };
        let known = self.ring("look", |ring| ring.find(flow).is_some());
        assert_eq!(ways, [known; 2], "contexts of a flow that the ring knows, or not");
    }

    /// Unloads. Whatever others do, it comes to an end, and nothing is left.
    pub fn unload(&self) {
        self.rundown.fetch_or(1, Ordering::Relaxed);
        while self.rundown.load(Ordering::Acquire) != 1 {
            thread::yield_now();
        }
        while self.live.load(Ordering::Acquire) != 0 {
            self.drain();
            thread::yield_now();
        }
        assert_eq!(self.wfp.contexts(), 0, "contexts are left");
        let (slots, chains) = self.ring("free", |ring| std::mem::replace(ring, FlowRing::empty())).into_memory();
        // SAFETY: leaked by `load`, and no longer the ring's.
        drop(unsafe { Box::from_raw(slots) });
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(chains) });
        self.records.lock().unwrap().clear();
        self.trace.end();
    }

    fn drain(&self) {
        let mut batch = Batch::start();
        while self.ring("drain", |ring| ring.drain(&mut batch)) {
            for contexts in batch.iter() {
                self.wfp.remove(self, contexts.flow, Direction::Out);
                self.wfp.remove(self, contexts.flow, Direction::In);
            }
        }
    }
}
