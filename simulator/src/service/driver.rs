//! A driver in memory: its image, its `DRIVER_OBJECT`, and the calls of its entry and unload routines.

use std::path::Path;

use crate::{
    computer::{Cpu, Machine, guard},
    image::LoadError,
    interleave::{self, Touches},
    kernel::driver_object::DriverObject,
    referee::{BugCheck, Harm},
};

/// A loaded driver.
#[derive(Debug)]
pub(super) struct Driver {
    entry: u64,
    object: DriverObject,
}

impl Driver {
    /// Maps the image and makes its object. Nothing of it runs yet.
    pub(super) fn load(machine: &Machine, service: &str, path: &Path) -> Result<Self, LoadError> {
        let image = machine.map_image(path)?;
        let entry = image.entry();
        Ok(Self { entry, object: DriverObject::new(service, &image.range(), entry) })
    }

    /// Runs the entry point; what it says when it fails must be undone already.
    pub(super) fn enter(&self, machine: &Machine) -> Result<u32, BugCheck> {
        machine.run(|cpu| {
            let arguments = [self.object.address(), self.object.registry_path()];
            guard::check(cpu, self.entry, "the loader", "the entry point");
            let status = cpu.call(self.entry, "DriverEntry", &arguments) as u32;
            if status.cast_signed() < 0 {
                check_nothing_left(cpu);
            }
            status
        })
    }

    /// The driver's unload routine; `None` when it does not want to be stopped.
    pub(super) fn unload_routine(&self) -> Option<u64> {
        self.object.unload_routine()
    }

    /// Runs the unload routine.
    pub(super) fn unload(&self, machine: &Machine, routine: u64) -> Result<(), BugCheck> {
        machine.run(|cpu| {
            guard::check(cpu, routine, "the driver object", "DriverUnload");
            cpu.call(routine, "DriverUnload", &[self.object.address()]);
            check_nothing_left(cpu);
        })
    }
}

/// What the referee wants of a driver that leaves; and its image stays until nothing keeps it.
pub(super) fn check_nothing_left(cpu: &Cpu) {
    interleave::point("what is left is looked at", Touches::EVERYTHING);
    let mut left = cpu.machine().left();
    // While Windows has callouts of the driver's, or the framework its device, they keep the image: there is nothing to wait for.
    if left.iter().all(|leaving| leaving.harm > Harm::Kept) {
        left.extend(cpu.machine().device_objects().wait_until_gone(cpu));
    }
    cpu.check_left(left);
}
