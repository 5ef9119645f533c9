//! The kernel's exports, called as a driver calls them: by a small native one, made of win64 functions.

use std::{mem, thread, time::Duration};

use super::{
    pool::{Tag, TagUse},
    unicode_string::UnicodeString,
};
use crate::{BugCheck, Machine, Options, windows};

type Import = extern "win64" fn(u64, u64, u64, u64, u64, u64) -> u64;

const NON_PAGED: u64 = 0x40;
const PAGED: u64 = 0x100;
pub(super) const TAG: u64 = u32::from_le_bytes(*b"Flow") as u64;
pub(super) const DISPATCH: u64 = 2;

/// Calls an import of ntoskrnl.exe, from driver code.
pub(super) fn import<const N: usize>(name: &str, arguments: [u64; N]) -> u64 {
    let address = windows::address("ntoskrnl.exe", name).expect("the simulator has it");
    // SAFETY: what an import is bound to is a win64 function; it ignores arguments that it does not have.
    let import: Import = unsafe { mem::transmute(address) };
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    import(all[0], all[1], all[2], all[3], all[4], all[5])
}

/// Runs a function of the native driver.
pub(super) fn drive(
    machine: &Machine,
    function: extern "win64" fn(u64) -> u64,
    argument: u64,
) -> Result<u64, BugCheck> {
    machine.run(|cpu| cpu.call(function as *const () as u64, "the test's function", &[argument]))
}

/// Calls an import directly, at `PASSIVE_LEVEL`.
pub(super) fn called(machine: &Machine, name: &'static str, arguments: &[u64]) -> Result<u64, BugCheck> {
    let address = windows::address("ntoskrnl.exe", name).expect("the simulator has it");
    machine.run(|cpu| cpu.call(address, name, arguments))
}

pub(super) fn machine() -> Machine {
    Machine::new(Options::default())
}

pub(super) fn code<T: std::fmt::Debug>(outcome: Result<T, BugCheck>) -> (u32, u64) {
    let bug_check = outcome.expect_err("a bug check");
    (bug_check.code(), bug_check.parameters()[0])
}

extern "win64" fn raise_and_lower(_: u64) -> u64 {
    let old = import("KfRaiseIrql", [DISPATCH]);
    let between = import("KfRaiseIrql", [DISPATCH]);
    import("KeLowerIrql", [old]);
    old << 8 | between
}

#[test]
fn raising_the_irql_returns_the_old_one() {
    let machine = machine();
    assert_eq!(drive(&machine, raise_and_lower, 0).unwrap(), DISPATCH);
    assert_eq!((machine.irql_changes().raised(), machine.irql_changes().lowered()), (2, 1));
}

extern "win64" fn raise_to_lower_level(_: u64) -> u64 {
    import("KfRaiseIrql", [DISPATCH]);
    import("KfRaiseIrql", [0])
}

#[test]
fn raising_to_a_lower_level_is_a_violation() {
    assert_eq!(code(drive(&machine(), raise_to_lower_level, 0)), (0xC4, 0x30));
}

#[test]
fn lowering_to_a_higher_level_is_a_violation() {
    assert_eq!(code(called(&machine(), "KeLowerIrql", &[DISPATCH])), (0xC4, 0x31));
}

#[test]
fn a_callback_that_returns_at_another_level_is_a_violation() {
    assert_eq!(code(called(&machine(), "KfRaiseIrql", &[DISPATCH])).0, 0xC4);
}

#[test]
fn pool_is_allocated_and_freed() {
    let machine = machine();
    let address = called(&machine, "ExAllocatePool2", &[NON_PAGED, 100, TAG]).unwrap();
    assert_eq!(machine.pool().used_by(Tag(TAG as u32)), TagUse { blocks: 1, bytes: 100, allocations: 1 });
    called(&machine, "ExFreePoolWithTag", &[address, TAG]).unwrap();
    assert_eq!(machine.pool().live_count(), 0);
}

#[test]
fn a_block_is_freed_once_and_with_its_own_tag() {
    for (frees, expected) in [([0, TAG + 1], 0xC2), ([16, TAG], 0xC4)] {
        let machine = machine();
        let block = called(&machine, "ExAllocatePool2", &[NON_PAGED, 100, TAG]).unwrap();
        let [behind_its_start, tag] = frees;
        let freed = called(&machine, "ExFreePoolWithTag", &[block + behind_its_start, tag]);
        assert_eq!(code(freed).0, expected);
    }
}

#[test]
fn an_allocation_that_windows_refuses_returns_null() {
    let machine = machine();
    for arguments in [[NON_PAGED, 16, 0], [NON_PAGED | PAGED, 16, TAG], [0, 16, TAG]] {
        assert_eq!(called(&machine, "ExAllocatePool2", &arguments).unwrap(), 0, "{arguments:x?}");
    }
}

#[test]
fn an_injected_failure_returns_null() {
    let machine = machine();
    machine.faults().fail("ExAllocatePool2", 1, None);
    assert_eq!(called(&machine, "ExAllocatePool2", &[NON_PAGED, 16, TAG]).unwrap(), 0);
}

#[test]
fn an_allocation_of_no_bytes_is_a_violation() {
    assert_eq!(code(called(&machine(), "ExAllocatePool2", &[NON_PAGED, 0, TAG])), (0xC4, 0));
}

extern "win64" fn allocate_at_dispatch(flags: u64) -> u64 {
    import("KfRaiseIrql", [DISPATCH]);
    let address = import("ExAllocatePool2", [flags, 16, TAG]);
    import("KeLowerIrql", [0]);
    address
}

#[test]
fn only_nonpaged_pool_is_allocated_at_dispatch_level() {
    assert_ne!(drive(&machine(), allocate_at_dispatch, NON_PAGED).unwrap(), 0);
    assert_eq!(code(drive(&machine(), allocate_at_dispatch, PAGED)), (0xC4, 1));
}

extern "win64" fn read_after_free(_: u64) -> u64 {
    let address = import("ExAllocatePool2", [NON_PAGED, 16, TAG]);
    import("ExFreePool", [address]);
    // SAFETY: none: this is the mistake that the pool must catch.
    unsafe { (address as *const u64).read_volatile() }
}

#[test]
fn a_use_after_free_is_caught_as_it_happens() {
    let bug_check = drive(&machine(), read_after_free, 0).unwrap_err();
    assert_eq!(bug_check.code(), 0xD5);
    assert!(bug_check.reason().contains("tag 'Flow'") && bug_check.reason().contains("freed at"), "{bug_check}");
}

extern "win64" fn write_behind_the_end(_: u64) -> u64 {
    let address = import("ExAllocatePool2", [NON_PAGED, 16, TAG]);
    // SAFETY: none: this is the mistake that the pool must catch.
    unsafe { ((address + 16) as *mut u64).write_volatile(1) };
    0
}

#[test]
fn an_overrun_is_caught_as_it_happens() {
    assert_eq!(code(drive(&machine(), write_behind_the_end, 0)).0, 0xD6);
}

extern "win64" fn copy_from_freed_memory(target: u64) -> u64 {
    let address = import("ExAllocatePool2", [NON_PAGED, 16, TAG]);
    import("ExFreePool", [address]);
    import("memcpy", [target, address, 8])
}

#[test]
fn a_fault_in_memcpy_is_the_drivers() {
    let target = 0u64;
    assert_eq!(code(drive(&machine(), copy_from_freed_memory, &raw const target as u64)).0, 0xD5);
}

#[test]
fn a_bad_pointer_for_an_import_is_the_drivers() {
    assert_eq!(code(called(&machine(), "KeDelayExecutionThread", &[0, 0, 16])), (0x50, 16));
}

#[test]
fn debug_output_takes_arguments_from_the_stack() {
    let machine = machine();
    let (format, name) = (b"%s pid=%u bytes=%I64u %x\n\0", b"flow\0");
    let arguments = [80, 3, format.as_ptr() as u64, name.as_ptr() as u64, 4242, 1 << 40, 0x2A1];
    assert_eq!(called(&machine, "DbgPrintEx", &arguments).unwrap(), 0);
    let lines = machine.debug_print().lines();
    assert_eq!(lines[0].text, "flow pid=4242 bytes=1099511627776 2a1\n");
    assert_eq!((lines[0].component, lines[0].level, lines[0].shown), (80, 3, false));
}

extern "win64" fn print_at_dispatch(format: u64) -> u64 {
    let string = UnicodeString { length: 0, maximum_length: 0, padding: 0, buffer: 0 };
    import("KfRaiseIrql", [DISPATCH]);
    import("DbgPrintEx", [80, 0, format, &raw const string as u64]);
    import("KeLowerIrql", [0])
}

#[test]
fn a_unicode_code_at_dispatch_level_is_caught() {
    assert_eq!(code(drive(&machine(), print_at_dispatch, c"%wZ".as_ptr() as u64)).0, 0xA);
    assert!(drive(&machine(), print_at_dispatch, c"plain".as_ptr() as u64).is_ok());
}

extern "win64" fn wait_at_dispatch(interval: u64) -> u64 {
    import("KfRaiseIrql", [DISPATCH]);
    import("KeDelayExecutionThread", [0, 0, interval])
}

#[test]
fn waiting_at_dispatch_level_is_caught() {
    let interval = -10_000i64;
    assert_eq!(code(drive(&machine(), wait_at_dispatch, &raw const interval as u64)).0, 0xA);
}

#[test]
fn waiting_lets_virtual_time_pass() {
    let machine = machine();
    let interval = -20_000_000i64; // 2 s
    let before = called(&machine, "KeQueryUnbiasedInterruptTime", &[]).unwrap();
    called(&machine, "KeDelayExecutionThread", &[0, 0, &raw const interval as u64]).unwrap();
    let after = called(&machine, "KeQueryUnbiasedInterruptTime", &[]).unwrap();
    assert_eq!(after - before, 20_000_000);
    assert_eq!(machine.clock().since_start(), Duration::from_secs(2));
}

#[test]
fn rundown_waits_for_the_last_reference_and_gives_no_new_one() {
    let machine = machine();
    let mut rundown = 1u64;
    let reference = [&raw mut rundown as u64];
    called(&machine, "ExInitializeRundownProtection", &reference).unwrap();
    assert_eq!(called(&machine, "ExAcquireRundownProtection", &reference).unwrap(), 1);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| called(&machine, "ExWaitForRundownProtectionRelease", &reference));
        while called(&machine, "ExAcquireRundownProtection", &reference).unwrap() == 1 {
            called(&machine, "ExReleaseRundownProtection", &reference).unwrap();
        }
        assert!(!waiter.is_finished());
        called(&machine, "ExReleaseRundownProtection", &reference).unwrap();
        waiter.join().unwrap().unwrap();
    });
    assert_eq!(called(&machine, "ExAcquireRundownProtection", &reference).unwrap(), 0);
}

#[test]
fn each_rundown_reference_is_counted_for_itself() {
    let machine = machine();
    let mut two = [1u64; 2];
    for reference in &mut two {
        called(&machine, "ExInitializeRundownProtection", &[&raw mut *reference as u64]).unwrap();
    }
    let [first, second] = two.each_mut().map(|reference| &raw mut *reference as u64);
    called(&machine, "ExWaitForRundownProtectionRelease", &[first]).unwrap();
    assert_eq!(called(&machine, "ExAcquireRundownProtection", &[first]).unwrap(), 0);
    assert_eq!(called(&machine, "ExAcquireRundownProtection", &[second]).unwrap(), 1);
    called(&machine, "ExReleaseRundownProtection", &[second]).unwrap();
    assert_eq!(code(called(&machine, "ExReleaseRundownProtection", &[first])).0, 0x18);
}

#[test]
fn a_rundown_release_too_many_is_caught() {
    let machine = machine();
    let mut rundown = 0u64;
    let reference = [&raw mut rundown as u64];
    called(&machine, "ExInitializeRundownProtection", &reference).unwrap();
    assert_eq!(code(called(&machine, "ExReleaseRundownProtection", &reference)).0, 0x18);
}

#[test]
fn rundown_protection_is_initialized_before_anything_else() {
    for import in ["ExAcquireRundownProtection", "ExReleaseRundownProtection", "ExWaitForRundownProtectionRelease"] {
        let rundown = 0u64;
        let answer = called(&machine(), import, &[&raw const rundown as u64]);
        assert!(answer.unwrap_err().to_string().contains("has not initialized"), "{import}");
    }
}

#[test]
fn rundown_protection_that_is_held_is_not_initialized_anew() {
    let machine = machine();
    let mut rundown = 0u64;
    let reference = [&raw mut rundown as u64];
    called(&machine, "ExInitializeRundownProtection", &reference).unwrap();
    called(&machine, "ExAcquireRundownProtection", &reference).unwrap();
    let answer = called(&machine, "ExInitializeRundownProtection", &reference);
    assert!(answer.unwrap_err().to_string().contains("while references are held"));
}

#[test]
fn a_unicode_string_is_copied_as_far_as_it_fits() {
    let machine = machine();
    let text = [0x61u16, 0x62, 0x63];
    let mut place = [0xFFFFu16; 4];
    let string = |maximum_length, buffer: u64| UnicodeString { length: 6, maximum_length, padding: 0, buffer };
    let source = string(6, text.as_ptr() as u64);
    let mut target = string(4, place.as_mut_ptr() as u64);
    let arguments = [&raw mut target as u64, &raw const source as u64];
    called(&machine, "RtlCopyUnicodeString", &arguments).unwrap();
    assert_eq!((target.length, place), (4, [0x61, 0x62, 0xFFFF, 0xFFFF]));
    target.maximum_length = 8;
    called(&machine, "RtlCopyUnicodeString", &arguments).unwrap();
    assert_eq!((target.length, place), (6, [0x61, 0x62, 0x63, 0]));
    called(&machine, "RtlCopyUnicodeString", &[arguments[0], 0]).unwrap();
    assert_eq!(target.length, 0);
}

#[test]
fn a_unicode_string_is_converted_to_lower_case_where_it_lies() {
    let machine = machine();
    let mut text: Vec<u16> = "\\Device\\ÄŁβ1\u{130}".encode_utf16().collect();
    let length = 2 * text.len() as u16;
    let mut string = UnicodeString { length, maximum_length: length, padding: 0, buffer: text.as_mut_ptr() as u64 };
    let at = &raw mut string as u64;
    assert_eq!(called(&machine, "RtlDowncaseUnicodeString", &[at, at, 0]).unwrap(), 0);
    // Of the last letter, an I with a dot, two letters would come: it stays.
    assert_eq!((string.length, String::from_utf16(&text).unwrap().as_str()), (length, "\\device\\äłβ1\u{130}"));
    let mut short = UnicodeString { maximum_length: length - 2, ..string };
    assert_eq!(called(&machine, "RtlDowncaseUnicodeString", &[&raw mut short as u64, at, 0]).unwrap(), 0x8000_0005);
}
