//! `flowtag log`: events as they come.
//!
//! - [`Filter`]: which of them.
//! - [`Format`]: how each is written; [`text`] is for people.
//! - [`Rotating`]: a file that does not grow for ever.

mod csv_format;
mod filter;
mod rotating;
mod text;

use crate::{event::Told, output::Unwritable, source::json};

pub use filter::{Filter, Wanted};
pub use rotating::Rotating;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line of JSON each, which `flowtag` reads again.
    Json,
    /// A row each; a column for every field there is.
    Csv,
    /// A line for people.
    Text,
}

impl Format {
    /// What stands before the first event, with its end of line; nothing for most.
    #[must_use]
    pub fn head(self) -> String {
        match self {
            Self::Csv => csv_format::head(),
            Self::Json | Self::Text => String::new(),
        }
    }

    /// An event, with its end of line.
    #[must_use]
    pub fn line(self, told: &Told) -> String {
        match self {
            Self::Json => json::line(told) + "\n",
            Self::Csv => csv_format::line(told),
            Self::Text => text::line(told) + "\n",
        }
    }
}

/// A table that cannot be written, because its output takes no more.
#[must_use]
pub fn unwritable(error: csv::Error) -> Unwritable {
    std::io::Error::from(error).into()
}
