//! Loom's way to look into a cell, for shuttle, which has none.

use shuttle::sync::Mutex;

/// Each look is a step at which threads may change places.
#[derive(Default)]
pub struct UnsafeCell<T>(Mutex<T>);

impl<T> UnsafeCell<T> {
    /// A cell.
    pub fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Looks at the value.
    pub fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
        look(&raw const *self.0.lock().unwrap())
    }

    /// Changes the value.
    pub fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
        change(&raw mut *self.0.lock().unwrap())
    }
}
