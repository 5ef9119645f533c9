//! `time`: what the clock says, and turning it.

use std::time::Duration;

use super::outcome::Output;
use crate::kernel::time::Clock;

const USAGE: &str = "usage: time [+5s]; the units are ms, s, m and h, and time goes forward only\n";
/// A machine that has been up for longer is none; its clock could run over.
const LONGEST: Duration = Duration::from_hours(100 * 8766);

pub(super) fn execute(clock: &Clock, words: &[&str]) -> Output {
    match words {
        [] => {}
        [step] => {
            let Some(step) = step.strip_prefix('+').and_then(duration) else { return Output::unusable(USAGE) };
            if step > LONGEST.saturating_sub(clock.since_start()) {
                return Output::unusable("the clock goes no further than 100 years\n");
            }
            clock.advance(step);
        }
        _ => return Output::unusable(USAGE),
    }
    Output::done(format!("{:.3} s since the machine started\n", clock.since_start().as_secs_f64()))
}

/// A number and its unit; what is too much for a duration is the longest there is.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let factor = match text[unit..].to_ascii_lowercase().as_str() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number: f64 = text[..unit].parse().ok()?;
    Some(Duration::try_from_secs_f64(number * factor).unwrap_or(Duration::MAX))
}
