//! The settings: values of the `Parameters` key below the driver's service key, read once at load.
use crate::trace::level;

/// One `REG_DWORD` value.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the registry.
    pub name: &'static str,
    /// What an absent or unreadable value stands for.
    pub default: u32,
    /// Least value.
    pub minimum: u32,
    /// Greatest value.
    pub maximum: u32,
    /// A number out of bounds stands for: the nearest bound, or the default.
    clamped: bool,
}

/// How much is traced.
pub const TRACE_LEVEL: Setting =
    Setting { name: "TraceLevel", default: level::FIRST_PACKETS, minimum: 0, maximum: level::PACKETS, clamped: false };

/// Slots of the ring. Whoever asks for too many wants many, so the nearest bound is closer than the default.
pub const MAX_FLOWS: Setting =
    Setting { name: "MaxFlows", default: 65_536, minimum: 16, maximum: 1 << 20, clamped: true };

/// What the registry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// No such value.
    Absent,
    /// A number.
    Number(u32),
    /// Something that cannot be read as a number.
    Unreadable,
}

/// What is used, and whether that is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The value that is used.
    pub used: u32,
    /// Whether the stored value was refused.
    pub refused: bool,
}

impl Setting {
    /// Decides what to use.
    #[must_use]
    pub fn choose(&self, stored: Stored) -> Choice {
        match stored {
            Stored::Absent => Choice { used: self.default, refused: false },
            Stored::Number(number) if (self.minimum..=self.maximum).contains(&number) => {
                Choice { used: number, refused: false }
            }
            Stored::Number(number) if self.clamped => {
                Choice { used: number.max(self.minimum).min(self.maximum), refused: true }
            }
            Stored::Number(_) | Stored::Unreadable => Choice { used: self.default, refused: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_value_is_the_default_without_complaint() {
        assert_eq!(TRACE_LEVEL.choose(Stored::Absent), Choice { used: 2, refused: false });
    }

    #[test]
    fn an_unreadable_value_is_the_default_with_a_complaint() {
        assert_eq!(MAX_FLOWS.choose(Stored::Unreadable), Choice { used: 65_536, refused: true });
    }

    #[test]
    fn a_good_value_is_used() {
        assert_eq!(TRACE_LEVEL.choose(Stored::Number(3)), Choice { used: 3, refused: false });
    }

    #[test]
    fn the_bounds_themselves_are_good() {
        assert_eq!(MAX_FLOWS.choose(Stored::Number(16)), Choice { used: 16, refused: false });
        assert_eq!(MAX_FLOWS.choose(Stored::Number(1 << 20)), Choice { used: 1 << 20, refused: false });
    }

    #[test]
    fn too_high_a_trace_level_is_the_default() {
        assert_eq!(TRACE_LEVEL.choose(Stored::Number(4)), Choice { used: 2, refused: true });
    }

    #[test]
    fn too_many_flows_are_as_many_as_can_be() {
        assert_eq!(MAX_FLOWS.choose(Stored::Number(u32::MAX)), Choice { used: 1 << 20, refused: true });
    }

    #[test]
    fn too_few_flows_are_as_few_as_can_be() {
        assert_eq!(MAX_FLOWS.choose(Stored::Number(0)), Choice { used: 16, refused: true });
    }
}
