//! Files: what a program has open of a device, from the create request to the close.
//!
//! KMDF's fxpkggeneral.cpp, `OnCreate`, `OnCleanup` and `OnClose`: cleanup when the program's handle goes, close when its last
//! request has ended; a file whose create request fails gets neither. The driver knows it as a `WDFFILEOBJECT` if it wants
//! one, and as NULL otherwise.

use std::sync::Arc;

use super::{
    attributes::Attributes,
    completion::Completion,
    device::{self, Device},
    life,
    objects::{Entry, Object, State},
    queue,
    request::{Kind, Request},
    system_buffer::SystemBuffer,
};
use crate::computer::Cpu;

const STATUS_NO_SUCH_DEVICE: u32 = 0xC000_000E;
const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;

/// What becomes of files of a device.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FileConfig {
    /// `EvtDeviceFileCreate`, or 0.
    pub(super) create: u64,
    /// `EvtFileClose`, or 0.
    pub(super) close: u64,
    /// `EvtFileCleanup`, or 0.
    pub(super) cleanup: u64,
    /// Of each file object, and whether the driver has given them.
    pub(super) attributes: Attributes,
    pub(super) attributes_given: bool,
    /// Whether the driver wants file objects.
    pub(super) has_object: bool,
    /// Whether those are cleaned up and destroyed at `PASSIVE_LEVEL`.
    pub(super) passive: bool,
}

/// A `WDFFILEOBJECT`, or what takes its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    device: u64,
    close: u64,
    cleanup: u64,
    /// The driver has its handle.
    is_known: bool,
}

impl State {
    /// The device that `name` leads to.
    pub(super) fn device_called(&self, name: &str) -> Option<(u64, &Device)> {
        self.objects.iter().find_map(|(&handle, entry)| match &entry.object {
            Object::Device(device) if device.is_called(name) => Some((handle, &**device)),
            _ => None,
        })
    }

    /// Whether programs have files of a device open.
    pub(super) fn has_files(&self, device: u64) -> bool {
        self.objects.values().any(|entry| matches!(entry.object, Object::File(file) if file.device == device))
    }

    fn requests_of(&self, file: u64) -> Vec<u64> {
        let of_file = |object: &Object| matches!(object, Object::Request(request) if request.is_pending_of(file));
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
    let config = config.unwrap_or_default();
    let file = File { device, close: config.close, cleanup: config.cleanup, is_known: config.has_object };
    let file = kmdf.with(|state| {
        state.open_files += 1;
        state.add(Entry::new(Object::File(file), Some(device), config.passive))
    });
    if config.has_object {
        let added = life::add_first_context(cpu.machine(), file, config.attributes, config.create);
        added.expect("memory for the context of a file");
    }
    let status =
        if config.create == 0 { 0 } else { ask(cpu, device, (file, config.has_object), process, config.create) };
    if status.cast_signed() < 0 {
        leave(cpu, device, file);
        return Err(status);
    }
    Ok(file)
}

/// Deletes a file that no program has open any more.
fn leave(cpu: &Cpu, device: u64, file: u64) {
    life::delete(cpu, file);
    cpu.machine().kmdf().with(|state| {
        state.open_files -= 1;
        // The driver's references keep the object, not the file.
        if let Some(Object::File(file)) = state.object_mut(file) {
            file.device = 0;
        }
    });
    device::file_has_gone(cpu, device);
}

/// Has the driver say whether the file may be opened.
fn ask(cpu: &Cpu, device: u64, file: (u64, bool), process: u64, create: u64) -> u32 {
    let completion = Arc::new(Completion::default());
    let request = Request::new(Kind::Create, file, process, Default::default(), &completion);
    let request = cpu.machine().kmdf().with(|state| state.add_request(request));
    let handle = if file.1 { file.0 } else { 0 };
    cpu.in_process(process, || cpu.call(create, "EvtDeviceFileCreate", &[device, request, handle]));
    cpu.machine().workers().wait(cpu, || completion.is_set());
    completion.take().map_or(STATUS_INVALID_DEVICE_REQUEST, |outcome| outcome.status)
}

impl State {
    /// A request has no parent: KMDF's fxrequest.cpp, `_CreateForPackage`.
    fn add_request(&mut self, request: Request) -> u64 {
        self.add(Entry::new(Object::Request(Box::new(request)), None, false))
    }
}

/// Sends a control request; returns its handle, which is dead when the driver has completed it meanwhile. KMDF's fxpkgio.cpp,
/// `DispatchStep1` and `DispatchStep2`.
pub(crate) fn control(
    cpu: &Cpu,
    file: u64,
    process: u64,
    code: u32,
    buffers: [SystemBuffer; 2],
    completion: &Arc<Completion>,
) -> u64 {
    let kmdf = cpu.machine().kmdf();
    let (request, device, first, queue) = kmdf.with(|state| {
        let (device, is_known) = match state.object(file) {
            Some(Object::File(file)) => (file.device, file.is_known),
            _ => (0, false),
        };
        let (first, queue) = match state.object(device) {
            Some(Object::Device(device)) => (device.init.in_caller_context, device.default_queue),
            _ => (0, None),
        };
        let mut request = Request::new(Kind::Control(code), (file, is_known), process, buffers, completion);
        request.presented = first != 0;
        (state.add_request(request), device, first, queue)
    });
    cpu.in_process(process, || match queue {
        _ if first != 0 => {
            cpu.call(first, "EvtIoInCallerContext", &[device, request]);
        }
        Some(queue) => queue::send(cpu, queue, request),
        None => super::request::complete(cpu, request, STATUS_INVALID_DEVICE_REQUEST, 0),
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
    let Some(File { device, cleanup, close, is_known }) = callbacks else { return };
    let handle = if is_known { file } else { 0 };
    cpu.in_process(process, || {
        if cleanup != 0 {
            cpu.call(cleanup, "EvtFileCleanup", &[handle]);
        }
        for request in machine.kmdf().with(|state| state.requests_of(file)) {
            queue::cancel(cpu, request);
        }
        machine.workers().wait(cpu, || machine.kmdf().with(|state| state.requests_of(file).is_empty()));
        if close != 0 {
            cpu.call(close, "EvtFileClose", &[handle]);
        }
        leave(cpu, device, file);
    });
}
