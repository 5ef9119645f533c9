//! What other drivers than ours ask of the engine: deleting objects, providers, injection handles, older callouts.

use std::cell::Cell;

use super::*;

/// `FWPM_FILTER0` with a key of its own, for callout 2 at the OUT layer.
fn add_filter_with_key(rig: &Rig, number: u32) {
    let name = [u16::from(b'n'), 0];
    let filter = FwpmFilter {
        filter_key: key(number),
        name: name.as_ptr() as u64,
        layer_key: OUT.key(),
        sub_layer_key: key(1),
        action_type: action::CALLOUT_INSPECTION,
        action_callout_key: key(2),
        ..FwpmFilter::default()
    };
    assert_eq!(rig.import("FwpmFilterAdd0", &[rig.session, &raw const filter as u64, 0, 0]), status::SUCCESS);
}

fn delete(rig: &Rig, name: &'static str, number: u32) -> Status {
    let key = key(number);
    rig.import(name, &[rig.session, &raw const key as u64])
}

#[test]
fn objects_are_deleted_by_their_keys() {
    let rig = Rig::new();
    rig.add_callout(2, OUT);
    add_filter_with_key(&rig, 9);
    for (name, number) in
        [("FwpmFilterDeleteByKey0", 9), ("FwpmCalloutDeleteByKey0", 2), ("FwpmSubLayerDeleteByKey0", 1)]
    {
        assert_eq!(delete(&rig, name, number), status::SUCCESS, "{name}");
    }
    assert_eq!(rig.machine.wfp().managed_objects(), 0);
}

#[test]
fn what_a_filter_refers_to_cannot_be_deleted() {
    let rig = Rig::new();
    rig.add_callout(2, OUT);
    add_filter_with_key(&rig, 9);
    assert_eq!(delete(&rig, "FwpmCalloutDeleteByKey0", 2), status::FWP_IN_USE);
    assert_eq!(delete(&rig, "FwpmSubLayerDeleteByKey0", 1), status::FWP_IN_USE);
}

#[test]
fn what_is_not_there_cannot_be_deleted() {
    let rig = Rig::new();
    for (name, not_found) in [
        ("FwpmFilterDeleteByKey0", status::FWP_FILTER_NOT_FOUND),
        ("FwpmCalloutDeleteByKey0", status::FWP_CALLOUT_NOT_FOUND),
        ("FwpmSubLayerDeleteByKey0", status::FWP_SUBLAYER_NOT_FOUND),
        ("FwpmProviderDeleteByKey0", status::FWP_PROVIDER_NOT_FOUND),
    ] {
        assert_eq!(delete(&rig, name, 77), not_found, "{name}");
    }
}

#[test]
fn a_deleted_filter_is_told_to_its_callout_and_calls_it_no_more() {
    let rig = Rig::new();
    rig.register(2, 0);
    rig.add_callout(2, OUT);
    add_filter_with_key(&rig, 9);
    NOTIFIED.take();
    delete(&rig, "FwpmFilterDeleteByKey0", 9);
    assert_eq!(NOTIFIED.take(), [(super::super::abi::notify::DELETE_FILTER, 0)]);
    let flow = rig.open_flow();
    rig.send(flow);
    assert!(told().is_empty());
}

#[test]
fn a_provider_is_added_once_and_goes_with_its_session() {
    let rig = Rig::new();
    let name = [u16::from(b'n'), 0];
    let Guid { data1, .. } = key(5);
    let provider = [u64::from(data1), 0, name.as_ptr() as u64, 0, 0, 0, 0, 0];
    let add = || rig.import("FwpmProviderAdd0", &[rig.session, provider.as_ptr() as u64, 0]);
    assert_eq!((add(), add()), (status::SUCCESS, status::FWP_ALREADY_EXISTS));
    assert_eq!(rig.machine.wfp().managed_objects(), 2, "the provider and the rig's sub-layer");
    rig.close();
    assert_eq!(rig.machine.wfp().managed_objects(), 0);
}

#[test]
fn an_injection_handle_is_destroyed_once() {
    let (rig, mut handle) = (Rig::new(), 0u64);
    let create = |family, place: *mut u64| rig.import("FwpsInjectionHandleCreate0", &[family, 0xC, place as u64]);
    assert_eq!((create(2, &raw mut handle), rig.machine.wfp().injection_handles()), (status::SUCCESS, 1));
    let destroy = || rig.import("FwpsInjectionHandleDestroy0", &[handle]);
    assert_eq!((destroy(), destroy()), (status::SUCCESS, status::INVALID_HANDLE));
    assert_eq!(rig.machine.wfp().injection_handles(), 0);
}

thread_local! {
    static TOLD_0: Cell<[u64; 3]> = const { Cell::new([0; 3]) };
}

/// `FWPS_CALLOUT_CLASSIFY_FN0`: six arguments.
extern "win64" fn classify_fn_0(_: u64, _: u64, _: u64, filter: u64, context: u64, classify_out: u64) {
    TOLD_0.set([filter, context, classify_out]);
}

#[test]
fn a_callout_of_version_0_is_told_without_a_classify_context() {
    let rig = Rig::new();
    let callout = FwpsCallout {
        callout_key: key(2),
        classify_fn: classify_fn_0 as *const () as u64,
        notify_fn: notify_fn as *const () as u64,
        flow_delete_fn: flow_delete_fn as *const () as u64,
        ..FwpsCallout::default()
    };
    let mut id = 0u32;
    let arguments = [rig.device.address(), &raw const callout as u64, &raw mut id as u64];
    assert_eq!(rig.import("FwpsCalloutRegister0", &arguments), status::SUCCESS);
    rig.add_callout(2, OUT);
    rig.add_filter(2, OUT, action::CALLOUT_INSPECTION);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, id, 0x77);
    rig.send(flow);
    let [filter, context, classify_out] = TOLD_0.get();
    assert_eq!(context, 0x77);
    assert!(filter != 0 && classify_out != 0 && filter != classify_out);
}
