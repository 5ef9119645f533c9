//! The memory of a request: its buffers, and memory of the program that its input points at.
//!
//! Simplification: driver and program see the memory that the program owns at the same address.

use super::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    objects::{self, Attributes, Object},
    request::with_request,
    required, row,
};
use crate::computer::{Call, Export, Fails, Irql, memory};

const STATUS_ACCESS_VIOLATION: u32 = 0xC000_0005;
const STATUS_BUFFER_TOO_SMALL: u32 = 0xC000_0023;
const STATUS_INVALID_USER_BUFFER: u32 = 0xC000_00E8;

/// Memory of requests.
pub const EXPORTS: &[Export] = &[
    row("WdfMemoryGetBuffer", Irql::DISPATCH, Fails::Never, buffer),
    row("WdfRequestProbeAndLockUserBufferForRead", Irql::PASSIVE, LOCK_FAILURES, |call| lock(call, false)),
    row("WdfRequestProbeAndLockUserBufferForWrite", Irql::PASSIVE, LOCK_FAILURES, |call| lock(call, true)),
    row("WdfRequestRetrieveInputBuffer", Irql::DISPATCH, BUFFER_FAILURES, |call| {
        retrieve(call, |request| (request.input.address(), request.input.len()))
    }),
    row("WdfRequestRetrieveOutputBuffer", Irql::DISPATCH, BUFFER_FAILURES, |call| {
        retrieve(call, |request| (request.output.address(), request.output.len()))
    }),
];

const BUFFER_FAILURES: Fails = Fails::Status(&[STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES]);
const LOCK_FAILURES: Fails = Fails::Status(&[STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES]);

fn retrieve(call: &Call<'_>, of: fn(&super::request::Request) -> (u64, usize)) -> u64 {
    let (least, address_at, length_at) = (call.arg(2), required(call, 3), call.arg(4));
    let (address, length) = with_request(call, of);
    if length == 0 || (length as u64) < least {
        return STATUS_BUFFER_TOO_SMALL.into();
    }
    call.write(address_at, address);
    if length_at != 0 {
        call.write(length_at, length as u64);
    }
    STATUS_SUCCESS
}

/// Checks that the program may read or write there. The memory object goes with the request.
fn lock(call: &Call<'_>, for_writing: bool) -> u64 {
    let (address, length, memory_at) = (call.arg(2), call.arg(3), required(call, 4));
    let process = with_request(call, |request| request.process);
    if length == 0 {
        return STATUS_INVALID_USER_BUFFER.into();
    }
    if process != call.cpu.process() {
        return STATUS_ACCESS_VIOLATION.into();
    }
    let read = usize::try_from(length).ok().and_then(|length| memory::read_bytes(address, length).ok());
    let accessible = read.is_some_and(|bytes| !for_writing || memory::write_bytes(address, &bytes).is_ok());
    if !accessible {
        return STATUS_ACCESS_VIOLATION.into();
    }
    let request = call.arg(1);
    call.write(memory_at, objects::create(call, Object::Memory(address, length), Attributes::default(), Some(request)));
    STATUS_SUCCESS
}

fn buffer(call: &Call<'_>) -> u64 {
    let (address, length) = objects::with_object(call, "WDFMEMORY", |object| match *object {
        Object::Memory(address, length) => Some((address, length)),
        _ => None,
    });
    if call.arg(2) != 0 {
        call.write(call.arg(2), length);
    }
    address
}
