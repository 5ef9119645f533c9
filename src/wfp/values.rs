//! Reads the fixed values of a classify call. Any of them may be missing: on a reauthorization Windows leaves
//! `FWP_EMPTY` in fields it does not know at that time.
//!
//! IRQL: that at which the classify was entered
use core::slice;

use super::ffi::{
    FWP_BYTE_ARRAY16_TYPE, FWP_SID, FWP_UINT8, FWP_UINT16, FWP_UINT32, FWP_VALUE0,
    FWPS_FIELD_ALE_AUTH_CONNECT_V4_ALE_PACKAGE_ID, FWPS_INCOMING_VALUES0,
};
use crate::package;

/// As many values as any reader of this driver asks for; each of its layers has more (`FWPS_FIELDS_…` of fwpsk.h).
const READ: usize = 34;

const _: () = assert!((FWPS_FIELD_ALE_AUTH_CONNECT_V4_ALE_PACKAGE_ID as usize) < READ);

/// The values of one classify call.
#[derive(Clone, Copy)]
pub struct Values<'a>(&'a [FWP_VALUE0; READ]);

impl<'a> Values<'a> {
    /// Wraps what the filter engine passed.
    ///
    /// # Safety
    /// `incomingValue` points to `valueCount` values, and each of them to what its type says, for as long as `'a`.
    #[must_use]
    pub const unsafe fn new(values: &'a FWPS_INCOMING_VALUES0) -> Self {
        // A list that is shorter than at any of our layers tells nothing. So the length is asked for once.
        let list = if values.valueCount as usize >= READ && !values.incomingValue.is_null() {
            // SAFETY: the caller's promise, and the list is long enough.
            unsafe { &*values.incomingValue.cast() }
        } else {
            const { &[FWP_VALUE0::EMPTY; READ] }
        };
        Self(list)
    }

    /// A value, if it is there and of this type.
    fn of_type(self, field: u32, r#type: u32) -> Option<&'a FWP_VALUE0> {
        self.0.get(field as usize).filter(|value| value.r#type == r#type)
    }

    /// An 8-bit value.
    #[must_use]
    pub fn u8(self, field: u32) -> Option<u8> {
        let value = self.of_type(field, FWP_UINT8)?;
        // SAFETY: the type says which member is valid.
        Some(unsafe { value.value.uint8 })
    }

    /// A 16-bit value, in host order.
    #[must_use]
    pub fn u16(self, field: u32) -> Option<u16> {
        let value = self.of_type(field, FWP_UINT16)?;
        // SAFETY: the type says which member is valid.
        Some(unsafe { value.value.uint16 })
    }

    /// A 32-bit value, in host order.
    #[must_use]
    pub fn u32(self, field: u32) -> Option<u32> {
        let value = self.of_type(field, FWP_UINT32)?;
        // SAFETY: the type says which member is valid.
        Some(unsafe { value.value.uint32 })
    }

    /// Sixteen bytes in network order, which is how an IPv6 address comes.
    #[must_use]
    pub fn bytes16(self, field: u32) -> Option<[u8; 16]> {
        let value = self.of_type(field, FWP_BYTE_ARRAY16_TYPE)?;
        // SAFETY: the type says which member is valid.
        let bytes = unsafe { value.value.byteArray16 };
        // SAFETY: `new` demands that the pointer is what the type says; `as_ref` sorts out NULL.
        unsafe { bytes.as_ref() }.copied()
    }

    /// The bytes of a security identifier. How many there are it says itself: what it says is believed only as far as such
    /// identifiers go.
    #[must_use]
    pub fn sid(self, field: u32) -> Option<&'a [u8]> {
        let value = self.of_type(field, FWP_SID)?;
        // SAFETY: the type says which member is valid.
        let sid = unsafe { value.value.sid };
        // SAFETY: `new` demands that the pointer is what the type says; `as_ref` sorts out NULL.
        let head = unsafe { sid.as_ref() }?;
        let length = package::sid_length(head.Revision, head.SubAuthorityCount)?;
        // SAFETY: a valid identifier has so many bytes (Win32, `GetSidLengthRequired`).
        Some(unsafe { slice::from_raw_parts(sid.cast(), length) })
    }
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use super::super::ffi::FWP_VALUE0_UNION;
    use super::*;

    static ADDRESS: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    /// As many values as a layer has, of which the first is this.
    fn first(value: FWP_VALUE0) -> [FWP_VALUE0; READ] {
        let mut list = [FWP_VALUE0::EMPTY; READ];
        list[0] = value;
        list
    }

    fn incoming(values: &[FWP_VALUE0]) -> FWPS_INCOMING_VALUES0 {
        FWPS_INCOMING_VALUES0 {
            layerId: 48,
            valueCount: u32::try_from(values.len()).unwrap(),
            incomingValue: values.as_ptr(),
        }
    }

    #[test]
    fn a_value_of_the_right_type_is_read() {
        let list = first(FWP_VALUE0 { r#type: FWP_UINT16, value: FWP_VALUE0_UNION { uint16: 443 } });
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.u16(0), Some(443));
    }

    #[test]
    fn a_value_of_another_type_is_missing() {
        let list = first(FWP_VALUE0 { r#type: FWP_UINT16, value: FWP_VALUE0_UNION { uint16: 443 } });
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.u32(0), None);
    }

    #[test]
    fn an_empty_value_is_missing() {
        let list = first(FWP_VALUE0::EMPTY);
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!((values.u8(0), values.u16(0), values.u32(0), values.bytes16(0)), (None, None, None, None));
        assert_eq!(values.sid(0), None);
    }

    #[test]
    fn a_list_that_is_too_short_for_a_layer_tells_nothing() {
        let list = first(FWP_VALUE0 { r#type: FWP_UINT8, value: FWP_VALUE0_UNION { uint8: 6 } });
        let short = FWPS_INCOMING_VALUES0 { valueCount: 33, ..incoming(&list) };
        // SAFETY: `short` describes the beginning of `list`.
        let values = unsafe { Values::new(&short) };
        assert_eq!(values.u8(0), None);
    }

    #[test]
    fn a_value_that_nobody_reads_is_missing() {
        let list = first(FWP_VALUE0::EMPTY);
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.u8(34), None);
    }

    #[test]
    fn no_list_of_values_is_no_values() {
        let incoming = FWPS_INCOMING_VALUES0 { layerId: 48, valueCount: 41, incomingValue: ptr::null() };
        // SAFETY: a NULL list is what this test is about.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.u8(5), None);
    }

    #[test]
    fn an_ipv6_address_is_read_through_its_pointer() {
        let list = first(FWP_VALUE0 {
            r#type: FWP_BYTE_ARRAY16_TYPE,
            value: FWP_VALUE0_UNION { byteArray16: &raw const ADDRESS },
        });
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.bytes16(0), Some(ADDRESS));
    }

    #[test]
    fn an_ipv6_address_without_bytes_is_missing() {
        let list =
            first(FWP_VALUE0 { r#type: FWP_BYTE_ARRAY16_TYPE, value: FWP_VALUE0_UNION { byteArray16: ptr::null() } });
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.bytes16(0), None);
    }
    /// What `sid` reads of an identifier in these bytes, which are aligned as Windows has them: not at all.
    fn sid_in(bytes: &[u8]) -> Option<Vec<u8>> {
        let list = first(FWP_VALUE0 { r#type: FWP_SID, value: FWP_VALUE0_UNION { sid: bytes.as_ptr().cast() } });
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        values.sid(0).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_security_identifier_is_as_long_as_it_says() {
        let mut bytes = [0; 68];
        bytes[0] = 1;
        for (sub_authorities, length) in [(0, 8), (1, 12), (8, 40), (15, 68)] {
            bytes[1] = sub_authorities;
            assert_eq!(sid_in(&bytes).as_deref(), Some(&bytes[..length]));
        }
    }

    #[test]
    fn what_cannot_be_a_security_identifier_is_missing() {
        assert_eq!(sid_in(&[1, 16, 0, 0, 0, 0, 0, 5]), None);
        assert_eq!(sid_in(&[0, 1, 0, 0, 0, 0, 0, 5]), None);
        assert_eq!(sid_in(&[2, 1, 0, 0, 0, 0, 0, 5]), None);
    }

    #[test]
    fn a_security_identifier_that_is_not_there_is_missing() {
        let list = first(FWP_VALUE0 { r#type: FWP_SID, value: FWP_VALUE0_UNION { sid: ptr::null() } });
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.sid(0), None);
    }

    #[test]
    fn the_last_value_that_anybody_reads_is_read() {
        let mut list = [FWP_VALUE0::EMPTY; READ];
        list[33] = FWP_VALUE0 { r#type: FWP_UINT8, value: FWP_VALUE0_UNION { uint8: 6 } };
        let incoming = incoming(&list);
        // SAFETY: `incoming` describes `list`.
        let values = unsafe { Values::new(&incoming) };
        assert_eq!(values.u8(33), Some(6));
    }
}
