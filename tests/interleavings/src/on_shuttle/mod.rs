//! The model of shuttle's primitives: any number of threads and steps, one order of memory.

mod cell;
pub mod crowds;

pub use cell::UnsafeCell;
pub use shuttle::{
    sync::{Arc, Mutex, MutexGuard, atomic},
    thread,
};

#[path = "../filter_engine.rs"]
mod filter_engine;
#[path = "../model.rs"]
mod model;
#[path = "../../../../src/references.rs"]
mod references;
#[path = "../scenarios.rs"]
pub mod scenarios;
#[path = "../trace.rs"]
pub mod trace;
