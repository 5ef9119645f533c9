//! The demo: real programs talk, the driver tags their flows, and they say whether it was right.

pub mod command;
pub mod driver;
pub mod events;
pub mod keys;
pub mod live;
pub mod live_flows;
#[cfg(test)]
mod model;
pub mod packets;
pub mod peer;
pub mod play;
pub mod process;
pub mod program;
pub mod programs;
pub mod recorded;
pub mod replay;
pub mod report;
pub mod reuse;
pub mod run;
pub mod sessions;
pub mod simulated;
pub mod summary;
pub mod trace;
pub mod verdict;
