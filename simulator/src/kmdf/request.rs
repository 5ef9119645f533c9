//! Requests: what a program asks of a device, until the driver completes it.

use std::sync::Arc;

use super::{
    WDF_VIOLATION,
    completion::{Completion, Outcome},
    inputs, life,
    objects::{self, Object, State},
    queue, required, row,
    system_buffer::SystemBuffer,
    verifier,
};
use crate::computer::{Call, Cpu, Export, Fails, Irql, lent_memory::LentMemory, memory};

/// `IRP`: its size, its type number, and where its fields are.
const IRP: u16 = 208;
const IO_TYPE_IRP: u16 = 6;
const SIZE: u64 = 2;
const REQUESTOR_MODE: u64 = 64;
const USER_MODE: u8 = 1;

/// `WDF_REQUEST_PARAMETERS`: its size, and where its fields are.
const PARAMETERS: u16 = 40;
const MINOR_FUNCTION: u64 = 2;
const TYPE: u64 = 4;
const LENGTHS_AND_CODE: u64 = 8;

/// `IRP_MJ_CREATE` and `IRP_MJ_DEVICE_CONTROL`.
const MAJOR_CREATE: u32 = 0;
const MAJOR_DEVICE_CONTROL: u32 = 14;

/// The last bits of a control code: the driver is to find the buffers in the program's memory by itself.
const METHOD: u32 = 3;
const METHOD_NEITHER: u32 = 3;

/// Parameters 1 and 2 of [`WDF_VIOLATION`] (wdfbugcodes.h): a request that was completed with more than its buffer holds.
const REQUEST_FATAL_ERROR: u64 = 6;
const INFORMATION_LENGTH_MISMATCH: u64 = 4;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To open a file.
    Create,
    /// To do what a control code says.
    Control(u32),
}

/// Who has a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The driver: `EvtIoInCallerContext` or `EvtDeviceFileCreate`.
    Caller,
    /// The driver, to whom this queue has presented it.
    Driver(u64),
    /// This queue, in which it waits.
    Queue(u64),
}

/// A `WDFREQUEST`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) owner: Owner,
    /// The driver has seen it.
    pub(super) presented: bool,
    /// It has ended, and only the driver's references keep it.
    completed: bool,
    /// Its file, and whether the driver knows that as a `WDFFILEOBJECT`.
    pub(super) file: u64,
    file_is_known: bool,
    /// The process that sent it.
    pub(super) process: u64,
    irp: LentMemory,
    pub(super) input: SystemBuffer,
    pub(super) output: SystemBuffer,
    completion: Arc<Completion>,
}

impl Request {
    pub(super) fn new(
        kind: Kind,
        (file, file_is_known): (u64, bool),
        process: u64,
        [input, output]: [SystemBuffer; 2],
        completion: &Arc<Completion>,
    ) -> Self {
        let irp = LentMemory::zeroed(IRP.into());
        irp.set(0, IO_TYPE_IRP);
        irp.set(SIZE, IRP);
        irp.set(REQUESTOR_MODE, USER_MODE);
        let (owner, completion) = (Owner::Caller, Arc::clone(completion));
        let (presented, completed) = (true, false);
        Self { kind, owner, presented, completed, file, file_is_known, process, irp, input, output, completion }
    }

    /// Where its `IRP` is.
    pub(super) fn irp(&self) -> u64 {
        self.irp.address()
    }

    /// Whether it belongs to `file`, and has not ended.
    pub(super) fn is_pending_of(&self, file: u64) -> bool {
        self.file == file && !self.completed
    }

    /// Whether the driver has to find the program's buffers by itself.
    pub(super) fn leaves_buffers_to_driver(&self) -> bool {
        matches!(self.kind, Kind::Control(code) if code & METHOD == METHOD_NEITHER)
    }

    /// Length of the output, length of the input, control code.
    fn parameters(&self) -> [u64; 3] {
        let code = match self.kind {
            Kind::Create => 0,
            Kind::Control(code) => code.into(),
        };
        [self.output.len() as u64, self.input.len() as u64, code]
    }
}

/// Requests.
pub const EXPORTS: &[Export] = &[
    row("WdfRequestComplete", Irql::DISPATCH, Fails::Never, |call| end(call, 0)).with(inputs::COMPLETE),
    row("WdfRequestCompleteWithInformation", Irql::DISPATCH, Fails::Never, |call| end(call, call.arg(3)))
        .with(inputs::COMPLETE_WITH_INFORMATION),
    row("WdfRequestGetFileObject", Irql::DISPATCH, Fails::Never, file_object).with(inputs::OF_REQUEST),
    row("WdfRequestGetParameters", Irql::DISPATCH, Fails::Never, get_parameters).with(inputs::GET_PARAMETERS),
    row("WdfRequestWdmGetIrp", Irql::DISPATCH, Fails::Never, irp).with(inputs::OF_REQUEST),
];

impl State {
    pub(super) fn request(&mut self, handle: u64) -> Option<&mut Request> {
        match self.object_mut(handle)? {
            Object::Request(request) => Some(request),
            _ => None,
        }
    }
}

/// What `f` takes from the request that argument 1 names.
pub(super) fn with_request<T>(call: &Call<'_>, f: impl FnOnce(&Request) -> T) -> T {
    objects::with_object(call, "WDFREQUEST", |object| match object {
        Object::Request(request) => Some(f(request)),
        _ => None,
    })
}

/// The lengths and the code that a handler of control requests is given.
pub(super) fn control_parameters(cpu: &Cpu, request: u64) -> Option<[u64; 3]> {
    cpu.machine().kmdf().with(|state| match state.object(request)? {
        Object::Request(request) => Some(request.parameters()),
        _ => None,
    })
}

/// KMDF's fxrequestapi.cpp, `WdfRequestGetFileObject`: NULL where the driver wants no file objects.
fn file_object(call: &Call<'_>) -> u64 {
    let (file, owner) =
        with_request(call, |request| (if request.file_is_known { request.file } else { 0 }, request.owner));
    if let Owner::Queue(_) = owner
        && verifier::is_on(call)
    {
        verifier::complain(call.cpu, "WdfRequestGetFileObject was given a request that waits in a queue");
        return 0;
    }
    file
}

/// KMDF's fxrequestapi.cpp, `WdfRequestWdmGetIrp`.
fn irp(call: &Call<'_>) -> u64 {
    let (irp, completed) = with_request(call, |request| (request.irp(), request.completed));
    if completed {
        verifier::complain(call.cpu, "WdfRequestWdmGetIrp was given a request that has been completed");
        return 0;
    }
    irp
}

/// KMDF's fxrequestapi.cpp, `WdfRequestGetParameters`, and fxrequest.cpp, `GetParameters`: it answers nothing, and a structure of
/// another size stays as it is. The last field is for buffers of the program's, and NULL.
fn get_parameters(call: &Call<'_>) -> u64 {
    let (kind, [output, input, code]) = with_request(call, |request| (request.kind, request.parameters()));
    let parameters_at = required(call, 2);
    let size: u16 = call.read(parameters_at);
    if size != PARAMETERS {
        verifier::complain(call.cpu, format!("WdfRequestGetParameters was given a structure of {size} bytes"));
        return 0;
    }
    let major = if kind == Kind::Create { MAJOR_CREATE } else { MAJOR_DEVICE_CONTROL };
    call.write(parameters_at + MINOR_FUNCTION, 0u8);
    call.write(parameters_at + TYPE, major);
    call.write(parameters_at + LENGTHS_AND_CODE, [output, input, code, 0]);
    0
}

/// `WdfRequestComplete` and its sister: KMDF's fxrequestapi.cpp, `VerifyRequestComplete`, and fxrequest.cpp,
/// `VerifyCompleteInternal`. (Stricter than Windows: what the driver does not have is not completed for a driver that is not
/// verified, either.)
fn end(call: &Call<'_>, information: u64) -> u64 {
    let (owner, completed, room, kind) =
        with_request(call, |request| (request.owner, request.completed, request.output.len() as u64, request.kind));
    if completed || matches!(owner, Owner::Queue(_)) {
        let what = if completed { "has been completed" } else { "waits in a queue" };
        verifier::complain(call.cpu, format!("{} was given a request that {what}", call.name()));
        return 0;
    }
    let (request, status) = (call.arg(1), call.arg_u32(2));
    let is_control = matches!(kind, Kind::Control(_));
    if verifier::is_on(call) && is_control && status.cast_signed() >= 0 && room > 0 && information > room {
        call.bug_check(
            WDF_VIOLATION,
            [REQUEST_FATAL_ERROR, INFORMATION_LENGTH_MISMATCH, request, 0],
            format!("{} says that {information} bytes are in the output buffer, which holds {room}", call.name()),
        );
    }
    complete(call.cpu, request, status, information);
    0
}

/// What the program gets for a status of the framework's own: KMDF's fxrequest.cpp, `CompleteInternal`.
fn for_program(status: u32) -> u32 {
    const FACILITY: u32 = 0x0FFF_0000;
    const FACILITY_DRIVER_FRAMEWORK: u32 = 0x0020_0000;
    const STATUS_DEVICE_BUSY: u32 = 0x8000_0011;
    const STATUS_INTERNAL_ERROR: u32 = 0xC000_00E5;
    const STATUS_INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;
    const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
    match status {
        _ if status & FACILITY != FACILITY_DRIVER_FRAMEWORK => status,
        // STATUS_WDF_PAUSED and STATUS_WDF_BUSY, INTERNAL_ERROR, NOT_ENOUGH_MAP_REGISTERS.
        0xC020_0203 | 0xC020_0204 => STATUS_DEVICE_BUSY,
        0xC020_0201 => STATUS_INTERNAL_ERROR,
        0xC020_0214 => STATUS_INSUFFICIENT_RESOURCES,
        _ => STATUS_INVALID_DEVICE_REQUEST,
    }
}

/// Ends a request: what belongs to it goes, then the program hears of it, then its queue presents the next. KMDF's fxrequest.cpp,
/// `CompleteInternal` and `PostProcessCompletion`.
pub(super) fn complete(cpu: &Cpu, request: u64, status: u32, information: u64) {
    let kmdf = cpu.machine().kmdf();
    let ending = kmdf.with(|state| {
        let request = state.request(request).filter(|request| !request.completed)?;
        request.completed = true;
        let buffers = [std::mem::take(&mut request.input), std::mem::take(&mut request.output)];
        Some((Arc::clone(&request.completion), buffers, request.owner, request.presented))
    });
    let Some((completion, buffers, owner, presented)) = ending else { return };
    if !presented {
        kmdf.with(|state| state.forget_callbacks(request));
    }
    let output = memory::read_bytes(buffers[1].address(), buffers[1].len()).unwrap_or_default();
    for buffer in &buffers {
        buffer.free(cpu);
    }
    life::dispose(cpu, request);
    life::let_children_go(cpu, request);
    completion.set(Outcome { status: for_program(status), information, output });
    if let Owner::Driver(queue) = owner {
        queue::has_left(cpu, queue);
    }
    life::let_go(cpu, request);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_an_irp_is_that_of_the_facts() {
        let facts = facts::json();
        assert_eq!(facts::size(&facts, "IRP"), usize::from(IRP));
        assert_eq!(facts::offset(&facts, "IRP", "Size") as u64, SIZE);
        assert_eq!(facts::offset(&facts, "IRP", "RequestorMode") as u64, REQUESTOR_MODE);
    }

    #[test]
    fn the_layout_of_request_parameters_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_REQUEST_PARAMETERS", field) as u64;
        assert_eq!(facts::size(&facts, "WDF_REQUEST_PARAMETERS"), usize::from(PARAMETERS));
        assert_eq!(offset("MinorFunction"), MINOR_FUNCTION);
        assert_eq!(offset("Type"), TYPE);
        assert_eq!(offset("Parameters.DeviceIoControl.OutputBufferLength"), LENGTHS_AND_CODE);
        assert_eq!(offset("Parameters.DeviceIoControl.InputBufferLength"), LENGTHS_AND_CODE + 8);
        assert_eq!(offset("Parameters.DeviceIoControl.IoControlCode"), LENGTHS_AND_CODE + 16);
    }
}
