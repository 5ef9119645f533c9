//! The computer: it runs a driver's code, serves the imports that the driver calls, and judges what it does.
//!
//! It knows no part of Windows by name. Exports come out of the tables of the [`Subsystem`]s that it is handed, and their
//! state lies in its typed slots ([`Machine::part`]).
//!
//! - [`machine`], [`cpu`]: a computer, and its processors: host threads while they run driver code.
//! - `crossing`, `thunk`, `stack`, `native`: the way into the driver's code and out of it.
//! - [`subsystem`], [`imports`], [`export`], [`call`]: what is plugged in, what it exports, and a call of that.
//! - [`input`], [`handed`]: what becomes of each value that a driver passes, and where each that it is handed comes from.
//! - [`memory`], [`lent_memory`], `paging`, [`irql`], [`workers`]: what drivers and subsystems share.
//! - [`faults`], [`steps`], [`call_stack`]: calls that fail, instructions that are counted, and where a call came from.
//! - `signals`, `watchdog`, `crash`, `guard`, `stop`: what goes wrong, and how the machine stops for it.

pub mod call;
pub mod call_stack;
pub mod cpu;
mod crash;
mod crossing;
pub mod export;
pub mod faults;
pub(crate) mod guard;
pub mod handed;
pub mod imports;
pub mod input;
pub mod irql;
pub mod lent_memory;
pub mod machine;
pub mod memory;
mod native;
mod paging;
mod signals;
mod stack;
pub mod steps;
mod stop;
pub mod subsystem;
mod thunk;
mod watchdog;
pub mod workers;

pub use call::Call;
pub use cpu::Cpu;
pub use crash::Finding;
pub use export::{Export, Fails};
pub use handed::Handed;
pub use imports::Imports;
pub use input::{Input, argument, field};
pub use irql::Irql;
pub use machine::Machine;
pub use subsystem::Subsystem;
