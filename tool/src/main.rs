//! `flowtag`: whose traffic is this, in events and in captures.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowtag_tool::cli::run()
}
