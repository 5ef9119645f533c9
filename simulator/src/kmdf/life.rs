//! The life of the framework's objects: references, deletion, and the contexts that live as long.
//!
//! WDF "Framework Object Life Cycle": who deletes an object deletes its children, too; all clean up, children first, and
//! whoever is not referenced any more is destroyed. Guess: an object whose callbacks run at `PASSIVE_LEVEL` and whose
//! last reference is dropped above it is destroyed by a worker thread.

use super::{
    objects::{Attributes, Entry, Object, State},
    queue, work_item,
};
use crate::{
    computer::{Call, Cpu, Irql, Machine},
    kernel::pool::{POOL_FLAG_NON_PAGED, Tag},
};

/// `WDF_OBJECT_CONTEXT_TYPE_INFO`: where its fields are.
const CONTEXT_SIZE: u64 = 16;
const UNIQUE_TYPE: u64 = 24;

/// The tag of contexts.
const TAG: Tag = Tag(u32::from_le_bytes(*b"FxDr"));

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
/// Parameter 1 of the above: memory not freed at unload.
const LEAK: u64 = 0x62;

/// A type of context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContextType {
    /// The address that tells it from others.
    pub(super) unique: u64,
    /// How large a context is.
    pub(super) size: u64,
}

impl ContextType {
    /// The type described at `address`; `None` for NULL. A `size` of 0 stands for the type's own.
    pub(super) fn read(call: &Call<'_>, address: u64, size: u64) -> Option<Self> {
        if address == 0 {
            return None;
        }
        let unique: u64 = call.read(address + UNIQUE_TYPE);
        let size = if size == 0 { call.read(address + CONTEXT_SIZE) } else { size };
        Some(Self { unique: if unique == 0 { address } else { unique }, size })
    }
}

/// Adds the context that an object's attributes ask for.
pub(super) fn add_first_context(machine: &Machine, handle: u64, attributes: Attributes, caller: u64) {
    if let Some(context) = attributes.context {
        add_context(machine, handle, context, caller).expect("memory for a context of a new object");
    }
}

/// Adds a zeroed context to an object and returns where it is; `None` when there is no memory.
pub(super) fn add_context(machine: &Machine, handle: u64, context: ContextType, caller: u64) -> Option<u64> {
    let address = machine.pool().allocate(POOL_FLAG_NON_PAGED, context.size as usize, TAG, caller)?;
    machine.kmdf().with(|state| {
        if let Some(entry) = state.objects.get_mut(&handle) {
            entry.contexts.push((context.unique, address));
        }
    });
    Some(address)
}

/// Deletes an object with its children.
pub(super) fn delete(cpu: &Cpu, handle: u64) {
    let family = cpu.machine().kmdf().with(|state| {
        let family = state.family(handle);
        for member in &family {
            if let Some(entry) = state.objects.get_mut(member) {
                entry.deleted = true;
            }
        }
        family
    });
    for &member in &family {
        queue::cancel_all(cpu, member);
        work_item::flush(cpu, member);
        let cleanup =
            cpu.machine().kmdf().with(|state| state.objects.get(&member).map(|entry| entry.attributes.cleanup));
        if let Some(cleanup) = cleanup.filter(|&cleanup| cleanup != 0) {
            cpu.call(cleanup, "EvtCleanupCallback", &[member]);
        }
    }
    for &member in &family {
        release(cpu, member);
    }
}

/// Takes a reference to an object; false when there is none of that handle.
pub(super) fn reference(cpu: &Cpu, handle: u64) -> bool {
    cpu.machine().kmdf().with(|state| state.objects.get_mut(&handle).map(|entry| entry.references += 1)).is_some()
}

/// Gives a reference back; with the last one the object goes. False when the object has none to give.
pub(super) fn release(cpu: &Cpu, handle: u64) -> bool {
    let machine = cpu.machine();
    let left = machine.kmdf().with(|state| {
        let entry = state.objects.get_mut(&handle).filter(|entry| entry.references > 0)?;
        entry.references -= 1;
        Some((entry.references, entry.attributes.passive && entry.attributes.destroy != 0))
    });
    match left {
        None => return false,
        Some((0, true)) if cpu.irql() > Irql::PASSIVE => {
            machine.workers().run(machine, move |cpu| destroy(cpu, handle));
        }
        Some((0, _)) => destroy(cpu, handle),
        Some(_) => {}
    }
    true
}

/// The end of an object: until its callback has returned, its contexts are there.
fn destroy(cpu: &Cpu, handle: u64) {
    let machine = cpu.machine();
    let callback = machine.kmdf().with(|state| state.objects.get(&handle).map(|entry| entry.attributes.destroy));
    if let Some(callback) = callback.filter(|&callback| callback != 0) {
        cpu.call(callback, "EvtDestroyCallback", &[handle]);
    }
    let gone = machine.kmdf().with(|state| state.objects.remove(&handle));
    for (_, address) in gone.map(|entry| entry.contexts).unwrap_or_default() {
        let places = |address| machine.place(address);
        if let Err(misuse) = machine.pool().free(address, TAG, cpu.irql(), 0, &places) {
            cpu.bug_check(misuse.code, misuse.parameters, misuse.reason);
        }
    }
}

/// Deletes all objects, the youngest first, as the framework does when the driver unloads. References that the driver
/// has kept are a bug check.
pub(super) fn delete_all(cpu: &Cpu) {
    let machine = cpu.machine();
    let handles = machine.kmdf().with(|state| state.objects.keys().rev().copied().collect::<Vec<_>>());
    for handle in handles {
        let is_there = |state: &mut State| state.objects.get(&handle).is_some_and(|entry| !entry.deleted);
        if machine.kmdf().with(is_there) {
            delete(cpu, handle);
        }
    }
    let dying = |state: &mut State| state.objects.values().any(|entry| entry.references == 0);
    machine.workers().wait(cpu, || !machine.kmdf().with(dying));
    let left = machine.kmdf().with(|state| state.objects.values().map(described).collect::<Vec<_>>());
    if !left.is_empty() {
        cpu.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [LEAK, 0, 0, left.len() as u64],
            format!("the driver left with references to framework objects: {}", left.join(", ")),
        );
    }
}

fn described(entry: &Entry) -> String {
    let kind = match entry.object {
        Object::Driver { .. } => "a WDFDRIVER",
        Object::Device(_) => "a WDFDEVICE",
        Object::File(_) => "a WDFFILEOBJECT",
        Object::Key(_) => "a WDFKEY",
        Object::Memory(..) => "a WDFMEMORY",
        Object::Queue(_) => "a WDFQUEUE",
        Object::Request(_) => "a WDFREQUEST",
        Object::WorkItem(_) => "a WDFWORKITEM",
    };
    format!("{} to {kind}", entry.references)
}

impl State {
    /// An object and all below it that are not being deleted yet, children before their parents, the youngest first.
    fn family(&self, handle: u64) -> Vec<u64> {
        let is_child = |entry: &Entry| entry.attributes.parent == Some(handle) && !entry.deleted;
        let children = self.objects.iter().rev().filter(|(_, entry)| is_child(entry)).map(|(&child, _)| child);
        children.flat_map(|child| self.family(child)).chain([handle]).collect()
    }
}
