//! Binding, the driver, its device and its settings, called as a driver calls them.

use super::rig::{CLEANED, DRIVER_UNLOAD, NON_PNP, Rig, UNLOADED, violation};
use crate::{
    computer::{lent_memory::LentMemory, memory},
    kernel::registry::Value,
    windows::Release,
};

#[test]
fn a_version_that_is_too_new_is_refused() {
    assert_eq!(Rig::unbound(35, 460).bind(), 0xC000_000D);
    assert_eq!(Rig::unbound_on(Release::WINDOWS_10_2004, 33, 458).bind(), 0xC000_000D);
    assert_eq!(Rig::unbound_on(Release::WINDOWS_11_21H2, 33, 458).bind(), 0);
}

#[test]
fn a_function_count_of_no_version_is_refused() {
    assert_eq!(Rig::unbound(31, 457).bind(), 0xC000_000D);
}

#[test]
fn a_function_count_of_another_version_is_taken() {
    assert_eq!(Rig::unbound(31, 444).bind(), 0);
}

#[test]
fn a_table_is_required() {
    let mut rig = Rig::unbound(31, 458);
    assert_eq!(rig.bind_to(0), 0xC000_000D);
}

#[test]
fn a_driver_that_is_newer_and_made_to_run_on_older_frameworks_stops_the_machine_by_name() {
    let mut rig = Rig::unbound(35, 460);
    rig.bind_info.set(0, 88u32);
    let stopped = rig.try_bind().unwrap_err();
    assert!(stopped.reason().contains("does not model drivers that are newer"), "{stopped}");
}

#[test]
fn a_library_of_another_name_is_refused() {
    let mut rig = Rig::unbound(31, 458);
    rig.component.set(0, u16::from(b'U'));
    assert_eq!(rig.bind(), 0xC000_000D);
}

#[test]
fn an_old_driver_gets_a_copy_of_the_table() {
    let mut rig = Rig::unbound(13, 438);
    let copy = LentMemory::zeroed(438 * 8);
    assert_eq!(rig.bind_to(copy.address()), 0);
    assert_eq!(copy.get::<u64>(116 * 8), crate::windows::imports().function_table(super::WDF)[116]);
}

#[test]
fn a_function_that_the_simulator_lacks_stops_the_machine_by_its_name() {
    let rig = Rig::bound();
    let bug_check = rig.try_wdf("WdfTimerCreate", &[0, 0, 0]).unwrap_err();
    assert!(bug_check.reason().contains("WdfTimerCreate"), "{bug_check}");
}

#[test]
fn other_globals_are_a_violation() {
    let mut rig = Rig::bound();
    rig.globals += 8;
    assert_eq!(violation(rig.try_wdf("WdfControlFinishInitializing", &[0])).0, 0x10D);
}

#[test]
fn a_driver_with_an_unload_callback_can_be_unloaded() {
    let rig = Rig::bound();
    let driver = rig.driver();
    let unload = rig.driver_object.get::<u64>(DRIVER_UNLOAD);
    let (driver_object, displace) = (rig.driver_object.address(), rig.globals + 48);
    assert_eq!(memory::read::<u8>(displace), Ok(1));
    rig.machine.run(|cpu| cpu.call(unload, "DriverUnload", &[driver_object])).unwrap();
    assert_eq!((UNLOADED.get(), rig.machine.kmdf().object_count()), (driver, 0));
}

#[test]
fn a_non_pnp_driver_without_an_unload_callback_cannot_be_unloaded() {
    let rig = Rig::bound();
    assert_eq!(rig.create_driver(32, NON_PNP, 0).0, 0);
    assert_eq!(rig.driver_object.get::<u64>(DRIVER_UNLOAD), 0);
}

#[test]
fn the_driver_config_is_checked() {
    let rig = Rig::bound();
    assert_eq!(rig.create_driver(24, NON_PNP, 0).0, 0xC000_0004);
    assert_eq!(rig.create_driver(32, 0x80, 0).0, 0xC000_000D);
}

#[test]
fn a_driver_is_created_once() {
    let rig = Rig::bound();
    rig.driver();
    assert_eq!(rig.create_driver(32, NON_PNP, 0).0, 0xC000_0183);
}

#[test]
fn a_control_device_is_initialized_finished_and_deleted() {
    let rig = Rig::bound();
    let device = rig.device(rig.driver());
    let object = rig.wdf("WdfDeviceWdmGetDeviceObject", &[device]);
    let flags = || memory::read::<u32>(object + 48).unwrap() & 0x80;
    assert_ne!(flags(), 0);
    rig.wdf("WdfControlFinishInitializing", &[device]);
    assert_eq!(flags(), 0);
    rig.wdf("WdfObjectDelete", &[device]);
    assert_eq!(CLEANED.take(), [device]);
    assert_eq!(violation(rig.try_wdf("WdfDeviceWdmGetDeviceObject", &[device])), (0x10D, 5));
}

#[test]
fn a_deleted_device_that_is_referenced_has_no_device_object() {
    let rig = Rig::bound();
    let device = rig.device(rig.driver());
    rig.wdf("WdfObjectReferenceActual", &[device, 0, 0, 0]);
    rig.wdf("WdfObjectDelete", &[device]);
    assert_eq!(rig.wdf("WdfDeviceWdmGetDeviceObject", &[device]), 0);
    rig.wdf("WdfObjectDereferenceActual", &[device, 0, 0, 0]);
}

#[test]
fn what_the_device_init_says_reaches_the_device() {
    let rig = Rig::bound();
    let (mut init, mut device) = (rig.device_init(rig.driver()), 0u64);
    rig.wdf("WdfDeviceInitSetDeviceType", &[init, 0x12]);
    rig.wdf("WdfDeviceCreate", &[&raw mut init as u64, 0, &raw mut device as u64]);
    let object = rig.wdf("WdfDeviceWdmGetDeviceObject", &[device]);
    assert_eq!(memory::read::<u32>(object + 72), Ok(0x12));
}

#[test]
fn a_device_init_is_freed_once() {
    let rig = Rig::bound();
    let init = rig.device_init(rig.driver());
    rig.wdf("WdfDeviceInitFree", &[init]);
    assert_eq!(violation(rig.try_wdf("WdfDeviceInitFree", &[init])), (0x10D, 5));
}

#[test]
fn a_device_init_that_is_left_behind_is_a_leak() {
    let rig = Rig::bound();
    rig.device_init(rig.driver());
    assert_eq!(violation(rig.unbind()), (0x1E, 0x8000_0003));
}

#[test]
fn unbinding_after_a_failed_entry_deletes_everything_without_the_unload_callback() {
    let rig = Rig::bound();
    let device = rig.device(rig.driver());
    rig.unbind().unwrap();
    assert_eq!((CLEANED.take(), UNLOADED.get()), (vec![device], 0));
    assert!(!rig.machine.kmdf().is_bound());
}

#[test]
fn a_null_parameter_is_a_violation() {
    let rig = Rig::bound();
    let driver = rig.driver();
    assert_eq!(violation(rig.try_wdf("WdfControlDeviceInitAllocate", &[driver, 0])), (0x10D, 4));
}

#[test]
fn the_driver_object_is_not_the_drivers_to_delete() {
    let rig = Rig::bound();
    let driver = rig.driver();
    assert_eq!(violation(rig.try_wdf("WdfObjectDelete", &[driver])), (0x1E, 0x8000_0003));
}

#[test]
fn settings_are_read_from_the_parameters_key() {
    let rig = Rig::bound();
    rig.machine.registry().set_parameter("flowtag", "TraceLevel", Value::Dword(3));
    rig.machine.registry().set_parameter("flowtag", "MaxFlows", Value::Sz("many".into()));
    let mut key = 0u64;
    let driver = rig.driver();
    assert_eq!(rig.wdf("WdfDriverOpenParametersRegistryKey", &[driver, 1, 0, &raw mut key as u64]), 0);
    assert_eq!(rig.query(key, "tracelevel"), (0, 3));
    assert_eq!(rig.query(key, "MaxFlows"), (0xC000_0024, 0));
    assert_eq!(rig.query(key, "Other"), (0xC000_0034, 0));
    rig.wdf("WdfRegistryClose", &[key]);
    assert_eq!(violation(rig.try_wdf("WdfRegistryClose", &[key])), (0x10D, 5));
}
