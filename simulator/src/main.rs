//! `flowtag-sim`: the simulator as a command.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowtag_simulator::cli::run()
}
