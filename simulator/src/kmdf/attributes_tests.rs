//! What each function allows in the attributes that it is given.

use super::rig::{NON_PNP, Rig, attributes, context_type};
use crate::computer::lent_memory::LentMemory;

const INFO_LENGTH_MISMATCH: u32 = 0xC000_0004;
const INVALID: u32 = 0xC020_0209;
const PARENT_NOT_ALLOWED: u32 = 0xC020_020F;
const SCOPE_INVALID: u32 = 0xC020_0210;
const LEVEL_INVALID: u32 = 0xC020_0211;

/// What `WdfDriverCreate` answers to attributes, which allows a level and a scope.
fn driver(attributes: &LentMemory) -> u32 {
    let rig = Rig::bound();
    let config = LentMemory::zeroed(32);
    config.set(0, 32u32);
    config.set(24, NON_PNP);
    rig.create_driver_of(&config, attributes.address()).0
}

/// What `WdfDeviceCreate` answers.
fn device(rig: &Rig, driver: u64, attributes: &LentMemory) -> u32 {
    let (mut init, mut device) = (rig.device_init(driver), 0u64);
    rig.wdf("WdfDeviceCreate", &[&raw mut init as u64, attributes.address(), &raw mut device as u64]) as u32
}

/// What `WdfDriverOpenParametersRegistryKey` answers, which allows a parent.
fn key(rig: &Rig, driver: u64, attributes: &LentMemory) -> u32 {
    let mut key = 0u64;
    let arguments = [driver, 0x2_0019, attributes.address(), &raw mut key as u64];
    rig.wdf("WdfDriverOpenParametersRegistryKey", &arguments) as u32
}

fn with(offset: u64, value: u32) -> LentMemory {
    let attributes = attributes();
    attributes.set(offset, value);
    attributes
}

#[test]
fn a_level_and_a_scope_are_one_of_those_that_there_are() {
    for (level, status) in [(0, INVALID), (1, 0), (2, 0), (3, 0), (4, INVALID)] {
        assert_eq!(driver(&with(24, level)), status, "level {level}");
    }
    for (scope, status) in [(0, INVALID), (1, 0), (2, 0), (3, 0), (4, 0), (5, INVALID)] {
        assert_eq!(driver(&with(28, scope)), status, "scope {scope}");
    }
}

#[test]
fn attributes_have_one_size() {
    assert_eq!(driver(&with(0, 48)), INFO_LENGTH_MISMATCH);
}

#[test]
fn a_driver_and_a_device_have_the_parent_that_the_framework_gives_them() {
    let rig = Rig::bound();
    let handle = rig.driver();
    let child = attributes();
    child.set(32, handle);
    assert_eq!(driver(&child), PARENT_NOT_ALLOWED);
    assert_eq!(device(&rig, handle, &child), PARENT_NOT_ALLOWED);
    assert_eq!(key(&rig, handle, &child), 0);
}

#[test]
fn what_has_no_callbacks_of_its_own_has_no_level_and_no_scope() {
    let rig = Rig::bound();
    let driver = rig.driver();
    for (level, status) in [(0, INVALID), (1, 0), (2, LEVEL_INVALID), (3, LEVEL_INVALID)] {
        assert_eq!(key(&rig, driver, &with(24, level)), status, "level {level}");
    }
    for (scope, status) in [(0, INVALID), (1, 0), (2, SCOPE_INVALID), (3, SCOPE_INVALID), (4, 0)] {
        assert_eq!(key(&rig, driver, &with(28, scope)), status, "scope {scope}");
    }
    assert_eq!(device(&rig, driver, &with(24, 2)), 0);
}

#[test]
fn a_context_type_has_one_of_two_sizes_and_a_name() {
    for (size, status) in [(40u32, 0), (24, 0), (32, INFO_LENGTH_MISMATCH)] {
        let (kind, given) = (context_type(8), attributes());
        kind.set(0, size);
        given.set(48, kind.address());
        assert_eq!(driver(&given), status, "{size}");
    }
    let (kind, given) = (context_type(8), attributes());
    kind.set(8, 0u64);
    given.set(48, kind.address());
    assert_eq!(driver(&given), INVALID);
    kind.set(16, 0u64);
    assert_eq!(driver(&given), 0, "a context of no size needs no name");
}

#[test]
fn a_size_of_the_drivers_own_needs_a_type_and_is_no_smaller() {
    let (kind, given) = (context_type(8), attributes());
    given.set(40, 8u64);
    assert_eq!(driver(&given), INVALID);
    given.set(48, kind.address());
    assert_eq!(driver(&given), 0);
    given.set(40, 7u64);
    assert_eq!(driver(&given), INVALID);
}
