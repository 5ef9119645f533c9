//! Processes as small native drivers meet them.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use super::{Exited, NoImage, Process, ProcessKind, ProcessSpec};
use crate::{
    computer::{Machine, lent_memory::LentMemory, machine::Settings, memory},
    kernel::{
        Configuration, Kernel, Version,
        pool::PoolKind,
        registry::Registry,
        tests::{called, code, import, machine},
        time::ClockKind,
        unicode_string::UnicodeString,
    },
};

const CURL: &str = r"\Device\HarddiskVolume3\Windows\System32\curl.exe";
const INVALID_CID: u64 = 0xC000_000B;

fn curl(machine: &Machine, pid: u64) -> Process {
    machine.start_process(&ProcessSpec { pid: Some(pid), ..ProcessSpec::program(CURL) }).unwrap()
}

/// The address of the process with this id, referenced; or the status.
fn looked_up(machine: &Machine, pid: u64) -> Result<u64, u64> {
    let place = LentMemory::zeroed(8);
    match called(machine, "PsLookupProcessByProcessId", &[pid, place.address()]).unwrap() {
        0 => Ok(place.get(0)),
        status => Err(status),
    }
}

fn let_go(machine: &Machine, process: u64) {
    called(machine, "ObfDereferenceObject", &[process]).unwrap();
}

#[test]
fn a_system_threads_process_has_the_id_4() {
    let machine = machine();
    let process = called(&machine, "IoGetCurrentProcess", &[]).unwrap();
    assert_eq!(called(&machine, "PsGetProcessId", &[process]).unwrap(), 4);
}

#[test]
fn counting_an_object_that_is_no_process_is_not_modelled() {
    let device = machine().device_objects().create(336);
    let stopped = called(&machine(), "ObfReferenceObject", &[device.address()]).unwrap_err();
    assert!(stopped.is_not_modelled(), "{stopped}");
}

#[test]
fn references_to_a_process_are_counted() {
    let machine = machine();
    let process = called(&machine, "IoGetCurrentProcess", &[]).unwrap();
    called(&machine, "ObfReferenceObject", &[process]).unwrap();
    assert_eq!(machine.processes().references(), 1);
    called(&machine, "ObfDereferenceObject", &[process]).unwrap();
    assert_eq!(machine.processes().references(), 0);
    assert_eq!(code(called(&machine, "ObfDereferenceObject", &[process])).0, 0x18);
}

#[test]
fn an_address_that_is_no_process_is_caught() {
    assert_eq!(code(called(&machine(), "PsGetProcessId", &[0x1000])).0, 0x18);
}

#[test]
fn an_irp_tells_which_process_sent_it() {
    let kernel = Kernel::new(Configuration {
        pool: PoolKind::default(),
        clock: ClockKind::default(),
        registry: Registry::default(),
        version: Version([10, 0, 19041]),
        requestor: |_, irp| (irp == 0x1000).then_some(99),
        boots: 0,
    });
    let machine = Machine::assembled(Settings::default(), vec![Box::new(kernel)]);
    let import = |name| machine.imports().address("ntoskrnl.exe", name).expect("the kernel has it");
    let process = |irp| machine.run(|cpu| cpu.call(import("IoGetRequestorProcess"), "it", &[irp])).unwrap();
    assert_eq!(process(0x2000), 0);
    let sender = process(0x1000);
    assert_eq!(machine.run(|cpu| cpu.call(import("PsGetProcessId"), "it", &[sender])).unwrap(), 99);
}

#[test]
fn an_irp_that_nobody_sent_has_no_requestor() {
    assert_eq!(called(&machine(), "IoGetRequestorProcess", &[0x1000]).unwrap(), 0);
}

#[test]
fn a_process_is_found_by_its_id() {
    let machine = machine();
    let process = curl(&machine, 4242);
    let found = looked_up(&machine, 4242).unwrap();
    assert_eq!(called(&machine, "PsGetProcessStartKey", &[found]).unwrap(), process.key);
    assert_eq!(called(&machine, "PsGetProcessId", &[found]).unwrap(), 4242);
    assert_eq!(machine.processes().references(), 1);
    assert_eq!(looked_up(&machine, 4243), Err(INVALID_CID));
}

#[test]
fn the_next_process_with_an_id_has_another_key_and_a_later_time() {
    let machine = machine();
    let first = curl(&machine, 4242);
    machine.exit_process(first, 0).unwrap();
    machine.clock().advance(std::time::Duration::from_secs(1));
    let second = curl(&machine, 4242);
    let found = looked_up(&machine, 4242).unwrap();
    assert_eq!(called(&machine, "PsGetProcessStartKey", &[found]).unwrap(), second.key);
    assert_ne!(first.key, second.key);
    assert_eq!(called(&machine, "PsGetProcessCreateTimeQuadPart", &[found]).unwrap(), first.created + 10_000_000);
}

#[test]
fn a_process_may_be_older_than_the_machine_that_is_told_of_it() {
    let machine = machine();
    let spec = ProcessSpec { pid: Some(4242), created: Some(7), ..ProcessSpec::program(CURL) };
    assert_eq!(machine.start_process(&spec).unwrap().created, 7);
    let found = looked_up(&machine, 4242).unwrap();
    assert_eq!(called(&machine, "PsGetProcessCreateTimeQuadPart", &[found]).unwrap(), 7);
}

#[test]
fn keys_differ_after_a_restart() {
    let before = machine();
    let after = before.restarted();
    assert_ne!(curl(&before, 4242).key, curl(&after, 4242).key);
}

#[test]
fn a_process_that_runs_has_a_pending_exit_status() {
    let machine = machine();
    let process = ProcessSpec { pid: Some(4242), held: true, ..ProcessSpec::program(CURL) };
    let process = machine.start_process(&process).unwrap();
    let found = looked_up(&machine, 4242).unwrap();
    assert_eq!(called(&machine, "PsGetProcessExitStatus", &[found]).unwrap(), 0x103);
    machine.processes().begin_to_exit(process, 7);
    assert_eq!(called(&machine, "PsGetProcessExitStatus", &[found]).unwrap(), 7);
}

#[test]
fn an_id_is_free_when_nothing_keeps_its_process() {
    let machine = machine();
    let process = curl(&machine, 4242);
    let found = looked_up(&machine, 4242).unwrap();
    machine.exit_process(process, 0).unwrap();
    let again = looked_up(&machine, 4242).unwrap();
    assert_eq!(again, found, "the reference keeps it");
    let_go(&machine, found);
    let_go(&machine, found);
    assert_eq!(looked_up(&machine, 4242), Err(INVALID_CID));
    assert_eq!(code(called(&machine, "PsGetProcessId", &[found])).0, 0x18);
}

#[test]
fn one_that_has_exited_and_is_kept_may_not_be_found() {
    let machine = machine();
    machine.processes().set(|switches| switches.exited = Exited::Refused);
    let spec = ProcessSpec { pid: Some(4242), held: true, ..ProcessSpec::program(CURL) };
    let process = machine.start_process(&spec).unwrap();
    machine.exit_process(process, 0).unwrap();
    assert_eq!(looked_up(&machine, 4242), Err(INVALID_CID));
    assert!(!listed(&machine).contains(&4242));
    machine.processes().let_go(process);
    assert_eq!(curl(&machine, 4242).pid, 4242);
}

/// What `SeLocateProcessImageName` makes of a process: the status, and where the name is.
fn located(machine: &Machine, pid: u64) -> (u64, u64) {
    let process = looked_up(machine, pid).unwrap();
    let place = LentMemory::zeroed(8);
    let status = called(machine, "SeLocateProcessImageName", &[process, place.address()]).unwrap();
    let_go(machine, process);
    (status, place.get(0))
}

fn text(string: u64) -> String {
    let UnicodeString { length, buffer, .. } = memory::read(string).unwrap();
    memory::read_utf16(buffer, usize::from(length) / 2).unwrap()
}

#[test]
fn the_name_of_an_image_is_the_callers_to_free() {
    let machine = machine();
    curl(&machine, 4242);
    let (status, name) = located(&machine, 4242);
    assert_eq!((status, text(name)), (0, CURL.to_owned()));
    assert_eq!(machine.pool().live_count(), 1);
    called(&machine, "ExFreePool", &[name]).unwrap();
    assert_eq!(machine.pool().live_count(), 0);
}

#[test]
fn a_process_without_image_has_no_name_or_an_empty_one() {
    let machine = machine();
    assert_eq!(located(&machine, 4).0, 0xC000_0225);
    machine.processes().set(|switches| switches.no_image = NoImage::Empty);
    let (status, name) = located(&machine, 4);
    let string: UnicodeString = memory::read(name).unwrap();
    assert_eq!((status, string.length, string.buffer), (0, 0, 0));
}

#[test]
fn a_handle_of_a_process_keeps_it_until_it_is_closed() {
    let machine = machine();
    let process = curl(&machine, 4242);
    let handle = opened(&machine, 4242);
    assert_eq!(machine.processes().handles(), 1);
    machine.exit_process(process, 0).unwrap();
    let found = looked_up(&machine, 4242).unwrap();
    let_go(&machine, found);
    called(&machine, "ZwClose", &[handle]).unwrap();
    assert_eq!(looked_up(&machine, 4242), Err(INVALID_CID));
    assert_eq!(code(called(&machine, "ZwClose", &[handle])), (0x93, handle));
}

fn opened(machine: &Machine, pid: u64) -> u64 {
    let process = looked_up(machine, pid).unwrap();
    let place = LentMemory::zeroed(8);
    let arguments = [process, 0x200, 0, 0x1000, 0, 0, place.address()];
    assert_eq!(called(machine, "ObOpenObjectByPointer", &arguments).unwrap(), 0);
    let_go(machine, process);
    place.get(0)
}

#[test]
fn a_handle_tells_the_parent() {
    let machine = machine();
    let spec = ProcessSpec { pid: Some(4242), parent: 812, ..ProcessSpec::program(CURL) };
    machine.start_process(&spec).unwrap();
    let handle = opened(&machine, 4242);
    let basic = LentMemory::zeroed(52);
    let query = |handle, length| {
        called(&machine, "ZwQueryInformationProcess", &[handle, 0, basic.address(), length, basic.address() + 48])
            .unwrap()
    };
    assert_eq!(query(handle, 40), 0xC000_0004);
    assert_eq!((query(handle, 48), basic.get(0), basic.get(48)), (0, 0x103_u32, 48_u32));
    assert_eq!([basic.get::<u64>(32), basic.get(40)], [4242, 812]);
    assert_eq!(query(handle + 4, 48), 0xC000_0008);
}

/// The ids of all processes, in the order of the list.
fn listed(machine: &Machine) -> Vec<u64> {
    let list = LentMemory::zeroed(64 * 1024);
    let length = LentMemory::zeroed(4);
    let arguments = [5, list.address(), 64 * 1024, length.address()];
    assert_eq!(called(machine, "ZwQuerySystemInformation", &arguments).unwrap(), 0);
    let (mut at, mut ids) = (0_u64, Vec::new());
    loop {
        ids.push(list.get(at + 80));
        match list.get::<u32>(at) {
            0 => return ids,
            next => at += u64::from(next),
        }
    }
}

#[test]
fn all_processes_are_listed() {
    let machine = machine();
    let gone = curl(&machine, 8);
    machine.exit_process(gone, 0).unwrap();
    let held = ProcessSpec { pid: Some(12), held: true, ..ProcessSpec::program(CURL) };
    let held = machine.start_process(&held).unwrap();
    machine.exit_process(held, 0).unwrap();
    curl(&machine, 16);
    assert_eq!(listed(&machine), [0, 16, 12, 4]);
}

#[test]
fn a_list_that_does_not_fit_says_how_long_it_is() {
    let machine = machine();
    let (list, length) = (LentMemory::zeroed(1024), LentMemory::zeroed(4));
    let query =
        |room| called(&machine, "ZwQuerySystemInformation", &[5, list.address(), room, length.address()]).unwrap();
    assert_eq!(query(0), 0xC000_0004);
    let needed = u64::from(length.get::<u32>(0));
    assert_eq!([query(needed - 1), list.get(80)], [0xC000_0004, 0]);
    assert_eq!(query(needed), 0);
}

static TOLD: Mutex<Vec<[u64; 5]>> = Mutex::new(Vec::new());

/// A routine that notes what it is told: machines of other tests call it as well, so each test looks for its own ids.
extern "win64" fn note(process: u64, pid: u64, info: u64) {
    let parent = if info == 0 { 0 } else { memory::read(info + 16).unwrap() };
    let flags = if info == 0 { 0 } else { u64::from(memory::read::<u32>(info + 8).unwrap()) };
    TOLD.lock().unwrap().push([pid, import("PsGetProcessStartKey", [process]), u64::from(info != 0), parent, flags]);
}

fn told_of(pid: u64) -> Vec<[u64; 4]> {
    let told = TOLD.lock().unwrap();
    told.iter()
        .filter(|told| told[0] == pid)
        .map(|&[_, key, created, parent, flags]| [key, created, parent, flags])
        .collect()
}

fn set_routine(machine: &Machine, routine: u64, remove: u64) -> u64 {
    called(machine, "PsSetCreateProcessNotifyRoutineEx2", &[0, routine, remove]).unwrap()
}

#[test]
fn a_routine_is_told_of_each_process_that_begins_and_exits() {
    let machine = machine();
    let routine = note as *const () as u64;
    assert_eq!(set_routine(&machine, routine, 0), 0);
    let spec = ProcessSpec { pid: Some(101), parent: 812, ..ProcessSpec::program(CURL) };
    let process = machine.start_process(&spec).unwrap();
    machine.exit_process(process, 0).unwrap();
    assert_eq!(told_of(101), [[process.key, 1, 812, 1], [process.key, 0, 0, 0]]);
    assert_eq!(set_routine(&machine, routine, 1), 0);
    curl(&machine, 101);
    assert_eq!(told_of(101).len(), 2);
}

#[test]
fn of_another_subsystem_no_image_is_told_and_of_one_without_threads_no_beginning() {
    let machine = machine();
    set_routine(&machine, note as *const () as u64, 0);
    for (pid, kind) in [(102, ProcessKind::Subsystem), (103, ProcessKind::Threadless)] {
        let spec = ProcessSpec { pid: Some(pid), kind, ..ProcessSpec::program(CURL) };
        let process = machine.start_process(&spec).unwrap();
        machine.exit_process(process, 0).unwrap();
    }
    assert_eq!(told_of(102).iter().map(|[_, _, _, flags]| *flags).collect::<Vec<_>>(), [2, 0]);
    assert_eq!(told_of(103).iter().map(|[_, created, ..]| *created).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_routine_is_registered_once_and_removed_once() {
    let machine = machine();
    let routine = note as *const () as u64;
    assert_eq!(set_routine(&machine, routine, 0), 0);
    assert_eq!(set_routine(&machine, routine, 0), 0xC000_000D);
    assert_eq!(set_routine(&machine, routine, 1), 0);
    assert_eq!(set_routine(&machine, routine, 1), 0xC000_007A);
}

#[test]
fn the_65th_routine_is_refused() {
    let machine = machine();
    let routine = note as *const () as u64;
    machine.processes().set(|switches| switches.routines_of_others = 64);
    assert_eq!(set_routine(&machine, routine, 0), 0xC000_000D);
    machine.processes().set(|switches| switches.routines_of_others = 63);
    assert_eq!(set_routine(&machine, routine, 0), 0);
}

#[test]
fn another_kind_of_notification_is_refused() {
    let routine = note as *const () as u64;
    assert_eq!(called(&machine(), "PsSetCreateProcessNotifyRoutineEx2", &[1, routine, 0]).unwrap(), 0xC000_000D);
}

extern "win64" fn prevent(_: u64, _: u64, info: u64) {
    if info != 0 {
        memory::write(info + 64, 0xC000_0022_u32).unwrap();
    }
}

#[test]
fn preventing_a_process_is_not_modelled() {
    let machine = machine();
    set_routine(&machine, prevent as *const () as u64, 0);
    let stopped = machine.start_process(&ProcessSpec::program(CURL)).unwrap_err();
    assert!(stopped.is_not_modelled(), "{stopped}");
}

extern "win64" fn remove_itself(_: u64, _: u64, _: u64) {
    import("PsSetCreateProcessNotifyRoutineEx2", [0, remove_itself as *const () as u64, 1]);
}

#[test]
fn a_routine_cannot_remove_itself() {
    let machine = machine();
    set_routine(&machine, remove_itself as *const () as u64, 0);
    assert_eq!(code(machine.start_process(&ProcessSpec::program(CURL))).0, 0xC4);
}

static INSIDE: AtomicU64 = AtomicU64::new(0);

extern "win64" fn linger(_: u64, _: u64, _: u64) {
    INSIDE.store(1, Ordering::Release);
    std::thread::sleep(std::time::Duration::from_millis(20));
    INSIDE.store(2, Ordering::Release);
}

#[test]
fn removal_waits_for_a_routine_that_runs() {
    let machine = machine();
    let routine = linger as *const () as u64;
    set_routine(&machine, routine, 0);
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| machine.start_process(&ProcessSpec::program(CURL)).map(drop));
        while INSIDE.load(Ordering::Acquire) == 0 {
            std::hint::spin_loop();
        }
        assert_eq!(set_routine(&machine, routine, 1), 0);
        assert_eq!(INSIDE.load(Ordering::Acquire), 2);
        starter.join().unwrap().unwrap();
    });
}

#[test]
fn what_a_driver_leaves_of_processes_is_told() {
    let machine = machine();
    set_routine(&machine, note as *const () as u64, 0);
    curl(&machine, 104);
    looked_up(&machine, 104).unwrap();
    opened(&machine, 104);
    let left = super::left(&machine);
    assert_eq!(left.iter().map(|leaving| leaving.code).collect::<Vec<_>>(), [0xCE, 0xC4, 0xC4]);
}
