//! One import of the driver that fails at its next call: `fail IMPORT STATUS` of a script.
use core::str::FromStr as _;

use crate::{complain, image, lock::Lock, nt::UnicodeString, text::Text, utf16};

/// The file that names import and answer, written before a start and removed behind it.
const FILE: UnicodeString = utf16!("\\??\\C:\\flowtag\\fault");

/// A call that will fail.
struct Armed {
    slot: usize,
    original: usize,
    answer: usize,
}

static ARMED: Lock<Option<Armed>> = Lock::new(None);

/// The name of an import, and what it is to answer.
pub struct Fault {
    text: Text<100>,
}

impl Fault {
    /// The one that is asked for, if one is.
    #[must_use]
    pub fn wanted() -> Option<Self> {
        let text = Text::of_file(&FILE)?;
        (!text.as_str().is_empty()).then_some(Self { text })
    }

    /// The import.
    #[must_use]
    pub fn import(&self) -> &str {
        self.text.as_str().split_whitespace().next().unwrap_or_default()
    }

    /// Lets the next call through this slot answer what is wanted; it does nothing else.
    ///
    /// # Safety
    /// As for [`image::replace`].
    pub unsafe fn arm(&self, slot: *mut usize) {
        let answer = self.text.as_str().split_whitespace().nth(1).unwrap_or_default();
        let answer = match answer.strip_prefix("0x") {
            Some(status) => usize::from_str_radix(status, 16),
            None => usize::from_str(if answer == "null" { "0" } else { answer }),
        };
        let Ok(answer) = answer else {
            complain!("a fault without an answer: {}", self.text.as_str());
            return;
        };
        // SAFETY: the caller's promise.
        let original = unsafe { image::replace(slot, fail_once as *const () as usize) };
        ARMED.with(|armed| *armed = Some(Armed { slot: slot.expose_provenance(), original, answer }));
    }
}

/// Complains of a fault that nothing has met, and takes it back.
pub fn disarm() {
    if ARMED.with(Option::take).is_some() {
        complain!("the call that was to fail was not made");
    }
}

/// Stands for the function whose turn it is to fail: the slot has its own again.
extern "C" fn fail_once() -> usize {
    let Some(Armed { slot, original, answer }) = ARMED.with(Option::take) else {
        complain!("a call failed for no reason");
        return 0;
    };
    // SAFETY: the slot was armed while its image was there, and it still is: it has called.
    unsafe { image::replace(core::ptr::with_exposed_provenance_mut(slot), original) };
    answer
}
