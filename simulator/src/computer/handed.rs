//! Where every value that the simulator hands to a driver comes from.

/// One value that a driver is handed: a field of an object, an argument of a callback.
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    /// What it is a part of: `DRIVER_OBJECT`, or `classifyFn` for the arguments of a callback.
    pub of: &'static str,
    /// Its name in Microsoft's headers.
    pub name: &'static str,
    /// What the driver finds there, in a word or two.
    pub is: &'static str,
    /// Who says so.
    pub source: Source,
}

/// Who says what a driver is handed.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// This document, header or source.
    Cited(&'static str),
    /// Nobody; this is taken for granted.
    Guess(&'static str),
}

/// A value with a source.
#[must_use]
pub const fn cited(of: &'static str, name: &'static str, is: &'static str, source: &'static str) -> Handed {
    Handed { of, name, is, source: Source::Cited(source) }
}

/// A value without one.
#[must_use]
pub const fn guessed(of: &'static str, name: &'static str, is: &'static str, that: &'static str) -> Handed {
    Handed { of, name, is, source: Source::Guess(that) }
}
