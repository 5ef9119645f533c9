//! Time: a virtual clock that only moves when somebody waits or turns it, or the host's.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    computer::{Call, Export, Fails, Irql, argument, field},
    interleave,
};

/// One tick of kernel time: 100 ns.
const TICKS_PER_SECOND: u64 = 10_000_000;
/// What `KeQueryUnbiasedInterruptTime` says when the machine starts: a computer that has been up for a minute.
const UP_AT_START: u64 = 60 * TICKS_PER_SECOND;
/// 1 January 1970 (Win32, "Converting a `time_t` value to a `FILETIME`").
const UNIX: u64 = 116_444_736_000_000_000;
/// When a machine with a virtual clock starts: 29 November 2026, 07:00:00 UTC.
const VIRTUAL_START: u64 = 134_404_092_000_000_000;
/// A driver that has waited for longer than this, in all, since it was called waits for ever: somebody at the console
/// would have ended it. (Virtual hours take a few seconds of the host's.)
const PATIENCE: Duration = Duration::from_hours(6);
/// Bug check: somebody ended the machine by hand.
const MANUALLY_INITIATED_CRASH: u32 = 0xE2;
/// A virtual wait takes this much of the host's time, so that other threads get on as they would meanwhile.
const YIELD: Duration = Duration::from_micros(100);

/// The exports that have to do with time.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "ntoskrnl.exe",
        name: "KeDelayExecutionThread",
        max_irql: Irql::APC,
        fails: Fails::Never,
        run: delay,
        inputs: &[
            argument(0, "WaitMode").values(
                1,
                &[0],
                "DDI KeDelayExecutionThread: KernelMode; the stack stays where it is",
            ),
            argument(1, "Alertable").values(1, &[0], "DDI KeDelayExecutionThread: FALSE; nobody alerts threads here"),
            field(2, 0, "Interval.QuadPart").used("kernel::tests::waiting_lets_virtual_time_pass"),
        ],
    },
    Export {
        module: "ntoskrnl.exe",
        name: "KeQueryUnbiasedInterruptTime",
        max_irql: Irql::HIGH,
        fails: Fails::Never,
        run: query_interrupt_time,
        inputs: &[],
    },
    Export {
        module: "HAL.dll",
        name: "KeQueryPerformanceCounter",
        max_irql: Irql::HIGH,
        fails: Fails::Never,
        run: query_performance_counter,
        inputs: &[argument(0, "PerformanceFrequency")
            .used("kernel::time::tests::the_performance_counter_counts_at_the_frequency_that_it_names")],
    },
];

/// Which time a machine lives in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockKind {
    /// Waits take no time of the host's; tests of hours run in milliseconds, and every run sees the same times.
    #[default]
    Virtual,
    /// The host's clock, for live traffic.
    Real,
}

/// A machine's clock, in ticks of 100 ns since it was switched on.
#[derive(Debug)]
pub struct Clock {
    kind: ClockKind,
    started: Instant,
    /// Virtual time; with a real clock what it has been turned forward.
    turned: AtomicU64,
    /// What a real clock is held at; 0 if it is not.
    held: AtomicU64,
    /// The latest time that a real clock has shown: it never goes back.
    shown: AtomicU64,
    /// The system time when it was switched on.
    booted: u64,
}

impl Clock {
    /// A clock of a machine that has just started.
    #[must_use]
    pub fn new(kind: ClockKind) -> Self {
        let system_time = match kind {
            ClockKind::Virtual => VIRTUAL_START,
            ClockKind::Real => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(VIRTUAL_START, |since| UNIX + ticks(since))
            }
        };
        Self {
            kind,
            started: Instant::now(),
            turned: AtomicU64::new(UP_AT_START),
            held: AtomicU64::new(0),
            shown: AtomicU64::new(UP_AT_START),
            booted: system_time - UP_AT_START,
        }
    }

    /// The time now, in ticks of 100 ns.
    #[must_use]
    pub fn now(&self) -> u64 {
        let turned = self.turned.load(Ordering::Relaxed);
        if self.kind == ClockKind::Virtual {
            return turned;
        }
        let time = match self.held.load(Ordering::Relaxed) {
            0 => turned + ticks(self.started.elapsed()),
            held => held,
        };
        self.shown.fetch_max(time, Ordering::Relaxed).max(time)
    }

    /// Holds a real clock at a system time, in the past: what happened then is told to the machine only now. It shows the latest
    /// time that it has shown already, if that is later.
    pub fn hold(&self, system_time: u64) {
        self.held.store(system_time.saturating_sub(self.booted).max(1), Ordering::Relaxed);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.held.store(0, Ordering::Relaxed);
    }

    /// The date and the time, in ticks of 100 ns since the beginning of 1601, UTC.
    #[must_use]
    pub fn system_time(&self) -> u64 {
        self.booted + self.now()
    }

    /// The time since the machine started.
    #[must_use]
    pub fn since_start(&self) -> Duration {
        Duration::from_nanos((self.now() - UP_AT_START) * 100)
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Duration) {
        self.turned.fetch_add(ticks(by), Ordering::Relaxed);
    }

    /// Lets `interval` pass for the calling thread.
    pub fn wait(&self, interval: Duration) {
        match self.kind {
            ClockKind::Virtual => {
                self.advance(interval);
                thread::sleep(YIELD);
            }
            ClockKind::Real => thread::sleep(interval),
        }
    }
}

fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos() / 100).unwrap_or(u64::MAX)
}

/// How long a wait for `interval` lasts at the system time `now`: below zero it is relative, else a point in time.
fn wait_of(interval: i64, now: u64) -> Duration {
    let ticks = if interval < 0 { interval.unsigned_abs() } else { interval.unsigned_abs().saturating_sub(now) };
    Duration::from_nanos(ticks.saturating_mul(100))
}

fn delay(call: &Call<'_>) -> u64 {
    let interval = call.read::<i64>(call.arg(2));
    let clock = call.machine.clock();
    let interval = wait_of(interval, clock.system_time());
    let waited = call.cpu.count_wait(interval);
    if waited > PATIENCE {
        call.bug_check(
            MANUALLY_INITIATED_CRASH,
            [0, call.caller(), 0, 0],
            format!("the driver has waited for {} hours: it never ends", waited.as_secs() / 3600),
        );
    }
    if interleave::pause("KeDelayExecutionThread: over") {
        clock.advance(interval);
    } else {
        clock.wait(interval);
    }
    call.cpu.check_alive();
    // What other threads of Windows get done meanwhile.
    call.machine.time_passes(call.cpu);
    0
}

/// The counter of Windows on a PC of today: 10 MHz.
fn query_performance_counter(call: &Call<'_>) -> u64 {
    if call.arg(0) != 0 {
        call.write(call.arg(0), TICKS_PER_SECOND);
    }
    call.machine.clock().now()
}

fn query_interrupt_time(call: &Call<'_>) -> u64 {
    call.machine.clock().now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_stands_still_until_somebody_waits() {
        let clock = Clock::new(ClockKind::Virtual);
        let before = clock.now();
        thread::sleep(Duration::from_millis(2));
        assert_eq!(clock.now(), before);
        clock.wait(Duration::from_hours(1));
        assert_eq!(clock.now(), before + 3600 * TICKS_PER_SECOND);
    }

    #[test]
    fn system_time_is_the_hosts_with_a_real_clock_and_can_be_turned() {
        let clock = Clock::new(ClockKind::Real);
        clock.advance(Duration::from_hours(1));
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_hours(1);
        let since_1601 = unix + Duration::from_hours(11_644_473_600 / 3600);
        assert!(since_1601.abs_diff(Duration::from_micros(clock.system_time() / 10)) < Duration::from_mins(1));
    }

    #[test]
    fn real_time_passes_by_itself_and_can_be_turned() {
        let clock = Clock::new(ClockKind::Real);
        let before = clock.now();
        thread::sleep(Duration::from_millis(2));
        clock.advance(Duration::from_secs(5));
        assert!(clock.now() >= before + 5 * TICKS_PER_SECOND + TICKS_PER_SECOND / 500);
    }

    #[test]
    fn a_real_clock_that_is_held_shows_that_time_and_never_goes_back() {
        let clock = Clock::new(ClockKind::Real);
        let start = clock.system_time();
        thread::sleep(Duration::from_millis(2));

        clock.hold(start + 7);
        assert_eq!(clock.system_time(), start + 7);
        clock.hold(start + 5);
        assert_eq!(clock.system_time(), start + 7);

        clock.go_on();
        assert!(clock.system_time() >= start + TICKS_PER_SECOND / 500);
    }

    #[test]
    fn the_performance_counter_counts_at_the_frequency_that_it_names() {
        let (machine, mut frequency) = (crate::kernel::tests::machine(), 0u64);
        let counter = crate::windows::address("HAL.dll", "KeQueryPerformanceCounter").unwrap();
        let query = |at| machine.run(|cpu| cpu.call(counter, "KeQueryPerformanceCounter", &[at])).unwrap();
        let before = query(&raw mut frequency as u64);
        machine.clock().advance(Duration::from_secs(3));
        assert_eq!(query(0) - before, 3 * frequency);
    }

    #[test]
    fn the_date_goes_with_the_clock_and_a_real_one_with_the_hosts() {
        let clock = Clock::new(ClockKind::Virtual);
        assert_eq!(clock.system_time(), VIRTUAL_START);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.system_time(), VIRTUAL_START + TICKS_PER_SECOND);
        // Of whoever set the host's clock nothing is taken for granted but that it was after this was written.
        assert!(Clock::new(ClockKind::Real).system_time() > VIRTUAL_START - 365 * 86_400 * TICKS_PER_SECOND);
    }

    #[test]
    fn a_negative_interval_is_relative() {
        assert_eq!(wait_of(-100_000, 12_345), Duration::from_millis(10));
    }

    #[test]
    fn a_positive_interval_is_a_point_in_time() {
        assert_eq!(wait_of(30_000_000, 20_000_000), Duration::from_secs(1));
        assert_eq!(wait_of(10_000_000, 20_000_000), Duration::ZERO);
    }
}
