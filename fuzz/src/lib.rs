//! What is fuzzed: everything that reads foreign data, in the driver's own source and in the simulator.
//!
//! A target takes any bytes and panics when something is wrong. The inputs in `fuzz/corpus/` are a few made by hand and
//! those that libFuzzer found to reach more code; a plain test replays them all.

mod authorize;
mod image;
mod probe_records;
mod recording;
mod settings;
mod tracelogging;
mod transport;
mod unwind;

/// One thing to fuzz.
pub type Target = fn(&[u8]);

/// Every target and its name, which is also that of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("authorize", authorize::run),
    ("transport", transport::run),
    ("settings", settings::run),
    ("image", image::run),
    ("unwind", unwind::run),
    ("probe_records", probe_records::run),
    ("recording", recording::run),
    ("tracelogging", tracelogging::run),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}
