//! The service's keys, by the rules of KMDF's source.

use super::tests::Rig;
use crate::{
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
