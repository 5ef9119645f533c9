//! Constant UTF-16 text.

/// The code units of ASCII text, and a NUL.
pub const fn encode<const LENGTH: usize>(text: &str) -> [u16; LENGTH] {
    assert!(text.is_ascii() && text.len() + 1 == LENGTH);
    let mut units = [0; LENGTH];
    let mut index = 0;
    while index < text.len() {
        units[index] = text.as_bytes()[index] as u16;
        index += 1;
    }
    units
}

/// A literal as constant UTF-16 text that ends with NUL.
macro_rules! wide {
    ($text:literal) => {{
        const UNITS: &[u16] = &$crate::wide::encode::<{ $text.len() + 1 }>($text);
        UNITS
    }};
}
pub(crate) use wide;
