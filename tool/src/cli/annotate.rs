//! `flowtag annotate`.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use super::{input::HintArgs, outcome::Outcome};
use crate::{
    annotate::{Error, Options, Summary, annotate},
    capture::Capture,
    flows::{Lives, TOLERANCE, Table},
    output::{self, Unwritable},
    source::Place,
    time::MILLISECOND,
};

/// A capture that is larger than this, in bytes, takes long enough to be looked at meanwhile.
const LARGE: u64 = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  flowtag annotate traffic.pcapng named.pcapng --flows flows.jsonl
  tcpdump -w - | flowtag annotate - named.pcapng --flows flows.jsonl
  flowtag annotate old.pcap named.pcapng --flows dbgview.log --began 2026-11-30T07:45:51+01:00

Joined are packets of TCP, UDP and ICMP with the flow that has their addresses and ports and lives when they are captured. Packets
beneath a tunnel or behind address translation have other addresses, and stay as they are.";

/// Write into a capture whose each packet is.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The capture, of pcapng or pcap; - for standard input
    input: PathBuf,
    /// The annotated capture, of pcapng; - for standard output
    output: PathBuf,
    /// Where the events of the flows are: a file, or - for standard input
    #[arg(long, value_name = "SOURCE")]
    flows: Place,
    #[command(flatten)]
    hints: HintArgs,
    /// How much earlier or later than its flow's life a packet may be, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = TOLERANCE / MILLISECOND)]
    tolerance: u64,
    /// No comments: only what Wireshark's development line reads
    #[arg(long)]
    no_comments: bool,
    /// No block for each process: Wireshark shows it as a frame of its own, up to and with 4.0 at least
    #[arg(long)]
    no_process_blocks: bool,
    /// Say nothing of how it went, unless something is wrong
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(arguments: &Args) -> Result<Outcome> {
    ensure!(
        !(arguments.flows == Place::Input && is_standard(&arguments.input)),
        "capture and flows cannot both come from standard input: give one of them as a file"
    );
    let mut input = arguments.hints.open(&arguments.flows)?;
    let mut lives = Lives::default();
    while let Some(told) = input.next_told()? {
        lives.hear(&told);
    }
    let flows_outcome = input.end();
    if lives.all().is_empty() {
        output::note(format_args!("flowtag: {} tells of no flow: no packet gets an owner", arguments.flows));
    }
    let table = Table::new(lives, arguments.tolerance.saturating_mul(MILLISECOND));

    let (bytes, size) = open(&arguments.input)?;
    let name =
        if is_standard(&arguments.input) { "standard input".into() } else { arguments.input.display().to_string() };
    let mut capture = Capture::new(bytes).with_context(|| name.clone())?;
    let mut written = BufWriter::with_capacity(1 << 20, create(arguments)?);
    let bar = bar(size, arguments.quiet);
    let mut summary = Summary::default();
    let options = Options { comments: !arguments.no_comments, processes: !arguments.no_process_blocks };
    let mut next = 0;
    let ended = annotate(&mut capture, &mut written, &table, options, &mut summary, |offset| {
        if offset >= next {
            bar.set_position(offset);
            next = offset + (1 << 20);
        }
    });
    written.flush().map_err(Unwritable::from)?;
    bar.finish_and_clear();
    let damaged = match ended {
        Ok(()) => summary.damaged > 0,
        Err(Error::Output(error)) => return Err(error.into()),
        Err(Error::Capture(stop)) if stop.is_damage() => {
            output::note(format_args!("flowtag: {name}: {stop}; the {} packets before it are kept", summary.packets));
            true
        }
        Err(Error::Capture(stop)) => bail!("{name}: {stop}"),
    };
    if summary.damaged > 0 {
        output::note(format_args!(
            "flowtag: {name}: {} packets are damaged, and were copied as they are",
            summary.damaged
        ));
    }
    if !arguments.quiet {
        output::note(format_args!("{summary}"));
    }
    Ok(flows_outcome.and(if damaged { Outcome::Partly } else { Outcome::Done }))
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The capture, and how large it is if that is known.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>)> {
    if is_standard(path) {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok((Box::new(file), size))
}

/// The file that is written; never the one that is read.
fn create(Args { input, output, .. }: &Args) -> Result<Box<dyn Write>> {
    if is_standard(output) {
        return Ok(Box::new(io::stdout().lock()));
    }
    let same = !is_standard(input) && same_file::is_same_file(input, output).unwrap_or(false);
    ensure!(!same, "{} is the capture itself: give another name for what is written", output.display());
    let file = File::create(output).with_context(|| format!("create {}", output.display()))?;
    Ok(Box::new(file))
}

/// Shows how far it is, for large captures and whoever looks.
fn bar(size: Option<u64>, quiet: bool) -> ProgressBar {
    let Some(size) = size.filter(|&size| size >= LARGE && !quiet && io::stderr().is_terminal()) else {
        return ProgressBar::hidden();
    };
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
