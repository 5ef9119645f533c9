//! The demo: real programs talk, the driver tags their flows, and they say whether it was right.

pub mod command;
pub mod driver;
pub mod live;
#[cfg(test)]
mod model;
pub mod peer;
pub mod programs;
pub mod recorded;
pub mod replay;
pub mod report;
pub mod run;
pub mod simulated;
pub mod summary;
pub mod trace;
pub mod verdict;
