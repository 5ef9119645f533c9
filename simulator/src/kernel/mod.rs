//! The simulated kernel: CPUs and how driver code runs on them, and the exports it may call.

pub mod call;
pub mod cpu;
pub mod exports;
pub mod faults;
pub mod irql;
pub mod memory;
mod paging;
mod stack;
mod thunk;

pub(crate) use thunk::leave_driver_address;

pub use cpu::Cpu;
pub use exports::{Call, Export, Fails};
pub use irql::Irql;
