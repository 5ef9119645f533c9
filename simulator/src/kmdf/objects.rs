//! The framework's objects: what there is, under which handle, and whose child it is.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER, WDF_VIOLATION,
    device::{Device, DeviceInit},
    file::File,
    invalid_handle,
    life::{self, ContextType},
    queue::Queue,
    request::Request,
    work_item::WorkItem,
};
use crate::computer::{Call, lent_memory::LentMemory};

/// Handles are counted from here; nothing is ever mapped there.
const FIRST_HANDLE: u64 = 0x0DF0_0000_0000;
const HANDLE_STEP: u64 = 16;

/// `WdfExecutionLevelPassive`.
const EXECUTION_LEVEL_PASSIVE: u32 = 2;

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

/// What an object's attributes say. (Simplification: synchronization scopes are not modelled.)
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes {
    /// `EvtCleanupCallback`, or 0.
    pub(super) cleanup: u64,
    /// `EvtDestroyCallback`, or 0.
    pub(super) destroy: u64,
    /// Its callbacks run at `PASSIVE_LEVEL` only.
    pub(super) passive: bool,
    /// The object that it dies with, where the driver names one.
    pub(super) parent: Option<u64>,
    /// The context that it is born with.
    pub(super) context: Option<ContextType>,
}

/// What a handle stands for.
#[derive(Debug)]
pub(super) enum Object {
    /// A `WDFDRIVER`.
    Driver {
        /// `EvtDriverUnload`, or 0.
        unload: u64,
    },
    /// A `WDFDEVICE`.
    Device(Box<Device>),
    /// A `WDFFILEOBJECT`.
    File(File),
    /// A `WDFKEY`: the registry key's name.
    Key(String),
    /// A `WDFMEMORY`: where the memory is, and its size.
    Memory(u64, u64),
    /// A `WDFQUEUE`.
    Queue(Queue),
    /// A `WDFREQUEST`.
    Request(Box<Request>),
    /// A `WDFWORKITEM`.
    WorkItem(WorkItem),
}

/// An object with what every kind of object has.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) object: Object,
    pub(super) attributes: Attributes,
    /// The framework's own reference, until it is deleted, and those of the driver.
    pub(super) references: u64,
    /// It is being deleted: what remains of it waits for its references.
    pub(super) deleted: bool,
    /// Its contexts: their types, and where they are.
    pub(super) contexts: Vec<(u64, u64)>,
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
    /// The version that it was built for, major and minor.
    pub(super) version: [u32; 2],
    /// Its `WDFDRIVER`, once created.
    pub(super) driver: Option<u64>,
}

/// One machine's framework.
#[derive(Debug)]
pub struct Kmdf {
    /// The minor version of the framework.
    minor: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) client: Option<Client>,
    pub(super) objects: BTreeMap<u64, Entry>,
    pub(super) inits: BTreeMap<u64, DeviceInit>,
    /// Files that programs have open.
    pub(super) open_files: usize,
    handles: u64,
}

impl Kmdf {
    /// The framework of a machine that starts: 1.`minor`.
    #[must_use]
    pub fn new(minor: u32) -> Self {
        Self { minor, state: Mutex::default() }
    }

    /// Its minor version.
    pub(super) fn minor(&self) -> u32 {
        self.minor
    }

    /// Runs `f` with the framework's state; `f` must not call the driver.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// How many files programs have open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.with(|state| state.open_files)
    }

    /// The process that sent the IRP at `irp`.
    pub(crate) fn requestor(&self, irp: u64) -> Option<u64> {
        self.with(|state| {
            state.objects.values().find_map(|entry| match &entry.object {
                Object::Request(request) if request.irp() == irp => Some(request.process),
                _ => None,
            })
        })
    }
}

impl State {
    pub(super) fn object(&self, handle: u64) -> Option<&Object> {
        self.objects.get(&handle).map(|entry| &entry.object)
    }

    pub(super) fn object_mut(&mut self, handle: u64) -> Option<&mut Object> {
        self.objects.get_mut(&handle).map(|entry| &mut entry.object)
    }

    pub(super) fn add(&mut self, object: Object, attributes: Attributes) -> u64 {
        let handle = self.next_handle();
        let entry = Entry { object, attributes, references: 1, deleted: false, contexts: Vec::new() };
        self.objects.insert(handle, entry);
        handle
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        FIRST_HANDLE + self.handles * HANDLE_STEP
    }
}

/// Makes an object, with the context that its attributes ask for. `parent` is its parent unless they name one.
pub(super) fn create(call: &Call<'_>, object: Object, attributes: Attributes, parent: Option<u64>) -> u64 {
    let attributes = Attributes { parent: attributes.parent.or(parent), ..attributes };
    let handle = call.machine.kmdf().with(|state| state.add(object, attributes));
    life::add_first_context(call.machine, handle, attributes, call.caller());
    handle
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
pub(super) fn with_object<T>(call: &Call<'_>, wanted: &str, f: impl FnOnce(&mut Object) -> Option<T>) -> T {
    check_globals(call);
    with_object_of(call, call.arg(1), wanted, f)
}

/// The same for another argument.
pub(super) fn with_object_of<T>(
    call: &Call<'_>,
    handle: u64,
    wanted: &str,
    f: impl FnOnce(&mut Object) -> Option<T>,
) -> T {
    let taken = call.machine.kmdf().with(|state| state.object_mut(handle).and_then(f));
    taken.unwrap_or_else(|| invalid_handle(call, handle, wanted))
}

/// Reads object attributes; NULL stands for the default ones.
pub(super) fn attributes(call: &Call<'_>, address: u64, parent_allowed: bool) -> Result<Attributes, u64> {
    if address == 0 {
        return Ok(Attributes::default());
    }
    let attributes: ObjectAttributes = call.read(address);
    if attributes.size as usize != size_of::<ObjectAttributes>() {
        return Err(STATUS_INFO_LENGTH_MISMATCH);
    }
    if attributes.parent != 0 {
        if !parent_allowed {
            return Err(STATUS_INVALID_PARAMETER);
        }
        with_object_of(call, attributes.parent, "parent object", |_| Some(()));
    }
    Ok(Attributes {
        cleanup: call.callback(attributes.cleanup, "EvtCleanupCallback"),
        destroy: call.callback(attributes.destroy, "EvtDestroyCallback"),
        passive: attributes.execution_level == EXECUTION_LEVEL_PASSIVE,
        parent: (attributes.parent != 0).then_some(attributes.parent),
        context: ContextType::read(call, attributes.context_type, attributes.context_size_override),
    })
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
        assert_eq!(offset("ExecutionLevel"), offset_of!(ObjectAttributes, execution_level));
        assert_eq!(offset("ParentObject"), offset_of!(ObjectAttributes, parent));
        assert_eq!(offset("ContextSizeOverride"), offset_of!(ObjectAttributes, context_size_override));
        assert_eq!(offset("ContextTypeInfo"), offset_of!(ObjectAttributes, context_type));
    }

    #[test]
    fn no_handle_is_given_out_twice() {
        let mut state = State::default();
        let first = state.add(Object::Key(String::new()), Attributes::default());
        state.objects.clear();
        assert_ne!(state.add(Object::Key(String::new()), Attributes::default()), first);
    }
}
