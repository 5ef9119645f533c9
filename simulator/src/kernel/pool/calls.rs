//! `ExAllocatePool2`, `ExFreePoolWithTag` and `ExFreePool`, and what is left when the driver leaves.

use super::{Misuse, POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED, POOL_FLAG_UNINITIALIZED, Tag};
use crate::{
    computer::{Call, Cpu, Export, Fails, Input, Irql, Machine, argument},
    referee::{Harm, Leaving},
};

/// Flags that Windows takes no notice of when it does not know them.
const OPTIONAL: u64 = 0xFFFF_FFFF_0000_0000;
const KINDS: u64 = POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// The pool's exports.
pub const EXPORTS: &[Export] = &[
    row(
        "ExAllocatePool2",
        Fails::Null,
        allocate,
        &[
            argument(0, "Flags").flags(
                8,
                KINDS | POOL_FLAG_UNINITIALIZED | OPTIONAL,
                "DDI POOL_FLAGS; those of the upper half may be ignored",
            ),
            argument(1, "NumberOfBytes").used("kernel::tests::an_allocation_of_no_bytes_is_a_violation"),
            argument(2, "Tag").used("kernel::tests::an_allocation_that_windows_refuses_returns_null"),
        ],
    ),
    row(
        "ExFreePoolWithTag",
        Fails::Never,
        free_tagged,
        &[
            argument(0, "P").used("kernel::tests::a_block_is_freed_once_and_with_its_own_tag"),
            argument(1, "Tag").used("kernel::tests::a_block_is_freed_once_and_with_its_own_tag"),
        ],
    ),
    row(
        "ExFreePool",
        Fails::Never,
        free,
        &[argument(0, "P").used("kernel::tests::a_use_after_free_is_caught_as_it_happens")],
    ),
];

const fn row(name: &'static str, fails: Fails, run: fn(&Call<'_>) -> u64, inputs: &'static [Input]) -> Export {
    Export { module: "ntoskrnl.exe", name, max_irql: Irql::HIGH, fails, run, inputs }
}

fn allocate(call: &Call<'_>) -> u64 {
    allocate_as(call, call.arg(0))
}

/// Allocates what arguments 1 and 2, size and tag, ask for.
pub(super) fn allocate_as(call: &Call<'_>, flags: u64) -> u64 {
    let (size, tag) = (call.arg(1), Tag(call.arg_u32(2)));
    let irql = call.cpu.irql();
    let paged = flags & POOL_FLAG_PAGED != 0;
    let kinds = flags & KINDS;
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
    if kinds.count_ones() != 1 || tag.0 == 0 {
        return 0;
    }
    let Ok(size) = usize::try_from(size) else { return 0 };
    call.machine.pool().allocate(flags, size, tag, call.caller()).unwrap_or(0)
}

fn free_tagged(call: &Call<'_>) -> u64 {
    give_back(call.cpu, call.arg(0), Tag(call.arg_u32(1)), call.caller());
    0
}

fn free(call: &Call<'_>) -> u64 {
    give_back(call.cpu, call.arg(0), Tag(0), call.caller());
    0
}

/// Frees the block at `address` for the code at `caller`; a misuse is a bug check.
pub(crate) fn give_back(cpu: &Cpu, address: u64, tag: Tag, caller: u64) {
    let machine = cpu.machine();
    let outcome = machine.pool().free(address, tag, cpu.irql(), caller, &|address| machine.place(address));
    if let Err(Misuse { code, parameters, reason }) = outcome {
        cpu.bug_check(code, parameters, reason);
    }
}

/// A driver that leaves has freed its pool.
pub(in crate::kernel) fn left(machine: &Machine) -> Option<Leaving> {
    let leaks = machine.pool().leaks(&|address| machine.place(address))?;
    let blocks = machine.pool().live_count();
    let text = format!("the driver left without freeing {blocks} blocks of pool: {leaks}");
    Some(Leaving::counted(Harm::Memory, blocks as u64, text))
}
