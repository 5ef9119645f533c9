//! Making imports fail.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::exports;

/// Which calls fail, and how often each import was called.
#[derive(Debug)]
pub struct Faults {
    calls: Vec<AtomicU64>,
    planned: Mutex<Vec<Fault>>,
    /// How many are planned: most machines have none, and need not lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Fault {
    import: usize,
    /// The first call that fails, counted from 1 for the machine's whole life.
    from: u64,
    /// How many calls from there on fail.
    times: u64,
    status: Option<u32>,
}

/// A call that must fail.
pub(super) struct Strike {
    /// The status asked for.
    pub(super) status: Option<u32>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            calls: (0..exports::count()).map(|_| AtomicU64::new(0)).collect(),
            planned: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }
}

impl Faults {
    /// Makes the `nth` call of `import` from now on fail (1 is the next), with `status` where it returns an NTSTATUS.
    ///
    /// # Panics
    /// When the simulator has no such import.
    pub fn fail(&self, import: &str, nth: u64, status: Option<u32>) {
        self.fail_times(import, nth, 1, status);
    }

    /// Like [`Self::fail`], for `times` calls in a row.
    ///
    /// # Panics
    /// When the simulator has no such import.
    pub fn fail_times(&self, import: &str, nth: u64, times: u64, status: Option<u32>) {
        let import = number(import);
        let from = self.calls[import].load(Ordering::Relaxed) + nth;
        self.planned.lock().unwrap().push(Fault { import, from, times, status });
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How often `import` was called so far.
    ///
    /// # Panics
    /// When the simulator has no such import.
    #[must_use]
    pub fn calls(&self, import: &str) -> u64 {
        self.calls[number(import)].load(Ordering::Relaxed)
    }

    /// How often imports were called so far, all together.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        self.calls.iter().map(|calls| calls.load(Ordering::Relaxed)).sum()
    }

    /// Counts a call; says how it must fail, if it must.
    pub(super) fn strikes(&self, import: usize) -> Option<Strike> {
        let call = self.calls[import].fetch_add(1, Ordering::Relaxed) + 1;
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let planned = self.planned.lock().unwrap();
        planned
            .iter()
            .find(|fault| {
                fault.import == import && (fault.from..fault.from.saturating_add(fault.times)).contains(&call)
            })
            .map(|fault| Strike { status: fault.status })
    }
}

fn number(import: &str) -> usize {
    ["ntoskrnl.exe", "fwpkclnt.sys", "wdfldr.sys", "hal.dll", "ndis.sys", exports::WDF]
        .iter()
        .find_map(|module| exports::number(module, import))
        .unwrap_or_else(|| panic!("the simulator has no import named {import}"))
}
