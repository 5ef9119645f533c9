//! The simulated kernel: CPUs and how driver code runs on them, and the exports it may call.

pub mod call;
pub mod call_stack;
pub mod cpu;
pub mod debug_print;
pub mod error_log;
pub mod exports;
pub mod faults;
pub mod irql;
pub mod lent_memory;
pub mod memory;
pub(crate) mod memory_functions;
mod not_modelled;
mod paging;
mod plain_pool;
pub mod pool;
mod pool_with_tag;
pub mod processes;
pub(crate) mod queued_spin_lock;
pub mod raise_lower;
pub mod registry;
pub mod rundown;
mod special_pool;
mod stack;
pub mod steps;
mod system;
#[cfg(test)]
mod tests;
mod thunk;
pub mod time;
pub mod workers;

pub(crate) use thunk::leave_driver_address;

pub use cpu::Cpu;
pub use exports::{Call, Export, Fails};
pub use irql::Irql;
