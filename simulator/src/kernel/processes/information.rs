//! What Windows tells of processes on request: `ZwQuerySystemInformation` lists them, `ZwQueryInformationProcess` knows the parent.
//!
//! Win32, the functions' pages, of which only one class each is modelled. Both say that they may change.

use super::SUCCESS;
use crate::computer::{
    Call, Export, Fails, Handed, Irql, argument,
    handed::{cited, guessed},
    memory,
};

const INFO_LENGTH_MISMATCH: u32 = 0xC000_0004;
const INVALID_HANDLE: u32 = 0xC000_0008;
const INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;

const LISTED: &str = "kernel::processes::tests::all_processes_are_listed";
const LENGTHS: &str = "kernel::processes::tests::a_list_that_does_not_fit_says_how_long_it_is";
const PARENT: &str = "kernel::processes::tests::a_handle_tells_the_parent";

pub(super) const EXPORTS: &[Export] = &[
    Export {
        module: "ntoskrnl.exe",
        name: "ZwQuerySystemInformation",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[INFO_LENGTH_MISMATCH, INSUFFICIENT_RESOURCES]),
        run: list,
        inputs: &[
            argument(0, "SystemInformationClass").values(4, &[5], "winternl.h: SystemProcessInformation"),
            argument(1, "SystemInformation").used(LISTED),
            argument(2, "SystemInformationLength").used(LENGTHS),
            argument(3, "ReturnLength").used(LENGTHS),
        ],
    },
    Export {
        module: "ntoskrnl.exe",
        name: "ZwQueryInformationProcess",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[INFO_LENGTH_MISMATCH, INVALID_HANDLE]),
        run: query,
        inputs: &[
            argument(0, "ProcessHandle").used(PARENT),
            argument(1, "ProcessInformationClass").values(4, &[0], "ntddk.h: ProcessBasicInformation"),
            argument(2, "ProcessInformation").used(PARENT),
            argument(3, "ProcessInformationLength").used(PARENT),
            argument(4, "ReturnLength").used(PARENT),
        ],
    },
];

const LIST: &str = "SYSTEM_PROCESS_INFORMATION";
const LIST_PAGE: &str = "Win32 \"ZwQuerySystemInformation\"";
const RESERVED: &str = "reserved";
const BASIC: &str = "PROCESS_BASIC_INFORMATION";
const BASIC_PAGE: &str = "Win32 \"ZwQueryInformationProcess\"";

pub(super) const HANDED: &[Handed] = &[
    guessed(LIST, "NextEntryOffset", "bytes to the next entry, 0 in the last one", "the page has the name only"),
    guessed(LIST, "NumberOfThreads", "1, and 0 of a process that has exited", "each process here has one"),
    guessed(LIST, "Reserved1", "0xA5", RESERVED),
    guessed(LIST, "Reserved2", "0xA5", RESERVED),
    guessed(LIST, "UniqueProcessId", "the id", "the page has the name only"),
    guessed(LIST, "Reserved3", "0xA5", RESERVED),
    guessed(LIST, "HandleCount", "0", "no driver here reads it"),
    guessed(LIST, "Reserved4", "0xA5", RESERVED),
    guessed(LIST, "Reserved5", "0xA5", RESERVED),
    guessed(LIST, "PeakPagefileUsage", "0", "no driver here reads it"),
    guessed(LIST, "PrivatePageCount", "0", "no driver here reads it"),
    guessed(LIST, "Reserved6", "0xA5, as all of the threads' entries behind it", RESERVED),
    cited(BASIC, "ExitStatus", "the exit status, STATUS_PENDING while it runs", BASIC_PAGE),
    guessed(BASIC, "PebBaseAddress", "0", "no driver here reads it"),
    guessed(BASIC, "AffinityMask", "1", "no driver here reads it"),
    guessed(BASIC, "BasePriority", "8", "no driver here reads it"),
    cited(BASIC, "UniqueProcessId", "the id", BASIC_PAGE),
    cited(BASIC, "InheritedFromUniqueProcessId", "the id that the parent had", BASIC_PAGE),
    cited(LIST, "(how many)", "the idle process of id 0, and all others, the last one first", LIST_PAGE),
];

/// An entry without the threads that follow it.
const ENTRY: usize = 256;
/// A thread's part of an entry. (Guess, as System Informer's headers have it.)
const THREAD: usize = 80;
const THREADS_AT: usize = 4;
const PID_AT: usize = 80;
const NUMBERS: [usize; 3] = [96, 192, 200];
/// What is reserved holds this.
const FILLER: u8 = 0xA5;

/// An array of structures of different lengths. (Guess: of a list that does not fit nothing is written, and the last process comes
/// first, which asks the most of a driver that looks for parents.)
fn list(call: &Call<'_>) -> u64 {
    let processes: Vec<(u64, u32)> = {
        let state = call.machine.processes().state();
        let found = state.objects.values().rev().filter(|object| state.is_found(object));
        let found = found.map(|object| (object.process.pid, u32::from(!object.exited)));
        std::iter::once((0, 1)).chain(found).collect()
    };
    let mut bytes = Vec::new();
    for (index, (pid, threads)) in processes.iter().enumerate() {
        let mut entry = vec![FILLER; ENTRY + *threads as usize * THREAD];
        let next = if index + 1 == processes.len() { 0 } else { entry.len() as u32 };
        entry[..4].copy_from_slice(&next.to_le_bytes());
        entry[THREADS_AT..][..4].copy_from_slice(&threads.to_le_bytes());
        entry[PID_AT..][..8].copy_from_slice(&pid.to_le_bytes());
        for number in NUMBERS {
            entry[number..][..4].copy_from_slice(&[0; 4]);
        }
        bytes.extend(entry);
    }
    if call.arg(3) != 0 {
        call.write(call.arg(3), bytes.len() as u32);
    }
    if bytes.len() > call.arg_u32(2) as usize {
        return INFO_LENGTH_MISMATCH.into();
    }
    call.accessible(memory::write_bytes(call.arg(1), &bytes));
    SUCCESS
}

/// `PROCESS_BASIC_INFORMATION`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Basic {
    exit_status: u32,
    padding: u32,
    peb: u64,
    affinity: u64,
    priority: u32,
    more_padding: u32,
    pid: u64,
    parent: u64,
}

/// (Guess: another length than that of the structure is refused, longer ones, too.)
fn query(call: &Call<'_>) -> u64 {
    let basic = {
        let state = call.machine.processes().state();
        let object = state.handles.get(&call.arg(0)).map(|number| &state.objects[number]);
        object.map(|object| Basic {
            exit_status: object.exit_status,
            affinity: 1,
            priority: 8,
            pid: object.process.pid,
            parent: object.parent,
            ..bytemuck::Zeroable::zeroed()
        })
    };
    let Some(basic) = basic else { return INVALID_HANDLE.into() };
    if call.arg(4) != 0 {
        call.write(call.arg(4), size_of::<Basic>() as u32);
    }
    if call.arg_u32(3) as usize != size_of::<Basic>() {
        return INFO_LENGTH_MISMATCH.into();
    }
    call.write(call.arg(2), basic);
    SUCCESS
}
