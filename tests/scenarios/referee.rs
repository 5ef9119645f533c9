//! What the referee says when the driver's memory is treated wrongly: here by the test, behind the driver's back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use flowtag_simulator::{
    computer::Irql,
    image::Frame,
    kernel::pool::Tag,
    referee::BugCheck,
    service::ServiceError,
    wfp::{Direction, FlowEnd, Packet},
};

use flowtag_tests::rig::{Rig, TCP, outbound};

const NON_PAGED: u64 = 0x40;
const TAG: Tag = Tag(u32::from_le_bytes(*b"Test"));

fn place_of(bug_check: &BugCheck) -> Option<&str> {
    bug_check.frames().iter().find_map(|frame| match frame {
        Frame::Driver { place, .. } => place.as_deref(),
        Frame::Import(_) => None,
    })
}

/// The contexts that the driver gives to the engine, as they come.
fn last_context(rig: &Rig) -> Arc<AtomicU64> {
    let context = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&context);
    rig.machine.on_import(move |call| {
        if call.name() == "FwpsFlowAssociateContext0" {
            seen.store(call.arg(3), Ordering::Relaxed);
        }
    });
    context
}

#[test]
fn a_block_that_is_left_at_unload_is_a_leak_with_its_place() {
    let rig = Rig::installed(&[]);
    rig.machine.on_import(|call| {
        if call.name() == "WdfDriverCreate" {
            call.machine.pool().allocate(NON_PAGED, 100, TAG, call.caller()).unwrap();
        }
    });
    rig.start().unwrap();
    let error = rig.machine.stop_service("flowtag").unwrap_err();
    let ServiceError::BugCheck(bug_check) = error else { panic!("{error}") };
    assert_eq!((bug_check.code(), bug_check.parameters()[0]), (0xC4, 0x62));
    let reason = bug_check.reason();
    assert!(reason.contains("1 with tag 'Test' (100 bytes) allocated at src/"), "{reason}");
}

#[test]
fn a_record_freed_too_early_is_found_at_the_next_packet_in_the_transport_callout() {
    let rig = Rig::started();
    let context = last_context(&rig);
    let flow = rig.open(&outbound());
    let context = context.load(Ordering::Relaxed);
    let blocks = rig.machine.pool().live_blocks();
    let holds = |start: u64, size: usize| (start..start + size as u64).contains(&context);
    let record = blocks.iter().find(|block| holds(block.address, block.size)).unwrap();
    rig.machine.pool().free(record.address, record.tag, Irql::DISPATCH, 0, &|_| String::new()).unwrap();

    let bug_check = rig.machine.transport(flow, Direction::Inbound, &Packet::new(TCP, 100)).unwrap_err();
    assert_eq!(bug_check.code(), 0xD5);
    assert!(bug_check.reason().contains("freed at 0x0"), "{bug_check}");
    assert!(place_of(&bug_check).is_some_and(|place| place.starts_with("src/")), "{bug_check}");
}

#[test]
fn a_write_before_a_record_is_found_when_it_is_freed() {
    let rig = Rig::started();
    let before = rig.machine.pool().live_blocks();
    let flow = rig.open(&outbound());
    let blocks = rig.machine.pool().live_blocks();
    let is_new = |address| !before.iter().any(|block| block.address == address);
    let record = blocks.iter().find(|block| is_new(block.address)).unwrap();
    flowtag_simulator::computer::memory::write(record.address - 1, 1u8).unwrap();
    let bug_check = rig.machine.close_flow(flow).unwrap_err();
    assert_eq!((bug_check.code(), bug_check.parameters()[3]), (0xC1, 0x23), "{bug_check}");
}

/// What the driver's safety rests on (docs/architecture.md, "The life of a flow"): it has nothing of its own against this.
#[test]
fn a_flow_that_ends_without_waiting_for_its_classify_is_found_as_a_use_after_free() {
    let rig = Rig::with_settings(&[("TraceLevel", 3)]);
    rig.set(|switches| switches.flow_end = FlowEnd::DoesNotWait);
    let flow = rig.open(&outbound());
    let (here, has_ended) = (thread::current().id(), AtomicBool::new(false));
    rig.machine.on_import(move |call| {
        // The line of the first packet of two.
        let classifies = call.name() == "DbgPrintEx" && thread::current().id() == here;
        if classifies && !has_ended.swap(true, Ordering::Relaxed) {
            let machine = call.machine.clone();
            thread::spawn(move || machine.close_flow(flow)).join().unwrap().unwrap();
        }
    });
    let two = Packet { payloads: vec![100, 100], transport_header: 20 };
    let bug_check = rig.machine.transport(flow, Direction::Outbound, &two).unwrap_err();
    assert_eq!(bug_check.code(), 0xD5, "{bug_check}");
    assert!(place_of(&bug_check).is_some_and(|place| place.starts_with("src/")), "{bug_check}");
}
