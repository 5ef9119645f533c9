//! A small native driver that calls the framework as drivers do.

use std::cell::{Cell, RefCell};

use super::table;
use crate::{
    BugCheck, Machine, Options,
    computer::{Irql, lent_memory::LentMemory, memory},
    kernel::{registry, unicode_string::UnicodeString},
    windows::{self, Release},
};

pub(super) const DRIVER_UNLOAD: u64 = 104;
pub(super) const NON_PNP: u32 = 1;

thread_local! {
    /// Handles that EvtDriverUnload and EvtCleanupCallback were given.
    pub(super) static UNLOADED: Cell<u64> = const { Cell::new(0) };
    pub(super) static CLEANED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

pub(super) extern "win64" fn evt_unload(driver: u64) {
    UNLOADED.set(driver);
}

pub(super) extern "win64" fn evt_cleanup(object: u64) {
    CLEANED.with_borrow_mut(|all| all.push(object));
}

/// `WDF_OBJECT_ATTRIBUTES` as `WDF_OBJECT_ATTRIBUTES_INIT` leaves them: level and scope are inherited.
pub(super) fn attributes() -> LentMemory {
    let attributes = LentMemory::zeroed(56);
    attributes.set(0, 56u32);
    attributes.set(24, [1u32, 1]);
    attributes
}

/// The type of a context of `size` bytes.
pub(super) fn context_type(size: u64) -> LentMemory {
    static NAME: [u8; 8] = *b"CONTEXT\0";
    let kind = LentMemory::zeroed(40);
    kind.set(0, 40u32);
    kind.set(8, NAME.as_ptr() as u64);
    kind.set(16, size);
    kind
}

/// A driver bound to the framework.
pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) globals: u64,
    table: u64,
    pub(super) driver_object: LentMemory,
    pub(super) registry_path: LentMemory,
    #[expect(dead_code, reason = "registry_path points at it")]
    path: LentMemory,
    pub(super) bind_info: LentMemory,
    pub(super) component: LentMemory,
}

const SERVICES: &str = r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services";

pub(super) fn unicode(text: &LentMemory, bytes: usize) -> LentMemory {
    let length = bytes as u16;
    let string = LentMemory::zeroed(size_of::<UnicodeString>());
    string.set(0, UnicodeString { length, maximum_length: length, padding: 0, buffer: text.address() });
    string
}

impl Rig {
    pub(super) fn unbound(minor: u32, functions: u32) -> Self {
        Self::unbound_on(Release::default(), minor, functions)
    }

    pub(super) fn unbound_on(release: Release, minor: u32, functions: u32) -> Self {
        Self::unbound_as("flowtag", release, minor, functions)
    }

    pub(super) fn unbound_as(service: &str, release: Release, minor: u32, functions: u32) -> Self {
        UNLOADED.set(0);
        CLEANED.take();
        let machine = Machine::new(Options { release, ..Options::default() });
        machine.registry().create_key(&registry::service_key(service));
        let text = format!(r"{SERVICES}\{service}");
        let path = LentMemory::utf16(&text);
        let registry_path = unicode(&path, 2 * text.len());
        let component = LentMemory::utf16("KmdfLibrary\0");
        let bind_info = LentMemory::zeroed(88);
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

    pub(super) fn bind(&mut self) -> u32 {
        self.try_bind().unwrap()
    }

    pub(super) fn try_bind(&mut self) -> Result<u32, BugCheck> {
        self.bind_info.set(32, &raw mut self.table as u64);
        self.call_bind()
    }

    /// Binds with the function table at `table`.
    pub(super) fn bind_to(&mut self, table: u64) -> u32 {
        self.bind_info.set(32, table);
        self.call_bind().unwrap()
    }

    fn call_bind(&mut self) -> Result<u32, BugCheck> {
        let arguments = [
            self.driver_object.address(),
            self.registry_path.address(),
            self.bind_info.address(),
            &raw mut self.globals as u64,
        ];
        let bind = windows::address("WDFLDR.SYS", "WdfVersionBind").unwrap();
        self.machine.run(|cpu| cpu.call(bind, "WdfVersionBind", &arguments) as u32)
    }

    pub(super) fn bound() -> Self {
        Self::bound_on(Release::default())
    }

    pub(super) fn bound_on(release: Release) -> Self {
        let mut rig = Self::unbound_on(release, 31, 458);
        assert_eq!(rig.bind(), 0);
        rig
    }

    pub(super) fn bound_as(service: &str) -> Self {
        let mut rig = Self::unbound_as(service, Release::default(), 31, 458);
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
        self.try_wdf_at(Irql::PASSIVE, name, arguments)
    }

    pub(super) fn try_wdf_at(&self, irql: Irql, name: &'static str, arguments: &[u64]) -> Result<u64, BugCheck> {
        let slot = (0..458).find(|&slot| table::functions()[slot] == name).unwrap();
        let function: u64 = memory::read(self.table + 8 * slot as u64).expect("the bound table");
        let arguments: Vec<u64> = [self.globals].iter().chain(arguments).copied().collect();
        self.machine.run(|cpu| cpu.at_irql(irql, || cpu.call(function, name, &arguments)))
    }

    pub(super) fn wdf(&self, name: &'static str, arguments: &[u64]) -> u64 {
        self.try_wdf(name, arguments).unwrap()
    }

    pub(super) fn create_driver(&self, size: u32, flags: u32, unload: u64) -> (u32, u64) {
        let config = LentMemory::zeroed(32);
        config.set(0, size);
        config.set(16, unload);
        config.set(24, flags);
        self.create_driver_of(&config, 0)
    }

    pub(super) fn create_driver_of(&self, config: &LentMemory, attributes: u64) -> (u32, u64) {
        let mut driver = 0u64;
        let (object, path) = (self.driver_object.address(), self.registry_path.address());
        let arguments = [object, path, attributes, config.address(), &raw mut driver as u64];
        (self.wdf("WdfDriverCreate", &arguments) as u32, driver)
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

    pub(super) fn device(&self, driver: u64) -> u64 {
        let (mut init, mut device) = (self.device_init(driver), 0u64);
        let attributes = attributes();
        attributes.set(8, evt_cleanup as *const () as u64);
        let arguments = [&raw mut init as u64, attributes.address(), &raw mut device as u64];
        assert_eq!((self.wdf("WdfDeviceCreate", &arguments), init), (0, 0));
        device
    }

    pub(super) fn query(&self, key: u64, name: &str) -> (u32, u32) {
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
