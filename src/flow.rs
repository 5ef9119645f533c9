//! `FLOW_DATA`: the record of one tagged flow, and who owns it when.
//!
//! A record lives while it has references. The authorizer holds one, every association that WFP may hold has one, taken
//! before the association is made and given back when it fails, and so does whoever evicts it. Whoever drops the last
//! one frees first the slot, then the record, then decrements the number of live records; nobody else ever frees a live one.
use core::{
    mem::{self, offset_of},
    ops::Deref,
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use crate::{
    details::Details,
    etw::{
        self, Id,
        fields::{self, History, Told},
    },
    flow_ring::{self, BATCH, Contexts, FlowRing, Occupant, Refused, Slot},
    package::Stored,
    path::{self, Extent, Path, Unit},
    pool, print, processes,
    references::References,
    side::Side,
    sync::{AtDispatch, DispatchMutex},
    tag::{Direction, Tag},
    time,
    totals::TOTALS,
    trace::{self, Why, level},
};

/// The flows that may have contexts.
pub static RING: DispatchMutex<FlowRing<'static, InSlot>> = DispatchMutex::new(FlowRing::empty());

/// Records that may still be reached through WFP. When it is zero, no context is left.
static LIVE: AtomicU32 = AtomicU32::new(0);

/// Number of live records. Once it is zero, everything their releases did has happened before.
///
/// IRQL: any
pub fn live() -> u32 {
    LIVE.load(Ordering::Acquire)
}

/// The record. The path's bytes follow it in the same block of pool.
#[repr(C)]
pub struct Flow {
    out: Side,
    /// Packets of both ways when the ring last asked. Under its lock only.
    noted: AtomicU64,
    references: References,
    slot: AtomicU32,
    opened_at: u64,
    tag: Tag,
    details: Details,
    path: Extent,
    /// Bytes of its owner's package, which lie behind the path.
    package: u8,
    opened: AtomicBool,
    /// Behind the rest: packets of both ways are counted on different processors, which must not share a cache line.
    r#in: Side,
}

/// The larger of what processors are taken to have: 64 on x64, 128 on ARM64 (ntdef.h, `SYSTEM_CACHE_ALIGNMENT_SIZE`).
const CACHE_LINE: usize = 128;

const _: () = assert!(size_of::<Flow>() <= 384 && align_of::<Flow>() <= pool::ALIGNMENT);
// Wherever the block begins: the last line that `out` reaches into ends before `in` begins.
const _: () = assert!(
    offset_of!(Flow, r#in) >= size_of::<Side>().next_multiple_of(pool::ALIGNMENT) + CACHE_LINE - pool::ALIGNMENT
);

impl Flow {
    /// What is known of the flow.
    pub const fn tag(&self) -> &Tag {
        &self.tag
    }

    /// What else is known of it.
    pub const fn details(&self) -> &Details {
        &self.details
    }

    /// What it has done so far.
    ///
    /// IRQL: any
    pub fn history(&self) -> History {
        let duration = time::units().saturating_sub(self.opened_at);
        History { out: self.out.traffic(), r#in: self.r#in.traffic(), duration }
    }

    /// What names the flow's contexts.
    pub const fn contexts(&self) -> Contexts {
        Contexts { flow: self.tag.flow, family: self.tag.family }
    }

    /// Notes that both contexts are associated, so that the end of the flow will be counted and traced.
    ///
    /// IRQL: any
    pub fn set_opened(&self) {
        self.opened.store(true, Ordering::Relaxed);
    }
}

/// A slot's pointer to its record. The ring hands it out under its lock and only while the slot is not free, and a record
/// is freed after its slot: so long it may be read.
#[derive(Clone, Copy)]
#[repr(transparent)] // so that zeros are no pointer in an `Option` of it, as fresh memory has to be
pub struct InSlot(NonNull<Flow>);

const _: () = assert!(size_of::<Slot<InSlot>>() == 32);

// SAFETY: a record is reached from any processor.
unsafe impl Send for InSlot {}

impl InSlot {
    const fn record(&self) -> &Flow {
        // SAFETY: as said of the type; the reference lives no longer than the borrow from the ring.
        unsafe { self.0.as_ref() }
    }

    /// How many packets the flow has had since this was last asked.
    ///
    /// IRQL: `DISPATCH_LEVEL`, under the ring's lock, which has just handed it out
    pub fn moved(self) -> u64 {
        let record = self.record();
        let packets = record.out.packets().wrapping_add(record.r#in.packets());
        let before = record.noted.load(Ordering::Relaxed);
        record.noted.store(packets, Ordering::Relaxed);
        packets.wrapping_sub(before)
    }

    /// Takes a reference, which may outlive the lock. [`None`] if the record is dying: whoever dropped the last one waits
    /// for the lock to free the slot.
    ///
    /// IRQL: `DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The ring has just handed it out, and its lock is still held.
    pub unsafe fn keep(self) -> Option<FlowRef> {
        self.record().references.take_if_alive().then(|| FlowRef(self.0))
    }
}

/// What the ring knows of a flow that is being authorized.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It has its tag, or another processor is about to hang it on.
    Tagged,
    /// Its handle has a slot, but the tag there is being removed, or is another flow's.
    Busy,
}

impl Known {
    #[expect(clippy::inline_always, reason = "where most authorizations of a busy machine end")]
    #[inline(always)]
    fn from(occupant: &Occupant<'_, InSlot>, tag: &Tag) -> Self {
        if !occupant.draining && occupant.record.record().tag.fits(tag) { Self::Tagged } else { Self::Busy }
    }
}

/// What the ring knows of the flow of this tag, if anything.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn known(tag: &Tag) -> Option<Known> {
    RING.lock().find(tag.flow).map(|occupant| Known::from(&occupant, tag))
}

/// Why a flow gets no slot.
#[derive(Clone, Copy)]
pub enum NoSlot {
    /// All are taken.
    Full,
    /// It has one.
    Known(Known),
}

/// A record that nobody else knows.
pub struct NewFlow(NonNull<Flow>);

impl NewFlow {
    /// Captures a flow. [`None`] when memory is short.
    ///
    /// IRQL: that at which the authorization was entered, since the path may be pageable there
    pub fn allocate(tag: &Tag, details: Details, path: &Path, package: Stored) -> Option<Self> {
        let units = path.units();
        let package = package.bytes();
        let behind = units.wrapping_mul(size_of::<Unit>()).wrapping_add(package.len());
        let block = pool::allocate(size_of::<Flow>().wrapping_add(behind), pool::FLOW)?;
        let flow = block.cast::<Flow>();
        let record = Flow {
            out: Side::new(flow.as_ptr(), Direction::Out, tag),
            noted: AtomicU64::new(0),
            references: References::one(),
            slot: AtomicU32::new(flow_ring::NONE),
            opened_at: time::units(),
            path: path.extent(),
            #[expect(clippy::cast_possible_truncation, reason = "as long as an identifier is at most")]
            package: package.len() as u8,
            opened: AtomicBool::new(false),
            tag: *tag,
            details,
            r#in: Side::new(flow.as_ptr(), Direction::In, tag),
        };
        // SAFETY: the block is large and aligned enough, and ours.
        unsafe { flow.write(record) };
        // SAFETY: the block goes on behind the record.
        let behind = unsafe { flow.add(1) };
        // SAFETY: for as many zeroed bytes as the path has.
        let captured = unsafe { slice::from_raw_parts_mut(behind.cast::<Unit>().as_ptr(), units) };
        path.write(captured);
        if !package.is_empty() {
            // SAFETY: the block goes on behind the path.
            let behind = unsafe { behind.cast::<Unit>().add(units) };
            // SAFETY: for as many bytes.
            unsafe { behind.cast::<u8>().copy_from_nonoverlapping(NonNull::from(package).cast(), package.len()) };
        }
        Some(Self(flow))
    }

    /// Notes which process it belongs to.
    ///
    /// IRQL: `DISPATCH_LEVEL`
    pub fn identify(&mut self, irql: &AtDispatch) {
        // SAFETY: `allocate` wrote the record, and nobody else knows it.
        let flow = unsafe { self.0.as_ref() };
        // SAFETY: as above, and its path.
        let path = unsafe { captured(self.0) };
        let Some(identity) = processes::identify(irql, flow.tag.pid, path.as_flattened()) else { return };
        // SAFETY: as above.
        unsafe { self.0.as_mut() }.details.identity = identity;
    }

    /// Makes it a live record with one reference, the authorizer's. From here on only the last reference frees it.
    ///
    /// IRQL: `DISPATCH_LEVEL`, inside the rundown, so that unload does not miss it
    pub fn bring_to_life(self) -> FlowRef {
        LIVE.fetch_add(1, Ordering::Relaxed);
        let flow = self.0;
        mem::forget(self);
        FlowRef(flow)
    }
}

/// The path that lies behind a record, where a reference to the record does not reach.
///
/// # Safety
/// `NewFlow::allocate` wrote the record, which lives longer than `'a`.
unsafe fn captured<'a>(flow: NonNull<Flow>) -> &'a [Unit] {
    // SAFETY: the caller's promise.
    let extent = unsafe { flow.as_ref() }.path;
    // SAFETY: the block goes on behind the record.
    let path = unsafe { flow.add(1) };
    // SAFETY: there was made room for the path, and it was written.
    unsafe { slice::from_raw_parts(path.cast::<Unit>().as_ptr(), extent.units()) }
}

impl Drop for NewFlow {
    fn drop(&mut self) {
        // SAFETY: allocated with this tag, and nobody else knows it.
        unsafe { pool::free(self.0.cast(), pool::FLOW) };
    }
}

/// One reference to a live record.
pub struct FlowRef(NonNull<Flow>);

impl FlowRef {
    /// The context of one way's association. Whoever gives it to WFP forgets one reference for it.
    ///
    /// IRQL: any
    pub fn context(&self, direction: Direction) -> u64 {
        let side = match direction {
            Direction::Out => &raw const self.out,
            Direction::In => &raw const self.r#in,
        };
        side.expose_provenance() as u64
    }

    /// The owner's path as it was captured.
    ///
    /// IRQL: any
    fn path(&self) -> path::Captured<'_> {
        // SAFETY: the reference keeps the record alive.
        path::Captured::new(unsafe { captured(self.0) }, self.path)
    }

    /// The identifier of the owner's app container, which lies behind the path.
    ///
    /// IRQL: any
    fn package(&self) -> &[u8] {
        // SAFETY: the block goes on behind the record.
        let path = unsafe { self.0.add(1) };
        // SAFETY: and behind the path.
        let package = unsafe { path.cast::<Unit>().add(self.path.units()) };
        // SAFETY: `NewFlow::allocate` made room for so many bytes there, and wrote them.
        Stored::read(unsafe { slice::from_raw_parts(package.cast().as_ptr(), self.package.into()) }).sid()
    }

    /// What events tell of the flow.
    ///
    /// IRQL: any
    pub fn told(&self) -> Told<'_> {
        Told { tag: &self.tag, details: &self.details, package: self.package(), path: self.path() }
    }

    /// Takes a slot for the flow, unless its handle has one.
    ///
    /// IRQL: `DISPATCH_LEVEL`, under the ring's lock
    pub fn reserve(&self, ring: &mut FlowRing<'static, InSlot>) -> Result<(), NoSlot> {
        match ring.reserve(self.contexts(), InSlot(self.0)) {
            Ok(slot) => {
                self.slot.store(slot, Ordering::Relaxed);
                Ok(())
            }
            Err(Refused::Full) => Err(NoSlot::Full),
            Err(Refused::Known(occupant)) => Err(NoSlot::Known(Known::from(&occupant, &self.tag))),
        }
    }

    /// Ends the authorization of a flow whose contexts are both associated: false if it has ended meanwhile.
    ///
    /// There are three references then, the authorizer's and one for each association; fewer, and one of the contexts
    /// has been given back already. If the flow's handle was used again before the second association, that one even
    /// hangs on another flow. So nobody is to be told that the flow is tagged, and both contexts have to go. What is left is a
    /// handle that is used again before the first context's flowDeleteFn is called, while this classify of the flow runs.
    ///
    /// IRQL: `DISPATCH_LEVEL`, without the ring's lock
    pub fn commit(&self, irql: &AtDispatch) -> bool {
        let mut ring = RING.lock_raised(irql);
        let slot = self.slot.load(Ordering::Relaxed);
        let complete = self.references.are(3);
        if complete {
            ring.commit(slot, InSlot::moved);
        } else {
            ring.abandon(slot);
        }
        complete
    }

    /// Ends the authorization of a flow that keeps no context.
    ///
    /// IRQL: `DISPATCH_LEVEL`, without the ring's lock
    pub fn abandon(&self, irql: &AtDispatch) {
        RING.lock_raised(irql).abandon(self.slot.load(Ordering::Relaxed));
    }

    /// Takes back the reference that WFP held.
    ///
    /// IRQL: any
    ///
    /// # Safety
    /// The association of this context is over, and this is called once for it.
    pub unsafe fn from_context(context: u64) -> Option<Self> {
        // SAFETY: the reference keeps the record alive.
        let side = unsafe { Side::from_context(context) }?;
        NonNull::new(side.flow().cast_mut()).map(Self)
    }
}

impl Clone for FlowRef {
    fn clone(&self) -> Self {
        self.references.take();
        Self(self.0)
    }
}

impl Deref for FlowRef {
    type Target = Flow;

    fn deref(&self) -> &Flow {
        // SAFETY: a record lives while it has references.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for FlowRef {
    /// Release.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`, on any thread, also inside Associate or Remove
    #[inline]
    fn drop(&mut self) {
        if self.references.give_back() {
            self.end();
        }
    }
}

impl FlowRef {
    /// The last reference has been given back: frees the slot, then the record. Apart from the others, of which there are two for
    /// each last one.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`, on any thread, also inside Associate or Remove
    #[inline(never)]
    fn end(&self) {
        let why = RING.lock().release(self.slot.load(Ordering::Relaxed));
        if self.opened.load(Ordering::Relaxed) {
            TOTALS.closed.count();
            if print::is_flow_seen(level::FLOWS) || etw::wants(Id::FlowClose) {
                self.tell_of_end(why);
            }
        }
        // SAFETY: allocated with this tag, and this was the last reference.
        unsafe { pool::free(self.0.cast(), pool::FLOW) };
        // The very last act: at zero, unload goes on and takes this code away.
        LIVE.fetch_sub(1, Ordering::Release);
    }

    /// Writes the line and the event of a flow that has been let go of.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`
    #[cold]
    #[inline(never)]
    fn tell_of_end(&self, why: Why) {
        let history = self.history();
        print::flow(level::FLOWS, |line| {
            let History { out, r#in, duration } = history;
            trace::close(line, &self.tag, out, r#in, duration / time::UNITS_PER_MILLISECOND, why);
        });
        if etw::wants(Id::FlowClose) {
            let told = self.told();
            etw::write_with_path(Id::FlowClose, told.path, |payload| fields::flow_close(payload, told, history, why));
        }
    }
}

/// Live flows, a few at a time, each with a reference: so they may be read without the ring's lock, which is never held for long.
pub struct Captured {
    flows: [Option<FlowRef>; BATCH as usize],
    next: u32,
}

impl Captured {
    /// The beginning of the ring.
    pub const fn start() -> Self {
        Self { flows: [const { None }; BATCH as usize], next: 0 }
    }

    /// Captures those of the next few slots. False at the end.
    ///
    /// IRQL: `DISPATCH_LEVEL`, without the ring's lock
    pub fn next(&mut self, irql: &AtDispatch) -> bool {
        let ring = RING.lock_raised(irql);
        let mut places = self.flows.iter_mut();
        ring.live(&mut self.next, |record| {
            // SAFETY: the ring calls this, and its lock is held.
            let flow = unsafe { record.keep() };
            if let (Some(flow), Some(place)) = (flow, places.next()) {
                *place = Some(flow);
            }
        })
    }

    /// The captured flows.
    pub fn take(&mut self) -> impl Iterator<Item = FlowRef> {
        self.flows.iter_mut().filter_map(Option::take)
    }
}

/// Bytes of pool a slot takes, with its chain of the index.
const SLOT_BYTES: usize = size_of::<Slot<InSlot>>().wrapping_add(size_of::<u32>());

/// Gives the ring its slots, and as many chains behind them. [`None`] when memory is short.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn allocate_ring(flows: u32) -> Option<()> {
    let flows = flows as usize;
    let block = pool::allocate(flows.wrapping_mul(SLOT_BYTES), pool::RING)?;
    let first = block.cast::<Slot<InSlot>>();
    // SAFETY: as large and aligned as this; and zeros are free slots.
    let slots = unsafe { slice::from_raw_parts_mut(first.as_ptr(), flows) };
    // SAFETY: the block goes on behind the slots.
    let behind = unsafe { first.add(flows) };
    // SAFETY: for as many links, which need less alignment; and zeros lead nowhere.
    let chains = unsafe { slice::from_raw_parts_mut(behind.cast().as_ptr(), flows) };
    *RING.lock() = FlowRing::new(slots, chains);
    Some(())
}

/// Frees the ring's slots and chains, if it has any.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn free_ring() {
    let (slots, _) = mem::replace(&mut *RING.lock(), FlowRing::empty()).into_memory();
    if !slots.is_empty() {
        // SAFETY: allocated with this tag, and no longer the ring's.
        unsafe { pool::free(NonNull::from(slots).cast(), pool::RING) };
    }
}
