//! Which bug check a crash of driver code is.

use super::{
    Cpu, Irql, memory,
    signals::{Fault, WATCHDOG},
    stop,
};
use crate::{image::unwind::Registers, referee::MachineDied};

/// Page fault error code: the access was a write.
const WRITE: u64 = 1 << 1;
/// Page fault error code: the access was an instruction fetch.
const FETCH: u64 = 1 << 4;
/// The processor's trap numbers.
const GENERAL_PROTECTION: u64 = 13;
const PAGE_FAULT: u64 = 14;

const STATUS_BREAKPOINT: u64 = 0x8000_0003;
const STATUS_ACCESS_VIOLATION: u64 = 0xC000_0005;
const STATUS_ILLEGAL_INSTRUCTION: u64 = 0xC000_001D;
const STATUS_INTEGER_DIVIDE_BY_ZERO: u64 = 0xC000_0094;

/// Reports the crash and stops the machine.
pub(super) fn report(cpu: &Cpu, fault: &Fault) -> ! {
    if cpu.machine().referee().verdict().is_some() {
        // Another CPU died first and this one was fetched out of its loop.
        std::panic::resume_unwind(Box::new(MachineDied));
    }
    let (code, parameters, reason) = classify(cpu, fault);
    stop::crash(cpu, fault.registers, code, parameters, reason)
}

fn classify(cpu: &Cpu, fault: &Fault) -> (u32, [u64; 4], String) {
    let rip = fault.registers.rip;
    let irql = u64::from(cpu.irql().0);
    let exception = |status, what: &str| (0x1E, [status, rip, 0, 0], what.to_owned());
    match fault.signal {
        WATCHDOG => (
            0x133,
            [0, 0, 0, 0],
            format!("the driver has run for seconds at {} without calling anything: a lock held for ever?", cpu.irql()),
        ),
        libc::SIGTRAP => exception(STATUS_BREAKPOINT, "a breakpoint instruction, and no debugger"),
        libc::SIGILL => {
            exception(STATUS_ILLEGAL_INSTRUCTION, "an illegal instruction (ud2: code believed unreachable)")
        }
        libc::SIGFPE => exception(STATUS_INTEGER_DIVIDE_BY_ZERO, "a division by zero"),
        _ if fault.trap == GENERAL_PROTECTION => general_protection(cpu, fault),
        _ if fault.trap == PAGE_FAULT => page_fault(cpu, fault, irql),
        signal => exception(STATUS_ACCESS_VIOLATION, &format!("signal {signal}")),
    }
}

/// Whether an instruction that begins so is for a kernel only: ports, interrupts, halting, and control, debug and model-specific
/// registers. (Intel SDM volume 3, "Privileged instructions", and the descriptions of IN, OUT, CLI and STI.)
fn is_privileged(bytes: [u8; 3]) -> bool {
    let opcode = match bytes {
        [0x40..=0x4F | 0x66, rest @ ..] => rest,
        [first, second, _] => [first, second],
    };
    matches!(
        opcode,
        [0x6C..=0x6F | 0xE4..=0xE7 | 0xEC..=0xEF | 0xF4 | 0xFA | 0xFB, _]
            | [0x0F, 0x00 | 0x01 | 0x06 | 0x08 | 0x09 | 0x20..=0x23 | 0x30 | 0x32 | 0x33]
    )
}

/// `int 29h` fails fast on Windows; on Linux it is a privileged instruction like any other.
fn general_protection(cpu: &Cpu, fault: &Fault) -> (u32, [u64; 4], String) {
    const FAST_FAIL: [u8; 2] = [0xCD, 0x29];
    let rip = fault.registers.rip;
    let fast_fail = memory::read::<[u8; 2]>(rip) == Ok(FAST_FAIL);
    if fast_fail {
        let reason = fault.registers.general[Registers::RCX];
        return (0x139, [reason, 0, 0, 0], format!("the driver failed fast with code {reason}"));
    }
    if memory::read(rip).is_ok_and(is_privileged) {
        // Right in a kernel: KeGetCurrentIrql is such an instruction in a driver's own code.
        stop::not_modelled_at(cpu, fault.registers, "privileged instructions");
    }
    let reason = format!("a non-canonical address, at {}", cpu.irql());
    (0x1E, [STATUS_ACCESS_VIOLATION, rip, 0, u64::MAX], reason)
}

fn page_fault(cpu: &Cpu, fault: &Fault, irql: u64) -> (u32, [u64; 4], String) {
    let Fault { address, error, .. } = *fault;
    let rip = fault.registers.rip;
    let (access, verb) = match error {
        e if e & FETCH != 0 => (8, "executed"),
        e if e & WRITE != 0 => (1, "wrote"),
        _ => (0, "read"),
    };
    if cpu.stack_guard_holds(address) {
        return (0x7F, [8, address, 0, rip], "the driver overflowed its kernel stack".into());
    }
    if cpu.machine().unloaded_code(address) {
        let reason = format!("the driver's code at {address:#x} was called after it had been unloaded");
        return (0xCE, [address, access, rip, 0], reason);
    }
    if let Some(finding) = cpu.machine().explain_address(address) {
        return (finding.code, [address, access, rip, 0], format!("the driver {verb} {address:#x}: {}", finding.text));
    }
    if cpu.irql() >= Irql::DISPATCH {
        let reason = format!("the driver {verb} {address:#x} at {}", cpu.irql());
        return (0xD1, [address, irql, access, rip], reason);
    }
    (0x50, [address, access, rip, 0], format!("the driver {verb} {address:#x}, where nothing is"))
}

/// What a subsystem knows about an address at which the driver faulted.
#[derive(Debug)]
pub struct Finding {
    /// The bug check.
    pub code: u32,
    /// What lies there.
    pub text: String,
}
