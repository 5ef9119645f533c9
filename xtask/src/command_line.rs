//! What can be typed after `cargo xtask`.

use std::{env, ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{commands, host_checks, mutants::generated, target::Target};

/// Builds, checks, tests and shows flowtag on Linux.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what this machine lacks: LLVM, mingw, curl, perl, python3, the Rust targets. The other commands do it themselves
    Setup,
    /// Build flowtag.sys; its path is the last line printed
    Build {
        /// Rust's name for the machine to build for
        #[arg(long, default_value_t)]
        target: Target,
    },
    /// Make a package for Windows, of the driver and of the command that reads its events; its folder is the last line printed
    Package {
        /// Rust's name for the machine to build for
        #[arg(long, default_value_t)]
        target: Target,
        /// Sign the image with a certificate made on this machine, for Windows in test-signing mode
        #[arg(long)]
        test_sign: bool,
    },
    /// Run rustfmt, clippy and rustdoc over everything, the driver included; a warning fails, and an import in a circle
    Check,
    /// Check and test everything, `verify --quick` included; with arguments, only run the tests
    Test {
        /// Passed to the test runner: a part of a test's name, or options such as --nocapture
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Break the driver in every known way, one at a time, and show which test notices; one that none notices fails
    Mutants {
        /// Only those with this in their name
        #[arg(default_value = "")]
        part: String,
        /// Break it in every way that two generators make of its source; less than 95 in 100 noticed fails
        #[arg(long)]
        generated: bool,
        /// Only so many of them
        #[arg(long, requires = "generated")]
        sample: Option<usize>,
        /// The number that chooses the sample [default: from the commit]
        #[arg(long, requires = "sample")]
        seed: Option<u64>,
        /// Only those of our own generator, and only tests: nothing is installed, no loom, shuttle or Miri is run
        #[arg(long, requires = "generated")]
        quick: bool,
        /// Print them and what they change, and build nothing
        #[arg(long, requires = "generated")]
        list: bool,
    },
    /// Check the life of a flow: every fault, interleaving, mutant; one table of what was found
    Verify {
        /// Less of each check, for every day
        #[arg(long)]
        quick: bool,
        /// End with a line of JSON
        #[arg(long)]
        json: bool,
        /// Only this check, with arguments of its own, such as `-- schedules --replay SEED`
        #[arg(last = true)]
        check: Vec<OsString>,
    },
    /// Measure what a tag costs, beside its peers
    Bench {
        /// Passed to flowtag-bench: --quick, --json, --publish; --check and --record for the budget
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Fuzz everything that reads foreign data
    Fuzz {
        /// Only this target: a folder of fuzz/corpus
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Add the inputs that reach more code to fuzz/corpus
        #[arg(long)]
        keep: bool,
        /// Only run the target on this input
        #[arg(long, requires = "target", conflicts_with_all = ["seconds", "keep"])]
        replay: Option<PathBuf>,
    },
    /// Run the ring's own code under loom or shuttle
    Interleavings {
        /// Passed to flowtag-interleavings, such as `loom --scenario NAME`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run the driver in lldb, as `sim`, `test` or `verify` would run it: `cargo xtask debug --break FILE:LINE test NAME`
    Debug {
        /// Where to stop, such as authorize.rs:60; two places at most
        #[arg(long = "break", value_name = "FILE:LINE")]
        breakpoints: Vec<String>,
        /// What would be typed after `cargo xtask`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// Run clippy over everything, with messages for rust-analyzer: .vscode/settings.json names this command
    Editor {
        /// Start rust-analyzer instead, as an editor does; an error that it shows fails, and a planted one that it does not
        #[arg(long)]
        check: bool,
        /// Print the settings for editors that do not read .vscode/settings.json: what is to be below `rust-analyzer`
        #[arg(long, conflicts_with = "check")]
        settings: bool,
        /// Passed to the driver's clippy, such as `-- --deny unsafe_code`
        #[arg(last = true, conflicts_with_all = ["check", "settings"])]
        arguments: Vec<OsString>,
    },
    /// Load the driver in the simulator and let it tag this machine's live traffic
    Demo {
        /// Passed to `flowtag-sim demo`, such as --json or `-- COMMAND …`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Draw `flowtag top` and the annotated capture of the last demo anew, into docs/pictures
    Pictures,
    /// Build driver, simulator and `flowtag`, and let `flowtag selftest` test the driver in the simulator
    Selftest {
        /// Instead, on each mutant of tests/mutants.toml that has a claim to fail: exactly that one has to
        #[arg(long)]
        mutants: bool,
        /// Passed to `flowtag selftest`, such as --json or --report FILE
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, conflicts_with = "mutants")]
        arguments: Vec<OsString>,
    },
    /// Build and run the simulator, such as `cargo xtask sim -- shell`
    Sim {
        /// Passed to flowtag-sim
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Does what the command line says.
pub fn run() -> Result<()> {
    match CommandLine::parse().command {
        Command::Setup => commands::setup::run(),
        Command::Build { target } => commands::build::run(target),
        Command::Package { target, test_sign } => commands::package::run(target, test_sign),
        Command::Check => commands::check::run(),
        Command::Test { arguments } => commands::test::run(&arguments),
        Command::Mutants { part, generated: false, .. } => commands::mutants::run(&part),
        Command::Mutants { part, sample, seed, quick, list, .. } => {
            let seed = seed.unwrap_or_else(generated::seed_of_commit);
            commands::mutants::run_generated(&generated::Request { sample, seed, quick, part: &part }, list)
        }
        Command::Verify { quick, json, check } => commands::verify::run(quick, json, &check),
        Command::Bench { arguments } => commands::bench::run(&arguments),
        Command::Fuzz { target, seconds, keep, replay } => {
            commands::fuzz::run(target.as_deref(), seconds, keep, replay)
        }
        Command::Interleavings { arguments } => host_checks::run_interleavings(&arguments),
        Command::Debug { breakpoints, command } => commands::debug::run(&breakpoints, &command),
        Command::Editor { settings: true, .. } => commands::editor::print_settings(),
        Command::Editor { check: false, arguments, .. } => commands::editor::run(&arguments),
        Command::Editor { check: true, .. } => commands::editor::check(),
        // As typed: clap drops a leading `--`, which tells a command to show from the demo's own options.
        Command::Demo { .. } => commands::demo::run(env::args_os().skip(2)),
        Command::Pictures => commands::pictures::run(),
        Command::Selftest { mutants: true, .. } => commands::selftest::on_mutants(),
        Command::Selftest { arguments, .. } => commands::selftest::run(&arguments),
        Command::Sim { arguments } => commands::sim::run(&arguments),
    }
}
