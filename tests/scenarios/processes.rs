//! Which process exactly: what an open line says of the owner, and what becomes of ids that are used again.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use flowtag_simulator::{
    Machine,
    computer::Irql,
    kernel::{
        pool::Tag,
        processes::{Exited, NoImage, Process, ProcessKind, ProcessSpec},
    },
    service::{Config, State},
    wfp::FlowSpec,
};
use object::pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY;

use flowtag_tests::rig::{Rig, SERVICE, field, image, outbound, path_blob};

const CURL: &str = r"\Device\HarddiskVolume3\Windows\curl.exe";
const PING: &str = r"\Device\HarddiskVolume3\Windows\ping.exe";

/// The driver knows so many processes, one of which is always the System process.
const CAPACITY: u64 = 4_096;

const REGISTER: &str = "PsSetCreateProcessNotifyRoutineEx2";
const LIST: &str = "ZwQuerySystemInformation";

/// A program with this id, started by the process 812.
fn spec(pid: u64, path: &str) -> ProcessSpec {
    ProcessSpec { pid: Some(pid), parent: 812, ..ProcessSpec::program(path) }
}

fn begin(machine: &Machine, pid: u64, path: &str) -> Process {
    machine.start_process(&spec(pid, path)).unwrap()
}

fn exit(machine: &Machine, process: Process) {
    machine.exit_process(process, 0).unwrap();
}

/// A flow of the process with this id, as WFP tells of it: the path in lower case.
fn flow_of(pid: u64, path: &str) -> FlowSpec {
    FlowSpec { pid: Some(pid), path: Some(path_blob(&path.to_lowercase())), ..outbound() }
}

/// The fields `start`, `key` and `ppid` of the open line of such a flow.
fn owner(rig: &Rig, pid: u64, path: &str) -> [String; 3] {
    let flow = rig.open(&flow_of(pid, path));
    let line = rig.line("open", flow);
    ["start", "key", "ppid"].map(|name| field(&line, name).to_owned())
}

/// The key of the open line of such a flow.
fn key(rig: &Rig, pid: u64, path: &str) -> String {
    let [_, key, _] = owner(rig, pid, path);
    key
}

fn written(process: Process) -> String {
    format!("{:#x}", process.key)
}

const NOBODY: [&str; 3] = ["-", "-", "-"];

/// Does `what`, once, before the `nth` next call of an import is answered.
fn before(rig: &Rig, import: &'static str, nth: u64, what: impl Fn(&Machine) + Send + Sync + 'static) {
    let calls = AtomicU64::new(0);
    rig.machine.on_import(move |call| {
        if call.name() == import && calls.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            let machine = call.machine.clone();
            thread::scope(|scope| scope.spawn(|| what(&machine)).join().unwrap());
        }
    });
}

#[test]
fn events_of_packets_bear_the_start_key_of_their_process() {
    let rig = Rig::started();
    let process = begin(&rig.machine, 5_000, CURL);
    let session = rig.listen(5, 2 | 4);
    let flow = rig.open(&flow_of(5_000, CURL));
    rig.send(flow, 1);
    rig.send(flow, 1);
    let keys: Vec<_> = rig.events(session).iter().map(|event| event.number("ProcessStartKey")).collect();
    assert_eq!(keys, [process.key; 2]);
    rig.stop();
}

#[test]
fn an_owner_that_began_after_the_driver_is_named_by_its_key_with_its_start_and_its_parent() {
    let rig = Rig::started();
    rig.machine.clock().advance(Duration::from_millis(1_234));
    let process = begin(&rig.machine, 4242, CURL);
    assert_eq!(owner(&rig, 4242, CURL), ["2026-11-29T07:00:01.234Z", &written(process), "812"]);
    rig.stop();
}

#[test]
fn an_owner_that_began_before_the_driver_is_named_likewise() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.machine.clock().advance(Duration::from_millis(1_234));
    let process = begin(&rig.machine, 4242, CURL);
    rig.machine.clock().advance(Duration::from_mins(1));
    rig.start().unwrap();
    assert_eq!(owner(&rig, 4242, CURL), ["2026-11-29T07:00:01.234Z", &written(process), "812"]);
    rig.stop();
}

#[test]
fn the_system_process_is_named_though_it_has_no_image_and_no_parent() {
    for no_image in [NoImage::NotFound, NoImage::Empty, NoImage::Bare] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        rig.machine.processes().set(|switches| switches.no_image = no_image);
        rig.start().unwrap();
        let flow = rig.open(&FlowSpec { path: Some(path_blob("System")), ..flow_of(4, "") });
        let line = rig.line("open", flow);
        assert_eq!((field(&line, "key"), field(&line, "ppid")), ("0x1000000000001", "-"), "{no_image:?}");
        rig.stop();
    }
}

#[test]
fn an_owner_that_nobody_has_told_of_has_no_key() {
    let rig = Rig::started();
    assert_eq!(owner(&rig, 4242, CURL), NOBODY);
    rig.stop();
}

#[test]
fn a_program_that_only_has_the_owners_id_by_now_is_not_the_owner() {
    let rig = Rig::started();
    begin(&rig.machine, 4242, PING);
    assert_eq!(owner(&rig, 4242, CURL), NOBODY);
    rig.stop();
}

#[test]
fn a_flow_whose_path_is_not_told_has_no_key() {
    let rig = Rig::started();
    begin(&rig.machine, 4242, CURL);
    let flow = rig.open(&FlowSpec { path: None, ..flow_of(4242, CURL) });
    assert_eq!(field(&rig.line("open", flow), "key"), "-");
    rig.stop();
}

#[test]
fn what_an_owner_leaves_open_is_its_own_after_its_exit() {
    let rig = Rig::started();
    let process = begin(&rig.machine, 4242, CURL);
    exit(&rig.machine, process);
    assert_eq!(key(&rig, 4242, CURL), written(process));
    rig.stop();
}

#[test]
fn an_id_that_another_program_has_by_now_still_names_both() {
    let rig = Rig::started();
    let first = begin(&rig.machine, 4242, CURL);
    exit(&rig.machine, first);
    let second = begin(&rig.machine, 4242, PING);
    assert_eq!([key(&rig, 4242, CURL), key(&rig, 4242, PING)], [written(first), written(second)]);
    rig.stop();
}

#[test]
fn of_two_processes_of_one_program_under_one_id_none_is_named() {
    let rig = Rig::started();
    let first = begin(&rig.machine, 4242, CURL);
    exit(&rig.machine, first);
    begin(&rig.machine, 4242, CURL);
    assert_eq!(owner(&rig, 4242, CURL), NOBODY);
    rig.stop();
}

#[test]
fn a_process_that_begins_while_the_driver_looks_is_told_of_and_keeps_what_was_told() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    before(&rig, LIST, 1, |machine| {
        begin(machine, 4242, CURL);
    });
    // What is looked up has no parent then, what is told has.
    rig.machine.faults().fail_times("ObOpenObjectByPointer", 1, 8, None);
    rig.start().unwrap();
    assert_eq!(owner(&rig, 4242, CURL)[2], "812");
    rig.stop();
}

#[test]
fn a_process_that_begins_when_the_list_is_made_already_is_told_of() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    before(&rig, "PsLookupProcessByProcessId", 1, |machine| {
        begin(machine, 4242, CURL);
    });
    rig.start().unwrap();
    assert_ne!(key(&rig, 4242, CURL), "-");
    rig.stop();
}

#[test]
fn an_owner_that_exits_while_the_driver_looks_is_known_by_its_exit() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let first = begin(&rig.machine, 4242, CURL);
    before(&rig, LIST, 1, move |machine| exit(machine, first));
    rig.start().unwrap();
    assert_eq!(key(&rig, 4242, CURL), written(first));
    rig.stop();
}

#[test]
fn an_owner_that_exits_while_the_driver_looks_and_its_successor_cannot_be_told_apart() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let first = begin(&rig.machine, 4242, CURL);
    before(&rig, LIST, 1, move |machine| {
        exit(machine, first);
        begin(machine, 4242, CURL);
    });
    rig.start().unwrap();
    assert_eq!(owner(&rig, 4242, CURL), NOBODY);
    rig.stop();
}

#[test]
fn an_id_that_changes_hands_between_list_and_look_up_names_each_by_its_own_image() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let first = begin(&rig.machine, 4242, CURL);
    // Of three ids in the list, that of the idle process, the youngest comes second.
    before(&rig, "PsLookupProcessByProcessId", 2, move |machine| {
        exit(machine, first);
        begin(machine, 4242, PING);
    });
    rig.start().unwrap();
    let second = first.key + 1;
    assert_eq!([key(&rig, 4242, CURL), key(&rig, 4242, PING)], [written(first), format!("{second:#x}")]);
    rig.stop();
}

#[test]
fn a_process_that_exits_between_look_up_and_entry_is_entered_once_and_as_exited() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let process = begin(&rig.machine, 4242, CURL);
    let looked_at = AtomicU64::new(0);
    rig.machine.on_import(move |call| {
        if call.name() == "ExFreePool" && looked_at.fetch_add(1, Ordering::Relaxed) == 0 {
            let machine = call.machine.clone();
            thread::scope(|scope| scope.spawn(|| exit(&machine, process)).join().unwrap());
        }
    });
    rig.start().unwrap();
    assert_eq!(key(&rig, 4242, CURL), written(process));
    fill_up(&rig, CAPACITY - 2);
    let newcomer = begin(&rig.machine, 2, PING);
    assert_eq!([key(&rig, 2, PING), key(&rig, 4242, CURL)], [written(newcomer), "-".to_owned()]);
    rig.stop();
}

#[test]
fn a_process_that_never_had_a_thread_is_known_by_its_exit() {
    let rig = Rig::started();
    let spec = ProcessSpec { kind: ProcessKind::Threadless, ..spec(4242, CURL) };
    let process = rig.machine.start_process(&spec).unwrap();
    assert_eq!(key(&rig, 4242, CURL), "-");
    exit(&rig.machine, process);
    assert_eq!(owner(&rig, 4242, CURL), ["2026-11-29T07:00:00.000Z", &written(process), "-"]);
    rig.stop();
}

#[test]
fn a_process_of_another_subsystem_without_a_path_has_no_key() {
    for no_image in [NoImage::NotFound, NoImage::Empty] {
        let rig = Rig::started();
        rig.machine.processes().set(|switches| switches.no_image = no_image);
        let spec = ProcessSpec { kind: ProcessKind::Subsystem, image: None, ..spec(4242, "") };
        rig.machine.start_process(&spec).unwrap();
        assert_eq!(owner(&rig, 4242, CURL), NOBODY);
        let flow = rig.open(&FlowSpec { path: Some(path_blob("")), ..flow_of(4242, "") });
        assert_eq!(field(&rig.line("open", flow), "key"), "-");
        rig.stop();
    }
}

#[test]
fn a_process_of_another_subsystem_with_a_path_has_its_key() {
    let rig = Rig::started();
    let spec = ProcessSpec { kind: ProcessKind::Subsystem, ..spec(4242, CURL) };
    let process = rig.machine.start_process(&spec).unwrap();
    assert_eq!(key(&rig, 4242, CURL), written(process));
    rig.stop();
}

/// So many processes begin that the driver has not heard of.
fn fill_up(rig: &Rig, count: u64) {
    for number in 1..=count {
        begin(&rig.machine, 10_000 + 4 * number, PING);
    }
}

#[test]
fn a_process_that_finds_only_others_that_run_is_left_out_and_that_is_said_once() {
    let rig = Rig::started();
    fill_up(&rig, CAPACITY - 2);
    let process = begin(&rig.machine, 4242, CURL);
    let left_out = [2, 6].map(|pid| begin(&rig.machine, pid, PING));
    assert_eq!([key(&rig, 4242, CURL), key(&rig, 2, PING)], [written(process), "-".to_owned()]);
    exit(&rig.machine, process);
    let newcomer = begin(&rig.machine, 4242, PING);
    assert_eq!([key(&rig, 4242, PING), key(&rig, 4242, CURL)], [written(newcomer), "-".to_owned()]);
    for process in left_out {
        exit(&rig.machine, process);
    }
    rig.stop();
    assert_eq!(rig.lines_of("lost"), ["flowtag: lost first=unlisted (totals at unload)"]);
    // Two that began, and the same two when they exit.
    assert_eq!(rig.total("unlisted"), 4);
}

#[test]
fn no_path_is_freed_and_nothing_is_said_under_the_lock() {
    let rig = Rig::started();
    fill_up(&rig, CAPACITY - 1);
    rig.machine.on_import(|call| {
        if ["ExFreePoolWithTag", "DbgPrintEx"].contains(&call.name()) {
            assert_eq!(call.cpu.irql(), Irql::PASSIVE, "{}", call.name());
        }
    });
    begin(&rig.machine, 4242, CURL);
    assert_eq!(rig.lines_of("lost").len(), 1);
    rig.machine.on_import(|_| {});
    rig.stop();
}

#[test]
fn one_that_has_exited_before_the_driver_began_and_is_kept_makes_room() {
    for exited in [Exited::Found, Exited::Refused] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        rig.machine.processes().set(|switches| switches.exited = exited);
        let process = rig.machine.start_process(&ProcessSpec { held: true, ..spec(4242, CURL) }).unwrap();
        exit(&rig.machine, process);
        rig.start().unwrap();
        let known = key(&rig, 4242, CURL);
        assert_eq!(known, if exited == Exited::Found { written(process) } else { "-".to_owned() });
        fill_up(&rig, CAPACITY - 1);
        rig.stop();
        assert_eq!(rig.total("unlisted"), 0, "{exited:?}");
    }
}

#[test]
fn a_table_that_is_full_when_the_driver_begins_is_said_once() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    fill_up(&rig, CAPACITY + 2);
    rig.start().unwrap();
    rig.stop();
    assert_eq!(rig.lines_of("lost"), ["flowtag: lost first=unlisted (totals at unload)"]);
    assert_eq!(rig.total("unlisted"), 3);
}

/// The driver runs without keys, and has said why, once.
fn assert_keyless(rig: &Rig, why: &str) {
    begin(&rig.machine, 4242, CURL);
    assert_eq!(owner(rig, 4242, CURL), NOBODY);
    assert_eq!(rig.lines_of("no process keys"), [format!("flowtag: no process keys {why}")]);
    assert_eq!([rig.lines_of("older processes unknown"), rig.lines_of("lost")], [[""; 0]; 2]);
    assert_eq!(rig.machine.pool().used_by(Tag(u32::from_le_bytes(*b"FtPr"))).blocks, 0, "a table that nothing fills");
    rig.stop();
}

#[test]
fn where_there_are_as_many_routines_as_can_be_the_driver_runs_without_keys_and_says_so() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.machine.processes().set(|switches| switches.routines_of_others = 64);
    rig.start().unwrap();
    assert_keyless(&rig, &format!("step={REGISTER} status=0xc000000d"));
}

#[test]
fn where_the_image_does_not_force_integrity_the_driver_runs_without_keys_and_says_so() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let path = without_forced_integrity();
    rig.machine.change_service(SERVICE, |config: &mut Config| config.binary_path = path).unwrap();
    rig.start().unwrap();
    assert_keyless(&rig, &format!("step={REGISTER} status=0xc0000022"));
}

/// The path of a copy of the image whose header does not say so.
fn without_forced_integrity() -> String {
    let mut bytes = fs::read(image()).unwrap();
    let header = u32::from_le_bytes(bytes[0x3C..][..4].try_into().unwrap()) as usize;
    // DllCharacteristics: 70 bytes into the optional header, which lies behind the signature and the file header.
    let at = header + 4 + 20 + 70;
    let characteristics = u16::from_le_bytes(bytes[at..][..2].try_into().unwrap());
    let forces = IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY.0;
    assert_ne!(characteristics & forces, 0, "the driver's image says it");
    bytes[at..][..2].copy_from_slice(&(characteristics & !forces).to_le_bytes());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-forced-integrity.sys");
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn where_memory_is_short_for_the_table_the_driver_runs_without_keys_and_says_so() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.fail("ExAllocatePool2", 2, None); // after the ring's
    rig.start().unwrap();
    assert_keyless(&rig, "step=ExAllocatePool2 status=0xc000009a");
}

/// The driver knows those that begin after it, and has said why no others.
fn assert_only_newer_ones_known(rig: &Rig, why: &str) {
    let newer = begin(&rig.machine, 4242, CURL);
    assert_eq!([key(rig, 8, PING), key(rig, 4242, CURL)], ["-".to_owned(), written(newer)]);
    assert_eq!(rig.lines_of("older processes unknown"), [format!("flowtag: older processes unknown {why}")]);
    assert_eq!(rig.lines_of("no process keys"), [""; 0]);
    rig.stop();
}

#[test]
fn where_the_list_cannot_be_had_the_driver_knows_newer_processes_and_says_so() {
    for status in [0xC000_009A, 0x103] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        begin(&rig.machine, 8, PING);
        rig.fail(LIST, 1, Some(status));
        rig.start().unwrap();
        assert_only_newer_ones_known(&rig, &format!("step={LIST} status={status:#x}"));
    }
}

#[test]
fn a_list_that_grows_is_asked_for_again_but_not_for_ever() {
    for (times, known) in [(7, true), (8, false)] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        let older = begin(&rig.machine, 8, PING);
        rig.machine.faults().fail_times(LIST, 1, times, Some(0xC000_0004));
        rig.start().unwrap();
        if known {
            assert_eq!(key(&rig, 8, PING), written(older));
            rig.stop();
        } else {
            assert_only_newer_ones_known(&rig, &format!("step={LIST} status=0xc0000004"));
        }
    }
}

#[test]
fn a_list_that_is_longer_than_the_first_guess_is_read_whole() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let first = begin(&rig.machine, 8, CURL);
    fill_up(&rig, 500);
    rig.start().unwrap();
    assert!(rig.machine.faults().calls(LIST) > 1, "a longer list");
    assert_eq!(key(&rig, 8, CURL), written(first));
    rig.stop();
}

#[test]
fn a_process_that_begins_before_each_call_for_the_list_does_not_keep_it_from_being_read() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let first = begin(&rig.machine, 8, CURL);
    fill_up(&rig, 500);
    let next = AtomicU64::new(1_000_000);
    rig.machine.on_import(move |call| {
        if call.name() == LIST {
            let (machine, pid) = (call.machine.clone(), next.fetch_add(4, Ordering::Relaxed));
            thread::scope(|scope| scope.spawn(|| begin(&machine, pid, PING)).join().unwrap());
        }
    });
    rig.start().unwrap();
    assert_eq!(rig.lines_of("older processes unknown"), [""; 0]);
    assert_eq!(key(&rig, 8, CURL), written(first));
    rig.stop();
}

#[test]
fn where_memory_is_short_for_the_list_the_driver_knows_newer_processes_and_says_so() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    begin(&rig.machine, 8, PING);
    rig.fail("ExAllocatePool2", 3, None); // after the ring's and the table's
    rig.start().unwrap();
    assert_only_newer_ones_known(&rig, "step=ExAllocatePool2 status=0xc000009a");
}

#[test]
fn a_process_whose_path_cannot_be_had_has_no_key_and_others_do() {
    for import in ["SeLocateProcessImageName", "RtlDowncaseUnicodeString", "ExAllocatePool2"] {
        let rig = Rig::started();
        rig.fail(import, 1, None);
        begin(&rig.machine, 8, PING);
        let process = begin(&rig.machine, 4242, CURL);
        assert_eq!([key(&rig, 8, PING), key(&rig, 4242, CURL)], ["-".to_owned(), written(process)], "{import}");
        rig.stop();
    }
}

#[test]
fn one_whose_path_could_not_be_had_may_have_been_the_owner() {
    for import in ["SeLocateProcessImageName", "RtlDowncaseUnicodeString", "ExAllocatePool2"] {
        let rig = Rig::started();
        rig.fail(import, 1, None);
        let first = begin(&rig.machine, 4242, CURL);
        exit(&rig.machine, first);
        begin(&rig.machine, 4242, CURL);
        assert_eq!(owner(&rig, 4242, CURL), NOBODY, "{import}");
        rig.stop();
    }
}

#[test]
fn an_older_process_whose_parent_cannot_be_had_has_its_key_all_the_same() {
    for import in ["ObOpenObjectByPointer", "ZwQueryInformationProcess"] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        let process = begin(&rig.machine, 4242, CURL);
        rig.fail(import, 1, None);
        rig.start().unwrap();
        assert_eq!(owner(&rig, 4242, CURL), ["2026-11-29T07:00:00.000Z", &written(process), "-"], "{import}");
        rig.stop();
    }
}

#[test]
fn a_process_that_cannot_be_looked_up_any_more_is_left_out() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    begin(&rig.machine, 4242, CURL);
    rig.fail("PsLookupProcessByProcessId", 2, None); // after the idle process's
    rig.start().unwrap();
    assert_eq!(owner(&rig, 4242, CURL), NOBODY);
    rig.stop();
}

#[test]
fn unload_waits_for_whoever_is_in_the_routine() {
    let rig = Rig::started();
    let inside = Arc::new(AtomicBool::new(false));
    let stopping = Arc::new(AtomicBool::new(false));
    let (inside_here, stopping_here) = (Arc::clone(&inside), Arc::clone(&stopping));
    rig.machine.on_import(move |call| match call.name() {
        "SeLocateProcessImageName" => {
            inside_here.store(true, Ordering::SeqCst);
            while !stopping_here.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            // Long enough for an unload that does not wait to be over.
            thread::sleep(Duration::from_millis(200));
            assert_eq!(call.machine.query_service(SERVICE).unwrap().state, State::StopPending);
        }
        REGISTER => stopping_here.store(true, Ordering::SeqCst),
        _ => {}
    });
    thread::scope(|scope| {
        let starter = scope.spawn(|| begin(&rig.machine, 4242, CURL));
        while !inside.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        rig.machine.stop_service(SERVICE).unwrap();
        starter.join().unwrap();
    });
    rig.assert_clean();
}

#[test]
fn unload_tries_to_remove_the_routine_for_as_long_as_it_takes_and_says_so_each_second() {
    let rig = Rig::started();
    // After 10 ms it is tried again, then after twice as long each time, up to a second: the tenth time after 3.27 s.
    rig.machine.faults().fail_times(REGISTER, 1, 10, Some(0xC000_000D));
    rig.stop();
    let lines = rig.lines_of("unwatching");
    let seconds: Vec<u64> = lines.iter().map(|line| field(line, "ms").parse::<u64>().unwrap() / 1_000).collect();
    assert_eq!(seconds, [1, 2, 3]);
    assert!(lines.iter().all(|line| line.ends_with(" status=0xc000000d")), "{lines:?}");
}

#[test]
fn processes_come_and_go_after_an_unload() {
    let rig = Rig::started();
    let process = begin(&rig.machine, 4242, CURL);
    rig.stop();
    exit(&rig.machine, process);
    let older = begin(&rig.machine, 8, PING);
    rig.start().unwrap();
    assert_eq!([key(&rig, 4242, CURL), key(&rig, 8, PING)], ["-".to_owned(), written(older)]);
    rig.stop();
}

#[test]
fn a_start_that_fails_leaves_no_routine_behind() {
    let rig = Rig::installed(&[]);
    begin(&rig.machine, 4242, CURL);
    rig.fail("FwpmEngineOpen0", 1, None);
    rig.start().unwrap_err();
    rig.assert_clean();
    begin(&rig.machine, 8, PING);
}
