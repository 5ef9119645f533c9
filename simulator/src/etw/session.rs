//! A session: what it wants, and what it has got.

use super::{Event, status};

/// More than this no event has, whatever the size of the buffers: one build, `EtwpGetReserveTraceBufferStatus`.
const LARGEST_EVENT: u32 = 0xFFF8;

/// What a session wants of providers, and how much it can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The provider that it enables; `None` for all there are, which Windows does not have (ours).
    pub provider: Option<u128>,
    /// The highest level that it wants; 0 for all.
    pub level: u8,
    /// Of these keywords an event has one, or it has none at all; 0 for all.
    pub any: u64,
    /// All of these an event has, if it has any.
    pub all: u64,
    /// How many bytes a buffer has; an event lies in one.
    pub buffer_size: u32,
    /// How many buffers there are.
    pub buffers: u32,
}

impl Default for Session {
    /// Everything, and room for 64 MiB (ours).
    fn default() -> Self {
        Self { provider: None, level: 0, any: 0, all: 0, buffer_size: 64 << 10, buffers: 1 << 10 }
    }
}

impl Session {
    /// One that enables the provider of this id at this level for these keywords.
    #[must_use]
    pub fn of(provider: u128, level: u8, any: u64) -> Self {
        Self { provider: Some(provider), level, any, ..Self::default() }
    }

    /// Whether it has enabled the provider.
    pub(super) fn wants(&self, provider: u128) -> bool {
        self.provider.is_none_or(|wanted| wanted == provider)
    }

    /// Whether an event passes: evntprov.h, at `EVENT_DESCRIPTOR`; 0 for all keywords is of SDK `EnableTraceEx2`.
    pub(super) fn takes(&self, level: u8, keyword: u64) -> bool {
        let any = if self.any == 0 { u64::MAX } else { self.any };
        let at_level = self.level == 0 || level <= self.level;
        at_level && (keyword == 0 || (keyword & any != 0 && keyword & self.all == self.all))
    }
}

/// A session that runs, or has run.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: u64,
    pub(super) wanted: Session,
    /// It gets no more events; those that it has got can still be read.
    pub(super) stopped: bool,
    events: Vec<Event>,
    lost: u64,
    /// Bytes in the buffer that is being filled, and how many are full.
    used: u32,
    full: u32,
}

impl Running {
    pub(super) fn new(id: u64, wanted: Session) -> Self {
        Self { id, wanted, stopped: false, events: Vec::new(), lost: 0, used: 0, full: 0 }
    }

    /// Takes in an event of `size` bytes, or counts it as lost and says why. Statuses and their order: one build,
    /// `EtwpGetReserveTraceBufferStatus`; they are those of SDK `EventWriteTransfer`.
    pub(super) fn record(&mut self, size: u32, event: impl FnOnce() -> Event) -> u32 {
        let status = self.reserve(size);
        if status == status::SUCCESS {
            self.events.push(event());
        } else {
            self.lost += 1;
        }
        status
    }

    fn reserve(&mut self, size: u32) -> u32 {
        if size > LARGEST_EVENT {
            return status::INTEGER_OVERFLOW;
        }
        if size > self.wanted.buffer_size {
            return status::BUFFER_OVERFLOW;
        }
        if self.wanted.buffer_size - self.used < size {
            self.full += 1;
            self.used = 0;
        }
        if self.full >= self.wanted.buffers {
            return status::NO_MEMORY;
        }
        self.used += size.next_multiple_of(8).min(self.wanted.buffer_size - self.used);
        status::SUCCESS
    }

    /// What it has got since last time; its buffers are empty then.
    pub(super) fn take(&mut self) -> Vec<Event> {
        (self.used, self.full) = (0, 0);
        std::mem::take(&mut self.events)
    }

    /// `EventsLost`.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
