//! A simulated Windows kernel and WFP engine: it runs a `.sys` file, unmodified, inside a Linux process.
//!
//! - [`cli`]: the command `flowtag-sim`.
//! - [`machine`]: one simulated computer, with everything in it.
//! - [`demo`]: real programs talk, the driver tags their flows, and they say whether it was right.
//! - [`image`]: loading the driver, and finding source places in it.
//! - [`interleave`]: choosing which thread goes next, to try every order.
//! - [`io`]: what a program does with a driver's device: open, control, close.
//! - [`kernel`]: CPUs, IRQL, and the exports that the driver calls.
//! - [`kmdf`]: the Kernel-Mode Driver Framework.
//! - [`ndis`]: pools of network buffers.
//! - [`service`]: the service control manager, which loads and unloads the driver.
//! - [`referee`]: what Driver Verifier would catch.
//! - [`traffic`]: what happens on this host's network, live or recorded.
//! - [`wfp`]: the filtering platform: layers, filters, callouts, flows and their contexts.

#![expect(clippy::cast_possible_truncation, reason = "the simulator runs on x86-64 only, where a usize is a u64")]
#![expect(clippy::missing_panics_doc, reason = "nearly all are poisoned locks, which only follow another panic")]

pub mod cli;
pub mod demo;
pub mod image;
pub mod interleave;
pub mod io;
pub mod kernel;
pub mod kmdf;
pub mod machine;
pub mod ndis;
pub mod referee;
pub mod service;
pub mod traffic;
pub mod wfp;

pub use machine::{Machine, Options};
pub use referee::BugCheck;
