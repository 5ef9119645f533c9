//! Ends a source from outside.

use std::{fmt, sync::Arc};

/// Ends events that have no end of their own, as live ones: what there is by then is read nevertheless.
#[derive(Clone, Default)]
pub struct Stop(pub(super) Option<Arc<dyn Fn() + Send + Sync>>);

impl Stop {
    /// Ends them. Nothing is done, and the answer is no, where they cannot be ended.
    #[must_use]
    pub fn now(&self) -> bool {
        if let Some(stop) = &self.0 {
            stop();
        }
        self.0.is_some()
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Stop").field(&self.0.is_some()).finish()
    }
}
