//! `flowtag log`.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};
use ipnet::IpNet;

use super::{input::SourceArgs, outcome::Outcome};
use crate::{
    flows::{ICMP, ICMPV6, TCP, UDP},
    log::{Filter, Format, Rotating, Wanted},
    output::Unwritable,
};

const EXAMPLES: &str = "\
Examples:
  flowtag log --from flows.jsonl --process curl
  flowtag log --from dbgview.log --json > flows.jsonl
  flowtag log --from flows.jsonl --remote 93.184.216.0/24 --proto tcp --csv --output talks.csv --max-size 10M

Names and order of fields are those of docs/events.md. --process, --remote and --proto may be given several times; each kind has to
fit, and events about the driver are left out then.";

/// Write events as they come: as text, as JSON Lines or as a table.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// Only flows of this program or process id, with their packets
    #[arg(long, value_name = "NAME|PID")]
    process: Vec<String>,
    /// Only flows whose other end is this address, or in this network
    #[arg(long, value_name = "CIDR", value_parser = network)]
    remote: Vec<IpNet>,
    /// Only flows of this protocol: tcp, udp, icmp, icmpv6 or a number
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol)]
    proto: Vec<u8>,
    /// Write to a file; one that is there is gone on with
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Put the file aside as FILE.1 when it would get larger than this: bytes, or with K, M or G
    #[arg(long, value_name = "SIZE", requires = "output", value_parser = size)]
    max_size: Option<u64>,
    /// How many files that were put aside are kept
    #[arg(long, value_name = "COUNT", requires = "max_size", default_value_t = 5)]
    keep: u32,
}

#[derive(Clone, Copy, Debug, clap::Args)]
#[group(multiple = false)]
struct FormatArgs {
    /// A line of JSON for each event, which flowtag reads again
    #[arg(long)]
    json: bool,
    /// A table with a column for each field
    #[arg(long)]
    csv: bool,
    /// A line for people; the default
    #[arg(long)]
    text: bool,
}

/// Where lines go.
enum Sink {
    Output(io::StdoutLock<'static>),
    File(Box<Rotating>),
}

pub(super) fn run(arguments: &Args) -> Result<Outcome> {
    let format = match arguments.format {
        FormatArgs { json: true, .. } => Format::Json,
        FormatArgs { csv: true, .. } => Format::Csv,
        FormatArgs { .. } => Format::Text,
    };
    let mut input = arguments.source.open()?;
    let mut sink = Sink::open(arguments, format)?;
    let mut filter = Filter::new(Wanted {
        processes: arguments.process.clone(),
        remotes: arguments.remote.clone(),
        protocols: arguments.proto.clone(),
    });
    while let Some(told) = input.next_told()? {
        if filter.takes(&told.event) {
            sink.write(&format.line(&told))?;
        }
    }
    Ok(input.end())
}

impl Sink {
    fn open(arguments: &Args, format: Format) -> Result<Self> {
        let head = format.head();
        let Some(path) = &arguments.output else {
            let mut output = Self::Output(io::stdout().lock());
            output.write(&head)?;
            return Ok(output);
        };
        let file = Rotating::open(path, arguments.max_size, arguments.keep, head);
        let file = file.with_context(|| format!("open {}", path.display()))?;
        Ok(Self::File(Box::new(file)))
    }

    /// A line goes out at once: whoever reads it may wait for it.
    fn write(&mut self, line: &str) -> Result<(), Unwritable> {
        match self {
            Self::Output(output) => {
                output.write_all(line.as_bytes())?;
                Ok(output.flush()?)
            }
            Self::File(file) => Ok(file.write(line)?),
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "it is no address and no network such as 10.0.0.0/8".into())
}

fn protocol(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "icmp" => Ok(ICMP),
        "tcp" => Ok(TCP),
        "udp" => Ok(UDP),
        "icmpv6" => Ok(ICMPV6),
        number => number.parse().map_err(|_| "it is none of tcp, udp, icmp, icmpv6, and no number".into()),
    }
}

/// Bytes, or thousands of 1024 of them.
fn size(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.filter(|&bytes| bytes > 0).ok_or_else(|| "it is no size such as 500000, 64K, 10M or 1G".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(["7", "64K", "10m", "1G"].map(|text| size(text).unwrap()), [7, 65_536, 10 << 20, 1 << 30]);
        for text in ["", "K", "0", "-1", "1T", "99999999999999999999", "18446744073709551615K"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("10.0.0.5").unwrap().to_string(), "10.0.0.5/32");
        assert_eq!(network("2001:db8::/32").unwrap().to_string(), "2001:db8::/32");
        assert!(network("10.0.0").is_err());
    }
}
