//! `flowtag selftest`: does the driver do here what it says? One run, and a verdict on each claim.
//!
//! - [`machine`]: what is needed of a machine; `simulator` and `windows` are the two there are.
//! - [`mod@run`]: what happens in a test; [`children`] and [`peer`]: the programs that talk, and [`report`]: what they say.
//! - [`evidence`]: all that was seen; [`told`]: the flows in it.
//! - [`claims`]: what is claimed, each judged by the evidence alone; [`verdict`]: how that is told.

mod children;
mod claims;
mod evidence;
mod machine;
mod peer;
mod report;
mod run;
#[cfg(unix)]
mod simulator;
mod told;
mod verdict;
#[cfg(windows)]
mod windows;

pub use claims::judge;
pub use machine::Machine;
pub use peer::{Role, run as talk};
pub use run::{Wanted, run};
#[cfg(unix)]
pub use simulator::{Simulated, Simulator};
pub use verdict::Verdict;
#[cfg(windows)]
pub use windows::Windows;
