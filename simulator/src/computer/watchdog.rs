//! Ends driver code that never comes back.
//!
//! A spin lock is inline code that the simulator cannot see; what it sees is a thread that burns processor time in the
//! driver without calling anything. Measured in the thread's own CPU time, so that a busy machine raises no alarm.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{cpu::Pulse, signals::WATCHDOG};

/// A DPC should take 100 µs (WDK bug check 0x133); a driver leg here takes microseconds, so this only ever means "never".
const LIMIT: Duration = Duration::from_secs(2);
const PERIOD: Duration = Duration::from_millis(100);

static WATCHED: Mutex<Option<HashMap<u64, Watched>>> = Mutex::new(None);

struct Watched {
    pulse: Arc<Pulse>,
    /// The crossing count last seen, and the thread's CPU time when it was first seen.
    seen: (u64, Duration),
}

/// Keeps a CPU watched until dropped.
pub(crate) struct Watch(u64);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(watched) = WATCHED.lock().unwrap().as_mut() {
            watched.remove(&self.0);
        }
    }
}

/// Starts to watch a CPU.
pub(crate) fn watch(pulse: &Arc<Pulse>) -> Watch {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static THREAD: Once = Once::new();
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let watched = Watched { pulse: Arc::clone(pulse), seen: (u64::MAX, Duration::ZERO) };
    WATCHED.lock().unwrap().get_or_insert_default().insert(id, watched);
    THREAD.call_once(|| {
        thread::Builder::new().name("watchdog".into()).spawn(patrol).expect("a thread for the watchdog");
    });
    Watch(id)
}

fn patrol() {
    loop {
        thread::sleep(PERIOD);
        // A watched thread leaves the map under this lock before it ends, so its handle stays valid while we hold it.
        let mut watched = WATCHED.lock().unwrap();
        for watched in watched.as_mut().into_iter().flat_map(HashMap::values_mut) {
            watched.check();
        }
    }
}

impl Watched {
    fn check(&mut self) {
        let pulse = &self.pulse;
        let crossings = pulse.crossings.load(Ordering::Relaxed);
        if !pulse.in_driver.load(Ordering::Relaxed) {
            self.seen.0 = u64::MAX;
            return;
        }
        let used = cpu_time(pulse.thread);
        if crossings != self.seen.0 {
            self.seen = (crossings, used);
            return;
        }
        if pulse.dead.load(Ordering::Relaxed) || used.saturating_sub(self.seen.1) > LIMIT {
            // SAFETY: the thread still runs (see `patrol`) and has a handler for this signal.
            unsafe { libc::pthread_kill(pulse.thread, WATCHDOG) };
        }
    }
}

fn cpu_time(thread: libc::pthread_t) -> Duration {
    let mut clock = 0;
    // SAFETY: the thread still runs, see `patrol`.
    unsafe { libc::pthread_getcpuclockid(thread, &raw mut clock) };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock was just obtained.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
