//! The command's reader of pcapng, and what `annotate` makes of what it reads.

use crate::annotation::{TABLE, annotated};

/// What a pcapng file begins with.
const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Annotates the bytes. All that is sound is kept and counted, only owners are added, and only once.
pub fn run(input: &[u8]) {
    if !input.starts_with(&MAGIC) {
        return;
    }
    for comments in [true, false] {
        let annotated = annotated(input, &TABLE, comments).expect("it begins as a capture does");
        annotated.hold_against(input, comments);
        if !annotated.bytes.is_empty() {
            annotated.hold_against_itself(&TABLE, comments);
        }
    }
}
