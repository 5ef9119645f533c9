//! `KeAcquireInStackQueuedSpinLock` and its counterpart, on the driver's own `KSPIN_LOCK` and `KLOCK_QUEUE_HANDLE`.
//!
//! Who holds which lock is kept here and not in the lock's word, which is opaque: so a lock whose memory is freed while
//! somebody waits for it does no harm to the simulator. Who waits in which order is not modelled. Unlike a lock of the
//! driver's own, this one is seen: taking it twice on one CPU, or releasing it without holding it, is a bug check.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    computer::{Call, Export, Fails, Irql, argument, field, memory},
    interleave::{self, Touches},
    referee::Watch,
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
        inputs: &[
            argument(0, "SpinLock").used("kernel::queued_spin_lock::tests::a_queued_spin_lock_keeps_other_cpus_out"),
            argument(1, "LockHandle")
                .used("kernel::queued_spin_lock::tests::a_lock_is_released_by_the_handle_that_holds_it"),
        ],
    },
    Export {
        module: "ntoskrnl.exe",
        name: "KeReleaseInStackQueuedSpinLock",
        max_irql: Irql::DISPATCH,
        fails: Fails::Never,
        run: release,
        inputs: &[
            field(0, 0, "LockHandle.LockQueue")
                .used("kernel::queued_spin_lock::tests::a_lock_is_released_by_the_handle_that_holds_it"),
            field(0, 16, "LockHandle.OldIrql")
                .used("kernel::queued_spin_lock::tests::holding_a_queued_spin_lock_is_being_at_dispatch_level"),
        ],
    },
];

/// The queued spin locks of a machine that are held: their addresses, and the queue handles that hold them.
#[derive(Debug, Default)]
pub(crate) struct SpinLocks(Mutex<HashMap<u64, u64>>);

impl SpinLocks {
    fn held(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock, if nobody holds it.
    fn take(&self, lock: u64, handle: u64) -> bool {
        *self.held().entry(lock).or_insert(handle) == handle
    }

    /// Whether nobody holds the lock.
    fn is_free(&self, lock: u64) -> bool {
        !self.held().contains_key(&lock)
    }

    /// Gives the lock up; false when `handle` does not hold it.
    fn give_up(&self, lock: u64, handle: u64) -> bool {
        let mut held = self.held();
        let holds = held.get(&lock) == Some(&handle);
        if holds {
            held.remove(&lock);
        }
        holds
    }
}

fn acquire(call: &Call<'_>) -> u64 {
    let (lock, handle) = (call.arg(0), call.arg(1));
    if call.machine.settings().watch == Watch::Closely {
        call.accessible(memory::read::<u64>(lock));
    }
    let old_irql = call.cpu.irql();
    write(call, handle + LOCK, lock);
    write(call, handle + OLD_IRQL, u64::from(old_irql.0));
    if call.cpu.holds(lock) {
        call.bug_check(
            SPIN_LOCK_ALREADY_OWNED,
            [lock, 0, 0, 0],
            format!("the spin lock at {lock:#x} was acquired by the CPU that holds it: it would wait for itself"),
        );
    }
    call.cpu.set_irql(Irql::DISPATCH);
    let started = Instant::now();
    while !call.machine.kernel().spin_locks.take(lock, handle) {
        if started.elapsed() > PATIENCE {
            let text = format!("the driver has waited for the spin lock at {lock:#x} for {} s", PATIENCE.as_secs());
            call.bug_check(DPC_WATCHDOG_VIOLATION, [1, lock, 0, 0], text);
        }
        call.cpu.check_alive();
        // Who spins keeps its processor, but not its turn.
        let machine = call.machine.clone();
        let free = move || machine.kernel().spin_locks.is_free(lock);
        if !interleave::wait_until("KeAcquireInStackQueuedSpinLock: free", Touches::EVERYTHING, free) {
            thread::yield_now();
        }
    }
    call.cpu.takes(lock);
    0
}

fn release(call: &Call<'_>) -> u64 {
    let handle = call.arg(0);
    let lock = read(call, handle + LOCK);
    if !call.cpu.gives_up(lock) || !call.machine.kernel().spin_locks.give_up(lock, handle) {
        call.bug_check(
            SPIN_LOCK_NOT_OWNED,
            [lock, 0, 0, 0],
            format!("the spin lock at {lock:#x} was released with a queue handle that does not hold it"),
        );
    }
    let [old_irql, ..] = read(call, handle + OLD_IRQL).to_le_bytes();
    call.cpu.set_irql(Irql(old_irql));
    0
}

/// Reads a field of a queue handle, which mostly lies on the driver's stack.
fn read(call: &Call<'_>, address: u64) -> u64 {
    if call.cpu.stack_holds(address) {
        // SAFETY: on this CPU's own driver stack, which is mapped and which nobody else uses now.
        return unsafe { (address as *const u64).read_unaligned() };
    }
    call.read(address)
}

/// Writes a field of a queue handle.
fn write(call: &Call<'_>, address: u64, value: u64) {
    if call.cpu.stack_holds(address) {
        // SAFETY: as in `read`.
        unsafe { (address as *mut u64).write_unaligned(value) };
        return;
    }
    call.write(address, value);
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        thread,
    };

    use crate::{
        interleave::{Crew, Job, Plan, Waits, random::Priorities},
        kernel::tests::{code, drive, import, machine},
    };

    const ACQUIRE: &str = "KeAcquireInStackQueuedSpinLock";
    const RELEASE: &str = "KeReleaseInStackQueuedSpinLock";

    extern "win64" fn lock_and_unlock(lock: u64) -> u64 {
        let mut handle = [0u64; 3];
        let handle = [&raw mut handle as u64];
        import(ACQUIRE, [lock, handle[0]]);
        let inside = import("KfRaiseIrql", [2]);
        import(RELEASE, handle);
        let outside = import("KfRaiseIrql", [0]);
        inside << 8 | outside
    }

    #[test]
    fn holding_a_queued_spin_lock_is_being_at_dispatch_level() {
        let lock = 0u64;
        assert_eq!(drive(&machine(), lock_and_unlock, &raw const lock as u64).unwrap(), 2 << 8);
    }

    extern "win64" fn lock_twice(lock: u64) -> u64 {
        let (mut first, mut second) = ([0u64; 3], [0u64; 3]);
        import(ACQUIRE, [lock, &raw mut first as u64]);
        import(ACQUIRE, [lock, &raw mut second as u64])
    }

    #[test]
    fn taking_a_queued_spin_lock_twice_is_caught() {
        let lock = 0u64;
        assert_eq!(code(drive(&machine(), lock_twice, &raw const lock as u64)).0, 0x0F);
    }

    extern "win64" fn unlock_only(lock: u64) -> u64 {
        let mut handle = [0, lock, 0];
        import(RELEASE, [&raw mut handle as u64])
    }

    #[test]
    fn releasing_a_queued_spin_lock_that_is_not_held_is_caught() {
        let lock = 0u64;
        let machine = machine();
        let caught = machine.run(|cpu| {
            cpu.set_irql(crate::computer::Irql::DISPATCH);
            cpu.call(unlock_only as *const () as u64, "unlock", &[&raw const lock as u64])
        });
        assert_eq!(code(caught).0, 0x10);
    }

    extern "win64" fn unlock_with_another_handle(lock: u64) -> u64 {
        let (mut first, mut second) = ([0u64; 3], [0, lock, 2]);
        import(ACQUIRE, [lock, &raw mut first as u64]);
        import(RELEASE, [&raw mut second as u64])
    }

    #[test]
    fn a_lock_is_released_by_the_handle_that_holds_it() {
        let lock = 0u64;
        assert_eq!(code(drive(&machine(), unlock_with_another_handle, &raw const lock as u64)).0, 0x10);
    }

    extern "win64" fn count(counter: u64) -> u64 {
        let mut handle = [0u64; 3];
        let handle = [&raw mut handle as u64];
        // The counter lies behind the lock.
        let place = (counter + 8) as *mut u64;
        for _ in 0..500 {
            import(ACQUIRE, [counter, handle[0]]);
            // SAFETY: the test's own counter; the lock keeps the other thread out.
            let value = unsafe { place.read_volatile() };
            // Time for the other thread to come in between, if it could.
            thread::yield_now();
            // SAFETY: as above.
            unsafe { place.write_volatile(value + 1) };
            import(RELEASE, handle);
        }
        0
    }

    #[test]
    fn a_queued_spin_lock_keeps_other_cpus_out() {
        let (machine, lock_and_counter) = (machine(), [0u64; 2]);
        let place = &raw const lock_and_counter as u64;
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| drive(&machine, count, place).unwrap());
            }
        });
        assert_eq!(lock_and_counter[1], 1000);
    }
    extern "win64" fn print_while_holding(lock: u64) -> u64 {
        let mut handle = [0u64; 3];
        let handle = &raw mut handle as u64;
        import(ACQUIRE, [lock, handle]);
        import("DbgPrintEx", [80, 0, c"held".as_ptr() as u64]);
        import(RELEASE, [handle])
    }

    #[test]
    fn a_thread_that_spins_gives_its_turn_to_the_one_that_holds_the_lock() {
        let crew = Crew::new(2);
        let runs_with_a_wait = (0..20).filter(|&seed| {
            let (machine, lock) = (machine(), Arc::new(0u64));
            let job = || -> Job {
                let (machine, lock) = (machine.clone(), Arc::clone(&lock));
                Box::new(move || {
                    let driven = drive(&machine, print_while_holding, Arc::as_ptr(&lock) as u64);
                    driven.map(drop).map_err(|bug_check| bug_check.to_string())
                })
            };
            let strategy = Arc::new(Mutex::new(Priorities::new(seed, 2, 12, 3)));
            let plan = Plan { strategy, memory: None, waits: Waits::AfterOthers, seed };
            let run = crew.run(plan, vec![job(), job()]);
            assert_eq!(run.failure, None);
            run.steps.iter().any(|step| step.name.ends_with(": free"))
        });
        assert!(runs_with_a_wait.count() > 0);
    }
}
