//! Who is called for an event, what it is told, and what its answer does.

use std::sync::mpsc;

use super::*;
use crate::wfp::{ActionAbove, Decision, Verdict, abi::RIGHT_ACTION_WRITE};

#[test]
fn an_authorization_reaches_the_callout_with_the_flows_handle() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    let flow = rig.open_flow();
    let told = told();
    assert_eq!((told.len(), told[0].layer, told[0].handle), (1, CONNECT.id(), flow.0));
}

#[test]
fn a_connect_that_is_redirected_is_classified_twice_under_one_handle() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    rig.set(|switches| switches.connect_twice = true);
    let flow = rig.open_flow();
    assert_eq!(told_layers(), [CONNECT.id(), CONNECT.id()]);
    assert!(told().iter().all(|told| told.handle == flow.0));
}

#[test]
fn only_a_connect_is_classified_twice() {
    let accept = Layer { point: Point::AuthRecvAccept, family: Family::V4 };
    let (rig, _) = Rig::inspecting(accept, 0);
    rig.set(|switches| switches.connect_twice = true);
    rig.machine.open_flow(&FlowSpec { direction: Direction::Inbound, ..spec() }).unwrap();
    assert_eq!(told_layers(), [accept.id()]);
}

#[test]
fn a_flow_can_be_authorized_once_more() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    let flow = rig.open_flow();
    rig.machine.authorize_again(flow).unwrap();
    assert_eq!((told().len(), told()[1].handle), (2, flow.0));
}

#[test]
fn a_packet_without_filters_meets_no_callout() {
    let rig = Rig::new();
    rig.register(2, 0);
    let flow = rig.open_flow();
    rig.send(flow);
    assert!(told().is_empty());
}

#[test]
fn a_conditional_callout_is_not_called_for_a_flow_without_its_context() {
    let (rig, _) = Rig::inspecting(OUT, CONDITIONAL);
    let flow = rig.open_flow();
    rig.send(flow);
    assert!(told().is_empty());
}

#[test]
fn a_conditional_callout_is_called_with_its_context() {
    let (rig, callout) = Rig::inspecting(OUT, CONDITIONAL);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 0x77);
    rig.send(flow);
    assert_eq!(told()[0].flow_context, 0x77);
}

#[test]
fn an_unconditional_callout_is_called_without_a_context() {
    let (rig, _) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.send(flow);
    assert_eq!(told()[0].flow_context, 0);
}

#[test]
fn a_packet_without_a_flow_reaches_an_unconditional_callout() {
    let (rig, _) = Rig::inspecting(OUT, 0);
    rig.machine.transport_without_flow(&spec(), Direction::Outbound, &packet()).unwrap();
    assert_eq!((told().len(), told()[0].flow_context), (1, 0));
}

#[test]
fn an_accepted_flows_first_packet_passes_the_transport_layer_before_authorization() {
    let accept = Layer { point: Point::AuthRecvAccept, family: Family::V4 };
    let inbound = Layer { point: Point::InboundTransport, family: Family::V4 };
    let (rig, _) = Rig::inspecting(accept, 0);
    rig.register(3, 0);
    rig.add_callout(3, inbound);
    rig.add_filter(3, inbound, action::CALLOUT_INSPECTION);
    let spec = FlowSpec { direction: Direction::Inbound, ..spec() };
    rig.machine.accept_flow(&spec, &packet()).unwrap();
    assert_eq!(told_layers(), [inbound.id(), accept.id()]);
}

#[test]
fn an_inspection_callout_that_blocks_is_reported() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    on_classify(|told| answer(told, action::BLOCK));
    assert_eq!(rig.machine.open_flow(&spec()).unwrap_err().code(), 0xC4);
}

#[test]
fn writing_the_action_without_the_right_is_reported() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    rig.set(|switches| switches.write_right = WriteRight::Never);
    on_classify(|told| answer(told, action::CONTINUE));
    assert_eq!(rig.machine.open_flow(&spec()).unwrap_err().code(), 0xC4);
}

/// SDK `FWPS_ACTION0`: any other answer of an inspection callout is taken for `FWP_ACTION_CONTINUE`.
#[test]
fn an_inspection_callout_that_decides_decides_nothing_where_windows_has_its_way() {
    // The filter behind it in its sub-layer is evaluated all the same.
    for (decision, next) in [(action::BLOCK, action::PERMIT), (action::PERMIT, action::BLOCK)] {
        let (rig, _) = Rig::inspecting(OUT, 0);
        assert_eq!(rig.add_filter(0, OUT, next), status::SUCCESS);
        rig.set(|switches| switches.wrong_answer = WrongAnswer::AsWindows);
        on_classify(move |told| answer(told, decision));
        let flow = rig.open_flow();
        let expected = if next == action::BLOCK { Verdict::Block } else { Verdict::Permit };
        assert_eq!((rig.send(flow), told().len()), (expected, 1));
    }
}

/// SDK `FWPS_ACTION0`: any other answer of a terminating callout is taken for `FWP_ACTION_BLOCK`.
#[test]
fn a_terminating_callout_that_continues_blocks_where_windows_has_its_way() {
    let rig = Rig::terminating(OUT);
    on_classify(|told| answer(told, action::CONTINUE));
    let flow = rig.open_flow();
    assert_eq!(rig.machine.transport(flow, Direction::Outbound, &packet()).unwrap_err().code(), 0xC4);

    let rig = Rig::terminating(OUT);
    rig.set(|switches| switches.wrong_answer = WrongAnswer::AsWindows);
    on_classify(|told| answer(told, action::CONTINUE));
    let flow = rig.open_flow();
    assert_eq!(rig.send(flow), Verdict::Block);
}

/// A guess: the action counts as not written. A terminating callout that writes none blocks.
#[test]
fn an_action_without_the_right_is_as_if_not_written_where_windows_has_its_way() {
    let rig = Rig::terminating(OUT);
    rig.set(|switches| {
        switches.write_right = WriteRight::Never;
        switches.wrong_answer = WrongAnswer::AsWindows;
    });
    on_classify(|told| answer(told, action::PERMIT));
    let flow = rig.open_flow();
    assert_eq!(rig.send(flow), Verdict::Block);
}

/// What Windows makes of it is written nowhere.
#[test]
fn an_action_that_is_none_is_reported_even_where_windows_has_its_way() {
    let rig = Rig::new();
    rig.register(2, 0);
    rig.add_callout(2, OUT);
    rig.add_filter(2, OUT, action::CALLOUT_UNKNOWN);
    rig.set(|switches| switches.wrong_answer = WrongAnswer::AsWindows);
    on_classify(|told| answer(told, 0x1234));
    let flow = rig.open_flow();
    assert_eq!(rig.machine.transport(flow, Direction::Outbound, &packet()).unwrap_err().code(), 0xC4);
}

#[test]
fn a_callout_that_continues_permits() {
    let (rig, _) = Rig::inspecting(OUT, 0);
    on_classify(|told| answer(told, action::CONTINUE));
    let flow = rig.open_flow();
    assert_eq!(rig.send(flow), Verdict::Permit);
}

#[test]
fn an_inspection_filter_whose_callout_is_not_registered_is_ignored() {
    let rig = Rig::new();
    rig.add_callout(2, OUT);
    rig.add_filter(2, OUT, action::CALLOUT_INSPECTION);
    let flow = rig.open_flow();
    assert_eq!(rig.send(flow), Verdict::Permit);
}

#[test]
fn a_terminating_filter_whose_callout_is_not_registered_blocks() {
    let rig = Rig::new();
    rig.add_callout(2, OUT);
    rig.add_filter(2, OUT, action::CALLOUT_TERMINATING);
    let flow = rig.open_flow();
    assert_eq!(rig.send(flow), Verdict::Block);
}

#[test]
fn a_flow_that_another_product_blocks_dies_with_its_contexts() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    let callout = rig.register(3, CONDITIONAL);
    rig.machine.add_foreign_filter(CONNECT, 0, Verdict::Block).unwrap();
    on_classify(move |told| {
        from_driver("FwpsFlowAssociateContext0", [told.handle, OUT.id().into(), callout.into(), 0x77]);
    });
    rig.open_flow();
    assert_eq!((deleted(), rig.machine.wfp().flows().len()), (vec![0x77], 0));
}

#[test]
fn a_block_above_can_hide_the_event() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    rig.set(|switches| switches.block_ends_evaluation = true);
    rig.machine.add_foreign_filter(CONNECT, 100, Verdict::Block).unwrap();
    rig.open_flow();
    assert!(told().is_empty());
}

/// Action and rights that the callout finds when a flow is authorized.
fn found(rig: &Rig) -> (u32, u32) {
    let (found, told) = mpsc::channel();
    on_classify(move |told| {
        // SAFETY: the engine's argument, valid during this call.
        let out = unsafe { ptr::with_exposed_provenance::<FwpsClassifyOut>(told.classify_out as usize).read() };
        found.send((out.action_type, out.rights)).expect("somebody waits for it");
    });
    rig.open_flow();
    told.recv().expect("the callout is called")
}

#[test]
fn a_callout_finds_what_those_above_have_decided_and_whether_it_may_write() {
    let soft_block = Decision { verdict: Verdict::Block, hard: false };
    let hard_block = Decision { hard: true, ..soft_block };
    for (decision, expected) in [(soft_block, (action::BLOCK, RIGHT_ACTION_WRITE)), (hard_block, (action::BLOCK, 0))] {
        let (rig, _) = Rig::inspecting(CONNECT, 0);
        rig.machine.add_foreign_callout(CONNECT, 100, decision).unwrap();
        assert_eq!(found(&rig), expected);
    }
}

#[test]
fn what_those_above_have_decided_can_be_hidden() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    rig.set(|switches| switches.action_above = ActionAbove::Hidden);
    rig.machine.add_foreign_filter(CONNECT, 100, Verdict::Block).unwrap();
    assert_eq!(found(&rig), (action::NONE, 0));
}

#[test]
fn what_a_classify_was_told_cannot_be_read_later() {
    let (rig, _) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.send(flow);
    let kept = told()[0].values;
    on_classify(move |_| {
        let kept = ptr::with_exposed_provenance::<u64>(kept as usize);
        // SAFETY: none: this is the mistake that the engine must catch.
        unsafe { kept.read_volatile() };
    });
    let bug_check = rig.machine.transport(flow, Direction::Outbound, &packet()).unwrap_err();
    assert_eq!(bug_check.code(), 0xD5);
}

/// Reads the first byte of the process path at `irql`, in a classify that began at `PASSIVE_LEVEL`.
fn read_path_at(rig: &Rig, irql: Irql) -> Option<u32> {
    rig.set(|switches| {
        switches.irql = IrqlChoice::Fixed(Irql::PASSIVE);
        switches.process_path = PathMemory::Paged;
    });
    on_classify(move |told| {
        let set_irql = |irql| Cpu::with_current(|cpu| cpu.expect("driver code runs on a CPU").set_irql(irql));
        let metadata = ptr::with_exposed_provenance::<FwpsIncomingMetadataValues>(told.metadata as usize);
        // SAFETY: the engine's argument, valid during this call.
        let blob = unsafe { (*metadata).process_path };
        // SAFETY: the engine's path blob, whose data pointer lies at offset 8.
        let data = unsafe { ptr::with_exposed_provenance::<u64>(blob as usize + 8).read() };
        set_irql(irql);
        // SAFETY: legal at `PASSIVE_LEVEL`; above, the mistake that the engine must catch.
        unsafe { ptr::with_exposed_provenance::<u8>(data as usize).read_volatile() };
        set_irql(Irql::PASSIVE);
    });
    rig.machine.open_flow(&spec()).err().map(|bug_check| bug_check.code())
}

#[test]
fn a_paged_path_can_be_read_at_passive_level() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    assert_eq!(read_path_at(&rig, Irql::PASSIVE), None);
}

#[test]
fn a_paged_path_cannot_be_read_at_dispatch_level() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    assert_eq!(read_path_at(&rig, Irql::DISPATCH), Some(0xD1));
}

#[test]
fn reading_behind_the_path_is_a_bug_check() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    on_classify(move |told| {
        let metadata = ptr::with_exposed_provenance::<FwpsIncomingMetadataValues>(told.metadata as usize);
        // SAFETY: the engine's argument, valid during this call.
        let blob = unsafe { (*metadata).process_path };
        // SAFETY: the engine's path blob, whose data pointer lies at offset 8.
        let data = unsafe { ptr::with_exposed_provenance::<u64>(blob as usize + 8).read() };
        let behind = data as usize + spec().path.map_or(0, |path| path.len());
        // SAFETY: none: this is the mistake that the engine must catch.
        unsafe { ptr::with_exposed_provenance::<u8>(behind).read_volatile() };
    });
    assert_eq!(rig.machine.open_flow(&spec()).unwrap_err().code(), 0xD6);
}

#[test]
fn a_new_filter_has_existing_flows_authorized_again_with_their_next_packet() {
    let rig = Rig::new();
    let flow = rig.open_flow();
    rig.register(2, 0);
    rig.add_callout(2, CONNECT);
    rig.add_filter(2, CONNECT, action::CALLOUT_INSPECTION);
    rig.machine.transport(flow, Direction::Inbound, &packet()).unwrap();
    rig.send(flow);
    assert_eq!(told().iter().map(|told| told.handle).collect::<Vec<_>>(), [flow.0]);
}

#[test]
fn an_expired_flow_gets_a_new_handle() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    let old = rig.open_flow();
    let new = rig.machine.expire_flow(old).unwrap();
    assert_eq!(told().iter().map(|told| told.handle).collect::<Vec<_>>(), [old.0, new.0]);
}
