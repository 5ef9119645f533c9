//! `flowtag explain`.

use std::fmt::Write;

use anyhow::Result;

use super::{input::SourceArgs, outcome::Outcome};
use crate::{
    event::Process,
    flows::{Answer, Life, Lives, Owners, Sides, TOLERANCE, Table, Tuple},
    output,
    time::{MILLISECOND, Time},
};
use tuple::Words;

mod tuple;

const EXAMPLES: &str = "\
Examples:
  flowtag explain tcp 10.0.0.5:50123 93.184.216.34:443 --at 2026-11-30T07:45:51.2Z --from flows.jsonl
  flowtag explain icmp 10.0.0.5 93.184.216.34 type=8 code=0 --at 2026-11-30T07:45:51.2Z --from flows.jsonl

The tuple is a packet's: from whom to whom. Between both may stand an arrow (->) as in trace lines.";

/// Say whose a packet is, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Protocol, source and destination, as in: tcp 10.0.0.5:50123 93.184.216.34:443
    #[arg(required = true, value_name = "PACKET-TUPLE")]
    tuple: Vec<String>,
    /// When the packet was captured
    #[arg(long, value_name = "TIME")]
    at: Time,
    #[command(flatten)]
    source: SourceArgs,
    /// How much earlier or later than its flow's life a packet may be, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = TOLERANCE / MILLISECOND)]
    tolerance: u64,
}

pub(super) fn run(arguments: &Args) -> Result<Outcome> {
    let tuple = Words(&arguments.tuple).tuple()?;
    let mut input = arguments.source.open()?;
    let mut lives = Lives::default();
    while let Some(told) = input.next_told()? {
        lives.hear(&told);
    }
    let read = input.end();
    let flows: Vec<Life> = lives.all().iter().copied().filter(|life| is_of(life, &tuple)).collect();
    let table = Table::new(lives, arguments.tolerance.saturating_mul(MILLISECOND));
    let Sides { source, destination, are_both_here } = table.at(&tuple, arguments.at);
    let owners = table.owners();

    let mut text = String::new();
    let found = match (source, destination) {
        (Answer::Nobody, Answer::Nobody) => {
            text.push_str("no owner: no flow with these addresses and ports lived then\n");
            false
        }
        (Answer::Nobody, _) if are_both_here => {
            text.push_str("no owner: it was sent on this machine, where no flow of the sender lived then\n");
            false
        }
        (Answer::Several, _) | (Answer::Nobody, Answer::Several) => {
            text.push_str("no owner is claimed: two processes had these addresses and ports then\n");
            false
        }
        (Answer::Owner(owner), other) => {
            let _ = writeln!(text, "owner: {}, which sent it", named(owners.get(owner)));
            if let Answer::Owner(other) = other {
                let _ = writeln!(text, "received by: {}, on this machine, too", named(owners.get(other)));
            }
            true
        }
        (Answer::Nobody, Answer::Owner(owner)) => {
            let _ = writeln!(text, "owner: {}, which received it", named(owners.get(owner)));
            true
        }
    };
    text.push_str(&why(&flows, &tuple, arguments.at, owners));
    output::print(&text)?;
    Ok(read.and(if found { Outcome::Done } else { Outcome::Partly }))
}

/// Whether a flow has the tuple, one way or the other.
fn is_of(life: &Life, tuple: &Tuple) -> bool {
    life.tuple.is(tuple) || life.tuple.is(&tuple.back())
}

/// Each flow that has the tuple, with its life.
fn why(flows: &[Life], tuple: &Tuple, at: Time, owners: &Owners) -> String {
    let mut text = String::new();
    for life in flows {
        let side = if life.tuple.is(tuple) { "sent by" } else { "received by" };
        let _ = write!(text, "  {side} {}: ", named(owners.get(life.owner)));
        let older = if life.may_be_older { " or earlier" } else { "" };
        match (life.opened, life.closed) {
            (Time::FIRST, Time::LAST) => text.push_str("it is not told when"),
            (opened, Time::LAST) => {
                let _ = write!(text, "from {opened}{older}, its end was not told");
            }
            (opened, closed) => {
                let _ = write!(text, "from {opened}{older} to {closed}");
            }
        }
        text.push_str(match () {
            () if at < life.opened => "; the packet is earlier\n",
            () if at > life.closed => "; the packet is later\n",
            () => "; the packet is within\n",
        });
    }
    text
}

fn named(process: &Process) -> String {
    let path = if process.path.is_empty() { "path not known" } else { &process.path };
    format!("process {} ({path})", process.id)
}
