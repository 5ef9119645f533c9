//! The simulator's loader: files that are no drivers, or damaged ones.

use std::path::Path;

use flowtag_simulator::{image::Image, windows};

/// Loads the bytes; what loads has its entry point in its code, and everything in its mapping.
pub fn run(input: &[u8]) {
    let Ok(image) = Image::from_bytes(Path::new("fuzzed.sys"), input, &windows::address) else { return };
    assert!(image.contains(image.entry()));
    let (code, all) = (image.code(), image.range());
    assert!(all.start <= code.start && code.end <= all.end.next_multiple_of(4096));
    assert!(!image.symbolize(image.entry()).is_empty());
}
