//! `WdfDriverCreate`, and unloading.

use super::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
    attributes::{Allows, Attributes, Level, Scope},
    bind, inputs, life,
    objects::{self, Client, Object},
    required, row, string,
    verifier::Verifier,
};
use crate::{
    computer::{Call, Export, Fails, Irql, argument},
    kernel::{
        driver_object::{ADD_DEVICE, DRIVER_EXTENSION, DRIVER_UNLOAD, MAJOR_FUNCTION, MAJOR_FUNCTIONS},
        registry::Value,
        unicode_string::UnicodeString,
    },
};

/// The framework's own module. Nothing imports from it: its rows are what the driver object points at.
const FRAMEWORK: &str = "Wdf01000.sys";
const ADD_DEVICE_ROUTINE: &str = "FxDriver::AddDevice";
const DISPATCH: &str = "FxDevice::Dispatch";
const UNLOAD: &str = "FxDriver::Unload";

/// `WDF_DRIVER_INIT_FLAGS`.
const WDF_DRIVER_INIT_NON_PNP_DRIVER: u32 = 0x1;
const WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE: u32 = 0x2;
/// For drivers of user mode: KMDF takes the flag and does nothing about it.
const WDF_DRIVER_INIT_COMPANION: u32 = 0x10;
/// What the framework adds for a driver that it verifies: `WdfVerifyOn` and `WdfVerifierOn`.
const VERIFIED: u32 = 0x4 | 0x8;
const STATUS_DRIVER_INTERNAL_ERROR: u32 = 0xC000_0183;

/// A tag that the framework takes for none: the one that old kits give every block.
const TAG_OF_OLD_KITS: u32 = u32::from_le_bytes(*b"Ddk ");

/// Driver objects.
pub const EXPORTS: &[Export] = &[
    row(
        "WdfDriverCreate",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES, STATUS_DRIVER_INTERNAL_ERROR]),
        create,
    )
    .with(inputs::DRIVER_CREATE),
    row("WdfDriverWdmGetDriverObject", Irql::DISPATCH, Fails::Never, driver_object).with(inputs::OF_DRIVER),
    Export { module: FRAMEWORK, name: UNLOAD, max_irql: Irql::PASSIVE, fails: Fails::Never, run: unload, inputs: &[] }
        .with(&[argument(0, "DriverObject").guess("it is that of the one driver that is bound")]),
    Export::not_modelled(FRAMEWORK, ADD_DEVICE_ROUTINE),
    Export::not_modelled(FRAMEWORK, DISPATCH),
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

    /// KMDF's fxdriverapi.cpp, `WdfDriverCreate`. (The structure of KMDF 1.1 ends before the pool tag; on x64 it is no shorter
    /// for that, and the tag is read.)
    fn check(&self) -> Result<(), u64> {
        let known = WDF_DRIVER_INIT_NON_PNP_DRIVER | WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE | WDF_DRIVER_INIT_COMPANION;
        if self.size as usize != size_of::<Self>() {
            Err(STATUS_INFO_LENGTH_MISMATCH)
        } else if self.has(!known) {
            Err(STATUS_INVALID_PARAMETER)
        } else {
            Ok(())
        }
    }

    /// Whether it is of a non-PnP driver that wants to hear of devices.
    fn contradicts_itself(&self) -> bool {
        !self.has(WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE)
            && self.has(WDF_DRIVER_INIT_NON_PNP_DRIVER)
            && self.device_add != 0
    }

    /// Whether the stub is to put its own `DriverUnload` before the one in the driver object.
    fn displaces_unload(&self) -> bool {
        self.unload != 0 || !self.has(WDF_DRIVER_INIT_NON_PNP_DRIVER | WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE)
    }

    /// The driver's tag in its globals; 0 where the framework takes one of its own. KMDF's fxdriver.cpp, `_InitializeTag`:
    /// the first letters of the service's name behind a leading "wdf", if there are three.
    fn tag(&self, name: &[u8]) -> u32 {
        if self.pool_tag != 0 && self.pool_tag != TAG_OF_OLD_KITS {
            return self.pool_tag;
        }
        let prefixed = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"wdf"));
        let name = if prefixed { &name[3..] } else { name };
        let mut tag = [0u8; 4];
        if name.len() > 2 {
            tag.iter_mut().zip(name).for_each(|(place, &letter)| *place = letter);
        }
        u32::from_le_bytes(tag)
    }
}

/// KMDF's fxdriverapi.cpp, `WdfDriverCreate`, in its order. The name and the tag stay in the globals when what follows fails.
fn create(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let driver_object = required(call, 1);
    let registry_path = required(call, 2);
    let config: DriverConfig = call.read(required(call, 4));
    let driver_at = call.arg(5);
    let checked = config.check().and_then(|()| string::check(call, registry_path));
    if let Err(status) = checked {
        return status;
    }
    let kmdf = call.machine.kmdf();
    if kmdf.with(|state| state.client.as_ref().is_none_or(|client| client.driver.is_some())) {
        return STATUS_DRIVER_INTERNAL_ERROR.into();
    }
    if driver_at != 0 {
        call.write(driver_at, 0u64);
    }
    let path = UnicodeString::text(call, registry_path);
    kmdf.with(|state| state.client.as_mut().map(|client| name(client, path, &config)));
    if config.contradicts_itself() {
        return STATUS_INVALID_PARAMETER;
    }
    let attributes = match Attributes::read(call, call.arg(3), Allows::CALLBACKS) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    call.callback(config.device_add, "EvtDriverDeviceAdd");
    call.callback(config.unload, "EvtDriverUnload");
    verify(call);
    register_client_version(call);
    let created = add_driver(call, &config, attributes);
    let driver = match created {
        Ok(driver) => driver,
        Err(status) => return status,
    };
    fill_driver_object(call, &config, driver_object);
    if driver_at != 0 {
        call.write(driver_at, driver);
    }
    STATUS_SUCCESS
}

/// KMDF's fxdriver.cpp, `_InitializeDriverName` and `_InitializeTag`.
fn name(client: &mut Client, path: String, config: &DriverConfig) {
    client.registry_path = path;
    let service = client.registry_path.rsplit_once('\\').map_or("WDF", |(_, name)| name);
    let service: Vec<u8> = service.bytes().take(31).collect();
    let mut name = [0u8; 32];
    name[..service.len()].copy_from_slice(&service);
    client.globals.set(bind::GLOBALS_NAME, name);
    client.globals.set(bind::GLOBALS_TAG, config.tag(&service));
}

/// Whether the driver is verified is settled here, for good: KMDF's globals.cpp, `FxInitialize`.
fn verify(call: &Call<'_>) {
    let kmdf = call.machine.kmdf();
    let framework = kmdf.minor();
    kmdf.with(|state| {
        let Some(client) = state.client.as_mut() else { return };
        let (registry, service) = (call.machine.registry(), &client.registry_path);
        client.verifier = Verifier::of(state.switches, registry, service, [framework, client.version[1]]);
    });
}

/// Adds the driver and fills its globals. Without dispatch override the framework keeps no callbacks (KMDF's fxdriver.cpp,
/// `Initialize`), and what the driver does not say itself its devices get from here.
fn add_driver(call: &Call<'_>, config: &DriverConfig, attributes: Attributes) -> Result<u64, u64> {
    let kept = if config.has(WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE) { 0 } else { config.unload };
    let level = if attributes.level == Level::Inherited { Level::Dispatch } else { attributes.level };
    let scope = if attributes.scope == Scope::Inherited { Scope::None } else { attributes.scope };
    let driver = objects::create(call, Object::Driver { unload: kept, level, scope }, attributes, None)?;
    call.machine.kmdf().with(|state| {
        let Some(client) = state.client.as_mut() else { return };
        client.driver = Some(driver);
        client.globals.set(bind::GLOBALS_DRIVER, driver);
        let verified = if client.verifier.on { VERIFIED } else { 0 };
        client.globals.set(bind::GLOBALS_FLAGS, config.init_flags | verified);
        client.globals.set(bind::GLOBALS_DISPLACE_UNLOAD, u8::from(config.displaces_unload()));
    });
    Ok(driver)
}

/// KMDF's fxdriver.cpp, `Initialize`. A non-PnP driver without `EvtDriverUnload` does not want to be stopped. (Simplification:
/// all requests have one dispatch routine; the framework has a second one that takes a lock.)
fn fill_driver_object(call: &Call<'_>, config: &DriverConfig, driver_object: u64) {
    if config.has(WDF_DRIVER_INIT_NO_DISPATCH_OVERRIDE) {
        return;
    }
    let routine = |name| call.machine.imports().address(FRAMEWORK, name).unwrap_or(0);
    let is_pnp = !config.has(WDF_DRIVER_INIT_NON_PNP_DRIVER);
    let extension: u64 = call.read(driver_object + DRIVER_EXTENSION);
    if extension != 0 {
        call.write(extension + ADD_DEVICE, if is_pnp { routine(ADD_DEVICE_ROUTINE) } else { 0 });
    }
    call.write(driver_object + DRIVER_UNLOAD, if config.displaces_unload() { routine(UNLOAD) } else { 0 });
    call.write(driver_object + MAJOR_FUNCTION, [routine(DISPATCH); MAJOR_FUNCTIONS]);
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

/// The framework's `DriverUnload`: the driver's callback, then everything that it made, its devices included. KMDF's
/// fxdriver.cpp, `Unload`.
fn unload(call: &Call<'_>) -> u64 {
    let callback = call.machine.kmdf().with(|state| {
        let driver = state.client.as_ref()?.driver?;
        match state.object(driver) {
            Some(&Object::Driver { unload, .. }) if unload != 0 => Some((driver, unload)),
            _ => None,
        }
    });
    if let Some((driver, unload)) = callback {
        call.cpu.call(unload, "EvtDriverUnload", &[driver]);
    }
    life::delete_all(call.cpu);
    0
}

/// KMDF's fxdriverapikm.cpp, `WdfDriverWdmGetDriverObject`.
fn driver_object(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDRIVER", |object| matches!(object, Object::Driver { .. }).then_some(()));
    call.machine.kmdf().with(|state| state.client.as_ref().map_or(0, |client| client.driver_object))
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
