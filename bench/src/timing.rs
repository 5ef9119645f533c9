//! Medians of repeated pairs: what is measured and what it is compared with take turns, so that whatever disturbs the
//! machine disturbs both.

use std::hint::black_box;

use serde::Serialize;

/// A median and what most rounds lie between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// One round in ten is below.
    pub low: f64,
    /// Half of the rounds are below.
    pub median: f64,
    /// Nine rounds in ten are below.
    pub high: f64,
}

impl Spread {
    /// Of these values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |tenths: usize| values.get(values.len() * tenths / 10).copied().unwrap_or_default();
        Self { low: at(1), median: at(5), high: at(9) }
    }

    /// The mean of two.
    pub fn mean(self, other: Self) -> Self {
        let mean = f64::midpoint;
        Self {
            low: mean(self.low, other.low),
            median: mean(self.median, other.median),
            high: mean(self.high, other.high),
        }
    }
}

/// Nanoseconds of processor time that one call takes, of so many. Time in which other programs had the processor does
/// not count.
pub fn nanoseconds_of(calls: u32, mut call: impl FnMut()) -> f64 {
    let start = processor_time();
    for _ in 0..black_box(calls) {
        call();
    }
    (processor_time() - start) / f64::from(calls)
}

/// Nanoseconds that this thread has run.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and the time is written to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    #[expect(clippy::cast_precision_loss, reason = "a thread does not run for the months that would lose a nanosecond")]
    let [seconds, nanoseconds] = [time.tv_sec as f64, time.tv_nsec as f64];
    seconds * 1e9 + nanoseconds
}

/// Nanoseconds by which `measured` exceeds `empty`.
pub fn over(rounds: usize, mut measured: impl FnMut() -> f64, mut empty: impl FnMut() -> f64) -> Spread {
    // The first rounds find cold caches.
    for _ in 0..rounds.div_ceil(10) {
        measured();
        empty();
    }
    Spread::of((0..rounds).map(|_| measured() - empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_of_the_sorted_values() {
        let spread = Spread::of(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((spread.low, spread.median, spread.high), (1.0, 3.0, 5.0));
    }

    #[test]
    fn what_both_have_in_common_falls_out() {
        let spread = over(9, || 130.0, || 100.0);
        assert!((spread.median - 30.0).abs() < 1e-6);
    }
}
