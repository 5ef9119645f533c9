//! State that is shared by all threads.
use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// A spin lock around its state. Nothing that it guards calls the driver.
pub struct Lock<T> {
    taken: AtomicBool,
    state: UnsafeCell<T>,
}

// SAFETY: one thread at a time gets at the state.
unsafe impl<T> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock.
    pub const fn new(state: T) -> Self {
        Self { taken: AtomicBool::new(false), state: UnsafeCell::new(state) }
    }

    /// Runs `f` on the state.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        while self.taken.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: the lock is ours.
        let result = f(unsafe { &mut *self.state.get() });
        self.taken.store(false, Ordering::Release);
        result
    }
}
