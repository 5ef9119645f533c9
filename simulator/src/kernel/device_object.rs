//! `DEVICE_OBJECT`s, counted: one that is referenced outlives its deletion, and keeps the image of its driver.
//!
//! DDI `IoDeleteDevice`: with references left, a device object is deleted when they are released. That the driver stays in
//! memory for as long as one of its device objects is there is how `IoSetCompletionRoutineEx` guarantees that a driver is
//! not unloaded before its routine runs: the routine has to belong to the driver that owns the device object (its page).
//! Simplification: who unloads a driver waits for that; Windows leaves the rest to whoever releases the last reference.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::touches::DEVICES_GONE;
use crate::{
    computer::{Cpu, Machine, lent_memory::LentMemory},
    interleave,
    referee::{Harm, Leaving},
};

/// A wait that lasts longer is one that never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the waiter looks.
const GLANCE: Duration = Duration::from_micros(50);

const MANUALLY_INITIATED_CRASH: u32 = 0xE2;

/// The device objects that there are, by their addresses.
#[derive(Clone, Debug, Default)]
pub struct DeviceObjects(Arc<Mutex<BTreeMap<u64, Counted>>>);

#[derive(Debug)]
struct Counted {
    #[expect(dead_code, reason = "who has a reference may read it")]
    memory: Arc<LentMemory>,
    /// Its creator's is one of them.
    references: u64,
}

/// A device object, as its creator has it. Dropped, it is deleted: at once, or when its last reference is released.
#[derive(Debug)]
pub struct DeviceObject {
    memory: Arc<LentMemory>,
    all: DeviceObjects,
}

impl Deref for DeviceObject {
    type Target = LentMemory;

    fn deref(&self) -> &LentMemory {
        &self.memory
    }
}

impl Drop for DeviceObject {
    fn drop(&mut self) {
        self.all.dereference(self.address());
    }
}

impl DeviceObjects {
    /// A device object of `size` zeroed bytes.
    #[must_use]
    pub fn create(&self, size: usize) -> DeviceObject {
        let memory = Arc::new(LentMemory::zeroed(size));
        self.table().insert(memory.address(), Counted { memory: Arc::clone(&memory), references: 1 });
        DeviceObject { memory, all: self.clone() }
    }

    /// `ObReferenceObject`. False when there is no device object at `address`.
    #[must_use]
    pub fn reference(&self, address: u64) -> bool {
        self.table().get_mut(&address).map(|counted| counted.references += 1).is_some()
    }

    /// `ObDereferenceObject`.
    pub fn dereference(&self, address: u64) {
        let mut table = self.table();
        let Some(counted) = table.get_mut(&address) else { return };
        counted.references -= 1;
        if counted.references == 0 {
            table.remove(&address);
        }
    }

    /// How many there are, those among them that are deleted and still referenced.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table().len()
    }

    /// Waits until no device object keeps the driver's image; what is left when that is for ever.
    #[must_use]
    pub(crate) fn wait_until_gone(&self, cpu: &Cpu) -> Option<Leaving> {
        let all = self.clone();
        interleave::wait_until("no device object keeps the image", DEVICES_GONE, move || all.count() == 0);
        let started = Instant::now();
        while self.count() > 0 {
            if started.elapsed() > PATIENCE {
                let text =
                    "the driver has been unloaded, and its image stays for ever: a device object of its is referenced";
                return Some(Leaving {
                    harm: Harm::Kept,
                    code: MANUALLY_INITIATED_CRASH,
                    parameters: [0, 0, 0, self.count() as u64],
                    reason: text.into(),
                });
            }
            thread::sleep(GLANCE);
            cpu.check_alive();
        }
        None
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<u64, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    /// The device objects.
    #[must_use]
    pub fn device_objects(&self) -> &DeviceObjects {
        &self.kernel().device_objects
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{
        Options,
        interleave::{Crew, Explores, Job, Plan, Waits, explore::Explorer},
        kernel::DEVICES,
    };

    #[test]
    fn a_device_object_that_nobody_references_goes_when_it_is_deleted() {
        let all = DeviceObjects::default();
        drop(all.create(336));
        assert_eq!(all.count(), 0);
    }

    #[test]
    fn a_referenced_device_object_outlives_its_deletion() {
        let all = DeviceObjects::default();
        let device = all.create(336);
        let address = device.address();
        assert!(all.reference(address));
        drop(device);
        assert_eq!(all.count(), 1);
        all.dereference(address);
        assert_eq!(all.count(), 0);
    }

    /// Explores the orders of a thread that releases the last reference, and of one that unmaps the image.
    #[test]
    fn in_no_order_of_threads_is_the_image_let_go_before_the_last_reference_is_released() {
        let explorer = Arc::new(Mutex::new(Explorer::default()));
        let crew = Crew::new(2);
        loop {
            let machine = Machine::new(Options::default());
            let device = machine.device_objects().create(336);
            let address = device.address();
            assert!(machine.device_objects().reference(address));
            drop(device);
            let released = Arc::new(AtomicBool::new(false));
            let (releasing, has_released, unmapping) = (machine.clone(), Arc::clone(&released), machine.clone());
            let release: Job = Box::new(move || {
                interleave::point("flowDeleteFn has returned", DEVICES);
                has_released.store(true, Ordering::Relaxed);
                releasing.device_objects().dereference(address);
                Ok(())
            });
            let unmap: Job = Box::new(move || {
                let waited = unmapping.run(|cpu| unmapping.device_objects().wait_until_gone(cpu));
                let in_order = matches!(waited, Ok(None)) && released.load(Ordering::Relaxed);
                if in_order { Ok(()) } else { Err("the image is let go too early".into()) }
            });
            let plan = Plan { strategy: explorer.clone(), memory: None, waits: Waits::Early(1), seed: 0 };
            assert_eq!(crew.run(plan, vec![release, unmap]).failure, None);
            if !explorer.lock().unwrap().next_run() {
                break;
            }
        }
    }

    #[test]
    fn what_is_no_device_object_cannot_be_referenced() {
        assert!(!DeviceObjects::default().reference(0xDE_71CE));
    }
}
