//! `ExAllocatePool2`, `ExFreePoolWithTag` and `ExFreePool`, and what is left when the driver leaves.

use super::{Misuse, POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED, Tag};
use crate::computer::{Call, Cpu, Export, Fails, Irql};

/// Flags that fail the allocation when they are not known.
const REQUIRED: u64 = 0xFFFF_FFFF;
const KNOWN: u64 = 0x6F | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
/// Parameter 1 of the above: memory not freed at unload.
const LEAK: u64 = 0x62;

/// The pool's exports.
pub const EXPORTS: &[Export] = &[
    Export { module: "ntoskrnl.exe", name: "ExAllocatePool2", max_irql: Irql::HIGH, fails: Fails::Null, run: allocate },
    Export {
        module: "ntoskrnl.exe",
        name: "ExFreePoolWithTag",
        max_irql: Irql::HIGH,
        fails: Fails::Never,
        run: free_tagged,
    },
    Export { module: "ntoskrnl.exe", name: "ExFreePool", max_irql: Irql::HIGH, fails: Fails::Never, run: free },
];

fn allocate(call: &Call<'_>) -> u64 {
    allocate_as(call, call.arg(0))
}

/// Allocates what arguments 1 and 2, size and tag, ask for.
pub(super) fn allocate_as(call: &Call<'_>, flags: u64) -> u64 {
    let (size, tag) = (call.arg(1), Tag(call.arg_u32(2)));
    let irql = call.cpu.irql();
    let paged = flags & POOL_FLAG_PAGED != 0;
    let kinds = flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED);
    if size == 0 {
        let parameters = [0, u64::from(irql.0), flags, 0];
        call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, parameters, "the driver allocated 0 bytes of pool");
    }
    let (limit, parameter) = if paged { (Irql::APC, 1) } else { (Irql::DISPATCH, 2) };
    if irql > limit {
        call.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [parameter, u64::from(irql.0), flags, size],
            format!("pool was allocated at {irql}; {limit} is the highest level for this kind"),
        );
    }
    let invalid = kinds.count_ones() != 1 || flags & REQUIRED & !KNOWN != 0 || tag.0 == 0;
    if invalid {
        return 0;
    }
    let Ok(size) = usize::try_from(size) else { return 0 };
    call.machine.pool().allocate(flags, size, tag, call.caller()).unwrap_or(0)
}

fn free_tagged(call: &Call<'_>) -> u64 {
    give_back(call, Tag(call.arg_u32(1)))
}

fn free(call: &Call<'_>) -> u64 {
    give_back(call, Tag(0))
}

fn give_back(call: &Call<'_>, tag: Tag) -> u64 {
    let places = |address| call.machine.place(address);
    let outcome = call.machine.pool().free(call.arg(0), tag, call.cpu.irql(), call.caller(), &places);
    if let Err(Misuse { code, parameters, reason }) = outcome {
        call.bug_check(code, parameters, reason);
    }
    0
}

/// A driver that leaves has freed its pool.
pub(in crate::kernel) fn check_unload(cpu: &Cpu) {
    let machine = cpu.machine();
    if let Some(leaks) = machine.pool().leaks(&|address| machine.place(address)) {
        let blocks = machine.pool().live_count();
        cpu.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [LEAK, 0, 0, blocks as u64],
            format!("the driver left without freeing {blocks} blocks of pool: {leaks}"),
        );
    }
}
