//! The memory of a request: its buffers, and memory of the program that its input points at.
//!
//! Simplification: driver and program see the memory that the program owns at the same address.

use super::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    attributes::Attributes,
    inputs,
    objects::{self, Object},
    request::{Kind, Request, with_request},
    required, row, verifier,
};
use crate::computer::{Call, Export, Fails, Irql, memory};

const STATUS_ACCESS_VIOLATION: u32 = 0xC000_0005;
const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
const STATUS_BUFFER_TOO_SMALL: u32 = 0xC000_0023;
const STATUS_INVALID_USER_BUFFER: u32 = 0xC000_00E8;

/// Memory of requests.
pub const EXPORTS: &[Export] = &[
    row("WdfMemoryGetBuffer", Irql::DISPATCH, Fails::Never, buffer).with(inputs::MEMORY_BUFFER),
    row("WdfRequestProbeAndLockUserBufferForRead", Irql::PASSIVE, LOCK_FAILURES, |call| lock(call, false))
        .with(inputs::LOCK),
    row("WdfRequestProbeAndLockUserBufferForWrite", Irql::PASSIVE, LOCK_FAILURES, |call| lock(call, true))
        .with(inputs::LOCK),
    row("WdfRequestRetrieveInputBuffer", Irql::DISPATCH, BUFFER_FAILURES, |call| {
        retrieve(call, |request| (request.input.address(), request.input.len()))
    })
    .with(inputs::RETRIEVE_INPUT),
    row("WdfRequestRetrieveOutputBuffer", Irql::DISPATCH, BUFFER_FAILURES, |call| {
        retrieve(call, |request| (request.output.address(), request.output.len()))
    })
    .with(inputs::RETRIEVE_OUTPUT),
];

const BUFFER_FAILURES: Fails = Fails::Status(&[STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES]);
const LOCK_FAILURES: Fails = Fails::Status(&[STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES]);

/// KMDF's fxrequestapi.cpp, `WdfRequestRetrieveInputBuffer` and its sister; fxrequest.cpp, `GetMemoryObject` and
/// `GetDeviceControlOutputMemoryObject`. Buffers that the program only points at are for `WdfRequestProbeAndLock…`.
fn retrieve(call: &Call<'_>, of: fn(&Request) -> (u64, usize)) -> u64 {
    let (kind, left_to_driver, (address, length)) =
        with_request(call, |request| (request.kind, request.leaves_buffers_to_driver(), of(request)));
    let (least, address_at, length_at) = (call.arg(2), required(call, 3), call.arg(4));
    call.write(address_at, 0u64);
    if length_at != 0 {
        call.write(length_at, 0u64);
    }
    if kind == Kind::Create {
        verifier::complain(call.cpu, format!("{} was given a request to open a file", call.name()));
        return STATUS_INVALID_DEVICE_REQUEST.into();
    }
    if length == 0 {
        return STATUS_BUFFER_TOO_SMALL.into();
    }
    if left_to_driver {
        return STATUS_INVALID_DEVICE_REQUEST.into();
    }
    if (length as u64) < least {
        return STATUS_BUFFER_TOO_SMALL.into();
    }
    call.write(address_at, address);
    if length_at != 0 {
        call.write(length_at, length as u64);
    }
    STATUS_SUCCESS
}

/// Checks that the program may read or write there. The memory object goes with the request. KMDF's fxrequestapi.cpp,
/// `WdfRequestProbeAndLockUserBufferForRead` and its sister; fxrequestkm.cpp, `ProbeAndLockForRead`; the length is cut to 32
/// bits. Simplification: another process than the program's is refused, where KMDF's verifier refuses another thread, too.
fn lock(call: &Call<'_>, for_writing: bool) -> u64 {
    let process = with_request(call, |request| request.process);
    let (address, length, memory_at) = (required(call, 2), call.arg_u32(3), required(call, 4));
    if !for_writing {
        call.write(memory_at, 0u64);
    }
    if let Err(status) = verifier::check_passive(call) {
        return status;
    }
    if length == 0 {
        return STATUS_INVALID_USER_BUFFER.into();
    }
    if process != call.cpu.process() {
        return STATUS_ACCESS_VIOLATION.into();
    }
    let read = memory::read_bytes(address, length as usize).ok();
    let accessible = read.is_some_and(|bytes| !for_writing || memory::write_bytes(address, &bytes).is_ok());
    if !accessible {
        return STATUS_ACCESS_VIOLATION.into();
    }
    let memory = Object::Memory(address, length.into());
    match objects::create(call, memory, Attributes::default(), Some(call.arg(1))) {
        Ok(memory) => {
            call.write(memory_at, memory);
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// KMDF's fxmemorybufferapi.cpp, `WdfMemoryGetBuffer`.
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
