//! Running driver code, and serving the imports that it calls.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::atomic::Ordering,
};

use super::{Call, Cpu, cpu::Serving, crash, thunk};
use crate::interleave::{self, Touches};

/// Bug check: a driver violated a rule that Driver Verifier checks.
const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
/// DDI compliance rule `IrqlReturn` (the page of bug check 0xC4; what the other parameters tell is ours).
const IRQL_RETURN: u64 = 0x2_001D;

impl Cpu {
    /// Runs the driver function at `function` and returns what it leaves in rax.
    ///
    /// A bug check unwinds from here. No lock may be held: the driver may call back into anything.
    pub fn call(&self, function: u64, name: &'static str, arguments: &[u64]) -> u64 {
        self.check_alive();
        interleave::point(name, Touches::DRIVER_CODE);
        let irql = self.irql();
        let stack = self.driver_stack.get();
        self.pulse.crossings.fetch_add(1, Ordering::Relaxed);
        self.pulse.in_driver.store(true, Ordering::Relaxed);
        self.stepping.resume();
        // SAFETY: `function` is code of the loaded image (or faults, which is reported); the driver stack stands
        // 16-aligned at `stack` with nothing live below it, and this thread's GS points at its own block.
        let value = unsafe { thunk::enter_driver(function, arguments.as_ptr(), arguments.len() as u64, stack & !0xF) };
        self.stepping.pause();
        self.pulse.in_driver.store(false, Ordering::Relaxed);
        if let Some(payload) = self.unwinding.take() {
            panic::resume_unwind(payload);
        }
        if let Some(fault) = self.fault.take() {
            crash::report(self, &fault);
        }
        if self.irql() != irql {
            let now = self.irql();
            self.set_irql(irql);
            self.bug_check(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                [IRQL_RETURN, function, u64::from(irql.0), u64::from(now.0)],
                format!("{name} was called at {irql} and returned at {now}"),
            );
        }
        value
    }
}

/// Every import arrives here from the thunk, on the host's stack.
pub(super) extern "sysv64" fn dispatch(index: u64, arguments: *const u64, driver_stack: u64) -> u64 {
    Cpu::with_current(|cpu| {
        let cpu = cpu.expect("driver code runs only on a CPU");
        cpu.stepping.pause();
        cpu.pulse.in_driver.store(false, Ordering::Relaxed);
        cpu.pulse.crossings.fetch_add(1, Ordering::Relaxed);
        let outer_stack = cpu.driver_stack.replace(driver_stack);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| serve(cpu, index as usize, arguments)));
        cpu.driver_stack.set(outer_stack);
        match outcome {
            Ok(value) => {
                cpu.pulse.in_driver.store(true, Ordering::Relaxed);
                cpu.stepping.resume();
                value
            }
            Err(payload) => {
                cpu.unwinding.set(Some(payload));
                // SAFETY: below the `enter_driver` that the driver code runs in; no value with a destructor is live
                // in this frame.
                unsafe { thunk::leave_driver() }
            }
        }
    })
}

fn serve(cpu: &Cpu, index: usize, arguments: *const u64) -> u64 {
    cpu.check_alive();
    let (name, export) = cpu.machine().imports().numbered(index);
    let depth = cpu.serving.borrow().len();
    cpu.serving.borrow_mut().push(Serving { name, arguments });
    let call = Call::new(cpu, index, arguments);
    // A function of a table that no family exports.
    let Some(export) = export else { call.not_modelled(name) };
    let value = call.serve(export);
    cpu.serving.borrow_mut().truncate(depth);
    value
}

#[cfg(test)]
mod tests {
    use crate::computer::Irql;
    use crate::{Machine, Options};

    extern "win64" fn sum(rcx: u64, rdx: u64, r8: u64, r9: u64, fifth: u64, sixth: u64) -> u64 {
        rcx + 10 * rdx + 100 * r8 + 1_000 * r9 + 10_000 * fifth + 100_000 * sixth
    }

    extern "win64" fn read_byte(address: *const u8) -> u64 {
        // SAFETY: none: this is the crash that the test wants.
        u64::from(unsafe { address.read_volatile() })
    }

    extern "win64" fn break_in() {
        // SAFETY: raises SIGTRAP, which is what the test wants.
        unsafe { std::arch::asm!("int3") };
    }

    extern "win64" fn raise() {
        super::Cpu::with_current(|cpu| cpu.expect("driver code runs on a CPU").set_irql(Irql::DISPATCH));
    }

    #[test]
    fn a_callback_that_returns_at_another_irql_violates_the_rule_irql_return() {
        let machine = Machine::new(Options::default());
        let crash = machine.run(|cpu| cpu.call(raise as *const () as u64, "raise", &[])).unwrap_err();
        assert_eq!((crash.code(), crash.parameters()[0]), (0xC4, 0x0002_001D));
    }

    #[test]
    fn driver_code_gets_all_its_arguments() {
        let machine = Machine::new(Options::default());
        let value = machine.run(|cpu| cpu.call(sum as *const () as u64, "sum", &[1, 2, 3, 4, 5, 6]));
        assert_eq!(value.unwrap(), 654_321);
    }

    #[test]
    fn a_wild_pointer_is_a_page_fault_bug_check() {
        let machine = Machine::new(Options::default());
        let crash = machine.run(|cpu| cpu.call(read_byte as *const () as u64, "read", &[0x10])).unwrap_err();
        assert_eq!((crash.code(), crash.parameters()[0]), (0x50, 0x10));
    }

    #[test]
    fn a_wild_pointer_at_dispatch_level_is_an_irql_bug_check() {
        let machine = Machine::new(Options::default());
        let run = machine.run(|cpu| {
            cpu.set_irql(Irql::DISPATCH);
            cpu.call(read_byte as *const () as u64, "read", &[0x10])
        });
        assert_eq!(run.unwrap_err().code(), 0xD1);
    }

    #[test]
    fn a_breakpoint_is_reported() {
        let machine = Machine::new(Options::default());
        let crash = machine.run(|cpu| cpu.call(break_in as *const () as u64, "break", &[])).unwrap_err();
        assert_eq!((crash.code(), crash.parameters()[0]), (0x1E, 0x8000_0003));
    }

    extern "win64" fn current_irql() {
        // SAFETY: in a kernel it only reads; here it faults, which is what the test wants.
        unsafe { std::arch::asm!("mov rax, cr8", out("rax") _) };
    }

    #[test]
    fn a_privileged_instruction_is_the_simulators_lack() {
        let machine = Machine::new(Options::default());
        let stopped = machine.run(|cpu| cpu.call(current_irql as *const () as u64, "irql", &[])).unwrap_err();
        assert!(stopped.is_not_modelled(), "{stopped}");
    }

    #[test]
    fn an_address_that_cannot_be_is_no_privileged_instruction() {
        let machine = Machine::new(Options::default());
        let crash = machine.run(|cpu| cpu.call(read_byte as *const () as u64, "read", &[1 << 63])).unwrap_err();
        assert_eq!((crash.code(), crash.parameters()[0]), (0x1E, 0xC000_0005));
    }

    #[test]
    fn a_machine_that_bug_checked_runs_nothing_any_more() {
        let machine = Machine::new(Options::default());
        machine.run(|cpu| cpu.call(read_byte as *const () as u64, "read", &[0x10])).unwrap_err();
        let after = machine.run(|cpu| cpu.call(sum as *const () as u64, "sum", &[0; 6]));
        assert_eq!(after.unwrap_err().code(), 0x50);
    }
}
