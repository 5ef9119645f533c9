//! `WDF_FILEOBJECT_CONFIG`: what a driver wants to hear of the files of its device.

use super::{
    attributes::{Allows, Attributes, Level, Scope},
    device_init,
    file::FileConfig,
    inputs, objects, required, row, verifier,
};
use crate::computer::{Call, Export, Fails, Irql};

/// `WDF_TRI_STATE`: the highest value.
const USE_DEFAULT: u32 = 2;
/// `WDF_FILEOBJECT_CLASS` of wdfdevice.h.
const NOT_REQUIRED: u32 = 1;
const LAST_CLASS: u32 = 4;
const CAN_BE_OPTIONAL: u32 = 0x8000_0000;

const STATUS_INVALID_DEVICE_REQUEST: u64 = 0xC000_0010;

/// `WDF_FILEOBJECT_CONFIG`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct FileObjectConfig {
    size: u32,
    padding: u32,
    create: u64,
    close: u64,
    cleanup: u64,
    auto_forward: u32,
    class: u32,
}

/// What files are configured by.
pub const EXPORTS: &[Export] =
    &[row("WdfDeviceInitSetFileObjectConfig", Irql::DISPATCH, Fails::Never, set_file_config)
        .with(inputs::SET_FILE_CONFIG)];

/// KMDF's fxdeviceinitapi.cpp, `WdfDeviceInitSetFileObjectConfig`: what is wrong is complained of, and changes nothing. A control
/// device has nobody to forward to.
fn set_file_config(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    device_init::required(call, call.arg(1));
    let config: FileObjectConfig = call.read(required(call, 2));
    match check(call, &config) {
        Ok(attributes) => {
            let create = call.callback(config.create, "EvtDeviceFileCreate");
            let close = call.callback(config.close, "EvtFileClose");
            let cleanup = call.callback(config.cleanup, "EvtFileCleanup");
            let (has_object, attributes_given) = (config.class != NOT_REQUIRED, call.arg(3) != 0);
            let files = FileConfig { create, close, cleanup, attributes, attributes_given, has_object, passive: false };
            device_init::change(call, |init| init.files = Some(files))
        }
        Err(problem) => {
            verifier::complain(call.cpu, format!("WdfDeviceInitSetFileObjectConfig was given {problem}"));
            0
        }
    }
}

fn check(call: &Call<'_>, config: &FileObjectConfig) -> Result<Attributes, String> {
    if config.size as usize != size_of::<FileObjectConfig>() {
        return Err(format!("a structure of {} bytes", config.size));
    }
    let attributes = Attributes::read(call, call.arg(3), Allows::CALLBACKS)
        .map_err(|status| format!("attributes that are answered {status:#x} elsewhere"))?;
    if config.auto_forward > USE_DEFAULT {
        return Err(format!("{} for AutoForwardCleanupClose", config.auto_forward));
    }
    let class = config.class & !CAN_BE_OPTIONAL;
    let wrongly_optional = class == NOT_REQUIRED && config.class != class;
    if !(NOT_REQUIRED..=LAST_CLASS).contains(&class) || wrongly_optional {
        return Err(format!("the class {:#x} for file objects", config.class));
    }
    Ok(attributes)
}

/// What the files of a device with this level and this scope are to be like: KMDF's fxpkggeneral.cpp, `ConfigureConstraints`.
/// They are cleaned up and destroyed at `PASSIVE_LEVEL` for drivers of KMDF 1.11 and later, for others if they say so.
/// Simplification: no callbacks are kept from running at once, so files that want that stop the machine.
pub(super) fn constrained(
    call: &Call<'_>,
    files: FileConfig,
    (level, scope): (Level, Scope),
    is_at_least_1_11: bool,
) -> Result<FileConfig, u64> {
    let FileConfig { attributes, attributes_given, .. } = files;
    if !attributes_given {
        return Ok(FileConfig { passive: is_at_least_1_11, ..files });
    }
    match if attributes.scope == Scope::Inherited { scope } else { attributes.scope } {
        Scope::Queue => return Err(STATUS_INVALID_DEVICE_REQUEST),
        Scope::Device if level != Level::Passive => return Err(STATUS_INVALID_DEVICE_REQUEST),
        Scope::Device => {
            call.not_modelled("synchronization scopes: the files of a device have one");
        }
        Scope::None | Scope::Inherited => {}
    }
    let own = if attributes.level == Level::Inherited { level } else { attributes.level };
    Ok(FileConfig { passive: is_at_least_1_11 || own == Level::Passive, ..files })
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_the_file_configuration_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_FILEOBJECT_CONFIG", field);
        assert_eq!(facts::size(&facts, "WDF_FILEOBJECT_CONFIG"), size_of::<FileObjectConfig>());
        assert_eq!(offset("EvtDeviceFileCreate"), offset_of!(FileObjectConfig, create));
        assert_eq!(offset("EvtFileClose"), offset_of!(FileObjectConfig, close));
        assert_eq!(offset("EvtFileCleanup"), offset_of!(FileObjectConfig, cleanup));
        assert_eq!(offset("AutoForwardCleanupClose"), offset_of!(FileObjectConfig, auto_forward));
        assert_eq!(offset("FileObjectClass"), offset_of!(FileObjectConfig, class));
    }
}
