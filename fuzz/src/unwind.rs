//! The simulator's unwinder: tables and unwind codes that no compiler wrote, and registers that point anywhere.
//!
//! The simulator reads the driver's stack directly, so the stack here is a block of its own: `AddressSanitizer` sees a read
//! beside it.

use arbitrary::{Arbitrary, Unstructured};
use flowtag_simulator::image::unwind::{Registers, UnwindTable};

/// No driver has so many frames on its stack.
const FRAMES: usize = 64;

#[derive(Arbitrary, Debug)]
struct Crash {
    table: u16,
    table_end: u16,
    rip: u16,
    /// From the beginning of the stack.
    rsp: u16,
    general: [u64; 16],
    stack: [u64; 16],
    image: Vec<u8>,
}

/// Walks the stack of a crash in an image.
pub fn run(input: &[u8]) {
    let Ok(it) = Crash::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let table = UnwindTable::read(&it.image, it.table.into()..it.table_end.into());
    let stack = Box::new(it.stack);
    let first = stack.as_ptr() as u64;
    let mut registers = Registers { rip: it.rip.into(), rsp: first + u64::from(it.rsp), general: it.general };
    for _ in 0..FRAMES {
        if !table.step(0, &mut registers, |address| (first..=first + 15 * 8).contains(&address)) {
            break;
        }
    }
}
