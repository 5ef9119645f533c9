//! Interleavings: which thread goes next is chosen, not left to the host's scheduler.
//!
//! Threads of a [`Crew`] sit at a [`table`]; one goes at a time, from one *point* to the next. Points are before every
//! import call of the driver, behind those that touch what threads share, at every entry into the driver, and wherever
//! the filtering platform looks at a flow or changes it. A run is therefore repeatable from the order in which threads
//! went. Driver code between two points is one step; the driver's lock is only held within such steps, so its contention
//! is not seen here. What a step touches is said by whoever takes it; pieces of state have numbers ([`Part`]), not names.
//!
//! - [`explore`]: every order of a case, once each, as far as the budget goes.
//! - [`bounded`]: the orders with the fewest preemptions first.
//! - [`random`]: orders by chance, with priorities.
//! - [`order`]: which runs are the same order, and how one is written down.
//! - [`touches`]: which steps can change places without any effect.

pub mod bounded;
mod crew;
pub mod explore;
pub mod order;
pub mod random;
mod seat;
mod table;
#[cfg(test)]
mod tests;
pub mod touches;

pub use crew::{Crew, Job, Plan, Run, stay_on};
pub use seat::point;
pub(crate) use seat::{is_seated, pause, random_below, wait_until, when_a_turn_comes};
pub use table::{Choice, Explores, Halt, Step, Strategy, Waits};
pub use touches::{Part, Touches};
