//! An interface: its link type, and what its times mean (draft-ietf-opsawg-pcapng, "Interface Description Block").

use super::{Block, options};
use crate::time::Time;

const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// 100 ns in a second.
const SECOND: i128 = 10_000_000;
/// From 1601 to 1970, in units of 100 ns (Win32 "Converting a `time_t` Value to a File Time").
const UNIX: i128 = 116_444_736_000_000_000;

/// An interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// How its packets begin.
    pub link_type: u16,
    /// How many of its units of time there are in a second.
    per_second: i128,
    /// What is to be added to its times, in units of 100 ns.
    offset: i128,
}

impl Interface {
    /// The interface of such a block; `None` if it is too short. Options that are no options are as none.
    #[must_use]
    pub fn read(block: &Block<'_>) -> Option<Self> {
        let (body, order) = (block.body(), block.order);
        let link_type = order.u16_at(body, 0)?;
        let listed = body.get(8..)?;
        // If nothing is said, microseconds.
        let mut interface = Self { link_type, per_second: 1_000_000, offset: 0 };
        let _ = options::read(listed, order, |option| match (option.code, option.value) {
            (IF_TSRESOL, &[resolution]) => interface.per_second = per_second(resolution),
            (IF_TSOFFSET, value) => {
                if let Some(&seconds) = value.first_chunk() {
                    interface.offset = i128::from(order.u64(seconds).cast_signed()) * SECOND;
                }
            }
            _ => {}
        });
        Some(interface)
    }

    /// When a packet was captured that has this for a time.
    #[must_use]
    pub fn time(&self, units: u64) -> Time {
        let units = i128::from(units);
        let since_1970 = match self.per_second {
            1_000_000 => units * 10,
            1_000_000_000 => units / 100,
            per_second => units * SECOND / per_second,
        };
        let time = since_1970 + self.offset + UNIX;
        Time(u64::try_from(time.max(0)).unwrap_or(u64::MAX))
    }
}

/// A negative power of ten, or with the highest bit of two. Beyond what is of use, as fine as it can be counted.
fn per_second(resolution: u8) -> i128 {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 { 10_i128.pow(power.min(30)) } else { 1 << power.min(100) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Order, kind};

    /// An interface of Ethernet with these options.
    fn interface(order: Order, listed: &[(u16, &[u8])]) -> Interface {
        let mut bytes = vec![0; 8];
        bytes.extend(order.bytes16(1));
        bytes.extend([0; 6]);
        for (code, value) in listed {
            options::append(&mut bytes, order, *code, value);
        }
        bytes.extend([0; 4]);
        Interface::read(&Block { kind: kind::INTERFACE, bytes: &bytes, order, offset: 0 }).unwrap()
    }

    const SECONDS: u64 = 1_764_488_751;

    #[test]
    fn a_time_is_counted_in_microseconds_if_nothing_is_said() {
        let interface = interface(Order::Little, &[(2, b"eth0")]);
        assert_eq!(interface.link_type, 1);
        assert_eq!(interface.time(SECONDS * 1_000_000 + 123_456).to_string(), "2025-11-30T07:45:51.1234560Z");
    }

    #[test]
    fn a_time_is_counted_as_the_interface_says() {
        for (resolution, units) in [
            (0, SECONDS),
            (3, SECONDS * 1000),
            (7, SECONDS * 10_000_000),
            (9, SECONDS * 1_000_000_000),
            (0x8a, SECONDS << 10),
        ] {
            let interface = interface(Order::Big, &[(9, &[resolution])]);
            assert_eq!(interface.time(units).to_string(), "2025-11-30T07:45:51.0000000Z", "{resolution:#x}");
        }
    }

    #[test]
    fn an_offset_is_added_and_may_be_negative() {
        for order in [Order::Little, Order::Big] {
            for (offset, expected) in [(10_i64, "2025-11-30T07:46:01"), (-51, "2025-11-30T07:45:00")] {
                let bytes = match order {
                    Order::Little => offset.to_le_bytes(),
                    Order::Big => offset.to_be_bytes(),
                };
                let interface = interface(order, &[(14, &bytes)]);
                assert!(interface.time(SECONDS * 1_000_000).to_string().starts_with(expected));
            }
        }
    }

    #[test]
    fn no_resolution_and_no_time_is_too_strange() {
        for resolution in 0..=u8::MAX {
            for units in [0, 1, u64::MAX] {
                let _ = interface(Order::Little, &[(9, &[resolution]), (14, &[0xff; 8])]).time(units);
            }
        }
    }
}
