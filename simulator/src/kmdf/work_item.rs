//! Work items: a callback that a worker thread runs at `PASSIVE_LEVEL`.

use std::thread::{self, ThreadId};

use super::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
    attributes::{Allows, Attributes, Scope},
    inputs, life,
    objects::{self, Object, State},
    required, row, verifier,
};
use crate::computer::{Call, Cpu, Export, Fails, Irql, Machine};

/// `WDF_WORKITEM_CONFIG`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Config {
    size: u32,
    padding: u32,
    callback: u64,
    automatic_serialization: u8,
    tail_padding: [u8; 7],
}

/// A `WDFWORKITEM`.
#[derive(Debug)]
pub(super) struct WorkItem {
    /// `EvtWorkItem`.
    callback: u64,
    /// It is enqueued and has not begun.
    enqueued: bool,
    /// How many threads run its callback, and which one began last.
    running: u32,
    thread: Option<ThreadId>,
    /// It is on its way out.
    running_down: bool,
}

/// Work items.
pub const EXPORTS: &[Export] = &[
    row("WdfWorkItemCreate", Irql::DISPATCH, Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES]), create)
        .with(inputs::WORK_ITEM_CREATE),
    row("WdfWorkItemEnqueue", Irql::DISPATCH, Fails::Never, enqueue).with(inputs::OF_WORK_ITEM),
    row("WdfWorkItemFlush", Irql::PASSIVE, Fails::Never, flush).with(inputs::OF_WORK_ITEM),
    row("WdfWorkItemGetParentObject", Irql::DISPATCH, Fails::Never, parent).with(inputs::OF_WORK_ITEM),
];

const STATUS_INVALID_DEVICE_REQUEST: u64 = 0xC000_0010;
const STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL: u64 = 0xC020_020C;

/// KMDF's fxworkitemapi.cpp, `WdfWorkItemCreate`, in its order, and fxworkitem.cpp, `Initialize`: a work item needs a parent
/// that is a device or below one. A lock that it is to share with that would be one for higher levels.
fn create(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let attributes_at = call.arg(2);
    let parent = match Attributes::required_parent(call, attributes_at) {
        Ok(parent) => parent,
        Err(status) => return status,
    };
    objects::with_object_of(call, parent, "parent object", |_| Some(()));
    let (config, item_at): (Config, u64) = (call.read(required(call, 1)), required(call, 3));
    if config.size as usize != size_of::<Config>() {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if config.callback == 0 {
        return STATUS_INVALID_PARAMETER;
    }
    let attributes = match Attributes::read(call, attributes_at, Allows::PARENT) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    let scope = call.machine.kmdf().with(|state| {
        let device = state.device_of(parent)?;
        match state.object(device) {
            Some(Object::Device(device)) => Some(device.scope),
            _ => None,
        }
    });
    let Some(scope) = scope else { return STATUS_INVALID_DEVICE_REQUEST };
    if config.automatic_serialization != 0 && [Scope::Device, Scope::Queue].contains(&scope) {
        return STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL;
    }
    let callback = call.callback(config.callback, "EvtWorkItem");
    let item = WorkItem { callback, enqueued: false, running: 0, thread: None, running_down: false };
    match objects::create(call, Object::WorkItem(item), attributes, None) {
        Ok(item) => {
            call.write(item_at, item);
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// Enqueueing it again before it has begun does nothing. While it is enqueued or runs it is referenced. KMDF's fxworkitem.cpp,
/// `Enqueue` and `WorkItemThunk`.
fn enqueue(call: &Call<'_>) -> u64 {
    let item = call.arg(1);
    let (was_enqueued, running_down) = objects::with_object(call, "WDFWORKITEM", |object| match object {
        Object::WorkItem(item) if item.running_down => Some((item.enqueued, true)),
        Object::WorkItem(item) => Some((std::mem::replace(&mut item.enqueued, true), false)),
        _ => None,
    });
    if !was_enqueued && running_down {
        verifier::complain(call.cpu, "WdfWorkItemEnqueue was given a work item that is being deleted");
    } else if !was_enqueued {
        life::reference(call.cpu, item);
        life::put_off(call.cpu, move |cpu| run(cpu, item));
    }
    0
}

fn run(cpu: &Cpu, item: u64) {
    let callback = change(cpu.machine(), item, |item| {
        item.enqueued = false;
        item.running += 1;
        item.thread = Some(thread::current().id());
        item.callback
    });
    if let Some(callback) = callback {
        cpu.call(callback, "EvtWorkItem", &[item]);
    }
    change(cpu.machine(), item, |item| {
        item.running -= 1;
        item.thread = None;
    });
    life::release(cpu, item);
}

/// KMDF's fxworkitem.cpp, `FlushAndWait`: the item's own thread would wait for itself.
fn flush(call: &Call<'_>) -> u64 {
    let own = objects::with_object(call, "WDFWORKITEM", |object| match object {
        Object::WorkItem(item) => Some(item.thread == Some(thread::current().id())),
        _ => None,
    });
    if verifier::check_passive(call).is_err() {
        return 0;
    }
    if own {
        verifier::complain(call.cpu, "WdfWorkItemFlush was called by the work item that it would wait for");
    } else {
        wait(call.cpu, call.arg(1));
    }
    0
}

/// Waits until the item is neither enqueued nor running.
fn wait(cpu: &Cpu, item: u64) {
    let machine = cpu.machine();
    machine.workers().wait(cpu, || !change(machine, item, |item| item.enqueued || item.running > 0).unwrap_or(false));
}

/// What a work item does on its way out: KMDF's fxworkitem.cpp, `Dispose`. Other objects have nothing to do.
pub(super) fn dispose(cpu: &Cpu, item: u64) {
    let own = change(cpu.machine(), item, |item| {
        item.running_down = true;
        item.thread == Some(thread::current().id())
    });
    if own == Some(false) {
        wait(cpu, item);
    }
}

/// The parent, while the item has not been deleted: KMDF's fxworkitem.cpp, `FlushAndRundown`.
fn parent(call: &Call<'_>) -> u64 {
    let running_down = objects::with_object(call, "WDFWORKITEM", |object| match object {
        Object::WorkItem(item) => Some(item.running_down),
        _ => None,
    });
    let parent_of = |state: &mut State| state.objects.get(&call.arg(1))?.parent;
    if running_down { 0 } else { call.machine.kmdf().with(parent_of).unwrap_or(0) }
}

fn change<T>(machine: &Machine, item: u64, change: impl FnOnce(&mut WorkItem) -> T) -> Option<T> {
    machine.kmdf().with(|state| match state.object_mut(item) {
        Some(Object::WorkItem(item)) => Some(change(item)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_the_work_item_configuration_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_WORKITEM_CONFIG", field);
        assert_eq!(facts::size(&facts, "WDF_WORKITEM_CONFIG"), size_of::<Config>());
        assert_eq!(offset("EvtWorkItemFunc"), offset_of!(Config, callback));
        assert_eq!(offset("AutomaticSerialization"), offset_of!(Config, automatic_serialization));
    }
}
