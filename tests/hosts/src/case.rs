//! What a host has the driver do, case by case, and the row of the table that comes of it.

use std::{
    env, fmt,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;

use crate::{report::Report, script::Script, simulator, transcript::Transcript};

/// How to run a host.
#[derive(Args)]
pub struct Arguments {
    /// Less, for every day (the cases are few and quick: all run)
    #[arg(long)]
    quick: bool,
    /// Another image than the one that was built; the simulator keeps to that one
    #[arg(long)]
    image: Option<PathBuf>,
    /// Run only the case of this name
    #[arg(long)]
    case: Option<String>,
}

impl Arguments {
    /// The image for the host: the one that was typed, or the one that `variable` names.
    ///
    /// # Errors
    /// When neither is there.
    pub fn image(&self, variable: &str) -> Result<PathBuf> {
        let image = self.image.clone().or_else(|| env::var_os(variable).map(PathBuf::from));
        let image = image.with_context(|| format!("{variable} names no image: run `cargo xtask verify`"))?;
        ensure!(image.is_file(), "{} is no file", image.display());
        // A host may run in a folder of its own.
        image.canonicalize().with_context(|| format!("find {}", image.display()))
    }
}

/// Something the driver must do.
pub struct Case {
    name: String,
    run: Box<dyn FnOnce() -> Result<()>>,
}

impl Case {
    /// A case that holds unless `run` fails or panics.
    pub fn new(name: impl Into<String>, run: impl FnOnce() -> Result<()> + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same case, where its name has to say under which circumstances.
    pub fn when(mut self, circumstances: &str) -> Self {
        self.name = format!("{}, {circumstances}", self.name);
        self
    }
}

/// One case for each script: a host acts it out, and the driver prints what it prints in the simulator.
///
/// `act` fails where a start answers another status than the script says, and where the driver leaves something behind.
///
/// # Errors
/// When the scripts cannot be read.
pub fn scripts(act: impl Fn(&Script) -> Result<Transcript> + Clone + 'static) -> Result<Vec<Case>> {
    let cases = Script::all()?.into_iter().map(|script| {
        let act = act.clone();
        let run = move |script: &Script| simulator::act(script)?.same_as(&act(script)?);
        Case::new(script.name.clone(), move || run(&script))
    });
    Ok(cases.collect())
}

/// Why a host does not run.
#[derive(Debug)]
pub enum Unavailable {
    /// Something outside this repository is missing, such as a program or the way to a registry: not run.
    Missing(String),
    /// Something that ought to work does not: failed.
    Broken(anyhow::Error),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => f.write_str(what),
            Self::Broken(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for Unavailable {}

impl From<anyhow::Error> for Unavailable {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

/// Runs the cases of a host and prints its row.
pub fn run(
    host: &'static str,
    arguments: &Arguments,
    cases: fn(&Arguments) -> Result<Vec<Case>, Unavailable>,
) -> Result<ExitCode> {
    let start = Instant::now();
    let mut cases = match cases(arguments) {
        Ok(cases) => cases,
        Err(Unavailable::Missing(what)) => {
            eprintln!("{host}: not run. {what}");
            return Report::not_run(host, start).finish();
        }
        Err(Unavailable::Broken(error)) => return Err(error),
    };
    if let Some(only) = &arguments.case {
        let names: Vec<_> = cases.iter().map(|case| case.name.clone()).collect();
        cases.retain(|case| case.name == *only);
        ensure!(!cases.is_empty(), "there is no such case: {}", names.join(", "));
    }
    let count = cases.len() as u64;
    let mut failures = 0;
    for Case { name, run } in cases {
        let outcome =
            panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(anyhow!("it panicked, see above")));
        if let Err(error) = outcome {
            failures += 1;
            let typed =
                arguments.image.as_ref().map(|image| format!(" --image {}", image.display())).unwrap_or_default();
            eprintln!("{host}: {name}: {error:#}\n  again with: cargo xtask verify -- {host}{typed} --case \"{name}\"");
        }
    }
    Report::new(host, start, count, count, failures).finish()
}
