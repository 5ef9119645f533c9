//! `WdfDriverCreate`, unloading, and `WdfObjectDelete`.

use super::{
    OBJECT_ERROR, STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
    WDF_VIOLATION, bind, life,
    objects::{self, Attributes, Object},
    required, row,
};
use crate::{
    computer::{Call, Export, Fails, Irql},
    kernel::{driver_object::DRIVER_UNLOAD, registry::Value},
};

/// The framework's own module. Nothing imports from it: its one row is what `DriverUnload` points at.
const FRAMEWORK: &str = "Wdf01000.sys";
const UNLOAD: &str = "FxDriver::Unload";

const WDF_DRIVER_INIT_NON_PNP_DRIVER: u32 = 0x1;
const WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE: u32 = 0x2;
/// For drivers of user mode: KMDF takes the flag and does nothing about it.
const WDF_DRIVER_INIT_COMPANION: u32 = 0x4;
const STATUS_DRIVER_INTERNAL_ERROR: u32 = 0xC000_0183;

/// Driver objects.
pub const EXPORTS: &[Export] = &[
    row(
        "WdfDriverCreate",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES, STATUS_DRIVER_INTERNAL_ERROR]),
        create,
    ),
    row("WdfDriverWdmGetDriverObject", Irql::DISPATCH, Fails::Never, driver_object),
    row("WdfObjectDelete", Irql::DISPATCH, Fails::Never, delete),
    Export { module: FRAMEWORK, name: UNLOAD, max_irql: Irql::PASSIVE, fails: Fails::Never, run: unload },
];

/// `WDF_DRIVER_CONFIG`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct DriverConfig {
    size: u32,
    padding: u32,
    device_add: u64,
    unload: u64,
    init_flags: u32,
    pool_tag: u32,
}

impl DriverConfig {
    fn has(&self, flag: u32) -> bool {
        self.init_flags & flag != 0
    }

    /// KMDF's fxdriverapi.cpp, `WdfDriverCreate`. (Before KMDF 1.2 the structure had no pool tag; on x64 it is no shorter
    /// for that.)
    fn check(&self) -> Result<(), u64> {
        let known = WDF_DRIVER_INIT_NON_PNP_DRIVER | WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE | WDF_DRIVER_INIT_COMPANION;
        let add_device_is_refused =
            self.has(WDF_DRIVER_INIT_NON_PNP_DRIVER) && !self.has(WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE);
        if self.size as usize != size_of::<Self>() {
            Err(STATUS_INFO_LENGTH_MISMATCH)
        } else if self.has(!known) || (add_device_is_refused && self.device_add != 0) {
            Err(STATUS_INVALID_PARAMETER)
        } else {
            Ok(())
        }
    }

    /// Whether the stub is to put its own `DriverUnload` before the one in the driver object.
    fn displaces_unload(&self) -> bool {
        self.unload != 0 || !self.has(WDF_DRIVER_INIT_NON_PNP_DRIVER | WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE)
    }
}

fn create(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let driver_object = required(call, 1);
    required(call, 2);
    let config: DriverConfig = call.read(required(call, 4));
    let driver_at = call.arg(5);
    if let Err(status) = config.check() {
        return status;
    }
    call.callback(config.device_add, "EvtDriverDeviceAdd");
    call.callback(config.unload, "EvtDriverUnload");
    let attributes = match objects::attributes(call, call.arg(3), false) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    let created = add_driver(call, &config, attributes);
    let Some(driver) = created else { return STATUS_DRIVER_INTERNAL_ERROR.into() };
    register_client_version(call);
    // KMDF's fxdriver.cpp, `Initialize`. A non-PnP driver without `EvtDriverUnload` does not want to be stopped.
    if !config.has(WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE) {
        let unload = if config.displaces_unload() { call.machine.imports().address(FRAMEWORK, UNLOAD) } else { None };
        call.write(driver_object + DRIVER_UNLOAD, unload.unwrap_or(0));
    }
    if driver_at != 0 {
        call.write(driver_at, driver);
    }
    STATUS_SUCCESS
}

/// Adds the driver and fills its globals; `None` when it has one already.
fn add_driver(call: &Call<'_>, config: &DriverConfig, attributes: Attributes) -> Option<u64> {
    let kmdf = call.machine.kmdf();
    if kmdf.with(|state| state.client.as_ref().is_none_or(|client| client.driver.is_some())) {
        return None;
    }
    let driver = objects::create(call, Object::Driver { unload: config.unload }, attributes, None);
    kmdf.with(|state| {
        let client = state.client.as_mut()?;
        client.driver = Some(driver);
        client.globals.set(bind::GLOBALS_DRIVER, driver);
        client.globals.set(bind::GLOBALS_FLAGS, config.init_flags);
        client.globals.set(bind::GLOBALS_TAG, config.pool_tag);
        client.globals.set(bind::GLOBALS_DISPLACE_UNLOAD, u8::from(config.displaces_unload()));
        let mut name = [0u8; 32];
        let service = client.registry_path.rsplit('\\').next().unwrap_or_default();
        name.iter_mut().take(31).zip(service.bytes()).for_each(|(place, byte)| *place = byte);
        client.globals.set(bind::GLOBALS_NAME, name);
        Some(driver)
    })
}

/// Leaves a note in the registry of the version that the driver was built for: KMDF's globals.cpp, `FxInitialize`, and
/// globalskm.cpp, `RegisterClientVersion`. So `Parameters` exists in every driver that has a service key.
fn register_client_version(call: &Call<'_>) {
    let client = call.machine.kmdf().with(|state| {
        let client = state.client.as_ref()?;
        Some((client.registry_path.clone(), client.version))
    });
    let registry = call.machine.registry();
    if let Some((service, [major, minor])) = client.filter(|(service, _)| registry.has_key(service)) {
        let key = format!(r"{service}\Parameters\Wdf");
        registry.set(&key, "WdfMajorVersion", Value::Dword(major));
        registry.set(&key, "WdfMinorVersion", Value::Dword(minor));
    }
}

/// The framework's `DriverUnload`: the driver's callback, then everything that it made, its devices included.
fn unload(call: &Call<'_>) -> u64 {
    let callback = call.machine.kmdf().with(|state| {
        let driver = state.client.as_ref()?.driver?;
        match state.object(driver) {
            Some(&Object::Driver { unload }) if unload != 0 => Some((driver, unload)),
            _ => None,
        }
    });
    if let Some((driver, unload)) = callback {
        call.cpu.call(unload, "EvtDriverUnload", &[driver]);
    }
    life::delete_all(call.cpu);
    0
}

fn driver_object(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDRIVER", |object| matches!(object, Object::Driver { .. }).then_some(()));
    call.machine.kmdf().with(|state| state.client.as_ref().map_or(0, |client| client.driver_object))
}

fn delete(call: &Call<'_>) -> u64 {
    let handle = call.arg(1);
    let is_driver = objects::with_object(call, "object", |object| Some(matches!(object, Object::Driver { .. })));
    if call.machine.kmdf().with(|state| state.objects.get(&handle).is_some_and(|entry| entry.deleted)) {
        call.bug_check(
            WDF_VIOLATION,
            [OBJECT_ERROR, handle, 0, 0],
            format!("WdfObjectDelete was given {handle:#x}, which has been deleted and only waits for its references"),
        );
    }
    if is_driver {
        call.bug_check(
            WDF_VIOLATION,
            [OBJECT_ERROR, handle, 0, 0],
            "WdfObjectDelete was given the WDFDRIVER, which only the framework may delete",
        );
    }
    life::delete(call.cpu, handle);
    0
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_the_driver_config_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_DRIVER_CONFIG", field);
        assert_eq!(facts::size(&facts, "WDF_DRIVER_CONFIG"), size_of::<DriverConfig>());
        assert_eq!(offset("EvtDriverDeviceAdd"), offset_of!(DriverConfig, device_add));
        assert_eq!(offset("EvtDriverUnload"), offset_of!(DriverConfig, unload));
        assert_eq!(offset("DriverInitFlags"), offset_of!(DriverConfig, init_flags));
        assert_eq!(offset("DriverPoolTag"), offset_of!(DriverConfig, pool_tag));
    }

    #[test]
    fn the_frameworks_unload_routine_has_an_address() {
        assert!(crate::windows::address(FRAMEWORK, UNLOAD).is_some());
    }
}
