//! Handles of the service control manager, and why one was not given.

use windows_sys::Win32::{
    Foundation::{GetLastError, WIN32_ERROR},
    System::Services::{CloseServiceHandle, SC_HANDLE},
};

/// The manager of services, or a service.
pub struct Handle(pub SC_HANDLE);

impl Handle {
    /// The handle that a call has just given.
    pub fn of(handle: SC_HANDLE) -> Result<Self, WIN32_ERROR> {
        if handle.is_null() { Err(last_error()) } else { Ok(Self(handle)) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and this is the last use of it.
        unsafe { CloseServiceHandle(self.0) };
    }
}

/// Why the last call has failed.
pub fn last_error() -> WIN32_ERROR {
    // SAFETY: it only reads what the last call has left.
    unsafe { GetLastError() }
}
