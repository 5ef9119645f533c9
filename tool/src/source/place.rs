//! What the user calls a source: a file, `-`, or what only Windows has.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

#[cfg(windows)]
use super::etw;
use super::{Events, Hints, Service, growing::Growing};

/// A place where events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// Standard input, `-`.
    Input,
    /// The driver, as it runs: `live`.
    Live,
}

/// Why the place cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NotHere {
    /// There is no session of ETW here.
    #[error(
        "live events are there on Windows only: give --from FILE, a file of `flowtag log --json`, of `flowtag-sim --events`, or a \
         saved log of trace lines"
    )]
    Live,
    /// An .etl file can be read by Windows only.
    #[error(
        "{0}: an .etl file can be read on Windows only: there, `flowtag log --from FILE.etl --json > flows.jsonl`, and give that \
         file here"
    )]
    Etl(String),
    /// Windows does not give it.
    #[error("{name}: {why}")]
    Etw {
        /// What it is called.
        name: String,
        /// Why, and what to do.
        why: String,
    },
    /// A file cannot be opened.
    #[error("open {name}: {error}")]
    File {
        /// Its name.
        name: String,
        /// What the system said.
        error: io::Error,
    },
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "-" => Self::Input,
            "live" => Self::Live,
            path => Self::File(path.into()),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Input => formatter.write_str("standard input"),
            Self::Live => formatter.write_str("live"),
        }
    }
}

impl Place {
    /// Its events.
    ///
    /// # Errors
    /// It cannot be opened, or not on this system.
    pub fn open(&self, hints: Hints) -> Result<Events<'static>, NotHere> {
        let name = self.to_string();
        match self {
            Self::Live => live(name, hints),
            Self::Input => Ok(Events::new(name, io::stdin(), hints)),
            Self::File(path) if is_etl(path) => recorded(name, path),
            Self::File(path) => match File::open(path) {
                Ok(file) => Ok(Events::new(name, file, hints)),
                Err(error) => Err(NotHere::File { name, error }),
            },
        }
    }

    /// Its events, and those that are added to a file later: they have no end.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn follow(&self, hints: Hints) -> Result<Events<'static>, NotHere> {
        match self {
            Self::File(path) if !is_etl(path) => match Growing::open(path.clone()) {
                Ok(file) => Ok(Events::new(self.to_string(), file, hints)),
                Err(error) => Err(NotHere::File { name: self.to_string(), error }),
            },
            _ => self.open(hints),
        }
    }

    /// The services that run now where its events come from. Nobody can tell them of what was recorded; and none are told where Windows
    /// refuses.
    #[must_use]
    pub fn running_services(&self) -> Vec<Service> {
        match self {
            Self::Live => running_services(),
            _ => Vec::new(),
        }
    }
}

#[cfg(windows)]
fn running_services() -> Vec<Service> {
    etw::services::running().unwrap_or_default()
}

#[cfg(windows)]
fn live(name: String, hints: Hints) -> Result<Events<'static>, NotHere> {
    from_etw(etw::live(&name, hints.packets), name)
}

#[cfg(windows)]
fn recorded(name: String, path: &Path) -> Result<Events<'static>, NotHere> {
    // It is Windows that opens it, and says less when it cannot.
    match File::open(path) {
        Ok(_) => from_etw(etw::file(&name, path), name),
        Err(error) => Err(NotHere::File { name, error }),
    }
}

#[cfg(windows)]
fn from_etw(stream: Result<etw::Stream, etw::Failure>, name: String) -> Result<Events<'static>, NotHere> {
    match stream {
        Ok(stream) => Ok(Events { name, stop: stream.stop(), told: Box::new(stream) }),
        Err(why) => Err(NotHere::Etw { name, why: why.to_string() }),
    }
}

#[cfg(not(windows))]
fn running_services() -> Vec<Service> {
    Vec::new()
}

#[cfg(not(windows))]
fn live(_name: String, _hints: Hints) -> Result<Events<'static>, NotHere> {
    Err(NotHere::Live)
}

#[cfg(not(windows))]
fn recorded(name: String, _path: &Path) -> Result<Events<'static>, NotHere> {
    Err(NotHere::Etl(name))
}

fn is_etl(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("etl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(place: &str) -> String {
        let Ok(place) = place.parse::<Place>();
        place.open(Hints::default()).err().expect("it cannot be opened").to_string()
    }

    #[cfg(not(windows))]
    #[test]
    fn what_only_windows_has_says_what_to_give_here() {
        assert!(refused("live").contains("--from FILE"));
        assert!(refused("trace.ETL").contains("flowtag log --from FILE.etl --json"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        assert!(refused("/nowhere/flows.jsonl").contains("/nowhere/flows.jsonl"));
        let followed = Place::File("/nowhere/flows.jsonl".into()).follow(Hints::default());
        assert!(followed.err().expect("it is not there").to_string().contains("/nowhere/flows.jsonl"));
    }
}
