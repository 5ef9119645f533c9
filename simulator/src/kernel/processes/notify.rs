//! Who is told of processes: `PsSetCreateProcessNotifyRoutineEx2`, and the calls.
//!
//! DDI `PsSetCreateProcessNotifyRoutineEx2`, `PsSetCreateProcessNotifyRoutineEx`, `PCREATE_PROCESS_NOTIFY_ROUTINE_EX`,
//! `PS_CREATE_NOTIFY_INFO`. A routine runs at `PASSIVE_LEVEL` in a critical region, which nothing here looks at: a simplification.
//! A driver that leaves one behind is called when the next process begins: Windows reports such a call as bug check 0xCE (its page),
//! and mullvad/win-split-tunnel 1.2.5 tells that it "reliably triggered bug checks". That it is reported at unload is ours. Guesses:
//! which refusal comes first, and what the removal of a routine that is not registered answers.

use std::{
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use super::{INVALID_PARAMETER, PROCESSES, Process, ProcessKind, ProcessSpec, SUCCESS, address};
use crate::{
    computer::{
        Call, Cpu, Export, Fails, Handed, Irql, Machine, argument,
        handed::{cited, guessed},
        lent_memory::LentMemory,
    },
    interleave,
    kernel::unicode_string::UnicodeString,
    referee::{Harm, Leaving},
};

const ACCESS_DENIED: u32 = 0xC000_0022;
/// `STATUS_PROCEDURE_NOT_FOUND`.
const NOT_REGISTERED: u32 = 0xC000_007A;
const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
const DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS: u32 = 0xCE;
const MANUALLY_INITIATED_CRASH: u32 = 0xE2;

/// A wait that lasts longer is one that never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the waiter looks.
const GLANCE: Duration = Duration::from_micros(50);

/// So many there can be (DDI `PsSetCreateProcessNotifyRoutine`).
const MOST: usize = 64;

const TOLD: &str = "kernel::processes::tests::a_routine_is_told_of_each_process_that_begins_and_exits";

pub(super) const EXPORTS: &[Export] = &[Export {
    module: "ntoskrnl.exe",
    name: "PsSetCreateProcessNotifyRoutineEx2",
    max_irql: Irql::PASSIVE,
    fails: Fails::Status(&[INVALID_PARAMETER, ACCESS_DENIED]),
    run: set_routine,
    inputs: &[
        argument(0, "NotifyType").refused(
            "kernel::processes::tests::another_kind_of_notification_is_refused",
            "DDI PsSetCreateProcessNotifyRoutineEx2",
        ),
        argument(1, "NotifyInformation").used(TOLD),
        argument(2, "Remove").values(1, &[0, 1], "DDI PsSetCreateProcessNotifyRoutineEx2: FALSE adds, TRUE removes"),
    ],
}];

const INFO: &str = "PS_CREATE_NOTIFY_INFO";
const DDI: &str = "DDI PS_CREATE_NOTIFY_INFO";

pub(super) const HANDED: &[Handed] = &[
    cited("process notify routine", "Process", "the process", "DDI PCREATE_PROCESS_NOTIFY_ROUTINE_EX"),
    cited("process notify routine", "ProcessId", "its id", "DDI PCREATE_PROCESS_NOTIFY_ROUTINE_EX"),
    cited("process notify routine", "CreateInfo", "NULL when it exits", "DDI PCREATE_PROCESS_NOTIFY_ROUTINE_EX"),
    cited(INFO, "Size", "72", DDI),
    cited(INFO, "Flags", "1 with the name of the image, 2 for another subsystem", DDI),
    cited(INFO, "ParentProcessId", "the id of the parent", DDI),
    guessed(INFO, "CreatingThreadId", "the parent, and a thread of number 0", "the parent creates it"),
    guessed(
        INFO,
        "FileObject",
        "an address that cannot be read, NULL for another subsystem",
        "no driver here follows it",
    ),
    cited(INFO, "ImageFileName", "the path, NULL for another subsystem", DDI),
    cited(INFO, "CommandLine", "NULL: it is not available", DDI),
    cited(INFO, "CreationStatus", "STATUS_SUCCESS; another one afterwards stops the machine", DDI),
];

const SIZE: u64 = 72;
const FLAGS: u64 = 8;
const PARENT: u64 = 16;
const CREATOR: u64 = 24;
const FILE_OBJECT: u64 = 40;
const IMAGE_FILE_NAME: u64 = 48;
const CREATION_STATUS: u64 = 64;

const FILE_OPEN_NAME_AVAILABLE: u32 = 1;
const IS_SUBSYSTEM_PROCESS: u32 = 2;
/// Nothing is mapped here.
const NO_FILE_OBJECT: u64 = 0x0F11_0000_0000;

/// The driver's routines, and those of their calls that run.
#[derive(Debug, Default)]
pub(super) struct Routines {
    registered: Vec<u64>,
    running: Vec<(u64, ThreadId)>,
}

impl Routines {
    pub(super) fn count(&self) -> usize {
        self.registered.len()
    }

    fn runs(&self, routine: u64) -> bool {
        self.running.iter().any(|(running, _)| *running == routine)
    }
}

fn set_routine(call: &Call<'_>) -> u64 {
    let (kind, routine, remove) = (call.arg_u32(0), call.arg(1), call.arg_u8(2) != 0);
    call.callback(routine, "process notify routine");
    if kind != 0 {
        return INVALID_PARAMETER.into();
    }
    if remove { take_off(call, routine) } else { register(call, routine) }
}

fn register(call: &Call<'_>, routine: u64) -> u64 {
    let image = call.machine.image().filter(|image| image.contains(routine));
    if image.is_some_and(|image| !image.forces_integrity()) {
        return ACCESS_DENIED.into();
    }
    let mut state = call.machine.processes().state();
    let taken = state.routines.count() + state.switches.routines_of_others;
    if state.routines.registered.contains(&routine) || taken >= MOST {
        return INVALID_PARAMETER.into();
    }
    state.routines.registered.push(routine);
    SUCCESS
}

/// No call begins any more, and those that run are waited for.
fn take_off(call: &Call<'_>, routine: u64) -> u64 {
    let inside = {
        let mut state = call.machine.processes().state();
        let Some(index) = state.routines.registered.iter().position(|registered| *registered == routine) else {
            return NOT_REGISTERED.into();
        };
        let inside = state.routines.running.contains(&(routine, thread::current().id()));
        if !inside {
            state.routines.registered.remove(index);
        }
        inside
    };
    if inside {
        let text = "PsSetCreateProcessNotifyRoutineEx2 was called in the routine that it is to remove: it would wait for itself";
        call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, [0, routine, call.caller(), 0], text);
    }
    let machine = call.machine.clone();
    let over = move || !machine.processes().state().routines.runs(routine);
    interleave::wait_until("PsSetCreateProcessNotifyRoutineEx2: nobody is in the routine", PROCESSES, over.clone());
    let started = Instant::now();
    while !over() {
        if started.elapsed() > PATIENCE {
            let text = "PsSetCreateProcessNotifyRoutineEx2 never returns: the routine that it removes runs on";
            call.bug_check(MANUALLY_INITIATED_CRASH, [0, routine, 0, 0], text);
        }
        thread::sleep(GLANCE);
        call.cpu.check_alive();
    }
    SUCCESS
}

/// Tells every routine of a process that has just begun.
pub(super) fn tell_of_creation(cpu: &Cpu, process: Process, spec: &ProcessSpec) {
    let image = spec.image.as_deref().filter(|_| spec.kind == ProcessKind::Win32);
    let text = LentMemory::utf16(image.unwrap_or_default());
    let name = LentMemory::zeroed(size_of::<UnicodeString>());
    let length = 2 * image.unwrap_or_default().encode_utf16().count() as u16;
    name.set(0, UnicodeString { length, maximum_length: length, padding: 0, buffer: text.address() });
    let info = LentMemory::zeroed(SIZE as usize);
    info.set(0, SIZE);
    info.set(PARENT, spec.parent);
    info.set(CREATOR, spec.parent);
    if image.is_some() {
        info.set(FLAGS, FILE_OPEN_NAME_AVAILABLE);
        info.set(FILE_OBJECT, NO_FILE_OBJECT);
        info.set(IMAGE_FILE_NAME, name.address());
    } else if spec.kind == ProcessKind::Subsystem {
        info.set(FLAGS, IS_SUBSYSTEM_PROCESS);
    }
    tell(cpu, process, info.address());
    if info.get::<u32>(CREATION_STATUS) != 0 {
        cpu.not_modelled("a process notify routine that prevents a process");
    }
}

/// Tells every routine of a process whose last thread goes.
pub(super) fn tell_of_exit(cpu: &Cpu, process: Process) {
    tell(cpu, process, 0);
}

fn tell(cpu: &Cpu, process: Process, info: u64) {
    let here = thread::current().id();
    let processes = cpu.machine().processes();
    let routines = processes.state().routines.registered.clone();
    for routine in routines {
        {
            let mut state = processes.state();
            if !state.routines.registered.contains(&routine) {
                continue;
            }
            state.routines.running.push((routine, here));
            state.objects.get_mut(&process.number).expect("a process that is told of").others += 1;
        }
        cpu.call(routine, "process notify routine", &[address(process.number), process.pid, info]);
        interleave::point("a process notify routine is over", PROCESSES);
        let mut state = processes.state();
        let running = state.routines.running.iter().rposition(|running| *running == (routine, here));
        state.routines.running.remove(running.expect("it has just returned"));
        state.objects.get_mut(&process.number).expect("it is kept").others -= 1;
    }
}

/// A driver that leaves is told of no process any more.
pub(super) fn left(machine: &Machine) -> Option<Leaving> {
    let routines = machine.processes().routines() as u64;
    (routines > 0).then(|| Leaving {
        harm: Harm::Crash,
        code: DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
        parameters: [0, 0, 0, routines],
        reason: "the driver left with its process notify routine registered: the next process would call unloaded code"
            .into(),
    })
}
