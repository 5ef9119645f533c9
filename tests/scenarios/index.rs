//! A flow is known again by its handle, whatever Windows answers, and whatever happens meanwhile on other processors.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use flowtag_simulator::wfp::{
    Direction, Emptied, ExistingContext, FlowHandle, FlowSpec, HandleReuse, Removal, SecondContext, status,
};

use flowtag_tests::rig::{Rig, endpoint, field, outbound};

const ASSOCIATE: &str = "FwpsFlowAssociateContext0";
const REMOVE: &str = "FwpsFlowRemoveContext0";
const ALLOCATE: &str = "ExAllocatePool2";

/// Has `happens` happen once, at the `nth` call of `import` from now, before it is served.
fn at(rig: &Rig, import: &'static str, nth: usize, happens: impl FnOnce() + Send + 'static) {
    let calls = AtomicUsize::new(0);
    let happens = Mutex::new(Some(happens));
    rig.machine.on_import(move |call| {
        if call.name() == import && calls.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            let happens = happens.lock().unwrap().take().expect("once");
            happens();
        }
    });
}

/// Handles are used again as soon as a flow has ended, and no removal is held up.
fn reusing(rig: &Rig) {
    rig.set(|switches| switches.handle_reuse = HandleReuse::AtOnce);
}

/// The handle that the next flow gets, where none has been used before.
const FIRST: FlowHandle = FlowHandle(1);

/// Authorizes the first flow again at the `nth` call of `import` while it is first authorized; the totals opened,
/// `already_tagged`, busy. Both times it has one pair of contexts.
fn authorized_twice(import: &'static str, nth: usize) -> [u64; 3] {
    let rig = Rig::started();
    let machine = rig.machine.clone();
    at(&rig, import, nth, move || {
        machine.reauthorize(FIRST, Direction::Outbound).unwrap();
    });
    assert_eq!(rig.open(&outbound()), FIRST);
    assert_eq!(rig.machine.wfp().contexts(), 2);
    rig.stop();
    ["opened", "already_tagged", "busy"].map(|name| rig.total(name))
}

#[test]
fn a_flow_that_another_processor_tags_before_its_record_is_made_is_tagged_once() {
    assert_eq!(authorized_twice(ALLOCATE, 1), [1, 1, 0]);
}

#[test]
fn a_flow_that_another_processor_authorizes_while_it_is_tagged_is_tagged_once() {
    for association in [1, 2] {
        assert_eq!(authorized_twice(ASSOCIATE, association), [1, 1, 0], "association {association}");
    }
}

#[test]
fn a_flow_that_another_processor_tags_while_room_is_made_for_it_is_tagged_once() {
    let rig = Rig::with_small_ring();
    let flows: Vec<_> = (0..16).map(|_| rig.open(&outbound())).collect();
    let newcomer = FlowHandle(17);
    let (machine, ended) = (rig.machine.clone(), flows[8]);
    at(&rig, REMOVE, 1, move || {
        // The other processor finds room.
        machine.close_flow(ended).unwrap();
        machine.reauthorize(newcomer, Direction::Outbound).unwrap();
    });
    assert_eq!(rig.open(&outbound()), newcomer);
    rig.line("open", newcomer);
    rig.stop();
    assert_eq!(["opened", "already_tagged"].map(|name| rig.total(name)), [17, 1]);
}

#[test]
fn an_evicted_flow_keeps_its_handle_to_itself_until_its_contexts_are_removed() {
    let rig = Rig::with_small_ring();
    reusing(&rig);
    let flows: Vec<_> = (0..16).map(|_| rig.open(&outbound())).collect();
    let victim = flows[0];
    let machine = rig.machine.clone();
    at(&rig, REMOVE, 2, move || {
        machine.close_flow(victim).unwrap();
        assert_eq!(machine.open_flow(&outbound()).unwrap(), victim, "the handle is used again");
    });
    rig.open(&outbound());
    assert_both_or_neither(&rig, victim);
    rig.stop();
    assert_eq!(rig.total("busy"), 1);
}

/// A flow has both contexts, or none: with one only it would go uncounted one way until it ends.
fn assert_both_or_neither(rig: &Rig, flow: FlowHandle) {
    let before = rig.machine.wfp().contexts();
    rig.close(flow);
    let had = before - rig.machine.wfp().contexts();
    assert!(had == 0 || had == 2, "the flow had {had} context");
}

#[test]
fn a_context_that_lands_on_the_next_flow_with_the_same_handle_is_removed() {
    let rig = Rig::started();
    reusing(&rig);
    let machine = rig.machine.clone();
    at(&rig, ASSOCIATE, 2, move || {
        machine.close_flow(FIRST).unwrap();
        assert_eq!(machine.open_flow(&outbound()).unwrap(), FIRST, "the handle is used again");
    });
    rig.open(&outbound());
    assert_eq!(rig.machine.wfp().contexts(), 0);
    assert!(rig.lines_of("open").is_empty());
    // And nothing keeps that flow from being tagged.
    rig.machine.reauthorize(FIRST, Direction::Outbound).unwrap();
    assert_eq!(rig.machine.wfp().contexts(), 2);
    rig.stop();
    assert_eq!(["opened", "gone"].map(|name| rig.total(name)), [1, 1]);
}

#[test]
fn a_flow_that_dies_while_it_is_chosen_for_eviction_is_left_to_die() {
    let rig = Rig::with_small_ring();
    let flows: Vec<_> = (0..16).map(|_| rig.open(&outbound())).collect();
    let victim = flows[0];
    let machine = rig.machine.clone();
    // Whoever gives back the last reference raises the IRQL for the ring's lock: the count is zero then, and the slot is
    // not free yet.
    let newcomers = Arc::new(AtomicUsize::new(0));
    let opened = Arc::clone(&newcomers);
    at(&rig, "KfRaiseIrql", 1, move || {
        machine.open_flow(&outbound()).unwrap();
        opened.fetch_add(1, Ordering::Relaxed);
    });
    rig.close(victim);
    assert_eq!(newcomers.load(Ordering::Relaxed), 1, "a flow was opened meanwhile");
    assert_eq!(field(&rig.line("close", victim), "why"), "deleted");
    rig.stop();
    assert_eq!(["evicted", "untracked"].map(|name| rig.total(name)), [0, 1]);
}

#[test]
fn a_flow_whose_tag_is_being_taken_back_is_busy() {
    let rig = Rig::started();
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    rig.fail(ASSOCIATE, 2, Some(status::INSUFFICIENT_RESOURCES));
    let flow = rig.open(&outbound());
    rig.machine.reauthorize(flow, Direction::Outbound).unwrap();
    rig.machine.run_deferred_deletes().unwrap();
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.stop();
    assert_eq!(["opened", "busy", "already_tagged"].map(|name| rig.total(name)), [0, 1, 0]);
}

#[test]
fn a_flow_is_busy_from_before_its_first_context_is_removed() {
    let rig = Rig::started();
    rig.fail(ASSOCIATE, 2, Some(status::INSUFFICIENT_RESOURCES));
    let machine = rig.machine.clone();
    at(&rig, REMOVE, 1, move || {
        machine.reauthorize(FlowHandle(1), Direction::Outbound).unwrap();
    });
    assert_eq!(rig.open(&outbound()), FlowHandle(1));
    rig.stop();
    assert_eq!(["opened", "busy", "already_tagged"].map(|name| rig.total(name)), [0, 1, 0]);
}

/// The driver takes for granted that WFP empties its entry before it calls flowDeleteFn. Where it does so afterwards, an
/// association between the two is refused, and that is all: if WFP says so. Were it answered success, its record would stay.
#[test]
fn a_flow_whose_entry_is_emptied_after_its_context_is_deleted_is_busy() {
    let rig = Rig::with_small_ring();
    rig.set(|switches| {
        switches.emptied = Emptied::AfterDelete;
        switches.existing_context = ExistingContext::NameExists;
        switches.second_context = SecondContext::Answered;
        switches.removal = Removal::PendingUntilTold;
    });
    let flows: Vec<_> = (0..16).map(|_| rig.open(&outbound())).collect();
    rig.open(&outbound());
    let (machine, victim) = (rig.machine.clone(), flows[0]);
    // The second flowDeleteFn has freed the slot, and not returned.
    at(&rig, "ExFreePoolWithTag", 1, move || {
        machine.reauthorize(victim, Direction::Outbound).unwrap();
    });
    rig.machine.run_deferred_deletes().unwrap();
    rig.machine.run_deferred_deletes().unwrap();
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.stop();
    assert_eq!(["busy", "already_tagged"].map(|name| rig.total(name)), [1, 0]);
}

#[test]
fn a_handle_that_names_another_flow_before_the_former_is_forgotten_is_busy() {
    let rig = Rig::started();
    reusing(&rig);
    let former = rig.open(&outbound());
    // flowDeleteFn of the former is on its way, on another processor.
    let machine = rig.machine.clone();
    at(&rig, "KfRaiseIrql", 1, move || {
        let other = FlowSpec { remote: endpoint("192.0.2.1", 80), ..outbound() };
        assert_eq!(machine.open_flow(&other).unwrap(), former);
    });
    rig.close(former);
    assert_eq!(rig.machine.wfp().contexts(), 0);
    rig.stop();
    assert_eq!(["opened", "busy", "already_tagged"].map(|name| rig.total(name)), [1, 1, 0]);
}

#[test]
fn a_flow_that_ends_while_its_open_line_is_printed_is_closed_afterwards() {
    let rig = Rig::started();
    let machine = rig.machine.clone();
    at(&rig, "DbgPrintEx", 1, move || machine.close_flow(FIRST).unwrap());
    rig.open(&outbound());
    let events = rig.lines().into_iter().filter(|line| line.contains(" flow=")).collect::<Vec<_>>();
    assert!(events[0].starts_with("flowtag: open ") && events[1].starts_with("flowtag: close "), "{events:?}");
    assert_eq!(events.len(), 2);
    rig.stop();
}
