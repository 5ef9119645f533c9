//! A wait that sleeps longer and longer, and reports each second.
use crate::time;

/// Since when, and how long the next sleep takes.
pub struct Wait {
    began: u64,
    reports: u64,
    delay: u64,
}

impl Wait {
    /// IRQL: any
    pub fn begin() -> Self {
        Self { began: time::milliseconds(), reports: 0, delay: 10 }
    }

    /// How long it has taken so far.
    ///
    /// IRQL: any
    pub fn milliseconds(&self) -> u64 {
        time::milliseconds().saturating_sub(self.began)
    }

    /// Whether a second has passed since the last report, which this call then is for.
    ///
    /// IRQL: any
    pub fn report_is_due(&mut self) -> bool {
        let seconds = self.milliseconds() / 1_000;
        let due = seconds > self.reports;
        self.reports = seconds;
        due
    }

    /// IRQL: <= `APC_LEVEL`
    pub fn sleep(&mut self) {
        time::sleep(self.delay);
        self.delay = self.delay.wrapping_mul(2).min(1_000);
    }
}
