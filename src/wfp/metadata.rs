//! Reads the metadata of a classify call: plain members, each of which counts only while its presence bit is set.
//!
//! IRQL: that at which the classify was entered
use core::slice;

use super::ffi::{
    FWPS_INCOMING_METADATA_VALUES0, FWPS_METADATA_FIELD_COMPARTMENT_ID, FWPS_METADATA_FIELD_FLOW_HANDLE,
    FWPS_METADATA_FIELD_PROCESS_ID, FWPS_METADATA_FIELD_PROCESS_PATH, FWPS_METADATA_FIELD_SUB_PROCESS_TAG,
    FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE,
};

/// The metadata of one classify call.
#[derive(Clone, Copy)]
pub struct Metadata<'a>(&'a FWPS_INCOMING_METADATA_VALUES0);

impl<'a> Metadata<'a> {
    /// Wraps what the filter engine passed.
    ///
    /// # Safety
    /// If its bit is set, `processPath` points to a blob and the blob to its bytes for as long as `'a`.
    #[must_use]
    pub const unsafe fn new(metadata: &'a FWPS_INCOMING_METADATA_VALUES0) -> Self {
        Self(metadata)
    }

    const fn has(self, bit: u32) -> bool {
        self.0.currentMetadataValues & bit == bit
    }

    /// The flow that contexts can be associated with, and the process that owns its endpoint, which is not always the one
    /// in whose context the call runs. Both are listed for our layers, yet optional in each call.
    #[must_use]
    pub fn flow_and_process(self) -> Option<(u64, u64)> {
        let both = self.has(FWPS_METADATA_FIELD_FLOW_HANDLE | FWPS_METADATA_FIELD_PROCESS_ID);
        (both && self.0.flowHandle != 0).then_some((self.0.flowHandle, self.0.processId))
    }

    /// The bytes of the owner's path, UTF-16LE. They may be pageable and last only for this call.
    #[must_use]
    pub fn process_path(self) -> Option<&'a [u8]> {
        if !self.has(FWPS_METADATA_FIELD_PROCESS_PATH) {
            return None;
        }
        // SAFETY: the bit is set, so `new` promises a blob; `as_ref` sorts out NULL.
        let blob = unsafe { self.0.processPath.as_ref() }?;
        if blob.data.is_null() {
            return None;
        }
        // SAFETY: `new` promises that the blob's bytes are there.
        Some(unsafe { slice::from_raw_parts(blob.data, blob.size as usize) })
    }

    /// The service tag of the thread that made the endpoint; zero if it is not told, as for who is no service.
    ///
    /// The member is listed for the four authorization layers (WDK, "Metadata fields at each filtering layer"), and its own
    /// page says "Reserved" (DDI `FWPS_INCOMING_METADATA_VALUES0`). That it is the tag of the service, as `SubProcessTag` in the
    /// thread's environment block is, is a guess, which Microsoft's `WFPSampler` shares by the name under which it prints it.
    #[must_use]
    pub const fn service_tag(self) -> u64 {
        if self.has(FWPS_METADATA_FIELD_SUB_PROCESS_TAG) { self.0.subProcessTag } else { 0 }
    }

    /// The routing compartment (DDI `FWPS_INCOMING_METADATA_VALUES0`); zero, `UNSPECIFIED_COMPARTMENT_ID`, if it is not told.
    #[must_use]
    pub const fn compartment(self) -> u32 {
        if self.has(FWPS_METADATA_FIELD_COMPARTMENT_ID) { self.0.compartmentId } else { 0 }
    }

    /// Outbound: bytes from the data offset to the end of the transport header.
    #[must_use]
    pub const fn transport_header_size(self) -> u32 {
        if self.has(FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE) { self.0.transportHeaderSize } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use super::super::ffi::FWP_BYTE_BLOB;
    use super::*;

    const EVERYTHING: u32 = u32::MAX;

    fn metadata(bits: u32, path: *const FWP_BYTE_BLOB) -> FWPS_INCOMING_METADATA_VALUES0 {
        FWPS_INCOMING_METADATA_VALUES0 {
            currentMetadataValues: bits,
            flags: 0,
            reserved: 0,
            discardMetadata: [0; 2],
            flowHandle: 0x2a1,
            ipHeaderSize: 20,
            transportHeaderSize: 32,
            processPath: path,
            token: 0,
            processId: 4242,
            sourceInterfaceIndex: 0,
            destinationInterfaceIndex: 0,
            compartmentId: 7,
            unread: [0; 45],
            subProcessTag: 0x55,
        }
    }

    #[test]
    fn members_whose_bit_is_set_are_read() {
        let raw = metadata(EVERYTHING, ptr::null());
        // SAFETY: there is no path.
        let read = unsafe { Metadata::new(&raw) };
        assert_eq!((read.flow_and_process(), read.transport_header_size()), (Some((0x2a1, 4242)), 32));
        assert_eq!((read.service_tag(), read.compartment()), (0x55, 7));
    }

    #[test]
    fn members_whose_bit_is_clear_are_missing() {
        let raw = metadata(0, ptr::null());
        // SAFETY: there is no path.
        let read = unsafe { Metadata::new(&raw) };
        assert_eq!((read.flow_and_process(), read.process_path(), read.transport_header_size()), (None, None, 0));
        assert_eq!((read.service_tag(), read.compartment()), (0, 0));
    }

    #[test]
    fn a_flow_without_process_and_a_process_without_flow_are_missing() {
        for bit in [FWPS_METADATA_FIELD_FLOW_HANDLE, FWPS_METADATA_FIELD_PROCESS_ID] {
            let raw = metadata(bit, ptr::null());
            // SAFETY: there is no path.
            let read = unsafe { Metadata::new(&raw) };
            assert_eq!(read.flow_and_process(), None);
        }
    }

    #[test]
    fn service_tag_compartment_and_size_of_the_header_have_a_bit_each() {
        let others = EVERYTHING
            & !FWPS_METADATA_FIELD_SUB_PROCESS_TAG
            & !FWPS_METADATA_FIELD_COMPARTMENT_ID
            & !FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE;
        for (bit, expected) in [
            (FWPS_METADATA_FIELD_SUB_PROCESS_TAG, (0x55, 0, 0)),
            (FWPS_METADATA_FIELD_COMPARTMENT_ID, (0, 7, 0)),
            (FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE, (0, 0, 32)),
        ] {
            let raw = metadata(others | bit, ptr::null());
            // SAFETY: there is no path.
            let read = unsafe { Metadata::new(&raw) };
            assert_eq!((read.service_tag(), read.compartment(), read.transport_header_size()), expected);
        }
    }

    #[test]
    fn flow_handle_zero_is_no_flow() {
        let mut raw = metadata(EVERYTHING, ptr::null());
        raw.flowHandle = 0;
        // SAFETY: there is no path.
        let read = unsafe { Metadata::new(&raw) };
        assert_eq!(read.flow_and_process(), None);
    }

    #[test]
    fn a_path_whose_bit_is_clear_is_not_followed() {
        let raw = metadata(EVERYTHING & !FWPS_METADATA_FIELD_PROCESS_PATH, ptr::without_provenance(8));
        // SAFETY: the bit of the path is clear.
        let read = unsafe { Metadata::new(&raw) };
        assert_eq!(read.process_path(), None);
    }

    #[test]
    fn a_path_without_blob_is_missing() {
        let raw = metadata(EVERYTHING, ptr::null());
        // SAFETY: the pointer to the path is NULL, which is what this test is about.
        let read = unsafe { Metadata::new(&raw) };
        assert_eq!(read.process_path(), None);
    }

    #[test]
    fn a_blob_without_bytes_is_missing() {
        let blob = FWP_BYTE_BLOB { size: 8, data: ptr::null_mut() };
        let raw = metadata(EVERYTHING, &raw const blob);
        // SAFETY: the blob's NULL bytes are what this test is about.
        let read = unsafe { Metadata::new(&raw) };
        assert_eq!(read.process_path(), None);
    }

    #[test]
    fn a_path_is_as_long_as_its_blob_says() {
        let mut bytes = *b"a\0b\0\0\0";
        let blob = FWP_BYTE_BLOB { size: 4, data: bytes.as_mut_ptr() };
        let raw = metadata(EVERYTHING, &raw const blob);
        // SAFETY: the blob has four bytes and more.
        let read = unsafe { Metadata::new(&raw) };
        assert_eq!(read.process_path(), Some(b"a\0b\0".as_slice()));
    }
}
