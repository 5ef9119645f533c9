//! `ExAllocatePoolWithTag`: the pool as drivers before Windows 10 2004 ask for it.

use super::{
    POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED, POOL_FLAG_UNINITIALIZED, calls::allocate_as,
};
use crate::computer::{Call, Export, Fails, Irql};

/// `POOL_TYPE`: the types that a driver of today may name.
const NON_PAGED_POOL: u32 = 0;
const PAGED_POOL: u32 = 1;
const NON_PAGED_POOL_NX: u32 = 512;

const BAD_POOL_CALLER: u32 = 0xC2;

/// The export.
pub const EXPORTS: &[Export] = &[Export {
    module: "ntoskrnl.exe",
    name: "ExAllocatePoolWithTag",
    max_irql: Irql::HIGH,
    fails: Fails::Null,
    run: allocate,
}];

/// Unlike `ExAllocatePool2` it does not zero the block. (Simplification: other types are a bug check, too.)
fn allocate(call: &Call<'_>) -> u64 {
    let kind = match call.arg_u32(0) {
        NON_PAGED_POOL => POOL_FLAG_NON_PAGED_EXECUTE,
        PAGED_POOL => POOL_FLAG_PAGED,
        NON_PAGED_POOL_NX => POOL_FLAG_NON_PAGED,
        other => call.bug_check(
            BAD_POOL_CALLER,
            [0x99, u64::from(other), 0, 0],
            format!("ExAllocatePoolWithTag was asked for pool of type {other}, which the simulator does not have"),
        ),
    };
    allocate_as(call, kind | POOL_FLAG_UNINITIALIZED)
}

#[cfg(test)]
mod tests {
    use crate::kernel::pool::{Tag, TagUse};
    use crate::{
        computer::memory,
        kernel::tests::{TAG, called, code, machine},
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
    fn pool_of_an_unknown_type_is_caught() {
        assert_eq!(code(called(&machine(), "ExAllocatePoolWithTag", &[7, 8, TAG])).0, 0xC2);
    }
}
