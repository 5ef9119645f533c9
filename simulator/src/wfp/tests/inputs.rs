//! That what a driver passes makes a difference, where no other test shows it.

use super::*;

thread_local! {
    /// What the filters of the classifies held as their context.
    static CONTEXTS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

extern "win64" fn classify_that_notes_filters(
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    filter: *const super::super::abi::FwpsFilter,
) {
    // SAFETY: the engine's argument, valid during this call.
    let context = unsafe { (*filter).context };
    CONTEXTS.with_borrow_mut(|all| all.push(context));
}

const NAME: [u16; 2] = [b'n' as u16, 0];

/// A filter for callout 2 at the OUT layer in sub-layer 1.
fn filter() -> FwpmFilter {
    FwpmFilter {
        name: NAME.as_ptr() as u64,
        layer_key: OUT.key(),
        sub_layer_key: key(1),
        action_type: action::CALLOUT_INSPECTION,
        action_callout_key: key(2),
        ..FwpmFilter::default()
    }
}

fn add(rig: &Rig, filter: &FwpmFilter) -> (Status, u64) {
    let mut id = 0u64;
    let arguments = [rig.session, &raw const *filter as u64, 0, &raw mut id as u64];
    (rig.import("FwpmFilterAdd0", &arguments), id)
}

/// A rig whose callout 2 notes the filters that it is called for.
fn rig() -> Rig {
    let rig = Rig::new();
    CONTEXTS.take();
    let callout = FwpsCallout {
        callout_key: key(2),
        classify_fn: classify_that_notes_filters as *const () as u64,
        notify_fn: notify_fn as *const () as u64,
        ..FwpsCallout::default()
    };
    let registered = rig.import("FwpsCalloutRegister2", &[rig.device.address(), &raw const callout as u64, 0]);
    assert_eq!((registered, rig.add_callout(2, OUT)), (status::SUCCESS, status::SUCCESS));
    rig
}

#[test]
fn each_session_sees_its_own_transaction() {
    let rig = Rig::new();
    let other = rig.open(0).unwrap();
    rig.import("FwpmTransactionBegin0", &[rig.session, 0]);
    assert_eq!(rig.import("FwpmTransactionCommit0", &[other]), status::FWP_NO_TXN_IN_PROGRESS);
    assert_eq!(rig.import("FwpmTransactionCommit0", &[rig.session]), status::SUCCESS);
}

#[test]
fn a_callout_and_a_filter_need_a_name() {
    let rig = Rig::new();
    let callout = FwpmCallout { callout_key: key(2), applicable_layer: OUT.key(), ..FwpmCallout::default() };
    let added = rig.import("FwpmCalloutAdd0", &[rig.session, &raw const callout as u64, 0, 0]);
    assert_eq!(added, status::FWP_NULL_DISPLAY_NAME);
    rig.add_callout(2, OUT);
    assert_eq!(add(&rig, &FwpmFilter { name: 0, ..filter() }).0, status::FWP_NULL_DISPLAY_NAME);
    assert_eq!(add(&rig, &filter()).0, status::SUCCESS);
}

#[test]
fn a_provider_needs_a_name() {
    let rig = Rig::new();
    let provider = [1u64, 0, 0, 0, 0, 0, 0, 0];
    let added = rig.import("FwpmProviderAdd0", &[rig.session, provider.as_ptr() as u64, 0]);
    assert_eq!(added, status::FWP_NULL_DISPLAY_NAME);
}

#[test]
fn the_ids_of_what_is_added_are_told() {
    let rig = Rig::new();
    let registered = rig.register(2, 0);
    let callout = FwpmCallout {
        callout_key: key(2),
        name: NAME.as_ptr() as u64,
        applicable_layer: OUT.key(),
        ..FwpmCallout::default()
    };
    let mut added = 0u32;
    rig.import("FwpmCalloutAdd0", &[rig.session, &raw const callout as u64, 0, &raw mut added as u64]);
    assert_eq!(added, registered);
    let (_, first) = add(&rig, &filter());
    let (_, second) = add(&rig, &filter());
    assert!(first != 0 && first != second);
}

#[test]
fn a_filters_context_is_told_to_its_callout() {
    let rig = rig();
    add(&rig, &FwpmFilter { raw_context: 0x5EED, ..filter() });
    rig.send(rig.open_flow());
    assert_eq!(CONTEXTS.take(), [0x5EED]);
}

#[test]
fn the_heavier_filter_of_a_sublayer_is_asked_first() {
    for (weights, order) in [([3, 9], [2, 1]), ([9, 3], [1, 2])] {
        let rig = rig();
        for (value, raw_context) in weights.into_iter().zip([1, 2]) {
            let weight = FwpValue { value_type: super::super::abi::data_type::UINT8, padding: 0, value };
            add(&rig, &FwpmFilter { weight, raw_context, ..filter() });
        }
        rig.send(rig.open_flow());
        assert_eq!(CONTEXTS.take(), order);
    }
}

#[test]
fn a_callout_is_unregistered_by_its_key() {
    let rig = Rig::new();
    rig.register(2, 0);
    let unregister = |number| {
        let key = key(number);
        rig.import("FwpsCalloutUnregisterByKey0", &[&raw const key as u64])
    };
    assert_eq!((unregister(3), unregister(2)), (status::FWP_CALLOUT_NOT_FOUND, status::SUCCESS));
}

#[test]
fn a_context_is_removed_for_its_own_callout_only() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    assert_eq!(rig.remove(flow.0, OUT, callout + 1), status::UNSUCCESSFUL);
    assert_eq!(rig.remove(flow.0, OUT, callout), status::SUCCESS);
}

#[test]
fn a_layer_without_a_model_stops_the_machine_and_is_no_mistake_of_the_drivers() {
    let rig = Rig::new();
    let associate = windows::address("fwpkclnt.sys", "FwpsFlowAssociateContext0").unwrap();
    // FWPS_LAYER_STREAM_V4.
    let outcome = rig.machine.run(|cpu| cpu.call(associate, "associate", &[1, 20, 1, 1])).unwrap_err();
    assert!(outcome.reason().starts_with("the simulator does not model layerId = 0x14"), "{outcome}");
}
