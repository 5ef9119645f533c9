//! The driver's own source, compiled for this machine.
//!
//! Miri, `ThreadSanitizer`, `AddressSanitizer` and libFuzzer cannot look inside `flowtag.sys`. So here the files of `src/`
//! are compiled once more, unchanged, all but those that talk to KMDF and to WFP's management (`driver.rs`,
//! `kmdf.rs`, `engine.rs`, `bfe.rs`), and those that look processes up (`processes/`, but for its table and its paths).
//! [`kernel`] stands in for the kernel, [`filter_engine`] for the run-time part of WFP and [`event_tracing`] for ETW: each as
//! little as the driver needs, and with as few locks as can be, since every lock orders threads and so hides races.
//! What the kernel really does, and whether the driver keeps its rules, is the simulator's matter.

#![expect(clippy::missing_panics_doc, reason = "a panic is how the stand-ins say that a rule was broken")]
#![expect(clippy::must_use_candidate, clippy::missing_errors_doc, reason = "the driver exports none of its functions")]
#![expect(clippy::new_without_default, reason = "as above")]

// As in the driver, references.rs takes it from here.
use core::sync::atomic;

// The driver says `wdk_sys::…` and `wdk::…`.
extern crate self as wdk;
extern crate self as wdk_sys;

pub mod event_tracing;
pub mod filter_engine;
pub mod kernel;
pub mod machine;

pub use kernel::*;
pub use machine::Machine;

#[path = "../../../src/address.rs"]
pub mod address;
#[path = "../../../src/callouts/mod.rs"]
pub mod callouts;
#[path = "../../../src/consumers.rs"]
pub mod consumers;
#[path = "../../../src/date.rs"]
pub mod date;
#[path = "../../../src/demand.rs"]
pub mod demand;
#[path = "../../../src/details.rs"]
pub mod details;
#[path = "../../../src/escape.rs"]
pub mod escape;
#[path = "../../../src/etw/mod.rs"]
#[expect(missing_docs, reason = "the documentation of the Windows names is Microsoft's")]
pub mod etw;
#[path = "../../../src/failure.rs"]
pub mod failure;
#[path = "../../../src/flow.rs"]
pub mod flow;
#[path = "../../../src/flow_ring.rs"]
pub mod flow_ring;
#[path = "../../../src/identity.rs"]
pub mod identity;
#[path = "../../../src/life.rs"]
pub mod life;
#[path = "../../../src/line.rs"]
pub mod line;
#[path = "../../../src/package.rs"]
pub mod package;
#[path = "../../../src/path.rs"]
pub mod path;
#[path = "../../../src/pool.rs"]
pub mod pool;
#[path = "../../../src/print.rs"]
pub mod print;
pub mod processes;
#[path = "../../../src/references.rs"]
pub mod references;
#[path = "../../../src/settings.rs"]
pub mod settings;
#[path = "../../../src/side.rs"]
pub mod side;
#[path = "../../../src/sync.rs"]
pub mod sync;
#[path = "../../../src/tag.rs"]
pub mod tag;
#[path = "../../../src/time.rs"]
pub mod time;
#[path = "../../../src/totals.rs"]
pub mod totals;
#[path = "../../../src/trace.rs"]
pub mod trace;
#[path = "../../../src/unload.rs"]
pub mod unload;
#[path = "../../../src/wait.rs"]
pub mod wait;
#[path = "../../../src/wfp/mod.rs"]
#[expect(missing_docs, reason = "the documentation of the Windows names is Microsoft's")]
pub mod wfp;
#[path = "../../../src/wide.rs"]
mod wide;
