//! The simulator's unwinder: tables and unwind codes that no compiler wrote, and registers that point anywhere.

use arbitrary::{Arbitrary, Unstructured};
use flowtag_simulator::image::unwind::{Registers, UnwindTable};

/// No driver has so many frames on its stack.
const FRAMES: usize = 64;

#[derive(Arbitrary, Debug)]
struct Crash {
    table: u16,
    table_end: u16,
    rip: u16,
    rsp: u64,
    general: [u64; 16],
    image: Vec<u8>,
}

/// Walks the stack of a crash in an image.
pub fn run(input: &[u8]) {
    let Ok(it) = Crash::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let table = UnwindTable::read(&it.image, it.table.into()..it.table_end.into());
    let mut registers = Registers { rip: it.rip.into(), rsp: it.rsp, general: it.general };
    for _ in 0..FRAMES {
        if !table.step(0, &mut registers, |rsp| rsp != 0) {
            break;
        }
    }
}
