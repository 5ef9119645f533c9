//! Taking a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes it, also when whoever had it has panicked: what that one had to say is said already.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
