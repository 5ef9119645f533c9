//! `flowtag-bench`: what a tag costs, measured on the shipped `flowtag.sys` in the simulator.
//!
//! `cargo xtask bench` builds what is measured and names it: `FLOWTAG_SYS` is the driver, `FLOWTAG_BENCH_FIXTURES` the
//! folder of the drivers that it is compared with. docs/performance.md has the method.

mod budget;
mod capture;
mod counts;
mod figures;
mod flood;
mod flow_life;
mod lock_hold;
mod measurements;
mod operations;
mod plots;
mod report;
mod subject;
mod timing;
mod transport;
mod unload;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

/// Measures what a tag costs.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Arguments {
    /// Fewer rounds: under a minute
    #[arg(long)]
    quick: bool,
    /// End with a JSON line that carries every figure
    #[arg(long)]
    json: bool,
    /// Only count instructions, imports, allocations and locks, and fail where one is above the budget
    #[arg(long, conflicts_with_all = ["json", "publish"])]
    check: bool,
    /// Only count, and write the counts into the budget
    #[arg(long, conflicts_with_all = ["check", "json", "publish"])]
    record: bool,
    /// Copy the plots into the documentation
    #[arg(long)]
    publish: bool,
    /// The budget's file
    #[arg(long, default_value = "bench/budget.toml", hide = true)]
    budget: PathBuf,
    /// Where the report goes
    #[arg(long, default_value = "target/bench", hide = true)]
    output: PathBuf,
    /// Where published plots go
    #[arg(long, default_value = "docs/performance", hide = true)]
    documentation: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.check || arguments.record {
        let counted = operations::counted()?;
        if arguments.record {
            return budget::record(&arguments.budget, &counted).map(|()| ExitCode::SUCCESS);
        }
        return budget::check(&arguments.budget, &counted);
    }
    let measured = measurements::all(arguments.quick)?;
    print!("{}", report::table(&measured));
    report::write(&arguments.output, &measured)?;
    if arguments.publish {
        plots::publish(&arguments.output, &arguments.documentation)?;
    }
    println!("\n{} has the report, with plots.", arguments.output.join("report.md").display());
    if arguments.json {
        let line = serde_json::to_string(&measured.figures).context("the figures as JSON")?;
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}
