//! A call that fails, as it is written on the command line.

use std::{fmt, str::FromStr};

use anyhow::Context;
use flowtag_simulator::{computer::faults::StackFault, windows};
use serde::{Deserialize, Serialize};

/// The name of an import that the simulator has. Serde would borrow a reference that is written out from what it reads.
pub type ImportName = &'static str;

/// A call that fails: `import@stack#nth`, with `=status` where the import returns an NTSTATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fault {
    /// The import's name.
    pub import: ImportName,
    /// Which call fails, and how.
    pub at: StackFault,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { import, at: StackFault { stack, nth, status } } = self;
        write!(f, "{import}@{stack:016x}#{nth}")?;
        status.map_or(Ok(()), |status| write!(f, "={status:#010x}"))
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

impl TryFrom<String> for Fault {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).with_context(|| format!("“{text}” names no fault: they look like import@stack#nth=status"))
    }
}

fn parse(text: &str) -> anyhow::Result<Fault> {
    let (call, status) = text.split_once('=').map_or((text, None), |(call, status)| (call, Some(status)));
    let (import, place) = call.split_once('@').context("there is no @")?;
    let (stack, nth) = place.split_once('#').context("there is no #")?;
    let import = windows::imports().named(import).context("the simulator has no such import")?.name;
    let status = status.map(|status| hexadecimal(status).and_then(|status| Ok(u32::try_from(status)?))).transpose()?;
    Ok(Fault { import, at: StackFault { stack: hexadecimal(stack)?, nth: nth.parse()?, status } })
}

fn hexadecimal(text: &str) -> anyhow::Result<u64> {
    Ok(u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_as_it_is_written() {
        for status in [None, Some(0xC000_009A)] {
            let at = StackFault { stack: 0x0123_4567_89AB_CDEF, nth: 8, status };
            let fault = Fault { import: "ExAllocatePool2", at };
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault);
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_form_that_is_wanted() {
        for text in ["", "ExAllocatePool2", "ExAllocatePool2@12", "Nonsense@12#1", "ExAllocatePool2@12#x"] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains("import@stack#nth=status"), "{text}: {error}");
        }
    }
}
