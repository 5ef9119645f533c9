//! What is fuzzed: everything that reads foreign data, in the driver's own source, in the simulator, and in the command `flowtag`.
//!
//! A target takes any bytes and panics when something is wrong. The inputs in `fuzz/corpus/` are a few made by hand and
//! those that libFuzzer found to reach more code; a plain test replays them all, and with them the [`seeds`], which code makes.

mod annotation;
mod authorize;
mod driver_output;
mod event_payload;
mod image;
mod joined;
mod json_lines;
mod memory;
mod pcap;
mod pcapng;
mod probe_records;
mod recording;
mod seeds;
mod settings;
mod source;
mod told;
mod trace_lines;
mod tracelogging;
mod transport;
mod unwind;

#[expect(dead_code, reason = "the command's tests want the rest")]
#[path = "../../tool/tests/made/mod.rs"]
mod made;
#[path = "../../tool/tests/pcapng/mod.rs"]
mod pcapng_reader;

pub use seeds::seeds;

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
    ("pcapng", pcapng::run),
    ("pcap", pcap::run),
    ("joined", joined::run),
    ("json_lines", json_lines::run),
    ("trace_lines", trace_lines::run),
    ("event_payload", event_payload::run),
    ("driver_output", driver_output::run),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}
