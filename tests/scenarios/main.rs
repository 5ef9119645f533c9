//! Scenarios on the shipped `flowtag.sys`: its machine code runs in the simulator, one fresh machine a test.
//!
//! `FLOWTAG_SYS` names the image; `cargo xtask test` builds it and sets the variable. Names say what the driver does.

mod arbitration;
mod associate;
mod authorize;
mod bfe;
mod cost;
mod events;
mod events_late;
mod events_of_failures;
mod fail_open;
mod flood;
mod guard;
mod index;
mod leaving;
mod lines;
mod loader;
mod long_runs;
mod ordering;
mod processes;
mod reauthorize;
mod recorded;
mod referee;
mod registered;
mod ring;
mod settings;
mod shell;
mod start;
mod teardown;
mod timing;
mod transport;
mod unload;
mod unload_races;
