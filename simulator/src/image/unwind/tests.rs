//! Unwind data that is not what a linker writes.

use super::*;

/// Where the first row lies.
const TABLE: usize = 0x100;

/// An image of `length` bytes with one row: this code, and unwind data at 0x40.
fn image(length: usize, code: Range<u32>) -> Vec<u8> {
    let mut image = vec![0; length];
    row(&mut image, TABLE, code, 0x40);
    image
}

fn row(image: &mut [u8], at: usize, code: Range<u32>, info: u32) {
    for (place, value) in image[at..].chunks_exact_mut(4).zip([code.start, code.end, info]) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

/// One step from an address in the code.
fn step(table: &UnwindTable) -> bool {
    let stack = [0u64; 4];
    let stack = stack.as_ptr_range();
    let mut registers = Registers { rip: 0x18, rsp: stack.start as u64, ..Registers::default() };
    table.step(0, &mut registers, |address| (stack.start as u64..stack.end as u64).contains(&address))
}

#[test]
fn a_function_that_continues_itself_is_undone_to_an_end() {
    let mut image = image(0x200, 0x10..0x20);
    image[0x40] = 4 << 3 | 1; // version 1, chained
    row(&mut image, 0x44, 0x10..0x20, 0x40);
    let table = UnwindTable::read(&image, 0x100..0x10C);
    assert!(step(&table));
}

#[test]
fn a_table_that_ends_before_it_begins_has_no_rows() {
    #[expect(clippy::reversed_empty_ranges, reason = "which is what this test is about")]
    let table = UnwindTable::read(&[0; 16], 12..0);
    assert!(table.functions.is_empty());
}

#[test]
fn a_function_without_code_is_not_kept() {
    let table = UnwindTable::read(&image(0x200, 0x10..0x10), 0x100..0x10C);
    assert!(table.functions.is_empty());
}

#[test]
fn a_function_that_begins_before_the_last_one_ends_is_not_kept() {
    let mut image = image(0x200, 0x10..0x20);
    row(&mut image, TABLE + 12, 0x18..0x28, 0x40);
    let table = UnwindTable::read(&image, 0x100..0x118);
    assert_eq!(table.functions.len(), 1);
}
