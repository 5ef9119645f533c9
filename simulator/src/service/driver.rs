//! A driver in memory: its image, its `DRIVER_OBJECT`, and the calls of its entry and unload routines.

use std::{path::Path, sync::Arc};

use crate::{
    image::{Image, LoadError},
    interleave::{self, Touches},
    kernel::{Cpu, lent_memory::LentMemory, memory_functions::UnicodeString},
    machine::Machine,
    referee::{BugCheck, guard},
};

/// `DRIVER_OBJECT`: its size, its type number, and where its fields are.
const DRIVER_OBJECT: u16 = 336;
const IO_TYPE_DRIVER: u16 = 4;
const SIZE: u64 = 2;
const START: u64 = 24;
const IMAGE_SIZE: u64 = 32;
const EXTENSION: u64 = 48;
const NAME: u64 = 56;
const INIT: u64 = 88;
/// Where `DRIVER_OBJECT.DriverUnload` is.
pub(crate) const DRIVER_OBJECT_UNLOAD: u64 = 104;
/// `DRIVER_EXTENSION`, which starts with a pointer back.
const DRIVER_EXTENSION: usize = 80;

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
const DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS: u32 = 0xCE;
/// Parameter 1 of [`DRIVER_VERIFIER_DETECTED_VIOLATION`]: memory not freed at unload.
const LEAK: u64 = 0x62;

/// A loaded driver.
#[derive(Debug)]
pub(super) struct Driver {
    entry: u64,
    object: LentMemory,
    registry_path: LentMemory,
    #[expect(dead_code, reason = "the object and the path point at it; it lives as long as they do")]
    pointed_at: [LentMemory; 3],
}

impl Driver {
    /// Maps the image and makes its object. Nothing of it runs yet.
    pub(super) fn load(machine: &Machine, service: &str, path: &Path) -> Result<Self, LoadError> {
        let image: Arc<Image> = machine.map_image(path)?;
        let range = image.range();
        let object = LentMemory::zeroed(DRIVER_OBJECT.into());
        let extension = LentMemory::zeroed(DRIVER_EXTENSION);
        let (name_text, name) = unicode_string(&format!(r"\Driver\{service}"));
        // The kernel names the control set itself, not the link to it.
        let (path_text, path) = unicode_string(&format!(r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\{service}"));
        let registry_path = LentMemory::zeroed(size_of::<UnicodeString>());
        registry_path.set(0, path);
        extension.set(0, object.address());
        object.set(0, IO_TYPE_DRIVER);
        object.set(SIZE, DRIVER_OBJECT);
        object.set(START, range.start);
        object.set(IMAGE_SIZE, (range.end - range.start) as u32);
        object.set(EXTENSION, extension.address());
        object.set(NAME, name);
        object.set(INIT, image.entry());
        Ok(Self { entry: image.entry(), object, registry_path, pointed_at: [extension, name_text, path_text] })
    }

    /// Runs the entry point; what it says when it fails must be undone already.
    pub(super) fn enter(&self, machine: &Machine) -> Result<u32, BugCheck> {
        machine.run(|cpu| {
            let arguments = [self.object.address(), self.registry_path.address()];
            guard::check(cpu, self.entry, "the loader", "the entry point");
            let status = cpu.call(self.entry, "DriverEntry", &arguments) as u32;
            if status.cast_signed() < 0 {
                check_nothing_left(cpu);
            }
            status
        })
    }

    /// The driver's unload routine; `None` when it does not want to be stopped.
    pub(super) fn unload_routine(&self) -> Option<u64> {
        let routine = self.object.get::<u64>(DRIVER_OBJECT_UNLOAD);
        (routine != 0).then_some(routine)
    }

    /// Runs the unload routine.
    pub(super) fn unload(&self, machine: &Machine, routine: u64) -> Result<(), BugCheck> {
        machine.run(|cpu| {
            guard::check(cpu, routine, "the driver object", "DriverUnload");
            cpu.call(routine, "DriverUnload", &[self.object.address()]);
            check_nothing_left(cpu);
        })
    }
}

/// What the referee wants of a driver that leaves: no pool block, no callout, no pool of network
/// buffers, no injection handle, no process, no binding to the framework.
fn check_nothing_left(cpu: &Cpu) {
    interleave::point("what is left is looked at", Touches::EVERYTHING);
    let machine = cpu.machine();
    if let Some(leaks) = machine.pool().leaks(&|address| machine.place(address)) {
        let blocks = machine.pool().live_count();
        cpu.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [LEAK, 0, 0, blocks as u64],
            format!("the driver left without freeing {blocks} blocks of pool: {leaks}"),
        );
    }
    let callouts = machine.wfp().callouts();
    if callouts > 0 {
        cpu.bug_check(
            DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
            [0, 0, 0, callouts as u64],
            format!("the driver left with {callouts} callouts registered: the next packet would call unloaded code"),
        );
    }
    let (pools, handles) = (machine.ndis().pools(), machine.wfp().injection_handles());
    if pools + handles > 0 {
        cpu.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [LEAK, 0, 0, (pools + handles) as u64],
            format!("the driver left with {pools} pools of network buffers and {handles} injection handles"),
        );
    }
    let references = machine.processes().references();
    if references > 0 {
        cpu.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [LEAK, 0, 0, references.cast_unsigned()],
            format!("the driver left with {references} references to processes"),
        );
    }
    if machine.kmdf().is_bound() {
        cpu.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [LEAK, 0, 0, machine.kmdf().object_count() as u64],
            "the driver left without unbinding from the framework (WdfVersionUnbind)",
        );
    }
}

fn unicode_string(text: &str) -> (LentMemory, UnicodeString) {
    let length = 2 * text.encode_utf16().count() as u16;
    let memory = LentMemory::utf16(text);
    let string = UnicodeString { length, maximum_length: length, padding: 0, buffer: memory.address() };
    (memory, string)
}
