//! One way of a flow: what a transport callout is handed as flow context, with the counters of that way.

use core::{
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    details::Details,
    flow::Flow,
    tag::{Direction, Tag},
    trace::Traffic,
};

/// One way of a flow: the context of one association, since the interface asks for a different one each callout.
#[repr(C, align(16))]
pub struct Side {
    flow: *const Flow,
    packets: AtomicU64,
    bytes: AtomicU64,
    direction: Direction,
    /// All ones if the transport header is to be taken from each packet's length.
    header_mask: u32,
}

impl Side {
    /// This way of the flow whose record will be at `flow`.
    pub fn new(flow: *const Flow, direction: Direction, tag: &Tag) -> Self {
        // Outbound packets begin at the transport header, inbound ones at the payload (WDK, "Data offset positions").
        // ICMP is all header.
        let header = direction == Direction::Out && !tag.is_icmp();
        Self {
            flow,
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            direction,
            header_mask: if header { u32::MAX } else { 0 },
        }
    }

    /// The side that WFP hands to a classify as its flow context; [`None`] for no context.
    ///
    /// IRQL: any
    ///
    /// # Safety
    /// The value is 0 or an associated context, and its flowDeleteFn does not run during `'a`.
    pub unsafe fn from_context<'a>(context: u64) -> Option<&'a Self> {
        let side = ptr::with_exposed_provenance::<Self>(usize::try_from(context).ok()?);
        // SAFETY: the caller's promise.
        unsafe { side.as_ref() }
    }

    /// Bytes of each packet that are not payload, of the header's size.
    pub const fn header(&self, size: u32) -> u32 {
        size & self.header_mask
    }

    /// Counts packets; the number of those before is returned.
    ///
    /// IRQL: any
    pub fn count(&self, packets: u64, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.packets.fetch_add(packets, Ordering::Relaxed)
    }

    /// Which way.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Whose.
    pub fn tag(&self) -> &Tag {
        self.record().tag()
    }

    /// What else is known of that flow.
    pub fn details(&self) -> &Details {
        self.record().details()
    }

    fn record(&self) -> &Flow {
        // SAFETY: a side is a part of its record.
        unsafe { &*self.flow }
    }

    /// Its record.
    pub const fn flow(&self) -> *const Flow {
        self.flow
    }

    /// Packets that have been counted.
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// What has been counted.
    pub fn traffic(&self) -> Traffic {
        Traffic { packets: self.packets(), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}
