//! The service's keys, by the rules of KMDF's source.

use super::rig::{Rig, unicode};
use crate::{
    computer::lent_memory::LentMemory,
    kernel::registry::{self, Value},
    windows::Release,
};

const KEY_READ: u64 = 0x2_0019;
const KEY_SET_VALUE: u64 = 2;

fn open(rig: &Rig, driver: u64, access: u64) -> u32 {
    let mut key = 0u64;
    let status = rig.wdf("WdfDriverOpenParametersRegistryKey", &[driver, access, 0, &raw mut key as u64]) as u32;
    assert_eq!(status == 0, key != 0);
    status
}

#[test]
fn a_driver_that_is_created_leaves_its_version_in_the_registry() {
    let rig = Rig::bound();
    let key = format!(r"{}\Wdf", registry::parameters_key("flowtag"));
    assert!(!rig.machine.registry().has_key(&registry::parameters_key("flowtag")));
    rig.driver();
    let value = |name| rig.machine.registry().get(&key, name);
    assert_eq!(value("WdfMajorVersion"), Some(Value::Dword(1)));
    assert_eq!(value("WdfMinorVersion"), Some(Value::Dword(31)));
}

#[test]
fn opening_a_missing_key_to_read_does_not_create_it() {
    let rig = Rig::bound_on(Release::WINDOWS_11_21H2);
    let driver = rig.driver();
    assert_eq!(open(&rig, driver, KEY_READ), 0);
    rig.machine.registry().delete_key(&registry::parameters_key("flowtag"));
    assert_eq!(open(&rig, driver, KEY_READ), 0xC000_0034);
    assert!(!rig.machine.registry().has_key(&registry::parameters_key("flowtag")));
}

#[test]
fn before_kmdf_1_33_opening_a_missing_key_to_read_creates_it() {
    let rig = Rig::bound_on(Release::WINDOWS_10_2004);
    let driver = rig.driver();
    rig.machine.registry().delete_key(&registry::parameters_key("flowtag"));
    assert_eq!(open(&rig, driver, KEY_READ), 0);
    assert!(rig.machine.registry().has_key(&registry::parameters_key("flowtag")));
}

#[test]
fn opening_a_missing_key_to_write_creates_it() {
    let rig = Rig::bound();
    let driver = rig.driver();
    rig.machine.registry().delete_key(&registry::parameters_key("flowtag"));
    assert_eq!(open(&rig, driver, KEY_READ | KEY_SET_VALUE), 0);
    assert!(rig.machine.registry().has_key(&registry::parameters_key("flowtag")));
}

/// What `WdfRegistryQueryULong` answers for a value, and the number that it leaves.
fn queried(value: Value) -> (u32, u32) {
    let rig = Rig::bound();
    rig.machine.registry().set_parameter("flowtag", "Value", value);
    let (mut key, mut number) = (0u64, 0x1111_1111u32);
    let driver = rig.driver();
    let opened = [driver, KEY_READ, 0, &raw mut key as u64];
    assert_eq!(rig.wdf("WdfDriverOpenParametersRegistryKey", &opened), 0);
    let text = LentMemory::utf16("Value");
    let name = unicode(&text, 10);
    let arguments = [key, name.address(), &raw mut number as u64];
    (rig.wdf("WdfRegistryQueryULong", &arguments) as u32, number)
}

#[test]
fn a_number_that_is_too_long_is_answered_so() {
    assert_eq!(queried(Value::OddDword(vec![1, 2, 3, 4, 5])), (0x8000_0005, 0x1111_1111));
}

#[test]
fn a_number_that_is_too_short_has_anything_behind_it() {
    let (status, number) = queried(Value::OddDword(vec![3]));
    assert_eq!((status, number & 0xFF), (0, 3));
    assert_ne!(number, 3, "the framework's stack");
}

#[test]
fn the_type_of_a_value_counts_before_its_size() {
    for value in [Value::Qword(3), Value::Sz("3".into()), Value::Binary(vec![3, 0, 0, 0]), Value::Binary(vec![0; 99])] {
        assert_eq!(queried(value), (0xC000_0024, 0x1111_1111));
    }
}

#[test]
fn the_place_for_the_key_is_cleared_before_anything_else_is_looked_at() {
    let rig = Rig::bound();
    let driver = rig.driver();
    let (wrong, mut key) = (LentMemory::zeroed(56), 1u64);
    let arguments = [driver, KEY_READ, wrong.address(), &raw mut key as u64];
    assert_eq!(rig.wdf("WdfDriverOpenParametersRegistryKey", &arguments), 0xC000_0004);
    assert_eq!(key, 0);
}
