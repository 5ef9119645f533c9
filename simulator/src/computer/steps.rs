//! Counting the driver's instructions, by single-stepping.
//!
//! While a CPU counts, the processor's trap flag is set whenever driver code runs, so that each instruction raises
//! SIGTRAP. The handler notes where it was. The host's own code between two imports runs at full speed. What comes out
//! does not depend on the machine, its load or its processor.

use std::{
    arch::asm,
    cell::Cell,
    ops::Range,
    ptr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::{Cpu, native};

/// What driver code executed.
pub struct Instructions {
    code: Range<u64>,
    /// How often the instruction at each byte of the code was executed.
    at: Box<[AtomicU32]>,
    /// Where the last trap was: a repeated string instruction traps once for each round.
    last: AtomicU64,
    /// Calls of `memcpy` and the like, which are imports without a crossing.
    native_calls: AtomicU64,
}

impl Instructions {
    fn of(code: Range<u64>) -> Self {
        let at = (code.start..code.end).map(|_| AtomicU32::new(0)).collect();
        Self { code, at, last: AtomicU64::new(0), native_calls: AtomicU64::new(0) }
    }

    /// How many instructions of the driver's image were executed; a repeated string instruction is one.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.at.iter().map(|count| u64::from(count.load(Ordering::Relaxed))).sum()
    }

    /// Calls of `memcpy`, `memset` and the like. Their instructions are not the image's and are not counted.
    #[must_use]
    pub fn native_calls(&self) -> u64 {
        self.native_calls.load(Ordering::Relaxed)
    }

    /// The addresses that were executed, and how often.
    pub fn addresses(&self) -> impl Iterator<Item = (u64, u32)> {
        let counts = self.at.iter().map(|count| count.load(Ordering::Relaxed));
        (self.code.start..).zip(counts).filter(|&(_, count)| count > 0)
    }

    /// Notes that the instruction at `rip` comes next. Called by the signal handler, which may not lock or allocate.
    fn note(&self, rip: u64) {
        if self.last.swap(rip, Ordering::Relaxed) == rip {
            return;
        }
        if self.code.contains(&rip) {
            self.at[(rip - self.code.start) as usize].fetch_add(1, Ordering::Relaxed);
        } else if native::starts_at(rip) {
            self.native_calls.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether a CPU counts, and where.
pub(super) struct Stepping(Cell<*const Instructions>);

impl Stepping {
    pub(super) const fn off() -> Self {
        Self(Cell::new(ptr::null()))
    }

    /// Driver code is about to run.
    pub(super) fn resume(&self) {
        if !self.0.get().is_null() {
            set_trap_flag();
        }
    }

    /// Driver code has stopped running.
    pub(super) fn pause(&self) {
        if !self.0.get().is_null() {
            clear_trap_flag();
        }
    }

    /// Takes a trap of the trap flag; false if nobody counts.
    pub(super) fn trapped(&self, rip: u64) -> bool {
        // SAFETY: `count_instructions` keeps it alive for as long as the pointer is set, and only this thread sets it.
        let counting = unsafe { self.0.get().as_ref() };
        counting.is_some_and(|instructions| {
            instructions.note(rip);
            true
        })
    }
}

impl Cpu {
    /// Runs `f` and counts the instructions that the loaded driver executes meanwhile on this CPU.
    ///
    /// # Panics
    /// When no driver is loaded.
    pub fn count_instructions<T>(&self, f: impl FnOnce() -> T) -> (T, Instructions) {
        let image = self.machine().image().expect("a loaded driver");
        let instructions = Instructions::of(image.code());
        let outer = self.stepping.0.replace(&raw const instructions);
        assert!(outer.is_null(), "this CPU counts already");
        let end = End(&self.stepping);
        let value = f();
        drop(end);
        (value, instructions)
    }

    /// Stops counting before [`Self::count_instructions`] ends, for what would take too long.
    pub fn stop_counting(&self) {
        self.stepping.0.set(ptr::null());
    }

    /// Takes a trap of the trap flag; false if this CPU does not count.
    pub(crate) fn stepped(&self, rip: u64) -> bool {
        self.stepping.trapped(rip)
    }
}

/// Ends the counting, also when a bug check unwinds.
struct End<'a>(&'a Stepping);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.0.set(ptr::null());
        clear_trap_flag();
    }
}

fn set_trap_flag() {
    // SAFETY: the flag's only effect is the trap, for which there is a handler; other flags may change in any `asm!`.
    unsafe { asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq") };
}

fn clear_trap_flag() {
    // SAFETY: as above.
    unsafe { asm!("pushfq", "and dword ptr [rsp], 0xfffffeff", "popfq") };
}
