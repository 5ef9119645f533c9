//! What anybody wants to know of packets, in one number: a classify has no time for more than one comparison.
use core::sync::atomic::{AtomicU64, Ordering};

use crate::{
    etw::{self, Id},
    print,
    sync::DispatchMutex,
    trace::level,
};

/// A packet is wanted if fewer than so many went the same way before it: none, the first, or every packet.
static WANTED_BELOW: AtomicU64 = AtomicU64::new(NONE);

const NONE: u64 = 0;
const FIRST: u64 = 1;
const ALL: u64 = u64::MAX;

/// Two that look at once would else store what one of them saw first.
static UPDATE: DispatchMutex<()> = DispatchMutex::new(());

/// Whether anybody wants a packet that `before` went before the same way.
///
/// IRQL: any
pub fn wants_packet(before: u64) -> bool {
    before < WANTED_BELOW.load(Ordering::Relaxed)
}

/// Looks again, since the settings or the sessions have changed.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn update() {
    let _one_at_a_time = UPDATE.lock();
    let lines = match print::level() {
        level::PACKETS.. => ALL,
        level::FIRST_PACKETS => FIRST,
        _ => NONE,
    };
    let events = if etw::wants(Id::Packet) {
        ALL
    } else if etw::wants(Id::FirstPacket) {
        FIRST
    } else {
        NONE
    };
    WANTED_BELOW.store(lines.max(events), Ordering::Relaxed);
}
