//! The driver's table of processes with its paths in blocks of pool, and, in the place of what Windows tells, what a test tells.
#[path = "../../../src/processes/stored.rs"]
mod stored;
#[path = "../../../src/processes/table.rs"]
pub mod table;

use std::num::NonZeroU64;

use self::{
    stored::StoredPath,
    table::{Process, Slot, Table},
};
use crate::{
    identity::Identity,
    sync::{AtDispatch, DispatchMutex},
};

static PROCESSES: DispatchMutex<Table<'static, StoredPath>> = DispatchMutex::new(Table::empty());

/// Room for so many. It stays on the host's heap, and is given back by [`forget`].
pub fn make_room(capacity: usize) {
    let slots = (0..capacity).map(|_| Slot::FREE).collect::<Vec<_>>().leak();
    *PROCESSES.lock() = Table::new(slots, vec![0; capacity].leak());
}

/// Nobody is known any more.
pub fn forget() {
    let (slots, chains) = std::mem::replace(&mut *PROCESSES.lock(), Table::empty()).into_memory();
    for slot in &mut *slots {
        drop(slot.take());
    }
    if !slots.is_empty() {
        // SAFETY: leaked in `make_room` as one box.
        drop(unsafe { Box::from_raw(slots) });
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(chains) });
    }
}

/// A process begins, whose path is given as WFP has it.
pub fn begin(pid: u64, key: NonZeroU64, path: &[u8]) {
    let process = Process { pid, key, created: key.get().cast_signed(), parent: None, path: StoredPath::of(path) };
    let outcome = PROCESSES.lock().insert(process, false);
    drop(outcome);
}

/// A process exits.
pub fn exit(pid: u64, key: NonZeroU64) {
    assert!(PROCESSES.lock().exit(pid, key), "a process that is known");
}

/// As in the driver, which leaves the lock alone where there is no path.
pub fn identify(irql: &AtDispatch, pid: u64, path: &[u8]) -> Option<Identity> {
    PROCESSES.lock_raised(irql).identify(pid, path)
}
