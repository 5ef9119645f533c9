//! `flowtag-interleavings`: the life of a flow under loom, which tries every order of steps in which
//! a thread loses the processor no more than so many times, and under shuttle, which tries many of the others by chance.
//!
//! The driver's `flow_ring.rs` and `references.rs` run as they are. What surrounds them, the steps of authorize, delete,
//! evict and unload, is a model of the driver's own (`model.rs`, after docs/architecture.md), and so is WFP
//! (`filter_engine.rs`). Both are compiled twice: with loom's atomics and locks, and with shuttle's.

mod on_loom;
#[expect(clippy::duplicate_mod, reason = "the same model, of other primitives")]
mod on_shuttle;
#[path = "../../verify/report.rs"]
#[expect(dead_code, reason = "other checks need more of it")]
mod report;
mod run;

use std::process::ExitCode;

use clap::Parser;

fn main() -> anyhow::Result<ExitCode> {
    run::run(&run::CommandLine::parse())?.finish()
}
