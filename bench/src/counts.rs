//! What can be counted exactly: instructions, imports, allocations and locks.

use std::collections::BTreeMap;

use flowtag_simulator::{BugCheck, Machine};
use serde::{Deserialize, Serialize};

/// The counts of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Instructions of the driver's image.
    pub instructions: u64,
    /// Calls of imports, `memcpy` and the like included.
    pub imports: u64,
    /// Allocations of pool.
    pub pool_allocations: u64,
    /// Pairs of `KfRaiseIrql` and `KeLowerIrql`: one around each lock.
    pub irql_pairs: u64,
}

impl Counts {
    /// The counts with their names.
    pub fn named(&self) -> [(&'static str, u64); 4] {
        [
            ("instructions", self.instructions),
            ("imports", self.imports),
            ("pool_allocations", self.pool_allocations),
            ("irql_pairs", self.irql_pairs),
        ]
    }
}

/// The counts of operations, by their names.
pub type Counted = BTreeMap<String, Counts>;

/// Counts what the driver does during `operation`.
pub fn count<T>(machine: &Machine, operation: impl FnOnce() -> T) -> Result<(T, Counts), BugCheck> {
    let before =
        (machine.faults().all_calls(), machine.faults().calls("ExAllocatePool2"), machine.irql_changes().raised());
    let (value, instructions) = machine.run(|cpu| cpu.count_instructions(operation))?;
    let counts = Counts {
        instructions: instructions.count(),
        imports: machine.faults().all_calls() - before.0 + instructions.native_calls(),
        pool_allocations: machine.faults().calls("ExAllocatePool2") - before.1,
        irql_pairs: machine.irql_changes().raised() - before.2,
    };
    Ok((value, counts))
}
