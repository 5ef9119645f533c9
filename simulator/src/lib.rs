//! A simulated Windows kernel and WFP engine: it runs a `.sys` file, unmodified, inside a Linux process.
//!
//! From the bottom up; each imports only from those before it (`cargo xtask check` holds that):
//!
//! - [`output`]: what the command prints.
//! - [`image`]: loading the driver, and finding source places in it.
//! - [`interleave`]: choosing which thread goes next, to try every order.
//! - [`referee`]: what Driver Verifier would catch, as it is reported.
//! - [`computer`]: runs driver code and serves its imports; subsystems plug into it.
//! - [`kernel`]: what `ntoskrnl.exe` and the HAL export.
//! - [`kmdf`]: the Kernel-Mode Driver Framework.
//! - [`ndis`]: pools of network buffers.
//! - [`etw`]: event tracing: providers, sessions, and what they write.
//! - [`wfp`]: the filtering platform: layers, filters, callouts, flows and their contexts.
//! - [`service`]: the service control manager, which loads and unloads the driver.
//! - [`windows`]: a Windows, put together from these, and the numbers of its release.
//! - [`io`]: what a program does with a driver's device: open, control, close.
//! - [`traffic`]: what happens on this host's network.
//! - [`demo`]: real programs talk, the driver tags their flows, and they say whether it was right.
//! - [`cli`]: the command `flowtag-sim`.

#![expect(clippy::cast_possible_truncation, reason = "the simulator runs on x86-64 only, where a usize is a u64")]
#![expect(clippy::missing_panics_doc, reason = "nearly all are poisoned locks, which only follow another panic")]

pub mod cli;
pub mod computer;
pub mod demo;
pub mod etw;
pub mod image;
pub mod interleave;
pub mod io;
pub mod kernel;
pub mod kmdf;
pub mod ndis;
pub mod output;
pub mod referee;
pub mod service;
pub mod traffic;
pub mod wfp;
pub mod windows;

pub use computer::Machine;
pub use referee::BugCheck;
pub use windows::Options;
