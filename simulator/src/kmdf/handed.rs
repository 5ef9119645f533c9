//! Where the starting states of what the framework hands over come from. What its functions answer is said beside them.

use crate::computer::{
    Handed,
    handed::{cited, guessed},
};

const GLOBALS: &str = "WDF_DRIVER_GLOBALS";
const DEVICE: &str = "DEVICE_OBJECT";
const IRP: &str = "IRP";

/// The driver's globals, its device object, and the IRP behind a request.
pub(super) const HANDED: &[Handed] = &[
    cited(GLOBALS, "Driver", "0, then the WDFDRIVER", "KMDF object/globals.cpp; core/fxdriverapi.cpp, WdfDriverCreate"),
    cited(GLOBALS, "DriverFlags", "0, then the config's flags and those of the verifier", "KMDF core/fxdriver.cpp"),
    cited(
        GLOBALS,
        "DriverTag",
        "0, then the config's tag or the beginning of the service's name",
        "KMDF core/fxdriver.cpp, _InitializeTag",
    ),
    cited(GLOBALS, "DriverName", "empty, then the service's name", "KMDF core/fxdriver.cpp, _InitializeDriverName"),
    cited(
        GLOBALS,
        "DisplaceDriverUnload",
        "whether the stub puts its DriverUnload before the framework's",
        "KMDF core/fxdriver.cpp, Initialize",
    ),
    cited(DEVICE, "Type", "IO_TYPE_DEVICE, 3", "H: wdm.h"),
    cited(DEVICE, "Size", "336", "H: wdm.h; Windows adds the extension"),
    cited(DEVICE, "DriverObject", "the driver's", "DDI DEVICE_OBJECT"),
    cited(
        DEVICE,
        "Flags",
        "DO_DEVICE_INITIALIZING, DO_DEVICE_HAS_NAME, and how reads get at their buffers",
        "KMDF core/km/fxdevicekm.cpp; wdm.h",
    ),
    cited(DEVICE, "Characteristics", "those of the init", "KMDF core/fxdeviceinit.cpp"),
    cited(DEVICE, "DeviceExtension", "the first context of the device", "KMDF core/fxdevice.cpp"),
    cited(DEVICE, "DeviceType", "FILE_DEVICE_UNKNOWN, or that of the init", "KMDF core/fxdeviceinit.cpp"),
    cited(DEVICE, "StackSize", "1: a control device has nothing below it", "DDI DEVICE_OBJECT"),
    guessed(DEVICE, "(the rest)", "0", "Windows has queues, links and a security descriptor there"),
    cited(IRP, "Type", "IO_TYPE_IRP, 6", "H: wdm.h"),
    cited(IRP, "Size", "208", "H: wdm.h; Windows adds stack locations"),
    cited(IRP, "RequestorMode", "UserMode", "DDI IRP"),
    guessed(
        IRP,
        "(the rest)",
        "0",
        "Windows has the buffers, the status and stack locations there; functions that read them have no model",
    ),
];
