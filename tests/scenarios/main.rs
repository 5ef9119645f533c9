//! Scenarios on the shipped `flowtag.sys`: its machine code runs in the simulator, one fresh machine a test.
//!
//! `FLOWTAG_SYS` names the image; `cargo xtask test` builds it and sets the variable. Names say what the driver does.

mod associate;
mod authorize;
mod cost;
mod fail_open;
mod guard;
mod index;
mod leaving;
mod loader;
mod ordering;
mod reauthorize;
mod recorded;
mod referee;
mod registered;
mod ring;
mod settings;
mod shell;
mod start;
mod teardown;
mod transport;
mod unload;
mod unload_races;
