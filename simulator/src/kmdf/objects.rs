//! The framework's objects: driver, device, registry key, and the device's initialisation block.

use std::{collections::BTreeMap, sync::Mutex};

use super::{STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER, WDF_VIOLATION, invalid_handle};
use crate::kernel::{Call, Cpu, lent_memory::LentMemory};

/// Handles are counted from here; nothing is ever mapped there.
const FIRST_HANDLE: u64 = 0x0DF0_0000_0000;
const HANDLE_STEP: u64 = 16;

/// `WDF_OBJECT_ATTRIBUTES`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct ObjectAttributes {
    size: u32,
    padding: u32,
    cleanup: u64,
    destroy: u64,
    execution_level: u32,
    synchronization_scope: u32,
    parent: u64,
    context_size_override: u64,
    context_type: u64,
}

/// The callbacks of an object's attributes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Callbacks {
    cleanup: u64,
    destroy: u64,
}

/// What a handle stands for.
#[derive(Debug)]
pub(super) enum Object {
    /// A `WDFDRIVER`.
    Driver {
        /// `EvtDriverUnload`, or 0.
        unload: u64,
    },
    /// A `WDFDEVICE`: its `DEVICE_OBJECT`.
    Device(LentMemory),
    /// A `WDFKEY`: the registry key's name.
    Key(String),
}

/// A driver that is bound to the framework.
#[derive(Debug)]
pub(super) struct Client {
    /// Its `WDF_DRIVER_GLOBALS`.
    pub(super) globals: LentMemory,
    /// Its `DRIVER_OBJECT`.
    pub(super) driver_object: u64,
    /// Its service's key.
    pub(super) registry_path: String,
    /// Its `WDFDRIVER`, once created.
    pub(super) driver: Option<u64>,
}

/// A `WDFDEVICE_INIT`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeviceInit {
    pub(super) device_type: u32,
    pub(super) characteristics: u32,
    /// The code that allocated it.
    pub(super) allocated_by: u64,
}

/// One machine's framework.
#[derive(Debug, Default)]
pub struct Kmdf(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) client: Option<Client>,
    objects: BTreeMap<u64, (Object, Callbacks)>,
    pub(super) inits: BTreeMap<u64, DeviceInit>,
    handles: u64,
}

impl Kmdf {
    /// Runs `f` with the framework's state; `f` must not call the driver.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// How many objects there are: none when no driver is bound.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.with(|state| state.objects.len() + state.inits.len())
    }

    /// Whether a driver is bound to the framework.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.with(|state| state.client.is_some())
    }
}

impl State {
    pub(super) fn add(&mut self, object: Object, callbacks: Callbacks) -> u64 {
        let handle = self.next_handle();
        self.objects.insert(handle, (object, callbacks));
        handle
    }

    pub(super) fn object(&self, handle: u64) -> Option<&Object> {
        self.objects.get(&handle).map(|(object, _)| object)
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        FIRST_HANDLE + self.handles * HANDLE_STEP
    }
}

/// Checks that the call comes with the globals of a bound driver.
pub(super) fn check_globals(call: &Call<'_>) {
    let given = call.arg(0);
    let bound = call.machine.kmdf().with(|state| state.client.as_ref().map(|client| client.globals.address()));
    if bound != Some(given) {
        call.bug_check(
            WDF_VIOLATION,
            [0, given, call.caller(), 0],
            format!("{} was given {given:#x} for WdfDriverGlobals, which are not those of a bound driver", call.name()),
        );
    }
}

/// What `f` takes from the object that argument 1 names; where that is nothing, the handle is a wrong one.
pub(super) fn with_object<T>(call: &Call<'_>, wanted: &str, f: impl FnOnce(&Object) -> Option<T>) -> T {
    check_globals(call);
    let handle = call.arg(1);
    let taken = call.machine.kmdf().with(|state| state.object(handle).and_then(f));
    taken.unwrap_or_else(|| invalid_handle(call, handle, wanted))
}

/// Reads object attributes; NULL stands for the default ones.
pub(super) fn attributes(call: &Call<'_>, address: u64, parent_allowed: bool) -> Result<Callbacks, u64> {
    if address == 0 {
        return Ok(Callbacks::default());
    }
    let attributes: ObjectAttributes = call.read(address);
    if attributes.size as usize != size_of::<ObjectAttributes>() {
        return Err(STATUS_INFO_LENGTH_MISMATCH);
    }
    if attributes.parent != 0 && !parent_allowed {
        return Err(STATUS_INVALID_PARAMETER);
    }
    Ok(Callbacks { cleanup: attributes.cleanup, destroy: attributes.destroy })
}

/// Deletes an object: its callbacks run, cleanup before destroy, and its handle is dead.
pub(super) fn delete(cpu: &Cpu, handle: u64) {
    let kmdf = cpu.machine().kmdf();
    let callbacks = kmdf.with(|state| state.objects.get(&handle).map(|&(_, callbacks)| callbacks));
    let Callbacks { cleanup, destroy } = callbacks.unwrap_or_default();
    for (callback, name) in [(cleanup, "EvtCleanupCallback"), (destroy, "EvtDestroyCallback")] {
        if callback != 0 {
            cpu.call(callback, name, &[handle]);
        }
    }
    kmdf.with(|state| state.objects.remove(&handle));
}

/// Deletes all objects, the driver last, as the framework does when the driver unloads.
pub(super) fn delete_all(cpu: &Cpu) {
    let handles = cpu.machine().kmdf().with(|state| state.objects.keys().rev().copied().collect::<Vec<_>>());
    for handle in handles {
        delete(cpu, handle);
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_object_attributes_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_OBJECT_ATTRIBUTES", field);
        assert_eq!(facts::size(&facts, "WDF_OBJECT_ATTRIBUTES"), size_of::<ObjectAttributes>());
        assert_eq!(offset("EvtCleanupCallback"), offset_of!(ObjectAttributes, cleanup));
        assert_eq!(offset("EvtDestroyCallback"), offset_of!(ObjectAttributes, destroy));
        assert_eq!(offset("ParentObject"), offset_of!(ObjectAttributes, parent));
    }

    #[test]
    fn no_handle_is_given_out_twice() {
        let mut state = State::default();
        let first = state.add(Object::Key(String::new()), Callbacks::default());
        state.objects.clear();
        assert_ne!(state.add(Object::Key(String::new()), Callbacks::default()), first);
    }
}
