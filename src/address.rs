//! Addresses as text. IPv6 is written as RFC 5952 asks.
//!
//! IRQL: any: nothing here calls the kernel
use crate::line::Line;

/// Appends an IPv4 address.
pub fn v4(line: &mut Line, address: [u8; 4]) {
    // In one piece: to append takes longer than to write.
    let mut text = [0; 16];
    let mut length: usize = 0;
    let mut put = |sign: u8| {
        if let Some(place) = text.get_mut(length) {
            *place = sign;
            length = length.wrapping_add(1);
        }
    };
    for byte in address {
        if byte >= 100 {
            put(b'0'.wrapping_add(byte / 100));
        }
        if byte >= 10 {
            put(b'0'.wrapping_add(byte / 10 % 10));
        }
        put(b'0'.wrapping_add(byte % 10));
        put(b'.');
    }
    line.bytes(text.get(..length.wrapping_sub(1)).unwrap_or_default());
}

/// Appends an IPv6 address: lower case, no leading zeros, the first of the longest runs of zero groups as `::` unless
/// it is a single group, and IPv4-mapped addresses with their IPv4 part.
pub fn v6(line: &mut Line, address: [u8; 16]) {
    if let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] = address {
        line.text("::ffff:");
        return v4(line, [a, b, c, d]);
    }
    let value = u128::from_be_bytes(address);
    let zeros = longest_zeros(value);
    let mut colon = false;
    for index in 0..8 {
        if zeros.contains(&index) {
            if index == zeros.start {
                line.text("::");
            }
            colon = false;
        } else {
            if colon {
                line.byte(b':');
            }
            line.hexadecimal(group(value, index));
            colon = true;
        }
    }
}

/// One of the eight 16-bit groups, the leftmost first.
const fn group(address: u128, index: u32) -> u16 {
    (address >> (112_u32.wrapping_sub(index.wrapping_mul(16)) & 127) & 0xffff) as u16
}

/// The first of the longest runs of two or more zero groups; empty if there is none.
fn longest_zeros(address: u128) -> core::ops::Range<u32> {
    let mut longest = 0..0;
    let mut run = 0..0;
    for index in 0..8_u32 {
        if group(address, index) == 0 {
            run.end = index.wrapping_add(1);
            if run.len() > longest.len() && run.len() > 1 {
                longest = run.clone();
            }
        } else {
            run = index.wrapping_add(1)..index.wrapping_add(1);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::empty();
        write(&mut line);
        line.as_c_str().to_str().unwrap().to_owned()
    }

    fn v6_text(address: &str) -> String {
        written(|line| v6(line, address.parse::<Ipv6Addr>().unwrap().octets()))
    }

    #[test]
    fn leading_zeros_of_a_group_are_left_out() {
        assert_eq!(v6_text("2001:0db8:1:2:3:4:5:0006"), "2001:db8:1:2:3:4:5:6");
    }

    #[test]
    fn the_longest_run_of_zero_groups_is_shortened() {
        assert_eq!(v6_text("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");
    }

    #[test]
    fn the_first_of_two_equal_runs_is_shortened() {
        assert_eq!(v6_text("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
    }

    #[test]
    fn a_single_zero_group_is_not_shortened() {
        assert_eq!(v6_text("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
    }

    #[test]
    fn the_unspecified_address_is_two_colons() {
        assert_eq!(v6_text("::"), "::");
    }

    #[test]
    fn a_run_at_the_end_is_shortened() {
        assert_eq!(v6_text("fe80::"), "fe80::");
    }

    #[test]
    fn a_mapped_address_shows_its_ipv4_part() {
        assert_eq!(v6_text("::ffff:10.0.0.5"), "::ffff:10.0.0.5");
    }

    /// Groups that are often zero, so that runs of every length and place come up.
    fn groups() -> impl Strategy<Value = [u16; 8]> {
        prop::array::uniform8(prop_oneof![3 => Just(0), 2 => any::<u16>()])
    }

    proptest! {
        #[test]
        fn ipv6_is_written_as_rust_writes_it(groups in groups()) {
            let address = Ipv6Addr::from(groups);
            prop_assert_eq!(written(|line| v6(line, address.octets())), address.to_string());
        }

        #[test]
        fn ipv4_is_written_as_rust_writes_it(octets: [u8; 4]) {
            prop_assert_eq!(written(|line| v4(line, octets)), Ipv4Addr::from(octets).to_string());
        }
    }
}
