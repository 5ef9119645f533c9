//! What there was at one moment.

use std::sync::Arc;

use super::{
    flow::FlowId,
    processes::ProcessId,
    window::{Bytes, a_second},
};
use crate::{event::Process, time::Time};

/// What passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Lately: [`Snapshot::rate`] makes a rate of it.
    pub recent: Bytes,
    /// Since the flow was tagged.
    pub total: Bytes,
}

/// A flow.
#[derive(Clone, Debug)]
pub struct FlowRow {
    /// Which.
    pub id: FlowId,
    /// Between whom.
    pub text: Arc<str>,
    /// What it did.
    pub figures: Figures,
    /// How old it is, or was at its end, in units of 100 ns; `None` if that is not known.
    pub age: Option<u64>,
    /// It has ended.
    pub is_over: bool,
}

/// A process with its flows.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    /// Which.
    pub id: ProcessId,
    /// It.
    pub process: Arc<Process>,
    /// The names of the services in it, as far as [`Services`](super::Services) knows.
    pub services: Option<Arc<str>>,
    /// What its flows did that are not listed any more.
    pub past: Bytes,
    /// Its flows, in no order.
    pub flows: Vec<FlowRow>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// In no order.
    pub processes: Vec<ProcessRow>,
    /// How long *lately* is; `None` if there are no times.
    pub(super) span: Option<u64>,
    /// When this was.
    pub(super) now: Option<Time>,
}

impl Snapshot {
    /// So many bytes, which passed lately, as so many a second; `None` if there are no times.
    #[must_use]
    pub fn rate(&self, recent: u64) -> Option<u64> {
        self.span.map(|span| a_second(recent, span))
    }

    /// How old the process is, in units of 100 ns; `None` if that is not known.
    #[must_use]
    pub fn age(&self, process: &Process) -> Option<u64> {
        self.now?.0.checked_sub(process.created.0).filter(|_| process.created != Time::FIRST)
    }

    /// How many flows live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.processes.iter().map(ProcessRow::live).sum()
    }

    /// What passed lately, in all.
    #[must_use]
    pub fn recent(&self) -> Bytes {
        let mut recent = Bytes::default();
        for flow in self.processes.iter().flat_map(|row| &row.flows) {
            recent += flow.figures.recent;
        }
        recent
    }
}

impl ProcessRow {
    /// How many of its flows live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.flows.iter().filter(|flow| !flow.is_over).count()
    }
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, more: Self) {
        self.recent += more.recent;
        self.total += more.total;
    }
}
