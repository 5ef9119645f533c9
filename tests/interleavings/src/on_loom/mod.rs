//! The model of loom's primitives: it knows the memory order of each access, and finds races.

pub use loom::{
    cell::UnsafeCell,
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
mod trace;
