//! From the thread on which Windows delivers events to the one that reads them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc::{Receiver, SyncSender, sync_channel},
};

use super::{record::Record, trace::Lost};
use crate::{
    event::Told,
    source::{stop::Stop, unreadable::Unreadable},
};

/// So many events wait for their reader. More stay with ETW, which counts those that it has no room for.
const AHEAD: usize = 1 << 14;

type Item = Result<Told, Unreadable>;

/// Where Windows' thread puts events.
pub(super) struct Sink {
    name: String,
    /// How many of the driver's events there were.
    number: AtomicU64,
    items: SyncSender<Item>,
}

/// The events, as they are read.
pub struct Stream {
    name: String,
    /// What there is to say before the first event.
    first: Option<Unreadable>,
    items: Receiver<Item>,
    /// Behind the last: what was lost.
    end: Option<Box<dyn FnOnce() -> Lost + Send>>,
    /// Ends it from outside.
    stop: Stop,
}

/// Both ends, for a source that is called `name`.
pub(super) fn pipe(name: &str) -> (Sink, Receiver<Item>) {
    let (items, receiver) = sync_channel(AHEAD);
    (Sink { name: name.to_owned(), number: AtomicU64::new(0), items }, receiver)
}

impl Sink {
    /// Takes an event, if it is the driver's; waits while there is no room.
    pub(super) fn take(&self, record: &Record<'_>) {
        let Some(event) = record.event() else { return };
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let wrong = |why: &dyn ToString| Unreadable::Event { name: self.name.clone(), number, why: why.to_string() };
        self.put(event.map_err(|why| wrong(&why)));
    }

    /// The source cannot be read any further.
    pub(super) fn fail(&self, code: u32) {
        let error = std::io::Error::from_raw_os_error(code.cast_signed());
        self.put(Err(Unreadable::Source { name: self.name.clone(), error }));
    }

    fn put(&self, item: Item) {
        // Nobody may read any more; then nobody misses it.
        let _ = self.items.send(item);
    }
}

impl Stream {
    pub(super) fn new(name: &str, items: Receiver<Item>) -> Self {
        Self { name: name.to_owned(), first: None, items, end: None, stop: Stop::default() }
    }

    pub(super) fn begin_with(&mut self, first: Unreadable) {
        self.first = Some(first);
    }

    pub(super) fn end_with(&mut self, end: impl FnOnce() -> Lost + Send + 'static) {
        self.end = Some(Box::new(end));
    }

    pub(super) fn stop_with(&mut self, stop: impl Fn() + Send + Sync + 'static) {
        self.stop = Stop(Some(Arc::new(stop)));
    }

    /// What ends it, whoever reads it.
    pub(in crate::source) fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

impl Iterator for Stream {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if let Some(first) = self.first.take() {
            return Some(Err(first));
        }
        // It fails when the sink has gone and nothing is left.
        if let Ok(item) = self.items.recv() {
            return Some(item);
        }
        let Lost { events, buffers } = self.end.take()?();
        let lost = Unreadable::Lost { name: self.name.clone(), events, buffers };
        (events > 0 || buffers > 0).then_some(Err(lost))
    }
}
