//! When this machine booted: processes know when they began since then.

use std::sync::OnceLock;

/// 1 January 1970 in the time of Windows (Win32, "Converting a `time_t` value to a `FILETIME`").
const UNIX: u64 = 116_444_736_000_000_000;

/// How often the clocks are read: once at least nothing else runs between two of them.
const READINGS: usize = 100;

/// The time of the boot, in units of 100 ns since 1601. It is looked up once: a clock that is set meanwhile does not change it.
pub fn booted() -> u64 {
    static BOOTED: OnceLock<u64> = OnceLock::new();
    *BOOTED.get_or_init(|| UNIX + ahead_of(libc::CLOCK_BOOTTIME))
}

/// How far the clock of the day is ahead of another one, in units of 100 ns.
#[must_use]
pub fn ahead_of(clock: libc::clockid_t) -> u64 {
    let reading = || {
        let before = ticks(clock);
        let today = ticks(libc::CLOCK_REALTIME);
        let after = ticks(clock);
        (after - before, today.saturating_sub(before))
    };
    // The closer both readings of the other clock are, the better is what is between them.
    (0..READINGS).map(|_| reading()).min().map_or(0, |(_, ahead)| ahead)
}

/// A clock, in units of 100 ns.
fn ticks(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives here; the clocks exist on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 10_000_000 + time.tv_nsec.cast_unsigned() / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_boot_is_that_of_proc_stat() {
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let seconds = stat.lines().find_map(|line| line.strip_prefix("btime ")).unwrap();

        // In whole seconds since 1970 there (proc(5)); a clock that is set moves it.
        let there = UNIX + seconds.parse::<u64>().unwrap() * 10_000_000;
        assert!(booted().abs_diff(there) < 2 * 10_000_000, "{} and {there}", booted());
    }
}
