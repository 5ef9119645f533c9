//! Lines on the debug output, which Wine prints among the driver's.
use core::{
    ffi::c_char,
    fmt::{Arguments, Write},
};

use crate::{nt, text::Text};

/// Says what was not as it should be. The test fails.
#[macro_export]
macro_rules! complain {
    ($($argument:tt)*) => { $crate::say::complaint(format_args!($($argument)*)) };
}

/// What [`complain!`] does.
pub fn complaint(arguments: Arguments<'_>) {
    /// `DPFLTR_IHVDRIVER_ID`: not the component of the driver under test.
    const COMPONENT: u32 = 77;
    let mut line = Text::<400>::empty();
    // A line that is too long is cut.
    let _ = write!(line, "stand-in: {arguments}");
    let line = line.with_nul();
    // SAFETY: one string for the one `%s`, both with a NUL.
    unsafe { nt::DbgPrintEx(COMPONENT, 0, c"%s\n".as_ptr(), line.as_ptr().cast::<c_char>()) };
}
