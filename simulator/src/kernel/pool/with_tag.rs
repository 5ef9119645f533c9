//! `ExAllocatePoolWithTag`: the pool as drivers before Windows 10 2004 ask for it.

use super::{
    POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED, POOL_FLAG_UNINITIALIZED, calls::allocate_as,
};
use crate::computer::{Call, Export, Fails, Irql, argument};

/// `POOL_TYPE`: the types that a driver of today may name.
const NON_PAGED_POOL: u32 = 0;
const PAGED_POOL: u32 = 1;
const NON_PAGED_POOL_NX: u32 = 512;
/// `POOL_ZERO_ALLOCATION`.
const ZERO: u32 = 1024;

const ALLOCATED: &str = "kernel::pool::with_tag::tests::each_type_of_pool_is_allocated_and_freed_with_its_tag";

/// The export.
pub const EXPORTS: &[Export] = &[Export {
    module: "ntoskrnl.exe",
    name: "ExAllocatePoolWithTag",
    max_irql: Irql::HIGH,
    fails: Fails::Null,
    run: allocate,
    inputs: &[
        argument(0, "PoolType").values(
            4,
            &[0, 1, 512, ZERO as u64, 1 | ZERO as u64, 512 | ZERO as u64],
            "DDI POOL_TYPE; wdm.h for POOL_ZERO_ALLOCATION, which DDI ExAllocatePoolZero adds",
        ),
        argument(1, "NumberOfBytes").used(ALLOCATED),
        argument(2, "Tag").used(ALLOCATED),
    ],
}];

/// Unlike `ExAllocatePool2` it zeroes the block only when it is told to.
fn allocate(call: &Call<'_>) -> u64 {
    let pool_type = call.arg_u32(0);
    let kind = match pool_type & !ZERO {
        NON_PAGED_POOL => POOL_FLAG_NON_PAGED_EXECUTE,
        PAGED_POOL => POOL_FLAG_PAGED,
        NON_PAGED_POOL_NX => POOL_FLAG_NON_PAGED,
        other => call.not_modelled(&format!("pool of type {other}")),
    };
    allocate_as(call, if pool_type & ZERO == 0 { kind | POOL_FLAG_UNINITIALIZED } else { kind })
}

#[cfg(test)]
mod tests {
    use crate::kernel::pool::{Tag, TagUse};
    use crate::{
        computer::memory,
        kernel::tests::{TAG, called, machine},
    };

    #[test]
    fn each_type_of_pool_is_allocated_and_freed_with_its_tag() {
        let machine = machine();
        for pool_type in [0, 1, 512] {
            let block = called(&machine, "ExAllocatePoolWithTag", &[pool_type, 24, TAG]).unwrap();
            let used = machine.pool().used_by(Tag(TAG as u32));
            assert_eq!((used.blocks, used.bytes), (1, 24), "{pool_type}");
            called(&machine, "ExFreePoolWithTag", &[block, TAG]).unwrap();
        }
        assert_eq!(machine.pool().used_by(Tag(TAG as u32)), TagUse { blocks: 0, bytes: 0, allocations: 3 });
    }

    #[test]
    fn a_block_is_not_zeroed() {
        let machine = machine();
        let block = called(&machine, "ExAllocatePoolWithTag", &[512, 8, TAG]).unwrap();
        assert_ne!(memory::read::<u64>(block), Ok(0));
    }

    #[test]
    fn a_block_is_zeroed_if_its_type_says_so() {
        let machine = machine();
        let block = called(&machine, "ExAllocatePoolWithTag", &[512 | 1024, 8, TAG]).unwrap();
        assert_eq!(memory::read::<u64>(block), Ok(0));
    }
}
