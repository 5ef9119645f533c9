//! A driver that leaves several things behind: what the referee says first, and what besides.

use super::driver::check_nothing_left;
use crate::{
    BugCheck, Machine, Options,
    computer::lent_memory::LentMemory,
    kernel::{device_object::DeviceObject, unicode_string::UnicodeString},
};

/// A driver that takes things and gives none of them back.
struct Taking {
    machine: Machine,
    device: DeviceObject,
    /// What the machine may still read.
    lent: Vec<LentMemory>,
}

extern "win64" fn callback() -> u64 {
    0
}

impl Taking {
    fn new() -> Self {
        let machine = Machine::new(Options::default());
        Self { device: machine.device_objects().create(336), machine, lent: Vec::new() }
    }

    fn called(&self, module: &str, name: &'static str, arguments: &[u64]) -> u64 {
        let address = self.machine.imports().address(module, name).expect("the machine exports it");
        self.machine.run(|cpu| cpu.call(address, name, arguments)).unwrap()
    }

    fn pool(self) -> Self {
        let tag = u32::from_le_bytes(*b"Test").into();
        assert_ne!(self.called("ntoskrnl.exe", "ExAllocatePool2", &[0x40, 100, tag]), 0);
        self
    }

    fn process(self) -> Self {
        let process = self.called("ntoskrnl.exe", "IoGetCurrentProcess", &[]);
        self.called("ntoskrnl.exe", "ObfReferenceObject", &[process]);
        self
    }

    fn injection_handle(self) -> Self {
        let mut handle = 0u64;
        let arguments = [0, 0, &raw mut handle as u64];
        assert_eq!(self.called("fwpkclnt.sys", "FwpsInjectionHandleCreate0", &arguments), 0);
        self
    }

    fn callout(self) -> Self {
        // FWPS_CALLOUT2: a key, flags, classifyFn, notifyFn, and no flowDeleteFn.
        let callout = LentMemory::zeroed(48);
        callout.set(0, 1u32);
        callout.set(24, [callback as *const () as u64; 2]);
        let arguments = [self.device.address(), callout.address(), 0];
        assert_eq!(self.called("fwpkclnt.sys", "FwpsCalloutRegister2", &arguments), 0);
        self
    }

    fn framework(mut self) -> Self {
        let (component, path) = (LentMemory::utf16("KmdfLibrary\0"), LentMemory::utf16(r"\REGISTRY\x"));
        let string = LentMemory::zeroed(size_of::<UnicodeString>());
        string.set(0, UnicodeString { length: 22, maximum_length: 22, padding: 0, buffer: path.address() });
        // WDF_BIND_INFO, a DRIVER_OBJECT, and places for the table and the globals.
        let (info, object, answers) = (LentMemory::zeroed(48), LentMemory::zeroed(336), LentMemory::zeroed(16));
        info.set(0, 48u32);
        info.set(8, component.address());
        info.set(16, [1u32, 31, 0, 458]);
        info.set(32, answers.address());
        let arguments = [object.address(), string.address(), info.address(), answers.address() + 8];
        assert_eq!(self.called("WDFLDR.SYS", "WdfVersionBind", &arguments), 0);
        self.lent.extend([component, path, string, info, object, answers]);
        self
    }

    /// It leaves.
    fn leaves(self) -> BugCheck {
        let Self { machine, device, .. } = self;
        drop(device);
        machine.run(check_nothing_left).unwrap_err()
    }
}

fn texts(bug_check: &BugCheck) -> Vec<&str> {
    [bug_check.reason()].into_iter().chain(bug_check.besides().iter().map(String::as_str)).collect()
}

/// Each of `texts` begins with the driver's leaving "with" or "without" what stands beside it in `expected`.
#[track_caller]
fn assert_left(bug_check: &BugCheck, expected: &[&str]) {
    let texts = texts(bug_check);
    let fit =
        texts.iter().zip(expected).all(|(text, expected)| text.starts_with(&format!("the driver left with{expected}")));
    assert!(fit && texts.len() == expected.len(), "{bug_check}");
}

const CALLOUTS: &str = " 1 callouts registered";
const FRAMEWORK: &str = "out unbinding from the framework";
const REFERENCES: &str = " 1 references to processes";
const HANDLES: &str = " 1 injection handles";
const POOL: &str = "out freeing 1 blocks of pool";

#[test]
fn a_callout_that_windows_would_call_comes_before_all_else() {
    let bug_check = Taking::new().pool().process().injection_handle().framework().callout().leaves();
    assert_eq!(bug_check.code(), 0xCE);
    assert_left(&bug_check, &[CALLOUTS, FRAMEWORK, REFERENCES, HANDLES, POOL]);
}

#[test]
fn a_framework_that_knows_the_driver_comes_before_references_and_pool() {
    let bug_check = Taking::new().pool().process().framework().leaves();
    assert_eq!((bug_check.code(), bug_check.parameters()[0]), (0xC4, 0x62));
    assert_left(&bug_check, &[FRAMEWORK, REFERENCES, POOL]);
}

#[test]
fn a_handle_comes_before_pool() {
    let bug_check = Taking::new().pool().injection_handle().leaves();
    assert_left(&bug_check, &[HANDLES, POOL]);
}

#[test]
fn the_report_has_a_line_for_each_thing_left() {
    let report = Taking::new().pool().process().callout().leaves().to_string();
    let lines: Vec<&str> = report.lines().take(4).collect();
    assert_eq!(
        lines[0],
        "*** STOP 0x000000CE DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS (0x0, 0x0, 0x0, 0x1)"
    );
    assert!(lines[1].starts_with("    the driver left with 1 callouts"), "{report}");
    assert!(lines[2].starts_with("    besides: the driver left with 1 references to processes"), "{report}");
    assert!(lines[3].starts_with("    besides: the driver left without freeing 1 blocks of pool"), "{report}");
}

#[test]
fn a_driver_that_leaves_nothing_is_let_go() {
    let Taking { machine, device, .. } = Taking::new();
    drop(device);
    assert_eq!(machine.run(check_nothing_left).map_err(|bug_check| bug_check.to_string()), Ok(()));
}
