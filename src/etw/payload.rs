//! The data of one event, written without allocation: fields behind each other, as its metadata says, unaligned and little-endian.
//!
//! IRQL: any: nothing here calls the kernel
use crate::tag::{Address, Endpoint, Family};

/// More than the fields of any event take besides a path.
const CAPACITY: usize = 256;

/// Data under construction. What does not fit is left out.
pub struct Payload {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Payload {
    /// Nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { bytes: [0; CAPACITY], length: 0 }
    }

    /// What is written so far.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn all<const LENGTH: usize>(&mut self, bytes: [u8; LENGTH]) {
        if let Some(place) = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            *place = bytes;
            self.length = self.length.wrapping_add(LENGTH);
        }
    }

    /// Appends a number of one byte.
    pub fn u8(&mut self, number: u8) {
        self.all([number]);
    }

    /// Appends a number of four bytes.
    pub fn u32(&mut self, number: u32) {
        self.all(number.to_le_bytes());
    }

    /// Appends a number of eight bytes.
    pub fn u64(&mut self, number: u64) {
        self.all(number.to_le_bytes());
    }

    /// Appends a process id. Windows' are no longer than this (`EVENT_HEADER` of evntcons.h has them so).
    pub fn pid(&mut self, pid: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "as said above")]
        self.u32(pid as u32);
    }

    /// Appends bytes that say themselves how many they are.
    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        self.length = self.length.wrapping_add(room.len().min(bytes.len()));
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
    }

    /// Appends text that is ASCII, behind its length.
    pub fn text(&mut self, text: &str) {
        self.size(text.len());
        self.bytes(text.as_bytes());
    }

    /// Appends the size of what follows.
    pub fn size(&mut self, size: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "nothing here is that long")]
        self.all((size as u16).to_le_bytes());
    }

    /// Appends a socket address of this family: `SOCKADDR_IN` or `SOCKADDR_IN6` (ws2def.h, ws2ipdef.h), whose port is in
    /// network order. What is not known is zero.
    #[inline(never)]
    pub fn socket_address(&mut self, family: Family, endpoint: Endpoint) {
        const AF_INET: u8 = 2;
        const AF_INET6: u8 = 23;
        #[expect(clippy::cast_possible_truncation, reason = "it was made of 16 bits")]
        let [high, low] = (endpoint.port.get().unwrap_or_default() as u16).to_be_bytes();
        match family {
            Family::V4 => {
                let [a, b, c, d] = if let Address::V4(address) = endpoint.address { address } else { [0; 4] };
                self.all([16, 0, AF_INET, 0, high, low, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
            Family::V6 => {
                let address = if let Address::V6(address) = endpoint.address { address } else { [0; 16] };
                self.all([28, 0, AF_INET6, 0, high, low]);
                self.all([0; 4]); // flow label
                self.all(address);
                self.all([0; 4]); // scope, which is not told
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::Given;

    fn written(write: impl FnOnce(&mut Payload)) -> Vec<u8> {
        let mut payload = Payload::empty();
        write(&mut payload);
        payload.written().to_vec()
    }

    #[test]
    fn numbers_are_little_endian_and_behind_each_other() {
        let bytes = written(|payload| {
            payload.u8(1);
            payload.u32(0x0504_0302);
            payload.u64(0x0d0c_0b0a_0908_0706);
        });
        assert_eq!(bytes, (1..=13).collect::<Vec<u8>>());
    }

    #[test]
    fn text_is_behind_its_length() {
        assert_eq!(written(|payload| payload.text("abc")), b"\x03\0abc");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let bytes = written(|payload| {
            payload.bytes(&[7; CAPACITY - 1]);
            payload.u32(1);
            payload.bytes(&[8; 2]);
        });
        assert_eq!(bytes, [[7; CAPACITY - 1].as_slice(), &[8]].concat());
    }

    #[test]
    fn an_ipv4_address_is_a_sockaddr_in() {
        let endpoint = Endpoint { address: Address::V4([10, 0, 0, 5]), port: Given::number(443) };
        let expected = [16, 0, 2, 0, 1, 187, 10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(written(|payload| payload.socket_address(Family::V4, endpoint)), expected);
    }

    #[test]
    fn an_ipv6_address_is_a_sockaddr_in6() {
        let endpoint = Endpoint { address: Address::V6([0xfe; 16]), port: Given::number(443) };
        let mut expected = vec![28, 0, 23, 0, 1, 187, 0, 0, 0, 0];
        expected.extend([0xfe; 16]);
        expected.extend([0; 4]);
        assert_eq!(written(|payload| payload.socket_address(Family::V6, endpoint)), expected);
    }

    #[test]
    fn an_address_that_is_not_known_is_zero_in_its_family() {
        let endpoint = Endpoint { address: Address::Unknown, port: Given::NOTHING };
        for (family, head, rest) in [(Family::V4, [16, 0, 2, 0], 14), (Family::V6, [28, 0, 23, 0], 26)] {
            let expected = [head.as_slice(), &vec![0; rest]].concat();
            assert_eq!(written(|payload| payload.socket_address(family, endpoint)), expected);
        }
    }
}
