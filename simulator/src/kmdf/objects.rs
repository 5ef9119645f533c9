//! The framework's objects: what there is, under which handle, and whose child it is.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{
    STATUS_INSUFFICIENT_RESOURCES, WDF_VIOLATION,
    attributes::{Attributes, Level, Scope},
    device::Device,
    device_init::DeviceInit,
    file::File,
    invalid_handle, life,
    queue::Queue,
    request::Request,
    verifier::{Switches, Verifier},
    work_item::WorkItem,
};
use crate::computer::{Call, lent_memory::LentMemory};

/// Handles are counted from here; nothing is ever mapped there.
const FIRST_HANDLE: u64 = 0x0DF0_0000_0000;
const HANDLE_STEP: u64 = 16;

const STATUS_DELETE_PENDING: u64 = 0xC000_0056;

/// What a handle stands for.
#[derive(Debug)]
pub(super) enum Object {
    /// A `WDFDRIVER`.
    Driver {
        /// `EvtDriverUnload`, or 0.
        unload: u64,
        /// What its devices get that do not say it themselves.
        level: Level,
        scope: Scope,
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

/// How far an object has come on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It is in use.
    #[default]
    Created,
    /// It has been cleaned up, and its parent is going to delete it.
    Disposed,
    /// It has been deleted: what remains of it waits for its references.
    Deleted,
}

/// A context of an object. The first one is that of the object's attributes, and may have callbacks only.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// Its type, or 0.
    pub(super) described_at: u64,
    /// Where it is, or 0.
    pub(super) at: u64,
    /// `EvtCleanupCallback`, or 0 when there is none or it has been called.
    pub(super) cleanup: u64,
    /// `EvtDestroyCallback`, or 0.
    pub(super) destroy: u64,
}

/// An object with what every kind of object has.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) object: Object,
    /// The object that it dies with.
    pub(super) parent: Option<u64>,
    /// It is cleaned up and destroyed at `PASSIVE_LEVEL`, by a worker thread if need be.
    pub(super) passive: bool,
    /// The framework's own reference, until it is deleted, and those of the driver.
    pub(super) references: u64,
    pub(super) phase: Phase,
    pub(super) contexts: Vec<Context>,
}

impl Entry {
    /// A new object; its only reference is the framework's.
    pub(super) fn new(object: Object, parent: Option<u64>, passive: bool) -> Self {
        Self { object, parent, passive, references: 1, phase: Phase::Created, contexts: Vec::new() }
    }
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
    /// How it is verified, once created.
    pub(super) verifier: Verifier,
}

impl Client {
    /// Whether it was built for KMDF 1.`minor` or later: KMDF's globals.cpp, `IsVersionGreaterThanOrEqualTo`.
    pub(super) fn is_at_least(&self, minor: u32) -> bool {
        self.version[1] >= minor
    }
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
    pub(super) switches: Switches,
    /// How often it refused to bind a driver.
    pub(super) refusals: usize,
    /// What worker threads have still to do for it.
    pub(super) put_off: usize,
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

    /// How often it refused to bind a driver.
    #[must_use]
    pub fn refusals(&self) -> usize {
        self.with(|state| state.refusals)
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

    pub(super) fn add(&mut self, entry: Entry) -> u64 {
        let handle = self.next_handle();
        self.objects.insert(handle, entry);
        handle
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        FIRST_HANDLE + self.handles * HANDLE_STEP
    }
}

/// Makes an object, with the context that its attributes ask for. `parent` is its parent unless they name one; a parent that
/// is being deleted takes no more children. KMDF's fxobject.cpp, `Commit` and `AddChildObjectInternal`; that paged objects are
/// passive, fxpagedobject.hpp.
pub(super) fn create(call: &Call<'_>, object: Object, attributes: Attributes, parent: Option<u64>) -> Result<u64, u64> {
    if let Some(parent) = attributes.parent {
        with_object_of(call, parent, "parent object", |_| Some(()));
    }
    let parent = attributes.parent.or(parent);
    let passive = attributes.level == Level::Passive || object.is_passive();
    let made = call.machine.kmdf().with(|state| {
        let of_parent = parent.and_then(|parent| state.objects.get(&parent)).map(|entry| entry.phase);
        if of_parent.unwrap_or_default() != Phase::Created {
            return Err(STATUS_DELETE_PENDING);
        }
        Ok(state.add(Entry::new(object, parent, passive)))
    });
    let handle = made?;
    if life::add_first_context(call.machine, handle, attributes, call.caller()).is_none() {
        call.machine.kmdf().with(|state| state.objects.remove(&handle));
        return Err(STATUS_INSUFFICIENT_RESOURCES.into());
    }
    Ok(handle)
}

impl Object {
    /// What is made of paged memory, or waits for others while it is cleaned up: KMDF's fxpagedobject.hpp, and the
    /// constructors of `FxDeviceBase`, `FxDriver`, `FxIoQueue` and `FxWorkItem`.
    fn is_passive(&self) -> bool {
        matches!(self, Self::Driver { .. } | Self::Device(_) | Self::Key(_) | Self::Queue(_) | Self::WorkItem(_))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_handle_is_given_out_twice() {
        let mut state = State::default();
        let mut add = || {
            let handle = state.add(Entry::new(Object::Key(String::new()), None, false));
            state.objects.clear();
            handle
        };
        assert_ne!(add(), add());
    }
}
