//! What the user calls a source: a file, `-`, or what only Windows has.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{Events, Hints, growing::Growing};

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
            Self::Live => Err(NotHere::Live),
            Self::Input => Ok(Events::new(name, io::stdin(), hints)),
            Self::File(path) if is_etl(path) => Err(NotHere::Etl(name)),
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
