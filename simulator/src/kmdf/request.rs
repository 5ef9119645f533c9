//! Requests: what a program asks of a device, until the driver completes it.

use std::sync::Arc;

use super::{
    STATUS_SUCCESS,
    completion::{Completion, Outcome},
    life,
    objects::{self, Object},
    required, row,
    system_buffer::SystemBuffer,
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
const TYPE: u64 = 4;
const LENGTHS_AND_CODE: u64 = 8;

/// `IRP_MJ_CREATE` and `IRP_MJ_DEVICE_CONTROL`.
const MAJOR_CREATE: u32 = 0;
const MAJOR_DEVICE_CONTROL: u32 = 14;

const STATUS_INFO_LENGTH_MISMATCH: u32 = 0xC000_0004;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To open a file.
    Create,
    /// To do what a control code says.
    Control(u32),
}

/// A `WDFREQUEST`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    /// Its `WDFFILEOBJECT`.
    pub(super) file: u64,
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
        file: u64,
        process: u64,
        [input, output]: [SystemBuffer; 2],
        completion: &Arc<Completion>,
    ) -> Self {
        let irp = LentMemory::zeroed(IRP.into());
        irp.set(0, IO_TYPE_IRP);
        irp.set(SIZE, IRP);
        irp.set(REQUESTOR_MODE, USER_MODE);
        Self { kind, file, process, irp, input, output, completion: Arc::clone(completion) }
    }

    /// Where its `IRP` is.
    pub(super) fn irp(&self) -> u64 {
        self.irp.address()
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
    row("WdfRequestComplete", Irql::DISPATCH, Fails::Never, |call| end(call, 0)),
    row("WdfRequestCompleteWithInformation", Irql::DISPATCH, Fails::Never, |call| end(call, call.arg(3))),
    row("WdfRequestGetFileObject", Irql::DISPATCH, Fails::Never, |call| with_request(call, |request| request.file)),
    row("WdfRequestGetParameters", Irql::DISPATCH, Fails::Never, get_parameters),
    row("WdfRequestWdmGetIrp", Irql::DISPATCH, Fails::Never, |call| with_request(call, Request::irp)),
];

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

fn get_parameters(call: &Call<'_>) -> u64 {
    let parameters_at = required(call, 2);
    let (kind, parameters) = with_request(call, |request| (request.kind, request.parameters()));
    if call.read::<u16>(parameters_at) < PARAMETERS {
        return STATUS_INFO_LENGTH_MISMATCH.into();
    }
    let major = if kind == Kind::Create { MAJOR_CREATE } else { MAJOR_DEVICE_CONTROL };
    call.write(parameters_at + TYPE, major);
    call.write(parameters_at + LENGTHS_AND_CODE, parameters);
    STATUS_SUCCESS
}

/// `WdfRequestComplete` and its sister.
fn end(call: &Call<'_>, information: u64) -> u64 {
    with_request(call, |_| ());
    complete(call.cpu, call.arg(1), call.arg_u32(2), information);
    0
}

/// Ends a request: what belongs to it goes, then the program hears of it.
pub(super) fn complete(cpu: &Cpu, request: u64, status: u32, information: u64) {
    super::queue::take_out(cpu, request);
    let ending = cpu.machine().kmdf().with(|state| match state.object_mut(request)? {
        Object::Request(request) => {
            let buffers = [std::mem::take(&mut request.input), std::mem::take(&mut request.output)];
            Some((Arc::clone(&request.completion), buffers))
        }
        _ => None,
    });
    let Some((completion, buffers)) = ending else { return };
    let output = memory::read_bytes(buffers[1].address(), buffers[1].len()).unwrap_or_default();
    for buffer in &buffers {
        buffer.free(cpu);
    }
    life::delete(cpu, request);
    completion.set(Outcome { status, information, output });
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
        assert_eq!(offset("Type"), TYPE);
        assert_eq!(offset("Parameters.DeviceIoControl.OutputBufferLength"), LENGTHS_AND_CODE);
        assert_eq!(offset("Parameters.DeviceIoControl.InputBufferLength"), LENGTHS_AND_CODE + 8);
        assert_eq!(offset("Parameters.DeviceIoControl.IoControlCode"), LENGTHS_AND_CODE + 16);
    }
}
