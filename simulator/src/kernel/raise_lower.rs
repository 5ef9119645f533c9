//! `KfRaiseIrql` and `KeLowerIrql`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::computer::{Call, Export, Fails, Input, Irql, argument};

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// The exports that change the IRQL.
pub const EXPORTS: &[Export] = &[
    row("KfRaiseIrql", raise, &[argument(0, "NewIrql").used("kernel::tests::raising_to_a_lower_level_is_a_violation")]),
    row(
        "KeLowerIrql",
        lower,
        &[argument(0, "NewIrql").used("kernel::tests::lowering_to_a_higher_level_is_a_violation")],
    ),
];

const fn row(name: &'static str, run: fn(&Call<'_>) -> u64, inputs: &'static [Input]) -> Export {
    Export { module: "ntoskrnl.exe", name, max_irql: Irql::HIGH, fails: Fails::Never, run, inputs }
}

/// How often the driver has changed the IRQL. A spin lock is inline code that the simulator cannot see: the pairs
/// around it are all there is to count.
#[derive(Debug, Default)]
pub struct IrqlChanges {
    raised: AtomicU64,
    lowered: AtomicU64,
}

impl IrqlChanges {
    /// Calls of `KfRaiseIrql`.
    #[must_use]
    pub fn raised(&self) -> u64 {
        self.raised.load(Ordering::Relaxed)
    }

    /// Calls of `KeLowerIrql`.
    #[must_use]
    pub fn lowered(&self) -> u64 {
        self.lowered.load(Ordering::Relaxed)
    }
}

fn raise(call: &Call<'_>) -> u64 {
    let (old, new) = (call.cpu.irql(), Irql(call.arg_u8(0)));
    if new < old || new > Irql::HIGH {
        call.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [0x30, u64::from(old.0), u64::from(new.0), 0],
            format!("KfRaiseIrql was asked to raise {old} to {new}"),
        );
    }
    call.machine.irql_changes().raised.fetch_add(1, Ordering::Relaxed);
    call.cpu.set_irql(new);
    u64::from(old.0)
}

fn lower(call: &Call<'_>) -> u64 {
    let (old, new) = (call.cpu.irql(), Irql(call.arg_u8(0)));
    if new > old {
        call.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [0x31, u64::from(old.0), u64::from(new.0), 0],
            format!("KeLowerIrql was asked to lower {old} to {new}"),
        );
    }
    call.machine.irql_changes().lowered.fetch_add(1, Ordering::Relaxed);
    call.cpu.set_irql(new);
    0
}
