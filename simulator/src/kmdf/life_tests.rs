//! The life of objects: contexts, references, deletion, and work items.

use super::{
    io_rig::{Device, PARALLEL, described, evt_destroy, told, told_of},
    rig::{attributes, context_type, violation},
};
use crate::computer::{Irql, memory};

const DESTROY: fn() -> u64 = || evt_destroy as *const () as u64;

#[test]
fn a_context_is_zeroed_and_found_by_its_type() {
    let device = Device::ready(PARALLEL);
    let (kind, other) = (context_type(24), context_type(8));
    let item = device.work_item(device.handle, 0, kind.address());
    let context = device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, kind.address()]);
    assert_eq!(memory::read::<[u64; 3]>(context), Ok([0; 3]));
    assert_eq!(device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, other.address()]), 0);
    let (wanted, mut second) = (described(0, 0, kind.address()), 0u64);
    let arguments = [item, wanted.address(), &raw mut second as u64];
    assert_eq!((device.rig.wdf("WdfObjectAllocateContext", &arguments), second), (0x4000_0000, context));
}

#[test]
fn a_context_is_known_by_the_address_of_its_type_alone() {
    let device = Device::ready(PARALLEL);
    let (kind, other) = (context_type(24), context_type(8));
    kind.set(24, other.address());
    let item = device.work_item(device.handle, 0, kind.address());
    assert_eq!(device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, other.address()]), 0);
    assert_ne!(device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, kind.address()]), 0);
}

#[test]
fn a_context_that_is_added_has_callbacks_of_its_own() {
    let device = Device::ready(PARALLEL);
    let kind = context_type(8);
    let item = device.work_item(device.handle, DESTROY(), 0);
    let wanted = described(0, DESTROY(), kind.address());
    assert_eq!(device.rig.wdf("WdfObjectAllocateContext", &[item, wanted.address(), 0]), 0);
    device.rig.wdf("WdfObjectDelete", &[item]);
    assert_eq!(told_of("cleanup"), [item, item]);
    assert_eq!(told_of("destroyed"), [item, item]);
}

#[test]
fn a_context_is_added_by_attributes_with_a_type_and_no_parent() {
    let device = Device::ready(PARALLEL);
    let kind = context_type(8);
    let add = |attributes: u64| device.rig.wdf("WdfObjectAllocateContext", &[device.handle, attributes, 0]);
    assert_eq!(add(0), 0xC020_0212);
    assert_eq!(add(attributes().address()), 0xC000_0033);
    assert_eq!(add(described(device.handle, 0, kind.address()).address()), 0xC020_020F);
}

#[test]
fn what_is_being_deleted_gets_no_context_and_no_children() {
    let device = Device::ready(PARALLEL);
    let kind = context_type(8);
    let item = device.work_item(device.handle, 0, 0);
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    device.rig.wdf("WdfObjectDelete", &[item]);
    let wanted = described(0, 0, kind.address());
    assert_eq!(device.rig.wdf("WdfObjectAllocateContext", &[item, wanted.address(), 0]), 0xC000_0056);
    assert_eq!(device.try_work_item(&described(item, 0, 0)).0, 0xC000_0056);
    device.rig.wdf("WdfObjectDereferenceActual", &[item, 0, 0, 0]);
}

#[test]
fn a_deleted_object_lives_until_its_last_reference_goes() {
    let device = Device::ready(PARALLEL);
    let kind = context_type(8);
    let item = device.work_item(device.handle, DESTROY(), kind.address());
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    device.rig.wdf("WdfObjectDelete", &[item]);
    assert_eq!((told_of("cleanup"), told_of("destroyed").len()), (vec![item], 0));
    assert_ne!(device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, kind.address()]), 0);
    device.rig.wdf("WdfObjectDereferenceActual", &[item, 0, 0, 0]);
    assert_eq!((told_of("cleanup"), told_of("destroyed")), (vec![item], vec![item]));
    assert_eq!(violation(device.rig.try_wdf("WdfObjectReferenceActual", &[item, 0, 0, 0])), (0x10D, 5));
}

#[test]
fn a_reference_that_was_not_taken_cannot_be_given_back() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, 0, 0);
    assert_eq!(violation(device.rig.try_wdf("WdfObjectDereferenceActual", &[item, 0, 0, 0])), (0x10D, 7));
}

#[test]
fn no_object_is_a_missing_parameter_where_references_are_counted_and_a_bad_handle_elsewhere() {
    let device = Device::ready(PARALLEL);
    let kind = context_type(8);
    assert_eq!(violation(device.rig.try_wdf("WdfObjectReferenceActual", &[0, 0, 0, 0])), (0x10D, 4));
    let device = {
        drop(device);
        Device::ready(PARALLEL)
    };
    assert_eq!(violation(device.rig.try_wdf("WdfObjectDelete", &[0])), (0x10D, 5));
    let device = {
        drop(device);
        Device::ready(PARALLEL)
    };
    let asked = device.rig.try_wdf("WdfObjectGetTypedContextWorker", &[0, kind.address()]);
    assert_eq!(violation(asked), (0x10D, 4));
}

#[test]
fn an_object_that_wants_passive_level_is_destroyed_there() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, DESTROY(), 0);
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    device.rig.wdf("WdfObjectDelete", &[item]);
    device.rig.try_wdf_at(Irql::DISPATCH, "WdfObjectDereferenceActual", &[item, 0, 0, 0]).unwrap();
    device.rig.machine.workers().wait_until_idle();
    assert_eq!(told_of("destroy"), [0]);
}

#[test]
fn an_object_that_wants_passive_level_is_cleaned_up_there() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, DESTROY(), 0);
    device.rig.try_wdf_at(Irql::DISPATCH, "WdfObjectDelete", &[item]).unwrap();
    device.rig.machine.workers().wait_until_idle();
    assert_eq!((told_of("cleanup"), told_of("cleanup at"), told_of("destroy")), (vec![item], vec![0], vec![0]));
}

#[test]
fn children_go_before_their_parent_and_the_oldest_goes_first() {
    let device = Device::ready(PARALLEL);
    let parent = device.work_item(device.handle, DESTROY(), 0);
    let first = device.work_item(parent, DESTROY(), 0);
    let second = device.work_item(parent, DESTROY(), 0);
    let below = device.work_item(first, DESTROY(), 0);
    device.rig.wdf("WdfObjectDelete", &[parent]);
    assert_eq!(told_of("cleanup"), [below, first, second, parent]);
    assert_eq!(told_of("destroyed"), [below, first, second, parent]);
}

#[test]
fn a_whole_family_is_cleaned_up_before_anything_of_it_is_destroyed() {
    let device = Device::ready(PARALLEL);
    let parent = device.work_item(device.handle, DESTROY(), 0);
    device.work_item(parent, DESTROY(), 0);
    device.rig.wdf("WdfObjectDelete", &[parent]);
    let order: Vec<_> = told().into_iter().filter(|what| ["cleanup", "destroyed"].contains(what)).collect();
    assert_eq!(order, ["cleanup", "cleanup", "destroyed", "destroyed"]);
}

#[test]
fn a_work_item_runs_on_a_worker_thread_and_can_be_waited_for() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, 0, 0);
    device.rig.wdf("WdfWorkItemEnqueue", &[item]);
    device.rig.wdf("WdfWorkItemFlush", &[item]);
    assert_eq!((told_of("work"), told_of("in worker")), (vec![item], vec![1]));
    assert_eq!(device.rig.wdf("WdfWorkItemGetParentObject", &[item]), device.handle);
}

#[test]
fn a_work_item_needs_a_parent_below_a_device() {
    let device = Device::ready(PARALLEL);
    let driver = device.rig.wdf("WdfDeviceGetDriver", &[device.handle]);
    assert_eq!(device.rig.wdf("WdfWorkItemCreate", &[0, 0, 0]), 0xC020_0212);
    assert_eq!(device.try_work_item(&described(0, 0, 0)).0, 0xC020_0212);
    assert_eq!(device.try_work_item(&described(driver, 0, 0)).0, 0xC000_0010);
}

#[test]
fn a_deleted_work_item_has_no_parent_and_is_not_enqueued() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, 0, 0);
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    device.rig.wdf("WdfObjectDelete", &[item]);
    assert_eq!(device.rig.wdf("WdfWorkItemGetParentObject", &[item]), 0);
    assert_eq!(violation(device.rig.try_wdf("WdfWorkItemEnqueue", &[item])), (0x1E, 0x8000_0003));
}

#[test]
fn references_that_are_left_at_unload_are_a_leak() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, 0, 0);
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    let leak = device.rig.unbind().unwrap_err();
    assert!(leak.code() == 0x1E && leak.reason().contains("WDFWORKITEM"), "{leak}");
}
