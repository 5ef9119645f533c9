//! `DRIVER_OBJECT`: what the kernel tells a driver's entry point, and the routine that the driver leaves there.

use std::ops::Range;

use super::unicode_string::UnicodeString;
use crate::computer::{
    Handed,
    handed::{cited, guessed},
    lent_memory::LentMemory,
};

const OBJECT: &str = "DRIVER_OBJECT";
const DDI: &str = "DDI DRIVER_OBJECT";

/// What of it the driver's entry point is handed, and who says so.
pub(super) const HANDED: &[Handed] = &[
    cited(OBJECT, "Type", "IO_TYPE_DRIVER, 4", "H: wdm.h"),
    cited(OBJECT, "Size", "336", "H: wdm.h"),
    cited(OBJECT, "DeviceObject", "NULL: it has no device yet", DDI),
    guessed(OBJECT, "Flags", "0", "Windows sets DRVO_* of its own"),
    guessed(OBJECT, "DriverStart", "where the image lies", "the name says so"),
    guessed(OBJECT, "DriverSize", "SizeOfImage", "the name says so"),
    guessed(OBJECT, "DriverSection", "NULL", "Windows has an entry of the list of its modules here"),
    cited(OBJECT, "DriverExtension", "an extension that points back, the rest 0", DDI),
    guessed(OBJECT, "DriverName", r"`\Driver\` and the name of the service", "as debuggers show it"),
    guessed(
        OBJECT,
        "HardwareDatabase",
        "NULL",
        r"Windows names `\Registry\Machine\Hardware` here (DDI); no driver here reads it",
    ),
    cited(OBJECT, "FastIoDispatch", "NULL: for file systems and network transports", DDI),
    cited(OBJECT, "DriverInit", "the entry point", DDI),
    cited(OBJECT, "DriverStartIo", "NULL: the driver sets it", DDI),
    cited(OBJECT, "DriverUnload", "NULL: the driver sets it", DDI),
    guessed(OBJECT, "MajorFunction", "NULL, all of them", "Windows has a routine here that refuses"),
    guessed(
        "DriverEntry",
        "RegistryPath",
        r"`\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\` and the name of the service",
        "DDI DRIVER_INITIALIZE says that it is the path of the service's key; that it names the control set is what others report",
    ),
];

/// `DRIVER_OBJECT`: its size, its type number, and where its fields are.
const DRIVER_OBJECT: u16 = 336;
const IO_TYPE_DRIVER: u16 = 4;
const SIZE: u64 = 2;
const START: u64 = 24;
const IMAGE_SIZE: u64 = 32;
/// Where `DRIVER_OBJECT.DriverExtension` is.
pub(crate) const DRIVER_EXTENSION: u64 = 48;
const NAME: u64 = 56;
const INIT: u64 = 88;
/// Where `DRIVER_OBJECT.DriverUnload` is.
pub(crate) const DRIVER_UNLOAD: u64 = 104;
/// Where `DRIVER_OBJECT.MajorFunction` is, and how many there are.
pub(crate) const MAJOR_FUNCTION: u64 = 112;
pub(crate) const MAJOR_FUNCTIONS: usize = 28;
/// `DRIVER_EXTENSION`, which starts with a pointer back: its size, and where `AddDevice` is.
const EXTENSION: usize = 80;
pub(crate) const ADD_DEVICE: u64 = 8;

/// A driver's object, and the path of its service's key.
#[derive(Debug)]
pub(crate) struct DriverObject {
    object: LentMemory,
    registry_path: LentMemory,
    #[expect(dead_code, reason = "the object and the path point at it; it lives as long as they do")]
    pointed_at: [LentMemory; 3],
}

impl DriverObject {
    /// The object of `service`'s driver, whose image lies at `image` and begins at `entry`.
    pub(crate) fn new(service: &str, image: &Range<u64>, entry: u64) -> Self {
        let object = LentMemory::zeroed(DRIVER_OBJECT.into());
        let extension = LentMemory::zeroed(EXTENSION);
        let (name_text, name) = unicode_string(&format!(r"\Driver\{service}"));
        // The kernel names the control set itself, not the link to it.
        let (path_text, path) = unicode_string(&format!(r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\{service}"));
        let registry_path = LentMemory::zeroed(size_of::<UnicodeString>());
        registry_path.set(0, path);
        extension.set(0, object.address());
        object.set(0, IO_TYPE_DRIVER);
        object.set(SIZE, DRIVER_OBJECT);
        object.set(START, image.start);
        object.set(IMAGE_SIZE, (image.end - image.start) as u32);
        object.set(DRIVER_EXTENSION, extension.address());
        object.set(NAME, name);
        object.set(INIT, entry);
        Self { object, registry_path, pointed_at: [extension, name_text, path_text] }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> u64 {
        self.object.address()
    }

    /// Where the `UNICODE_STRING` with the path of the service's key is.
    pub(crate) fn registry_path(&self) -> u64 {
        self.registry_path.address()
    }

    /// The driver's unload routine; `None` when it does not want to be stopped.
    pub(crate) fn unload_routine(&self) -> Option<u64> {
        let routine = self.object.get::<u64>(DRIVER_UNLOAD);
        (routine != 0).then_some(routine)
    }
}

fn unicode_string(text: &str) -> (LentMemory, UnicodeString) {
    let length = 2 * text.encode_utf16().count() as u16;
    let memory = LentMemory::utf16(text);
    let string = UnicodeString { length, maximum_length: length, padding: 0, buffer: memory.address() };
    (memory, string)
}
