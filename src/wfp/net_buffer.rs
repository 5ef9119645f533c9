//! Walks the packets of a `NET_BUFFER_LIST`.
//!
//! IRQL: <= `DISPATCH_LEVEL`
use core::ffi::c_void;

use super::ffi::{NET_BUFFER, NET_BUFFER_LIST};

/// Payload lengths of the packets in one `NET_BUFFER_LIST`, one item a `NET_BUFFER`.
///
/// At the transport layers a classify call is about one list; its `Next` belongs to whoever queued it, and following
/// it would count packets that get a call of their own. With segmentation offload and coalescing one `NET_BUFFER`
/// stands for several packets on the wire.
#[derive(Clone)]
pub struct Payloads {
    next: *const NET_BUFFER,
    header: u32,
}

impl Payloads {
    /// Begins at the first packet; `header` bytes of each are not payload.
    ///
    /// # Safety
    /// `layer_data` is NULL or points to a `NET_BUFFER_LIST` that outlives this walk.
    #[must_use]
    pub unsafe fn of(layer_data: *const c_void, header: u32) -> Self {
        // SAFETY: the caller's promise; `as_ref` sorts out NULL.
        let list = unsafe { layer_data.cast::<NET_BUFFER_LIST>().as_ref() };
        Self { next: list.map_or(core::ptr::null(), |list| list.FirstNetBuffer), header }
    }
}

impl Iterator for Payloads {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        // SAFETY: `of` demands a whole list, so this is one of its packets or the NULL that ends it.
        let packet = unsafe { self.next.as_ref() }?;
        self.next = packet.Next;
        Some(packet.DataLength.0.saturating_sub(self.header))
    }
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use super::{super::ffi::DataLength, *};

    fn packet(length: u32, next: *const NET_BUFFER) -> NET_BUFFER {
        NET_BUFFER { Next: next, CurrentMdl: ptr::null(), CurrentMdlOffset: 0, DataLength: DataLength(length) }
    }

    fn payloads(list: &NET_BUFFER_LIST, header: u32) -> Vec<u32> {
        // SAFETY: the list outlives the walk.
        unsafe { Payloads::of((&raw const *list).cast(), header) }.collect()
    }

    #[test]
    fn every_packet_of_the_chain_is_visited() {
        let second = packet(200, ptr::null());
        let first = packet(100, &raw const second);
        let list = NET_BUFFER_LIST { Next: ptr::null(), FirstNetBuffer: &raw const first };
        assert_eq!(payloads(&list, 0), [100, 200]);
    }

    #[test]
    fn the_header_is_taken_from_each_packet() {
        let second = packet(200, ptr::null());
        let first = packet(100, &raw const second);
        let list = NET_BUFFER_LIST { Next: ptr::null(), FirstNetBuffer: &raw const first };
        assert_eq!(payloads(&list, 20), [80, 180]);
    }

    #[test]
    fn a_packet_shorter_than_its_header_has_no_payload() {
        let first = packet(8, ptr::null());
        let list = NET_BUFFER_LIST { Next: ptr::null(), FirstNetBuffer: &raw const first };
        assert_eq!(payloads(&list, 20), [0]);
    }

    #[test]
    fn the_next_list_is_left_alone() {
        let other = packet(1, ptr::null());
        let others = NET_BUFFER_LIST { Next: ptr::null(), FirstNetBuffer: &raw const other };
        let first = packet(100, ptr::null());
        let list = NET_BUFFER_LIST { Next: &raw const others, FirstNetBuffer: &raw const first };
        assert_eq!(payloads(&list, 0), [100]);
    }

    #[test]
    fn no_list_has_no_packets() {
        // SAFETY: NULL is allowed.
        let mut payloads = unsafe { Payloads::of(ptr::null(), 0) };
        assert_eq!(payloads.next(), None);
    }
}
