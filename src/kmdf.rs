//! The part of the Kernel-Mode Driver Framework that this driver uses.
use core::{mem, ptr};

use wdk_sys::{
    _WDF_DRIVER_INIT_FLAGS::WdfDriverInitNonPnpDriver, _WDFFUNCENUM, BOOLEAN, FILE_DEVICE_NETWORK,
    FILE_DEVICE_SECURE_OPEN, KEY_READ, NTSTATUS, PCUNICODE_STRING, PDEVICE_OBJECT, PDRIVER_OBJECT,
    PFN_WDFCONTROLDEVICEINITALLOCATE, PFN_WDFCONTROLFINISHINITIALIZING, PFN_WDFDEVICECREATE, PFN_WDFDEVICEINITFREE,
    PFN_WDFDEVICEINITSETCHARACTERISTICS, PFN_WDFDEVICEINITSETDEVICETYPE, PFN_WDFDEVICEWDMGETDEVICEOBJECT,
    PFN_WDFDRIVERCREATE, PFN_WDFDRIVEROPENPARAMETERSREGISTRYKEY, PFN_WDFOBJECTDELETE, PFN_WDFREGISTRYCLOSE,
    PFN_WDFREGISTRYQUERYULONG, STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
    UNICODE_STRING, WDF_DRIVER_CONFIG, WDF_NO_OBJECT_ATTRIBUTES, WDFDEVICE, WDFDRIVER, WDFKEY, WdfDriverGlobals,
    WdfFunctions,
};

use crate::{
    failure::{Failure, check},
    settings::Stored,
    wide::wide,
};

/// Calls a function through the table that KMDF has bound.
///
/// Not by `call_unsafe_wdf_function_binding!` of wdk-sys: that indexes a slice whose length is known at run time only,
/// and so brings panic machinery into the image.
macro_rules! call {
    ($function:ident: $type:ident, $($argument:expr),*) => {{
        // SAFETY: FxDriverEntry binds the table before it calls DriverEntry, and never again.
        let table = unsafe { WdfFunctions };
        let entry = table.wrapping_add(_WDFFUNCENUM::$function as usize);
        // SAFETY: a driver is only loaded where the table is at least as long as in its own KMDF version.
        let entry = unsafe { *entry };
        // SAFETY: the entry with this index has this type; both are generated from one header.
        let function = unsafe { mem::transmute::<wdk_sys::WDFFUNC, $type>(entry) };
        // SAFETY: KMDF fills every entry.
        let function = unsafe { function.unwrap_unchecked() };
        // SAFETY: bound together with the table.
        let globals = unsafe { WdfDriverGlobals };
        // SAFETY: the arguments are live objects of KMDF, or point to locals that outlive the call.
        unsafe { function(globals, $($argument),*) }
    }};
}

#[expect(clippy::cast_possible_truncation, reason = "a few bytes")]
const CONFIG_SIZE: u32 = size_of::<WDF_DRIVER_CONFIG>() as u32;

/// The framework's driver object. It goes away with the driver.
pub struct Driver(WDFDRIVER);

impl Driver {
    /// Makes the driver known to KMDF, as one without Plug and Play. Without `unload` it could not be stopped.
    ///
    /// # Safety
    /// The arguments are those of `DriverEntry`, which makes one such call.
    pub unsafe fn create(
        object: PDRIVER_OBJECT,
        registry_path: PCUNICODE_STRING,
        unload: unsafe extern "C" fn(WDFDRIVER),
    ) -> Result<Self, Failure> {
        let mut config = WDF_DRIVER_CONFIG {
            Size: CONFIG_SIZE,
            EvtDriverUnload: Some(unload),
            DriverInitFlags: WdfDriverInitNonPnpDriver.cast_unsigned(),
            ..WDF_DRIVER_CONFIG::default()
        };
        let mut driver = ptr::null_mut();
        let status = call!(
            WdfDriverCreateTableIndex: PFN_WDFDRIVERCREATE,
            object, registry_path, WDF_NO_OBJECT_ATTRIBUTES, &raw mut config, &raw mut driver
        );
        check("WdfDriverCreate", status)?;
        Ok(Self(driver))
    }

    /// Opens the key with the driver's settings.
    pub fn parameters(&self) -> Result<Parameters, NTSTATUS> {
        let mut key = ptr::null_mut();
        let status = call!(
            WdfDriverOpenParametersRegistryKeyTableIndex: PFN_WDFDRIVEROPENPARAMETERSREGISTRYKEY,
            self.0, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &raw mut key
        );
        // A success that is none of ours brings no key.
        if status == STATUS_SUCCESS { Ok(Parameters(key)) } else { Err(status) }
    }

    /// Creates the device that callouts are registered for. Nobody is meant to open it: it has no name, no symbolic
    /// link, and a security descriptor that grants nothing.
    pub fn create_control_device(&self) -> Result<ControlDevice, Failure> {
        let nobody = unicode_string(wide!("D:P"));
        let mut init = call!(
            WdfControlDeviceInitAllocateTableIndex: PFN_WDFCONTROLDEVICEINITALLOCATE,
            self.0, &raw const nobody
        );
        if init.is_null() {
            return Err(Failure { step: "WdfControlDeviceInitAllocate", status: STATUS_INSUFFICIENT_RESOURCES });
        }
        call!(WdfDeviceInitSetDeviceTypeTableIndex: PFN_WDFDEVICEINITSETDEVICETYPE, init, FILE_DEVICE_NETWORK);
        call!(
            WdfDeviceInitSetCharacteristicsTableIndex: PFN_WDFDEVICEINITSETCHARACTERISTICS,
            init, FILE_DEVICE_SECURE_OPEN, BOOLEAN::from(false)
        );
        let mut device = ptr::null_mut();
        let status = call!(
            WdfDeviceCreateTableIndex: PFN_WDFDEVICECREATE,
            &raw mut init, WDF_NO_OBJECT_ATTRIBUTES, &raw mut device
        );
        if let Err(failure) = check("WdfDeviceCreate", status) {
            call!(WdfDeviceInitFreeTableIndex: PFN_WDFDEVICEINITFREE, init);
            return Err(failure);
        }
        call!(WdfControlFinishInitializingTableIndex: PFN_WDFCONTROLFINISHINITIALIZING, device);
        Ok(ControlDevice(device))
    }
}

/// The key `Parameters` of the driver's service.
pub struct Parameters(WDFKEY);

impl Parameters {
    /// Reads a value whose name has at most fifteen ASCII characters.
    pub fn number(&self, name: &str) -> Stored {
        let mut units = [0; 16];
        for (unit, byte) in units.iter_mut().zip(name.bytes()) {
            *unit = byte.into();
        }
        let name = unicode_string(units.get(..=name.len()).unwrap_or_default());
        let mut number = 0;
        let status = call!(
            WdfRegistryQueryULongTableIndex: PFN_WDFREGISTRYQUERYULONG,
            self.0, &raw const name, &raw mut number
        );
        match status {
            STATUS_OBJECT_NAME_NOT_FOUND => Stored::Absent,
            STATUS_SUCCESS => Stored::Number(number),
            _ => Stored::Unreadable,
        }
    }
}

impl Drop for Parameters {
    fn drop(&mut self) {
        call!(WdfRegistryCloseTableIndex: PFN_WDFREGISTRYCLOSE, self.0);
    }
}

/// The device that callouts are registered for.
pub struct ControlDevice(WDFDEVICE);

// SAFETY: a handle, which KMDF takes from any thread.
unsafe impl Send for ControlDevice {}

impl ControlDevice {
    /// The device object behind it, which lives as long.
    pub fn wdm(&self) -> PDEVICE_OBJECT {
        call!(WdfDeviceWdmGetDeviceObjectTableIndex: PFN_WDFDEVICEWDMGETDEVICEOBJECT, self.0)
    }
}

impl Drop for ControlDevice {
    fn drop(&mut self) {
        call!(WdfObjectDeleteTableIndex: PFN_WDFOBJECTDELETE, self.0.cast());
    }
}

/// Names text that ends with NUL.
#[expect(clippy::cast_possible_truncation, reason = "all our names are short")]
fn unicode_string(text: &[u16]) -> UNICODE_STRING {
    let bytes = mem::size_of_val(text) as u16;
    UNICODE_STRING { Length: bytes.saturating_sub(2), MaximumLength: bytes, Buffer: text.as_ptr().cast_mut() }
}
