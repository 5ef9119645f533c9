//! Work items: a callback that a worker thread runs at `PASSIVE_LEVEL`.

use super::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
    objects::{self, Object, State},
    required, row,
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
    /// How many threads run its callback.
    running: u32,
}

/// Work items.
pub const EXPORTS: &[Export] = &[
    row("WdfWorkItemCreate", Irql::DISPATCH, Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES]), create),
    row("WdfWorkItemEnqueue", Irql::DISPATCH, Fails::Never, enqueue),
    row("WdfWorkItemFlush", Irql::PASSIVE, Fails::Never, |call| {
        objects::with_object(call, "WDFWORKITEM", |object| matches!(object, Object::WorkItem(_)).then_some(()));
        flush(call.cpu, call.arg(1));
        0
    }),
    row("WdfWorkItemGetParentObject", Irql::DISPATCH, Fails::Never, parent),
];

/// A work item needs a parent.
fn create(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let (config, item_at): (Config, u64) = (call.read(required(call, 1)), required(call, 3));
    if config.size as usize != size_of::<Config>() {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    let attributes = match objects::attributes(call, required(call, 2), true) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    if config.callback == 0 || attributes.parent.is_none() {
        return STATUS_INVALID_PARAMETER;
    }
    let callback = call.callback(config.callback, "EvtWorkItem");
    let item = WorkItem { callback, enqueued: false, running: 0 };
    call.write(item_at, objects::create(call, Object::WorkItem(item), attributes, None));
    STATUS_SUCCESS
}

/// Enqueueing it again before it has begun does nothing.
fn enqueue(call: &Call<'_>) -> u64 {
    let item = call.arg(1);
    let was_enqueued = objects::with_object(call, "WDFWORKITEM", |object| match object {
        Object::WorkItem(item) => Some(std::mem::replace(&mut item.enqueued, true)),
        _ => None,
    });
    if !was_enqueued {
        call.machine.workers().run(call.machine, move |cpu| run(cpu, item));
    }
    0
}

fn run(cpu: &Cpu, item: u64) {
    let callback = change(cpu.machine(), item, |item| {
        item.enqueued = false;
        item.running += 1;
        item.callback
    });
    if let Some(callback) = callback {
        cpu.call(callback, "EvtWorkItem", &[item]);
    }
    change(cpu.machine(), item, |item| item.running -= 1);
}

/// Waits until the item is neither enqueued nor running. Other objects have nothing to wait for.
pub(super) fn flush(cpu: &Cpu, item: u64) {
    let machine = cpu.machine();
    machine.workers().wait(cpu, || !change(machine, item, |item| item.enqueued || item.running > 0).unwrap_or(false));
}

fn parent(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFWORKITEM", |object| matches!(object, Object::WorkItem(_)).then_some(()));
    let parent_of = |state: &mut State| state.objects.get(&call.arg(1))?.attributes.parent;
    call.machine.kmdf().with(parent_of).unwrap_or(0)
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
