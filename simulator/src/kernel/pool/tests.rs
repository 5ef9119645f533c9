use super::*;
use crate::computer::memory;

const TAG: Tag = Tag(u32::from_le_bytes(*b"Flow"));
const OTHER: Tag = Tag(u32::from_le_bytes(*b"Ring"));
const CALLER: u64 = 0x1000;

fn both() -> [Pool; 2] {
    [Pool::new(PoolKind::Special), Pool::new(PoolKind::Plain)]
}

fn allocate(pool: &Pool, size: usize) -> u64 {
    pool.allocate(POOL_FLAG_NON_PAGED, size, TAG, CALLER).unwrap()
}

fn free(pool: &Pool, address: u64) -> Result<(), Misuse> {
    free_as(pool, address, TAG, Irql::DISPATCH)
}

fn free_as(pool: &Pool, address: u64, tag: Tag, irql: Irql) -> Result<(), Misuse> {
    pool.free(address, tag, irql, CALLER + 1, &place)
}

fn place(address: u64) -> String {
    format!("{address:#x}")
}

fn code(outcome: Result<(), Misuse>) -> (u32, u64) {
    let misuse = outcome.expect_err("a misuse");
    (misuse.code, misuse.parameters[0])
}

#[test]
fn blocks_are_zeroed_and_aligned() {
    for pool in both() {
        for size in [1, 15, 16, 320, 4096, 4097, 100_000] {
            let address = allocate(&pool, size);
            assert_eq!(address % 16, 0);
            assert_eq!(memory::read_bytes(address, size).unwrap(), vec![0; size]);
        }
    }
}

#[test]
fn an_uninitialized_block_is_not_zero() {
    let pool = Pool::new(PoolKind::Special);
    let address = pool.allocate(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, 8, TAG, CALLER).unwrap();
    assert_ne!(memory::read::<u64>(address), Ok(0));
}

#[test]
fn a_special_block_ends_at_a_guard_page() {
    let pool = Pool::new(PoolKind::Special);
    let address = allocate(&pool, 320);
    assert!(memory::write(address + 319, 1u8).is_ok());
    assert!(memory::write(address + 320, 1u8).is_err());
    let finding = pool.explain(address + 320, &place).unwrap();
    assert_eq!(finding.code, DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION);
    assert!(finding.text.contains("0 bytes behind"), "{}", finding.text);
}

#[test]
fn a_freed_special_block_faults_and_says_who_freed_it() {
    let pool = Pool::new(PoolKind::Special);
    let address = allocate(&pool, 64);
    free(&pool, address).unwrap();
    assert!(memory::read::<u8>(address).is_err());
    let finding = pool.explain(address + 8, &place).unwrap();
    assert_eq!(finding.code, DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL);
    assert!(finding.text.contains("8 bytes into") && finding.text.contains("freed at 0x1001"), "{}", finding.text);
}

#[test]
fn an_address_outside_the_pool_is_not_explained() {
    let here = 0u64;
    assert!(Pool::new(PoolKind::Special).explain(&raw const here as u64, &place).is_none());
}

#[test]
fn a_second_free_is_a_double_free() {
    let pool = Pool::new(PoolKind::Special);
    let address = allocate(&pool, 64);
    free(&pool, address).unwrap();
    assert_eq!(code(free(&pool, address)), (0xC4, 0x13));
}

#[test]
fn freeing_with_another_tag_is_a_bad_pool_call() {
    for pool in both() {
        let address = allocate(&pool, 64);
        assert_eq!(code(free_as(&pool, address, OTHER, Irql::PASSIVE)), (BAD_POOL_CALLER, 0x0A));
    }
}

#[test]
fn tag_zero_frees_any_block() {
    for pool in both() {
        let address = allocate(&pool, 64);
        assert_eq!(free_as(&pool, address, Tag(0), Irql::PASSIVE), Ok(()));
    }
}

#[test]
fn freeing_what_is_no_block_is_a_violation() {
    for pool in both() {
        let address = allocate(&pool, 64);
        for wrong in [0, 8, address + 16, u64::MAX] {
            assert_eq!(code(free(&pool, wrong)), (0xC4, 0x10));
        }
    }
}

#[test]
fn a_write_into_the_padding_is_found_when_the_block_is_freed() {
    for pool in both() {
        let address = allocate(&pool, 33);
        memory::write(address + 33, 0u8).unwrap();
        let misuse = free(&pool, address).unwrap_err();
        assert_eq!(misuse.code, 0xC1);
        assert_eq!(misuse.parameters, [address, address + 33, 0, 0x24]);
    }
}

#[test]
fn a_write_before_a_special_block_is_found_when_it_is_freed() {
    let pool = Pool::new(PoolKind::Special);
    let address = allocate(&pool, 33);
    memory::write(address - 1, 0u8).unwrap();
    assert_eq!(free(&pool, address).unwrap_err().parameters[3], 0x23);
}

#[test]
fn paged_pool_is_not_freed_at_dispatch_level() {
    let pool = Pool::new(PoolKind::Special);
    let address = pool.allocate(POOL_FLAG_PAGED, 16, TAG, CALLER).unwrap();
    assert_eq!(code(free(&pool, address)), (0xC4, 0x11));
}

#[test]
fn nonpaged_pool_is_not_freed_above_dispatch_level() {
    let pool = Pool::new(PoolKind::Special);
    let address = allocate(&pool, 16);
    assert_eq!(code(free_as(&pool, address, TAG, Irql(3))), (0xC4, 0x12));
}

#[test]
fn live_blocks_are_counted_by_tag() {
    for pool in both() {
        let first = allocate(&pool, 100);
        allocate(&pool, 50);
        free(&pool, first).unwrap();
        assert_eq!(pool.used_by(TAG), TagUse { blocks: 1, bytes: 50, allocations: 2 });
        assert_eq!(pool.used_by(OTHER), TagUse::default());
        assert_eq!(pool.live_count(), 1);
        let leaks = pool.live_blocks();
        assert_eq!((leaks.len(), leaks[0].size, leaks[0].allocated_by), (1, 50, CALLER));
    }
}

#[test]
fn leaks_are_told_by_tag_and_place() {
    for pool in both() {
        assert_eq!(pool.leaks(&place), None);
        allocate(&pool, 100);
        allocate(&pool, 50);
        assert_eq!(pool.leaks(&place).unwrap(), "2 with tag 'Flow' (150 bytes) allocated at 0x1000");
    }
}

#[test]
fn a_hundred_thousand_blocks_can_live_at_once() {
    for pool in both() {
        let blocks: Vec<u64> = (0..100_000).map(|_| allocate(&pool, 400)).collect();
        assert_eq!(pool.live_count(), 100_000);
        for address in blocks {
            free(&pool, address).unwrap();
        }
        assert_eq!(pool.live_count(), 0);
    }
}

#[test]
fn two_threads_share_a_pool() {
    for pool in both() {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let address = allocate(&pool, 400);
                        memory::write(address, 1u64).unwrap();
                        free(&pool, address).unwrap();
                    }
                });
            }
        });
        assert_eq!(pool.live_count(), 0);
    }
}

#[test]
fn a_tag_reads_as_its_characters() {
    assert_eq!(TAG.to_string(), "'Flow'");
}

#[test]
fn what_live_blocks_hold_is_one_number_wherever_it_changes() {
    let size = 100_000;
    for pool in both() {
        let address = allocate(&pool, size);
        let before = pool.contents();
        for at in [0, 8, size / 2, size - 1] {
            memory::write(address + at as u64, 1u8).unwrap();
            assert_ne!(pool.contents(), before, "byte {at}");
            memory::write(address + at as u64, 0u8).unwrap();
            assert_eq!(pool.contents(), before, "byte {at}");
        }
    }
}

#[test]
fn what_live_blocks_hold_is_the_same_number_after_they_were_read() {
    for pool in both() {
        let address = allocate(&pool, 100_000);
        let before = pool.contents();
        memory::read_bytes(address, 100_000).unwrap();
        assert_eq!(pool.contents(), before);
    }
}
