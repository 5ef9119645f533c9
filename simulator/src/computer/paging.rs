//! Pageable memory: present or not, as the IRQL allows.

use std::{io, ops::Range};

/// Makes `pages`, which the simulator has mapped, accessible or not.
pub(super) fn set_present(pages: &Range<u64>, present: bool) {
    let protection = if present { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_NONE };
    let length = (pages.end - pages.start) as usize;
    // SAFETY: the pages are memory that the simulator hands to the driver; the host holds no reference into them.
    let failed = unsafe { libc::mprotect(pages.start as *mut _, length, protection) };
    assert!(failed == 0, "pages cannot be protected: {}", io::Error::last_os_error());
}
