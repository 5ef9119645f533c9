//! Files: what a program has open of a device, from the create request to the close.
//!
//! DDI `EVT_WDF_DEVICE_FILE_CREATE`, `EVT_WDF_FILE_CLEANUP`, `EVT_WDF_FILE_CLOSE`: cleanup when the program's handle
//! goes, close when its last request has ended; a file whose create request fails gets neither.

use std::sync::Arc;

use super::{
    completion::Completion,
    device::Device,
    life,
    objects::{Attributes, Object, State},
    queue,
    request::{Kind, Request},
    system_buffer::SystemBuffer,
};
use crate::computer::Cpu;

const STATUS_NO_SUCH_DEVICE: u32 = 0xC000_000E;
const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;

/// What becomes of files of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileConfig {
    /// `EvtDeviceFileCreate`, or 0.
    pub(super) create: u64,
    /// `EvtFileClose`, or 0.
    pub(super) close: u64,
    /// `EvtFileCleanup`, or 0.
    pub(super) cleanup: u64,
    /// Of each file object.
    pub(super) attributes: Attributes,
}

/// A `WDFFILEOBJECT`.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    device: u64,
    close: u64,
    cleanup: u64,
}

impl State {
    /// The device that `name` leads to.
    pub(super) fn device_called(&self, name: &str) -> Option<(u64, &Device)> {
        self.objects.iter().find_map(|(&handle, entry)| match &entry.object {
            Object::Device(device) if device.is_called(name) => Some((handle, &**device)),
            _ => None,
        })
    }

    fn requests_of(&self, file: u64) -> Vec<u64> {
        let of_file = |object: &Object| matches!(object, Object::Request(request) if request.file == file);
        self.objects.iter().filter(|(_, entry)| of_file(&entry.object)).map(|(&handle, _)| handle).collect()
    }
}

/// Opens the device called `name` for `process`: its file object, or the status that the program gets.
pub(crate) fn open(cpu: &Cpu, name: &str, process: u64) -> Result<u64, u32> {
    let kmdf = cpu.machine().kmdf();
    let (device, config) = kmdf.with(|state| {
        let (handle, device) = state.device_called(name).ok_or(STATUS_OBJECT_NAME_NOT_FOUND)?;
        if device.is_initializing() {
            return Err(STATUS_NO_SUCH_DEVICE);
        }
        Ok((handle, device.init.files))
    })?;
    let FileConfig { create, close, cleanup, attributes } =
        config.unwrap_or(FileConfig { create: 0, close: 0, cleanup: 0, attributes: Attributes::default() });
    let attributes = Attributes { parent: Some(device), ..attributes };
    let file = kmdf.with(|state| {
        state.open_files += 1;
        state.add(Object::File(File { device, close, cleanup }), attributes)
    });
    life::add_first_context(cpu.machine(), file, attributes, create);
    let status = if create == 0 { 0 } else { ask(cpu, device, file, process, create) };
    if status.cast_signed() < 0 {
        life::delete(cpu, file);
        kmdf.with(|state| state.open_files -= 1);
        return Err(status);
    }
    Ok(file)
}

/// Has the driver say whether the file may be opened.
fn ask(cpu: &Cpu, device: u64, file: u64, process: u64, create: u64) -> u32 {
    let completion = Arc::new(Completion::default());
    let request = Request::new(Kind::Create, file, process, Default::default(), &completion);
    let attributes = Attributes { parent: Some(device), ..Attributes::default() };
    let request = cpu.machine().kmdf().with(|state| state.add(Object::Request(Box::new(request)), attributes));
    cpu.in_process(process, || cpu.call(create, "EvtDeviceFileCreate", &[device, request, file]));
    cpu.machine().workers().wait(cpu, || completion.is_set());
    completion.take().map_or(STATUS_INVALID_DEVICE_REQUEST, |outcome| outcome.status)
}

/// Sends a control request; returns its handle, which is dead when the driver has completed it meanwhile.
pub(crate) fn control(
    cpu: &Cpu,
    file: u64,
    process: u64,
    code: u32,
    buffers: [SystemBuffer; 2],
    completion: &Arc<Completion>,
) -> u64 {
    let kmdf = cpu.machine().kmdf();
    let request = Request::new(Kind::Control(code), file, process, buffers, completion);
    let (request, device, first, queue) = kmdf.with(|state| {
        let device = match state.object(file) {
            Some(Object::File(file)) => file.device,
            _ => 0,
        };
        let (first, queue) = match state.object(device) {
            Some(Object::Device(device)) => (device.init.in_caller_context, device.default_queue),
            _ => (0, None),
        };
        let attributes = Attributes { parent: Some(device), ..Attributes::default() };
        (state.add(Object::Request(Box::new(request)), attributes), device, first, queue)
    });
    cpu.in_process(process, || match queue {
        _ if first != 0 => {
            cpu.call(first, "EvtIoInCallerContext", &[device, request]);
        }
        Some(queue) if queue::send(cpu, queue, request).is_ok() => {}
        _ => super::request::complete(cpu, request, STATUS_INVALID_DEVICE_REQUEST, 0),
    });
    request
}

/// Cancels a request; false when the driver has it in hand, or it has ended.
pub(crate) fn cancel(cpu: &Cpu, request: u64) -> bool {
    queue::cancel(cpu, request)
}

/// The program's last handle goes: cleanup, then close when all requests have ended.
pub(crate) fn close(cpu: &Cpu, file: u64, process: u64) {
    let machine = cpu.machine();
    let callbacks = machine.kmdf().with(|state| match state.object(file) {
        Some(&Object::File(file)) => Some(file),
        _ => None,
    });
    let Some(File { cleanup, close, .. }) = callbacks else { return };
    cpu.in_process(process, || {
        if cleanup != 0 {
            cpu.call(cleanup, "EvtFileCleanup", &[file]);
        }
        for request in machine.kmdf().with(|state| state.requests_of(file)) {
            queue::cancel(cpu, request);
        }
        machine.workers().wait(cpu, || machine.kmdf().with(|state| state.requests_of(file).is_empty()));
        if close != 0 {
            cpu.call(close, "EvtFileClose", &[file]);
        }
        life::delete(cpu, file);
    });
    machine.kmdf().with(|state| state.open_files -= 1);
}
