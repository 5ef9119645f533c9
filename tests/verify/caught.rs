//! What a panic said.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

/// Runs `f`; what its panic said, if it panicked. Nothing is printed.
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    thread_local! {
        /// What the last panic said; `None` where panics are none of our business.
        static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |said| {
            if SAID.with_borrow_mut(|slot| slot.as_mut().map(|slot| *slot = said.to_string())).is_none() {
                before(said);
            }
        }));
    });
    SAID.set(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(f));
    let said = SAID.take().unwrap_or_default();
    outcome.map_err(|_| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_said_is_the_error() {
        let said = caught(|| assert_eq!(1, 2, "fifty")).unwrap_err();
        assert!(said.contains("fifty"), "{said}");
    }

    #[test]
    fn without_a_panic_there_is_the_value() {
        assert_eq!(caught(|| 1), Ok(1));
    }
}
