//! `KeAcquireInStackQueuedSpinLock` and its counterpart, on the driver's own `KSPIN_LOCK` and `KLOCK_QUEUE_HANDLE`.
//!
//! The lock's word holds the address of its holder's queue handle while it is held, else 0; who waits in which order is
//! not modelled. Unlike a lock of the driver's own, this one is seen: taking it twice on one CPU, or releasing it
//! without holding it, is a bug check.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    exports::{Call, Export, Fails},
    irql::Irql,
    memory,
};

const SPIN_LOCK_ALREADY_OWNED: u32 = 0x0F;
const SPIN_LOCK_NOT_OWNED: u32 = 0x10;
const DPC_WATCHDOG_VIOLATION: u32 = 0x133;

/// A wait that lasts longer is one that never ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// `KLOCK_QUEUE_HANDLE`: where its fields are.
const LOCK: u64 = 8;
const OLD_IRQL: u64 = 16;

/// The exports of queued spin locks.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "ntoskrnl.exe",
        name: "KeAcquireInStackQueuedSpinLock",
        max_irql: Irql::DISPATCH,
        fails: Fails::Never,
        run: acquire,
    },
    Export {
        module: "ntoskrnl.exe",
        name: "KeReleaseInStackQueuedSpinLock",
        max_irql: Irql::DISPATCH,
        fails: Fails::Never,
        run: release,
    },
];

fn acquire(call: &Call<'_>) -> u64 {
    let (lock_at, handle) = (call.arg(0), call.arg(1));
    let lock = lock(call, lock_at);
    let old_irql = call.cpu.irql();
    call.write(handle + LOCK, lock_at);
    call.write(handle + OLD_IRQL, old_irql.0);
    if call.cpu.holds(lock_at) {
        call.bug_check(
            SPIN_LOCK_ALREADY_OWNED,
            [lock_at, 0, 0, 0],
            format!("the spin lock at {lock_at:#x} was acquired by the CPU that holds it: it would wait for itself"),
        );
    }
    call.cpu.set_irql(Irql::DISPATCH);
    let started = Instant::now();
    while lock.compare_exchange_weak(0, handle, Ordering::Acquire, Ordering::Relaxed).is_err() {
        if started.elapsed() > PATIENCE {
            let text = format!("the driver has waited for the spin lock at {lock_at:#x} for {} s", PATIENCE.as_secs());
            call.bug_check(DPC_WATCHDOG_VIOLATION, [1, lock_at, 0, 0], text);
        }
        call.cpu.check_alive();
        thread::yield_now();
    }
    call.cpu.takes(lock_at);
    0
}

fn release(call: &Call<'_>) -> u64 {
    let handle = call.arg(0);
    let lock_at: u64 = call.read(handle + LOCK);
    let lock = lock(call, lock_at);
    if !call.cpu.gives_up(lock_at) || lock.load(Ordering::Relaxed) != handle {
        call.bug_check(
            SPIN_LOCK_NOT_OWNED,
            [lock_at, 0, 0, 0],
            format!("the spin lock at {lock_at:#x} was released with a queue handle that does not hold it"),
        );
    }
    let old_irql: u8 = call.read(handle + OLD_IRQL);
    lock.store(0, Ordering::Release);
    call.cpu.set_irql(Irql(old_irql));
    0
}

fn lock<'a>(call: &'a Call<'_>, address: u64) -> &'a AtomicU64 {
    call.accessible(memory::read::<u64>(address));
    // SAFETY: accessible (just read), 8-aligned by the type's definition, and used atomically by everyone: the driver
    // knows it only through these two functions.
    unsafe { AtomicU64::from_ptr(address as *mut u64) }
}
