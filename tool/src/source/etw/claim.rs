//! Which names of sessions are in use. A process that ends without a word leaves its session behind, and ETW does not say whose a
//! session was. So each process holds a mutex of its session's name, which goes with it, however it ends.

use std::ptr;

use windows_sys::Win32::{
    Foundation::{CloseHandle, ERROR_ALREADY_EXISTS, GetLastError},
    System::Threading::CreateMutexW,
};

use crate::wide;

/// A name that no other process has while this lives: the mutex's handle, as a number, since threads may have it in turn.
pub(super) struct Claim(usize);

impl Claim {
    /// Claims a name; `None` if another process has it.
    pub(super) fn of(name: &str) -> Option<Self> {
        // `Global`: sessions of ETW are the machine's, not those of who is signed in.
        let name = wide::text(&format!(r"Global\{name}"));
        // SAFETY: the name ends with a NUL. Nobody owns the mutex: that it is there is all that counts.
        let mutex = unsafe { CreateMutexW(ptr::null(), 0, name.as_ptr()) };
        // SAFETY: it only reads what the call above has left.
        let code = unsafe { GetLastError() };
        if mutex.is_null() {
            // Another user's.
            return None;
        }
        let claim = Self(mutex.expose_provenance());
        (code != ERROR_ALREADY_EXISTS).then_some(claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and this is the last use of it.
        unsafe { CloseHandle(ptr::with_exposed_provenance_mut(self.0)) };
    }
}
