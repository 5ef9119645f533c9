//! A simulated CPU: a host thread while it runs driver code for one machine.

use std::{
    cell::{Cell, OnceCell, RefCell},
    ops::Range,
    panic::{self, AssertUnwindSafe},
    ptr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Irql, Machine, paging,
    signals::{self, Fault},
    stack::KernelStack,
    steps::Stepping,
    stop, watchdog,
};
use crate::{
    interleave::{self, Halt},
    referee::{BugCheck, Leaving, MachineDied},
};

/// The process that system threads belong to.
pub const SYSTEM: u64 = 4;

/// A host thread that runs driver code.
pub struct Cpu {
    machine: Machine,
    irql: Cell<Irql>,
    /// How long driver code has waited since the thread became a CPU.
    waited: Cell<Duration>,
    /// The process whose thread this is.
    process: Cell<u64>,
    /// Addresses of the spin locks of the kernel's that it holds.
    locks: RefCell<Vec<u64>>,
    /// Pages that are out while the IRQL is `DISPATCH_LEVEL` or above.
    paged: RefCell<Vec<Range<u64>>>,
    stack: Rc<KernelStack>,
    /// Where the driver's stack stands while the host serves an import; the top when no driver code has been entered.
    pub(super) driver_stack: Cell<u64>,
    /// The imports being served, outermost first.
    pub(crate) serving: RefCell<Vec<Serving>>,
    /// Left by the signal handler when driver code crashed.
    pub(crate) fault: Cell<Option<Fault>>,
    /// A panic on its way past driver frames.
    pub(super) unwinding: Cell<Option<Box<dyn std::any::Any + Send>>>,
    /// Whether the driver's instructions are counted.
    pub(super) stepping: Stepping,
    /// What the watchdog looks at.
    pub(crate) pulse: Arc<Pulse>,
}

/// An import being served: where in the driver it was called from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serving {
    pub(crate) name: &'static str,
    /// The spilled arguments; below them the return address, below that the driver's rbp.
    pub(crate) arguments: *const u64,
}

/// A CPU's signs of life, read by the watchdog and by the signal handler.
#[derive(Debug)]
pub(crate) struct Pulse {
    pub(crate) thread: libc::pthread_t,
    /// Driver code is running (not the host, not an import).
    pub(crate) in_driver: AtomicBool,
    /// Crossings so far.
    pub(crate) crossings: AtomicU64,
    /// The machine is dead: leave driver code at the next chance.
    pub(crate) dead: Arc<AtomicBool>,
}

thread_local! {
    static CURRENT: Cell<*const Cpu> = const { Cell::new(ptr::null()) };
    /// A thread keeps its stack and GS block: they cost more than a classify.
    static STACK: OnceCell<Rc<KernelStack>> = const { OnceCell::new() };
}

impl Cpu {
    /// The CPU that the calling thread is, if it is one.
    pub(crate) fn with_current<T>(f: impl FnOnce(Option<&Self>) -> T) -> T {
        let current = CURRENT.get();
        // SAFETY: set for as long as the `Cpu` on `attached`'s frame lives, and only this thread sees it.
        f(unsafe { current.as_ref() })
    }

    /// Runs `f` with the calling thread as a CPU of `machine`.
    pub(crate) fn attached<T>(machine: &Machine, f: impl FnOnce(&Self) -> T) -> Result<T, BugCheck> {
        if let Some(cpu) = Self::with_current(|current| current.map(ptr::from_ref)) {
            // SAFETY: as in `with_current`; the outer `attached` is still on this thread's stack.
            let cpu = unsafe { &*cpu };
            assert!(cpu.machine.same(machine), "a thread cannot be a CPU of two machines at once");
            return Ok(f(cpu)); // a crash unwinds to the outer call
        }
        signals::install();
        let stack = kernel_stack();
        let cpu = Self {
            machine: machine.clone(),
            irql: Cell::new(Irql::PASSIVE),
            waited: Cell::new(Duration::ZERO),
            process: Cell::new(SYSTEM),
            locks: RefCell::default(),
            paged: RefCell::default(),
            driver_stack: Cell::new(stack.top()),
            stack,
            serving: RefCell::default(),
            fault: Cell::new(None),
            unwinding: Cell::new(None),
            stepping: Stepping::off(),
            pulse: Arc::new(Pulse {
                // SAFETY: no preconditions.
                thread: unsafe { libc::pthread_self() },
                in_driver: AtomicBool::new(false),
                crossings: AtomicU64::new(0),
                dead: machine.referee().dead_flag(),
            }),
        };
        let watched = watchdog::watch(&cpu.pulse);
        CURRENT.set(&raw const cpu);
        interleave::when_a_turn_comes(Some(after_turn));
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            cpu.check_alive();
            f(&cpu)
        }));
        CURRENT.set(ptr::null());
        interleave::when_a_turn_comes(None);
        drop(watched);
        match outcome {
            Ok(value) => machine.referee().verdict().map_or(Ok(value), Err),
            Err(payload) if payload.is::<MachineDied>() => {
                Err(machine.referee().verdict().expect("a machine dies of a recorded bug check"))
            }
            Err(payload) => panic::resume_unwind(payload),
        }
    }

    /// The machine that this CPU belongs to.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The current IRQL.
    #[must_use]
    pub fn irql(&self) -> Irql {
        self.irql.get()
    }

    /// Sets the IRQL, as the interrupt controller would: no check of direction.
    pub fn set_irql(&self, irql: Irql) {
        let before = self.irql.replace(irql);
        if (before < Irql::DISPATCH) != (irql < Irql::DISPATCH) {
            self.paged.borrow().iter().for_each(|pages| paging::set_present(pages, irql < Irql::DISPATCH));
        }
    }

    /// Runs `f` at `irql`, then returns to the IRQL before.
    pub fn at_irql<T>(&self, irql: Irql, f: impl FnOnce() -> T) -> T {
        let before = self.irql();
        self.set_irql(irql);
        let value = f();
        self.set_irql(before);
        value
    }

    /// The process whose thread this is.
    pub(crate) fn process(&self) -> u64 {
        self.process.get()
    }

    /// Runs `f` as a thread of `process` does.
    pub(crate) fn in_process<T>(&self, process: u64, f: impl FnOnce() -> T) -> T {
        let before = self.process.replace(process);
        let value = f();
        self.process.set(before);
        value
    }

    /// Has `pages` paged out whenever this CPU is at `DISPATCH_LEVEL` or above, where nothing can page them in.
    pub(crate) fn page_out_at_dispatch(&self, pages: Range<u64>) {
        paging::set_present(&pages, self.irql() < Irql::DISPATCH);
        self.paged.borrow_mut().push(pages);
    }

    /// Ends what [`Self::page_out_at_dispatch`] began.
    pub(crate) fn page_in(&self, pages: &Range<u64>) {
        let mut out = self.paged.borrow_mut();
        if let Some(index) = out.iter().position(|other| other == pages) {
            out.swap_remove(index);
            paging::set_present(pages, true);
        }
    }

    /// Whether it holds the spin lock at `address`.
    pub(crate) fn holds(&self, address: u64) -> bool {
        self.locks.borrow().contains(&address)
    }

    /// From now on it holds the spin lock at `address`.
    pub(crate) fn takes(&self, address: u64) {
        self.locks.borrow_mut().push(address);
    }

    /// It holds the spin lock at `address` no more; false when it never did.
    pub(crate) fn gives_up(&self, address: u64) -> bool {
        let mut locks = self.locks.borrow_mut();
        let held = locks.iter().position(|&held| held == address);
        held.map(|index| locks.swap_remove(index)).is_some()
    }

    /// Counts a wait of driver code; returns how long it has waited in all.
    pub(crate) fn count_wait(&self, interval: Duration) -> Duration {
        let waited = self.waited.get() + interval;
        self.waited.set(waited);
        waited
    }

    /// Unwinds if the machine has bug checked meanwhile, on whatever CPU.
    pub(crate) fn check_alive(&self) {
        if self.pulse.dead.load(Ordering::Relaxed) {
            panic::resume_unwind(Box::new(MachineDied));
        }
    }

    pub(crate) fn stack_holds(&self, address: u64) -> bool {
        self.stack.holds(address)
    }

    pub(crate) fn stack_guard_holds(&self, address: u64) -> bool {
        self.stack.is_guard(address)
    }

    /// Raises a bug check from this CPU.
    pub fn bug_check(&self, code: u32, parameters: [u64; 4], reason: impl Into<String>) -> ! {
        stop::bug_check(self, code, parameters, reason.into())
    }

    /// Stops the machine because the simulator lacks something: the driver has done nothing wrong.
    pub(crate) fn not_modelled(&self, what: &str) -> ! {
        stop::not_modelled(self, what)
    }

    /// Stops the machine for what the driver has left behind: the worst is the bug check, the report tells of the others.
    pub fn check_left(&self, left: Vec<Leaving>) {
        stop::left_behind(self, left);
    }
}

/// A thread that has waited for its turn goes on, unless its machine has died meanwhile or the run cannot go on.
fn after_turn(halt: Option<Halt>) {
    Cpu::with_current(|cpu| {
        let cpu = cpu.expect("set while the thread is a CPU");
        cpu.check_alive();
        let why = match halt {
            None | Some(Halt::Failed) => return,
            Some(Halt::Stuck) => "every thread waits, and none can go on",
            Some(Halt::Endless) => "the run goes on and on",
        };
        cpu.bug_check(MANUALLY_INITIATED_CRASH, [0; 4], why);
    });
}

/// Bug check: somebody ended the machine by hand.
const MANUALLY_INITIATED_CRASH: u32 = 0xE2;

const ARCH_SET_GS: libc::c_long = 0x1001;

fn kernel_stack() -> Rc<KernelStack> {
    STACK.with(|cell| {
        let stack = cell.get_or_init(|| {
            let stack = KernelStack::new().expect("memory for a kernel stack");
            // SAFETY: Linux leaves GS to the program; the block lives as long as the thread.
            let set = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, stack.gs_block()) };
            assert!(set == 0, "GS cannot be set: {}", std::io::Error::last_os_error());
            Rc::new(stack)
        });
        Rc::clone(stack)
    })
}
