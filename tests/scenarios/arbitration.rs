//! Other products decide what becomes of a connection: flowtag sees it all the same, and tags what can come to be.

use flowtag_simulator::wfp::{
    ActionAbove, Decision, FlowSpec, Verdict,
    layer::{Family, Layer, Point},
};

use flowtag_tests::rig::{Rig, field, inbound, outbound, over_v6};

/// Weights of sub-layers: right above flowtag's, in the middle, the heaviest.
const WEIGHTS: [u16; 3] = [1, 0x8000, u16::MAX];

const SOFT_BLOCK: Decision = Decision { verdict: Verdict::Block, hard: false };
const HARD_BLOCK: Decision = Decision { verdict: Verdict::Block, hard: true };
const HARD_PERMIT: Decision = Decision { verdict: Verdict::Permit, hard: true };

/// Each authorization layer, with a flow that is authorized there.
fn authorizations() -> [(Layer, FlowSpec); 4] {
    let layer = |point, family| Layer { point, family };
    [
        (layer(Point::AuthConnect, Family::V4), outbound()),
        (layer(Point::AuthConnect, Family::V6), over_v6(outbound())),
        (layer(Point::AuthRecvAccept, Family::V4), inbound()),
        (layer(Point::AuthRecvAccept, Family::V6), over_v6(inbound())),
    ]
}

fn connect() -> Layer {
    Layer { point: Point::AuthConnect, family: Family::V4 }
}

/// The totals opened and blocked after unload.
fn opened_and_blocked(rig: &Rig) -> (u64, u64) {
    rig.machine.stop_service("flowtag").unwrap();
    assert_eq!((rig.machine.pool().live_count(), rig.machine.wfp().contexts()), (0, 0));
    (rig.total("opened"), rig.total("blocked"))
}

#[test]
fn what_a_filter_of_others_blocks_is_counted_and_gets_no_record() {
    for (layer, spec) in authorizations() {
        for weight in WEIGHTS {
            let rig = Rig::started();
            rig.machine.add_foreign_filter(layer, weight, Verdict::Block).unwrap();
            let pool = rig.machine.faults().calls("ExAllocatePool2");
            rig.open(&spec);
            assert_eq!(rig.machine.faults().calls("ExAllocatePool2"), pool, "no memory is taken for it");
            assert!(rig.lines_of("open").is_empty());
            assert_eq!(opened_and_blocked(&rig), (0, 1), "{layer:?}, weight {weight}");
        }
    }
}

#[test]
fn what_a_filter_of_others_permits_is_tagged() {
    for (layer, spec) in authorizations() {
        for weight in WEIGHTS {
            let rig = Rig::started();
            rig.machine.add_foreign_filter(layer, weight, Verdict::Permit).unwrap();
            let flow = rig.open(&spec);
            rig.line("open", flow);
            assert_eq!(opened_and_blocked(&rig), (1, 0), "{layer:?}, weight {weight}");
        }
    }
}

#[test]
fn what_a_callout_of_others_permits_for_good_is_tagged() {
    let rig = Rig::started();
    rig.machine.add_foreign_callout(connect(), u16::MAX, HARD_PERMIT).unwrap();
    let flow = rig.open(&outbound());
    rig.line("open", flow);
    assert_eq!(opened_and_blocked(&rig), (1, 0));
}

#[test]
fn what_a_callout_of_others_blocks_for_good_is_not_tagged() {
    let rig = Rig::started();
    rig.machine.add_foreign_callout(connect(), u16::MAX, HARD_BLOCK).unwrap();
    rig.open(&outbound());
    assert_eq!(opened_and_blocked(&rig), (0, 1));
}

#[test]
fn what_another_may_still_permit_is_tagged() {
    let rig = Rig::started();
    rig.machine.add_foreign_callout(connect(), u16::MAX, SOFT_BLOCK).unwrap();
    rig.open(&outbound());
    assert_eq!(opened_and_blocked(&rig), (1, 0));
}

#[test]
fn a_blocked_flow_whose_block_windows_does_not_show_leaves_nothing_behind() {
    let rig = Rig::started();
    rig.set(|switches| switches.action_above = ActionAbove::Hidden);
    rig.machine.add_foreign_filter(connect(), u16::MAX, Verdict::Block).unwrap();
    let flow = rig.open(&outbound());
    assert_eq!(field(&rig.line("close", flow), "why"), "deleted");
    assert_eq!(opened_and_blocked(&rig), (1, 0));
}

#[test]
fn blocked_flows_push_no_tagged_one_out() {
    let rig = Rig::with_small_ring();
    let tagged: Vec<_> = (0..16).map(|_| rig.open(&outbound())).collect();
    rig.machine.add_foreign_filter(connect(), u16::MAX, Verdict::Block).unwrap();
    for _ in 0..100 {
        rig.open(&outbound());
    }
    assert_eq!(rig.lines_of("close").len(), 0, "{} flows are tagged", tagged.len());
    rig.machine.stop_service("flowtag").unwrap();
    assert_eq!((rig.total("evicted"), rig.total("blocked")), (0, 100));
}

#[test]
fn flowtag_changes_nothing_of_what_others_decide() {
    for (decision, verdict) in
        [(SOFT_BLOCK, Verdict::Block), (HARD_BLOCK, Verdict::Block), (HARD_PERMIT, Verdict::Permit)]
    {
        let rig = Rig::started();
        rig.machine.add_foreign_callout(connect(), u16::MAX, decision).unwrap();
        let flow = rig.open(&outbound());
        let lives = rig.machine.wfp().flows().contains(&flow);
        assert_eq!(lives, verdict == Verdict::Permit, "{decision:?}");
    }
}
