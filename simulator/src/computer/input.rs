//! What becomes of every value that a driver passes: each argument of an export, and each field of a structure that one
//! points at, is a row beside the export.
//!
//! A value without a model stops the machine by name, before the export runs. So nothing is taken, kept and forgotten. The
//! rows are also the text of `docs/imports.md` (`cli/imports.rs` writes it).

use super::{Call, Export, memory};

/// One value that a driver passes.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name in Microsoft's headers: `Flags`, or `Config.DispatchType` for a field of what `Config` points at.
    pub name: &'static str,
    /// Where it is.
    pub at: At,
    /// What becomes of it.
    pub takes: Takes,
}

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// It is this argument, counted from 0. (The functions of KMDF's table have the driver's globals as their argument 0.)
    Argument(u8),
    /// It lies at `offset` in the structure that this argument points at. NULL has no fields.
    Field {
        /// The argument.
        argument: u8,
        /// How many bytes into the structure.
        offset: u16,
    },
    /// The same, but the structure begins with its own size, and older ones may end before the field.
    Sized {
        /// The argument.
        argument: u8,
        /// How many bytes into the structure.
        offset: u16,
    },
    /// It is this argument or one behind it: the export takes as many as its caller likes.
    From(u8),
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// It is used: the test named here shows that another outcome comes of another value.
    Used {
        /// The path of a test, from the crate.
        shown_by: &'static str,
    },
    /// Only these are modelled; another one stops the machine.
    Values {
        /// How many bytes it has.
        width: u8,
        /// The values.
        legal: &'static [u64],
        /// Who says that they are legal, and what they mean.
        source: &'static str,
    },
    /// A GUID, of which only these are modelled; another one stops the machine.
    Keys {
        /// The GUIDs, their bytes as one number.
        legal: &'static [u128],
        /// Who says that they are legal, and what they mean.
        source: &'static str,
    },
    /// Only these bits are modelled; another one stops the machine.
    Flags {
        /// How many bytes it has.
        width: u8,
        /// The bits.
        legal: u64,
        /// Who says that they are legal, and what they mean.
        source: &'static str,
    },
    /// The export itself looks at all values, and refuses an unknown one as Windows does.
    Refused {
        /// The path of a test that shows it, from the crate.
        shown_by: &'static str,
        /// Who says how Windows refuses it.
        source: &'static str,
    },
    /// Every value does the same, and may.
    Ignored {
        /// Who allows that.
        because: &'static str,
    },
    /// What becomes of it is written nowhere.
    Guess {
        /// What the simulator takes for granted.
        that: &'static str,
    },
}

/// A value that still has to be said something about.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    name: &'static str,
    at: At,
}

/// Argument `n`, counted from 0.
#[must_use]
pub const fn argument(n: u8, name: &'static str) -> Place {
    Place { name, at: At::Argument(n) }
}

/// A field of the structure that argument `n` points at.
#[must_use]
pub const fn field(n: u8, offset: u16, name: &'static str) -> Place {
    Place { name, at: At::Field { argument: n, offset } }
}

/// A field that older structures, which argument `n` points at, lack.
#[must_use]
pub const fn sized_field(n: u8, offset: u16, name: &'static str) -> Place {
    Place { name, at: At::Sized { argument: n, offset } }
}

/// Argument `n` and all that follow it.
#[must_use]
pub const fn from(n: u8, name: &'static str) -> Place {
    Place { name, at: At::From(n) }
}

impl Place {
    /// It is used, as this test shows.
    #[must_use]
    pub const fn used(self, shown_by: &'static str) -> Input {
        self.takes(Takes::Used { shown_by })
    }

    /// Of `width` bytes; only these values are modelled.
    #[must_use]
    pub const fn values(self, width: u8, legal: &'static [u64], source: &'static str) -> Input {
        self.takes(Takes::Values { width, legal, source })
    }

    /// A GUID; only these are modelled.
    #[must_use]
    pub const fn keys(self, legal: &'static [u128], source: &'static str) -> Input {
        self.takes(Takes::Keys { legal, source })
    }

    /// Of `width` bytes; only these bits are modelled.
    #[must_use]
    pub const fn flags(self, width: u8, legal: u64, source: &'static str) -> Input {
        self.takes(Takes::Flags { width, legal, source })
    }

    /// The export refuses unknown values as Windows does, which this test shows.
    #[must_use]
    pub const fn refused(self, shown_by: &'static str, source: &'static str) -> Input {
        self.takes(Takes::Refused { shown_by, source })
    }

    /// Every value does the same, and may.
    #[must_use]
    pub const fn ignored(self, because: &'static str) -> Input {
        self.takes(Takes::Ignored { because })
    }

    /// What becomes of it is written nowhere.
    #[must_use]
    pub const fn guess(self, that: &'static str) -> Input {
        self.takes(Takes::Guess { that })
    }

    const fn takes(self, takes: Takes) -> Input {
        let Self { name, at } = self;
        Input { name, at, takes }
    }
}

/// Stops the machine for the first value of a call that is not modelled.
pub(super) fn check(call: &Call<'_>, export: &Export) {
    for Input { name, at, takes } in export.inputs {
        let number = |value: u64| format!("{value:#x}");
        let (odd, source) = match *takes {
            Takes::Values { width, legal, source } => {
                (at.read(call, width).filter(|value| !legal.contains(value)).map(number), source)
            }
            Takes::Flags { width, legal, source } => {
                (at.read(call, width).filter(|value| value & !legal != 0).map(number), source)
            }
            Takes::Keys { legal, source } => (at.read_key(call).filter(|key| !legal.contains(key)).map(guid), source),
            _ => continue,
        };
        if let Some(odd) = odd {
            call.not_modelled(&format!("{name} = {odd} of {} ({source})", export.name));
        }
    }
}

/// A GUID as it is written down.
pub(crate) fn guid(key: u128) -> String {
    let bytes = key.to_le_bytes();
    let [d1, d2, d3] = [(key as u32), (key >> 32) as u32 & 0xFFFF, (key >> 48) as u32 & 0xFFFF];
    let mut rest = [0; 8];
    rest[2..].copy_from_slice(&bytes[10..]);
    format!("{d1:08x}-{d2:04x}-{d3:04x}-{:02x}{:02x}-{:012x}", bytes[8], bytes[9], u64::from_be_bytes(rest))
}

impl At {
    /// The GUID of a call, as [`Self::read`].
    fn read_key(self, call: &Call<'_>) -> Option<u128> {
        let Self::Field { argument, offset } = self else { return None };
        let structure = call.arg(argument.into());
        let [low, high]: [u64; 2] =
            memory::read(structure.checked_add(offset.into()).filter(|_| structure != 0)?).ok()?;
        Some(u128::from(low) | u128::from(high) << 64)
    }

    /// The value of a call; `None` where there is none, or where it cannot be read: that is for the export to complain about.
    fn read(self, call: &Call<'_>, width: u8) -> Option<u64> {
        match self {
            Self::Argument(n) | Self::From(n) => Some(call.arg(n.into()) & mask(width)),
            Self::Field { argument, offset } | Self::Sized { argument, offset } => {
                let structure = call.arg(argument.into());
                if structure == 0 {
                    return None;
                }
                if matches!(self, Self::Sized { .. }) {
                    let reaches = u64::from(memory::read::<u32>(structure).ok()?);
                    (u64::from(offset) + u64::from(width) <= reaches).then_some(())?;
                }
                let at = structure.wrapping_add(offset.into());
                let read = match width {
                    1 => memory::read::<u8>(at).map(u64::from),
                    2 => memory::read::<u16>(at).map(u64::from),
                    4 => memory::read::<u32>(at).map(u64::from),
                    _ => memory::read::<u64>(at),
                };
                read.ok()
            }
        }
    }
}

/// All bits of a value of `width` bytes.
pub(super) const fn mask(width: u8) -> u64 {
    u64::MAX >> (64 - 8 * width as u32)
}
