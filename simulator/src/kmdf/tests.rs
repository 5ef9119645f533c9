//! The framework's functions, called as a driver calls them.

use std::cell::{Cell, RefCell};

use super::table;
use crate::{
    BugCheck, Machine, Options,
    computer::{lent_memory::LentMemory, memory},
    kernel::{
        registry::{self, Value},
        unicode_string::UnicodeString,
    },
    windows::{self, Release},
};

const DRIVER_UNLOAD: u64 = 104;
const NON_PNP: u32 = 1;
const COMPANION: u32 = 4;

thread_local! {
    /// Handles that EvtDriverUnload and EvtCleanupCallback were given.
    static UNLOADED: Cell<u64> = const { Cell::new(0) };
    static CLEANED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

extern "win64" fn evt_unload(driver: u64) {
    UNLOADED.set(driver);
}

extern "win64" fn evt_cleanup(object: u64) {
    CLEANED.with_borrow_mut(|all| all.push(object));
}

/// A driver bound to the framework.
pub(super) struct Rig {
    pub(super) machine: Machine,
    globals: u64,
    table: u64,
    driver_object: LentMemory,
    registry_path: LentMemory,
    #[expect(dead_code, reason = "registry_path points at it")]
    path: LentMemory,
    bind_info: LentMemory,
    component: LentMemory,
}

const PATH: &str = r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\flowtag";

pub(super) fn unicode(text: &LentMemory, bytes: usize) -> LentMemory {
    let length = bytes as u16;
    let string = LentMemory::zeroed(size_of::<UnicodeString>());
    string.set(0, UnicodeString { length, maximum_length: length, padding: 0, buffer: text.address() });
    string
}

impl Rig {
    fn unbound(minor: u32, functions: u32) -> Self {
        Self::unbound_on(Release::default(), minor, functions)
    }

    fn unbound_on(release: Release, minor: u32, functions: u32) -> Self {
        UNLOADED.set(0);
        CLEANED.take();
        let machine = Machine::new(Options { release, ..Options::default() });
        machine.registry().create_key(&registry::service_key("flowtag"));
        let path = LentMemory::utf16(PATH);
        let registry_path = unicode(&path, 2 * PATH.len());
        let component = LentMemory::utf16("KmdfLibrary\0");
        let bind_info = LentMemory::zeroed(48);
        bind_info.set(0, 48u32);
        bind_info.set(8, component.address());
        bind_info.set(16, [1, minor, 0, functions]);
        Self {
            machine,
            globals: 0,
            table: 0,
            driver_object: LentMemory::zeroed(336),
            registry_path,
            path,
            bind_info,
            component,
        }
    }

    fn bind(&mut self) -> u32 {
        self.bind_info.set(32, &raw mut self.table as u64);
        let arguments = [
            self.driver_object.address(),
            self.registry_path.address(),
            self.bind_info.address(),
            &raw mut self.globals as u64,
        ];
        let bind = windows::address("WDFLDR.SYS", "WdfVersionBind").unwrap();
        self.machine.run(|cpu| cpu.call(bind, "WdfVersionBind", &arguments) as u32).unwrap()
    }

    pub(super) fn bound() -> Self {
        Self::bound_on(Release::default())
    }

    pub(super) fn bound_on(release: Release) -> Self {
        let mut rig = Self::unbound_on(release, 31, 458);
        assert_eq!(rig.bind(), 0);
        rig
    }

    pub(super) fn unbind(&self) -> Result<u64, BugCheck> {
        let unbind = windows::address("WDFLDR.SYS", "WdfVersionUnbind").unwrap();
        let arguments = [self.registry_path.address(), self.bind_info.address(), self.globals];
        self.machine.run(|cpu| cpu.call(unbind, "WdfVersionUnbind", &arguments))
    }

    /// Calls a function through the bound table.
    pub(super) fn try_wdf(&self, name: &'static str, arguments: &[u64]) -> Result<u64, BugCheck> {
        let slot = (0..458).find(|&slot| table::functions()[slot] == name).unwrap();
        let function: u64 = memory::read(self.table + 8 * slot as u64).expect("the bound table");
        let arguments: Vec<u64> = [self.globals].iter().chain(arguments).copied().collect();
        self.machine.run(|cpu| cpu.call(function, name, &arguments))
    }

    pub(super) fn wdf(&self, name: &'static str, arguments: &[u64]) -> u64 {
        self.try_wdf(name, arguments).unwrap()
    }

    fn create_driver(&self, size: u32, flags: u32, unload: u64) -> (u32, u64) {
        let config = LentMemory::zeroed(32);
        config.set(0, size);
        config.set(16, unload);
        config.set(24, flags);
        let mut driver = 0u64;
        let (object, path) = (self.driver_object.address(), self.registry_path.address());
        let status = self.wdf("WdfDriverCreate", &[object, path, 0, config.address(), &raw mut driver as u64]);
        (status as u32, driver)
    }

    pub(super) fn driver(&self) -> u64 {
        let (status, driver) = self.create_driver(32, NON_PNP, evt_unload as *const () as u64);
        assert_eq!(status, 0);
        driver
    }

    pub(super) fn device_init(&self, driver: u64) -> u64 {
        self.device_init_with(driver, "D:P")
    }

    pub(super) fn device_init_with(&self, driver: u64, security: &str) -> u64 {
        let text = LentMemory::utf16(security);
        self.wdf("WdfControlDeviceInitAllocate", &[driver, unicode(&text, 2 * security.len()).address()])
    }

    fn device(&self, driver: u64) -> u64 {
        let (mut init, mut device) = (self.device_init(driver), 0u64);
        let attributes = LentMemory::zeroed(56);
        attributes.set(0, 56u32);
        attributes.set(8, evt_cleanup as *const () as u64);
        let arguments = [&raw mut init as u64, attributes.address(), &raw mut device as u64];
        assert_eq!((self.wdf("WdfDeviceCreate", &arguments), init), (0, 0));
        device
    }

    fn query(&self, key: u64, name: &str) -> (u32, u32) {
        let text = LentMemory::utf16(name);
        let mut value = 0u32;
        let status =
            self.wdf("WdfRegistryQueryULong", &[key, unicode(&text, 2 * name.len()).address(), &raw mut value as u64]);
        (status as u32, value)
    }
}

pub(super) fn violation<T: std::fmt::Debug>(outcome: Result<T, BugCheck>) -> (u32, u64) {
    let bug_check = outcome.expect_err("a bug check");
    (bug_check.code(), bug_check.parameters()[0])
}

#[test]
fn a_version_that_is_too_new_is_refused() {
    assert_eq!(Rig::unbound(35, 460).bind(), 0xC000_000D);
    assert_eq!(Rig::unbound_on(Release::WINDOWS_10_2004, 33, 458).bind(), 0xC000_000D);
    assert_eq!(Rig::unbound_on(Release::WINDOWS_11_21H2, 33, 458).bind(), 0);
}

#[test]
fn a_function_count_of_another_version_is_refused() {
    assert_eq!(Rig::unbound(31, 457).bind(), 0xC000_000D);
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
    rig.bind_info.set(32, copy.address());
    let arguments = [
        rig.driver_object.address(),
        rig.registry_path.address(),
        rig.bind_info.address(),
        &raw mut rig.globals as u64,
    ];
    let bind = windows::address("WDFLDR.SYS", "WdfVersionBind").unwrap();
    assert_eq!(rig.machine.run(|cpu| cpu.call(bind, "WdfVersionBind", &arguments)).unwrap(), 0);
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
    assert_eq!(rig.create_driver(32, NON_PNP | COMPANION, 0).0, 0);
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
    assert_eq!(violation(rig.unbind()), (0xC4, 0x62));
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
    assert_eq!(violation(rig.try_wdf("WdfObjectDelete", &[driver])).0, 0x10D);
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
