//! Crashes of driver code arrive as signals; this turns them into a way back to the host.
//!
//! The handler only notes the registers and resumes at `leave_driver` in thunk.rs, which returns from the
//! innermost [`Cpu::call`]. All the rest (classification, symbols, unwinding) happens there, in ordinary code.

use std::{
    mem, ptr,
    sync::{Once, atomic::Ordering},
};

use libc::{c_int, c_void, siginfo_t, ucontext_t};

use super::Cpu;
use crate::image::unwind::Registers;

/// The watchdog's knock.
pub(crate) const WATCHDOG: c_int = libc::SIGUSR2;

/// What the processor reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) signal: c_int,
    pub(crate) registers: Registers,
    /// The address that could not be accessed.
    pub(crate) address: u64,
    /// The page fault error code: bit 1 write, bit 4 instruction fetch.
    pub(crate) error: u64,
    /// The processor's trap number.
    pub(crate) trap: u64,
}

/// Installs the handlers, once for the process, and an alternate stack for the calling thread.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGTRAP, libc::SIGFPE, WATCHDOG] {
            // SAFETY: all-zero is a valid sigaction.
            let mut action: libc::sigaction = unsafe { mem::zeroed() };
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler has the signature that SA_SIGINFO asks for and is async-signal-safe.
            let installed = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
            assert!(installed == 0, "no handler for signal {signal}");
        }
    });
    ensure_alternate_stack();
}

/// The handler cannot run on the driver's small stack, which may be what overflowed.
fn ensure_alternate_stack() {
    const SIZE: usize = 64 * 1024;
    thread_local! {
        static STACK: std::cell::OnceCell<Box<[u8]>> = const { std::cell::OnceCell::new() };
    }
    STACK.with(|cell| {
        cell.get_or_init(|| {
            let mut stack = vec![0u8; SIZE].into_boxed_slice();
            let description = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: SIZE };
            // SAFETY: the buffer lives as long as the thread.
            let set = unsafe { libc::sigaltstack(&raw const description, ptr::null_mut()) };
            assert!(set == 0, "no alternate signal stack");
            stack
        });
    });
}

extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a ucontext_t, ours for the handler's time.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    // SAFETY: with SA_SIGINFO the kernel passes a siginfo_t.
    let info = unsafe { &*info };
    let registers = &mut context.uc_mcontext.gregs;
    let resume = Cpu::with_current(|cpu| {
        let cpu = cpu?;
        let rip = registers[libc::REG_RIP as usize].cast_unsigned();
        // SI_KERNEL is a breakpoint instruction. Under some hypervisors not every step comes as TRAP_TRACE.
        if signal == libc::SIGTRAP && info.si_code != libc::SI_KERNEL && cpu.stepped(rip) {
            return Some(registers[libc::REG_RIP as usize]); // the trap flag stays set
        }
        if !cpu.pulse.in_driver.load(Ordering::Relaxed) {
            return None;
        }
        if signal == WATCHDOG && !cpu.machine().is_driver_code(rip) {
            return None; // between host and driver: it will knock again
        }
        // SAFETY: the field is set for every fault; for the watchdog's signal it is not looked at.
        let address = unsafe { info.si_addr() } as u64;
        cpu.fault.set(Some(Fault {
            signal,
            registers: Registers::from_signal(registers),
            address,
            error: registers[libc::REG_ERR as usize].cast_unsigned(),
            trap: registers[libc::REG_TRAPNO as usize].cast_unsigned(),
        }));
        Some(crate::computer::thunk::leave_driver_address())
    });
    match resume {
        Some(rip) => registers[libc::REG_RIP as usize] = rip,
        None if signal == WATCHDOG => {}
        None => {
            // Not the driver's: a bug of the simulator. Let the default action show it.
            // SAFETY: restoring the default action is always allowed.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}
