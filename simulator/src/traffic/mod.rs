//! Traffic for the simulated machine: what real programs do on this host's network, live.

pub mod event;
pub mod live;
pub mod packet;
pub mod processes;
pub mod pump;
pub mod tracker;
