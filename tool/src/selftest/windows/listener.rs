//! A live session of ETW, read on a thread of its own.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow};

use crate::{
    selftest::machine::Heard,
    source::{Hints, Place, Stop, Unreadable},
};

/// It.
pub(super) struct Listener {
    heard: Arc<Mutex<Heard>>,
    stop: Stop,
    reader: Option<JoinHandle<()>>,
}

impl Listener {
    pub(super) fn start() -> Result<Self> {
        let events = Place::Live.open(Hints::default()).context("listen to the driver")?;
        let stop = events.stop();
        let heard = Arc::default();
        let into = Arc::clone(&heard);
        let reader = thread::spawn(move || events.for_each(|item| take(&mut lock(&into), item)));
        Ok(Self { heard, stop, reader: Some(reader) })
    }

    /// What came since this was asked last. What was lost the session says at its end.
    pub(super) fn heard(&self) -> Heard {
        mem::take(&mut lock(&self.heard))
    }

    /// Ends it.
    pub(super) fn end(&mut self) -> Result<Heard> {
        let _ = self.stop.now();
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_| anyhow!("the thread that reads events panicked"))?;
        }
        Ok(self.heard())
    }
}

fn take(heard: &mut Heard, item: Result<crate::event::Told, Unreadable>) {
    match item {
        Ok(told) => heard.told.push(told),
        // It began before the driver did.
        Err(Unreadable::Silent { .. }) => {}
        // At least one of a buffer's.
        Err(Unreadable::Lost { events, buffers, .. }) => heard.lost += u64::from(events) + u64::from(buffers),
        Err(wrong) => heard.wrong.push(wrong.to_string()),
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
