//! Reads the fixed values of a classify call. Any of them may be missing: on a reauthorization Windows leaves
//! `FWP_EMPTY` in fields it does not know at that time.
//!
//! IRQL: that at which the classify was entered
use super::ffi::{
    FWP_BYTE_ARRAY16_TYPE, FWP_UINT8, FWP_UINT16, FWP_UINT32, FWP_VALUE0, FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS,
    FWPS_INCOMING_VALUES0,
};

/// As many values as any reader of this driver asks for; each of its layers has more (`FWPS_FIELDS_…` of fwpsk.h).
const READ: usize = 13;

const _: () = assert!((FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS as usize) < READ);

/// The values of one classify call.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    layer: u16,
    list: &'a [FWP_VALUE0; READ],
}

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
        Self { layer: values.layerId, list }
    }

    /// Run-time id of the layer that classifies.
    #[must_use]
    pub const fn layer(self) -> u16 {
        self.layer
    }

    /// A value, if it is there and of this type.
    fn of_type(self, field: u32, r#type: u32) -> Option<&'a FWP_VALUE0> {
        self.list.get(field as usize).filter(|value| value.r#type == r#type)
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
    }

    #[test]
    fn a_list_that_is_too_short_for_a_layer_tells_nothing() {
        let list = first(FWP_VALUE0 { r#type: FWP_UINT8, value: FWP_VALUE0_UNION { uint8: 6 } });
        let short = FWPS_INCOMING_VALUES0 { valueCount: 12, ..incoming(&list) };
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
        assert_eq!(values.u8(13), None);
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
}
