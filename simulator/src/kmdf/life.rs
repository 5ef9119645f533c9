//! The life of the framework's objects: references, deletion, and the contexts that live as long.
//!
//! KMDF's fxobjectstatemachine.cpp: who deletes an object disposes of its children, the oldest first, then of it; "to dispose"
//! is what its kind has to do on the way out, and then the cleanup callbacks. Afterwards the children lose the reference that
//! their parent had, then the object loses the framework's. Whoever has none left is destroyed.

use super::{
    attributes::Attributes,
    device,
    objects::{Context, Entry, Object, Phase, State},
    queue, verifier, work_item,
};
use crate::{
    computer::{Cpu, Irql, Machine},
    kernel::pool::{self, POOL_FLAG_NON_PAGED, Tag},
};

/// The tag of contexts.
const TAG: Tag = Tag(u32::from_le_bytes(*b"FxDr"));

/// Gives a new object the context and the callbacks that its attributes ask for; `None` when there is no memory.
pub(super) fn add_first_context(machine: &Machine, handle: u64, attributes: Attributes, caller: u64) -> Option<()> {
    add_context(machine, handle, attributes, caller).map(drop)
}

/// Adds a zeroed context, with callbacks of its own, to an object and returns where it is; `None` when there is no memory.
pub(super) fn add_context(machine: &Machine, handle: u64, attributes: Attributes, caller: u64) -> Option<u64> {
    let at = match attributes.context {
        Some(kind) => machine.pool().allocate(POOL_FLAG_NON_PAGED, kind.size as usize, TAG, caller)?,
        None => 0,
    };
    let described_at = attributes.context.map_or(0, |kind| kind.described_at);
    let context = Context { described_at, at, cleanup: attributes.cleanup, destroy: attributes.destroy };
    machine.kmdf().with(|state| {
        if let Some(entry) = state.objects.get_mut(&handle) {
            entry.contexts.push(context);
        }
    });
    Some(at)
}

/// Deletes an object with its children. Above `PASSIVE_LEVEL` a worker thread does it, if anything of the family wants that
/// level: `ShouldDeferDisposeLocked` of KMDF's fxobject.hpp, `DisposeChildrenWorker`. (Simplification: the whole family waits
/// for the worker, where the framework disposes of the children before the first passive one at once.)
pub(super) fn delete(cpu: &Cpu, handle: u64) {
    // Whoever is being disposed of is deleted by its parent.
    let in_use = |state: &mut State| state.objects.get(&handle).is_some_and(|entry| entry.phase == Phase::Created);
    if !cpu.machine().kmdf().with(in_use) {
        return;
    }
    if cpu.irql() > Irql::PASSIVE && cpu.machine().kmdf().with(|state| state.is_passive(handle)) {
        cpu.machine().kmdf().with(|state| state.advance(handle, Phase::Disposed));
        put_off(cpu, move |cpu| {
            dispose_of_it_and_below(cpu, handle);
            let_go(cpu, handle);
        });
        return;
    }
    dispose(cpu, handle);
    let_go(cpu, handle);
}

/// Disposes of an object and all below it, unless that has happened.
pub(super) fn dispose(cpu: &Cpu, handle: u64) {
    let machine = cpu.machine();
    if machine.kmdf().with(|state| state.advance(handle, Phase::Disposed)) {
        dispose_of_it_and_below(cpu, handle);
    }
}

fn dispose_of_it_and_below(cpu: &Cpu, handle: u64) {
    for child in cpu.machine().kmdf().with(|state| state.children(handle)) {
        dispose(cpu, child);
    }
    queue::dispose(cpu, handle);
    work_item::dispose(cpu, handle);
    call_cleanup(cpu, handle);
    device::dispose(cpu, handle);
}

/// Calls the cleanup callbacks of an object's contexts that have not been called yet.
fn call_cleanup(cpu: &Cpu, handle: u64) {
    let take = |state: &mut State| {
        let contexts = state.objects.get_mut(&handle).map(|entry| entry.contexts.iter_mut());
        contexts.into_iter().flatten().map(|context| std::mem::take(&mut context.cleanup)).collect::<Vec<_>>()
    };
    for cleanup in cpu.machine().kmdf().with(take).into_iter().filter(|&cleanup| cleanup != 0) {
        cpu.call(cleanup, "EvtCleanupCallback", &[handle]);
    }
}

/// Gives back the references that an object which has been disposed of, and all below it, were born with.
pub(super) fn let_go(cpu: &Cpu, handle: u64) {
    if !cpu.machine().kmdf().with(|state| state.advance(handle, Phase::Deleted)) {
        return;
    }
    let_children_go(cpu, handle);
    release(cpu, handle);
}

/// Gives back the references that the children of an object which has been disposed of were born with.
pub(super) fn let_children_go(cpu: &Cpu, handle: u64) {
    for child in cpu.machine().kmdf().with(|state| state.children(handle)) {
        let_go(cpu, child);
    }
}

/// Takes a reference to an object; false when there is none of that handle.
pub(super) fn reference(cpu: &Cpu, handle: u64) -> bool {
    cpu.machine().kmdf().with(|state| state.objects.get_mut(&handle).map(|entry| entry.references += 1)).is_some()
}

/// Gives a reference back; with the last one the object goes, at `PASSIVE_LEVEL` if it wants that: KMDF's fxobject.cpp,
/// `FinalRelease`. False when the object has none to give.
pub(super) fn release(cpu: &Cpu, handle: u64) -> bool {
    let machine = cpu.machine();
    let left = machine.kmdf().with(|state| {
        let entry = state.objects.get_mut(&handle).filter(|entry| entry.references > 0)?;
        entry.references -= 1;
        Some((entry.references, entry.passive))
    });
    match left {
        None => return false,
        Some((0, true)) if cpu.irql() > Irql::PASSIVE => put_off(cpu, move |cpu| destroy(cpu, handle)),
        Some((0, _)) => destroy(cpu, handle),
        Some(_) => {}
    }
    true
}

/// Has a worker thread do something; the driver is not unbound before it has.
pub(super) fn put_off(cpu: &Cpu, job: impl FnOnce(&Cpu) + Send + 'static) {
    let machine = cpu.machine();
    machine.kmdf().with(|state| state.put_off += 1);
    machine.workers().run(machine, move |cpu| {
        job(cpu);
        cpu.machine().kmdf().with(|state| state.put_off -= 1);
    });
}

/// The end of an object: its callbacks, then its contexts. KMDF's fxobject.cpp, `ProcessDestroy`.
fn destroy(cpu: &Cpu, handle: u64) {
    let machine = cpu.machine();
    call_cleanup(cpu, handle);
    let callbacks = |state: &mut State| {
        let contexts = state.objects.get(&handle).map(|entry| entry.contexts.iter());
        contexts.into_iter().flatten().map(|context| context.destroy).collect::<Vec<_>>()
    };
    for destroy in machine.kmdf().with(callbacks).into_iter().filter(|&destroy| destroy != 0) {
        cpu.call(destroy, "EvtDestroyCallback", &[handle]);
    }
    let gone = machine.kmdf().with(|state| state.objects.remove(&handle));
    free_contexts(cpu, gone.map(|entry| entry.contexts).unwrap_or_default());
}

fn free_contexts(cpu: &Cpu, contexts: Vec<Context>) {
    for context in contexts.into_iter().filter(|context| context.at != 0) {
        pool::give_back(cpu, context.at, TAG, 0);
    }
}

/// Deletes an object that the driver has never seen: none of its callbacks hears of it. KMDF's fxobject.cpp,
/// `DeleteFromFailedCreate`.
pub(super) fn delete_unseen(cpu: &Cpu, handle: u64) {
    cpu.machine().kmdf().with(|state| state.forget_callbacks(handle));
    delete(cpu, handle);
}

/// Deletes the driver, and with it all that it has made, and waits for what worker threads have of it: KMDF's fxdriver.cpp,
/// `Dispose`; globals.cpp, `FxDestroy`. Its verifier complains of what stays; without that nobody does, and
/// the memory is lost: KMDF's wdfpool.cpp, `FxPoolDestroy`.
pub(super) fn delete_all(cpu: &Cpu) {
    let machine = cpu.machine();
    if let Some(driver) = machine.kmdf().with(|state| state.client.as_ref().and_then(|client| client.driver)) {
        delete(cpu, driver);
    }
    machine.workers().wait(cpu, || machine.kmdf().with(|state| state.put_off == 0));
    let left = machine.kmdf().with(|state| state.objects.values().map(described).collect::<Vec<_>>());
    if !left.is_empty() {
        verifier::complain(cpu, format!("the driver left with references to framework objects: {}", left.join(", ")));
    }
    let lost = machine.kmdf().with(|state| std::mem::take(&mut state.objects));
    for entry in lost.into_values() {
        free_contexts(cpu, entry.contexts);
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
    /// The objects directly below one, the oldest first.
    fn children(&self, handle: u64) -> Vec<u64> {
        self.objects.iter().filter(|(_, entry)| entry.parent == Some(handle)).map(|(&child, _)| child).collect()
    }

    /// Whether anything that deleting an object disposes of wants `PASSIVE_LEVEL`.
    fn is_passive(&self, handle: u64) -> bool {
        let own = self.objects.get(&handle).is_some_and(|entry| entry.passive && entry.phase == Phase::Created);
        own || self.children(handle).into_iter().any(|child| self.is_passive(child))
    }

    /// Has an object go without a word: KMDF's fxobject.cpp, `ClearEvtCallbacks`.
    pub(super) fn forget_callbacks(&mut self, handle: u64) {
        let contexts = self.objects.get_mut(&handle).map(|entry| entry.contexts.iter_mut());
        contexts.into_iter().flatten().for_each(|context| (context.cleanup, context.destroy) = (0, 0));
    }

    /// The device that an object is, or is below of.
    pub(super) fn device_of(&self, handle: u64) -> Option<u64> {
        let entry = self.objects.get(&handle)?;
        if matches!(entry.object, Object::Device(_)) { Some(handle) } else { self.device_of(entry.parent?) }
    }

    /// Brings an object to the next phase; false when it has been there.
    fn advance(&mut self, handle: u64, to: Phase) -> bool {
        let Some(entry) = self.objects.get_mut(&handle) else { return false };
        let moves = entry.phase < to;
        if moves {
            entry.phase = to;
        }
        moves
    }
}
