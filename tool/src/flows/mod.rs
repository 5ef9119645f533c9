//! Who owned a flow at a time: the flow table.
//!
//! - [`Tuple`]: protocol, addresses and ports, as a packet or a flow has them.
//! - [`Lives`] hears the events, and keeps from when to when each flow lived.
//! - [`Table`] answers, when all events have been heard.
//! - [`Owners`] knows each process once.

mod lives;
mod owners;
mod table;
mod timeline;
mod tuple;

pub use lives::{Life, Lives, TOLERANCE};
pub use owners::{OwnerId, Owners};
pub use table::{Sides, Table};
pub use timeline::Answer;
pub use tuple::{ICMP, ICMPV6, Protocol, TCP, Tuple, UDP};

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
