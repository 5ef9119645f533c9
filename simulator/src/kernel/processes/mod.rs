//! Processes, as drivers see them: opaque, counted objects with an id that is used again, a start key that is not, a time of
//! creation, a parent and an image.

mod handles;
mod image_name;
mod information;
mod life;
mod notify;
mod object;
mod switches;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use notify::Routines;
use object::Object;
pub use object::{Process, ProcessKind, ProcessSpec};
pub use switches::{Exited, NoImage, ProcessSwitches};

use super::touches::PROCESSES;
use crate::{
    computer::{Call, Export, Fails, Handed, Irql, Machine, argument, memory},
    referee::{Harm, Leaving},
};

pub use crate::computer::cpu::SYSTEM;

/// `EPROCESS` addresses are counted from here; nothing is ever mapped there, since the type is opaque.
const FIRST_ADDRESS: u64 = 0x0E10_0000_0000;
const ADDRESS_STEP: u64 = 4096;

/// A start key is the number of the boot and that of the process in it. (Guess, after the example of event 4698 in Microsoft's
/// "Security auditing": 0x00120000000013B6. DDI `PsGetProcessStartKey` says "unique across boot sessions".)
const BOOT_SHIFT: u32 = 48;

const REFERENCE_BY_POINTER: u32 = 0x18;

const SUCCESS: u64 = 0;
const INVALID_CID: u32 = 0xC000_000B;
const INVALID_PARAMETER: u32 = 0xC000_000D;

/// The tables of exports that have to do with processes.
pub(super) const TABLES: [&[Export]; 5] =
    [EXPORTS, handles::EXPORTS, image_name::EXPORTS, information::EXPORTS, notify::EXPORTS];

/// Where what drivers are handed about processes comes from.
pub(super) const HANDED: [&[Handed]; 2] = [information::HANDED, notify::HANDED];

const EXPORTS: &[Export] = &[
    row("IoGetCurrentProcess", |call| {
        let processes = call.machine.processes();
        processes.address_of(call.machine, call.cpu.process())
    }),
    row("IoGetRequestorProcess", requestor)
        .with(&[argument(0, "Irp").used("kernel::processes::tests::an_irp_tells_which_process_sent_it")]),
    row("PsGetProcessId", |call| object(call, |object| object.process.pid))
        .with(&[argument(0, "Process").used("kernel::processes::tests::an_address_that_is_no_process_is_caught")]),
    row("PsGetProcessStartKey", |call| object(call, |object| object.process.key)).with(&[argument(0, "Process")
        .used("kernel::processes::tests::the_next_process_with_an_id_has_another_key_and_a_later_time")]),
    row("PsGetProcessCreateTimeQuadPart", |call| object(call, |object| object.process.created))
        .with(&[argument(0, "Process")
            .used("kernel::processes::tests::the_next_process_with_an_id_has_another_key_and_a_later_time")]),
    Export {
        max_irql: Irql::APC,
        ..row("PsGetProcessExitStatus", |call| object(call, |object| object.exit_status.into()))
            .with(&[
                argument(0, "Process").used("kernel::processes::tests::a_process_that_runs_has_a_pending_exit_status")
            ])
    },
    Export {
        max_irql: Irql::APC,
        fails: Fails::Status(&[INVALID_CID, INVALID_PARAMETER]),
        ..row("PsLookupProcessByProcessId", look_up).with(&[
            argument(0, "ProcessId").used("kernel::processes::tests::a_process_is_found_by_its_id"),
            argument(1, "Process").used("kernel::processes::tests::a_process_is_found_by_its_id"),
        ])
    },
    row("ObfReferenceObject", |call| {
        let number = number(call);
        call.machine.processes().count(number, 1).unwrap_or(0).cast_unsigned()
    })
    .with(&[argument(0, "Object").used("kernel::processes::tests::references_to_a_process_are_counted")]),
    row("ObfDereferenceObject", dereference)
        .with(&[argument(0, "Object").used("kernel::processes::tests::references_to_a_process_are_counted")]),
];

const fn row(name: &'static str, run: fn(&Call<'_>) -> u64) -> Export {
    Export { module: "ntoskrnl.exe", name, max_irql: Irql::DISPATCH, fails: Fails::Never, run, inputs: &[] }
}

/// Says which process sent the IRP at an address: whoever keeps the requests of programs knows.
pub type Requestor = fn(&Machine, u64) -> Option<u64>;

/// The processes of a machine, and who is told of them.
#[derive(Debug)]
pub struct Processes {
    state: Mutex<State>,
    requestor: Requestor,
    boot: u64,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<u64, Object>,
    made: u64,
    handles: BTreeMap<u64, u64>,
    opened: u64,
    routines: Routines,
    switches: ProcessSwitches,
}

impl Processes {
    /// The System process runs, created at this time, in the machine's life of this number.
    pub(super) fn new(requestor: Requestor, boot: u64, now: u64) -> Self {
        let processes = Self { state: Mutex::default(), requestor, boot };
        let system = ProcessSpec { pid: Some(SYSTEM), ..ProcessSpec::default() };
        processes.make(&system, now);
        processes
    }

    /// References that drivers hold.
    #[must_use]
    pub fn references(&self) -> i64 {
        self.state().objects.values().map(|object| object.references).sum()
    }

    /// Handles that drivers have open.
    #[must_use]
    pub fn handles(&self) -> usize {
        self.state().handles.len()
    }

    /// Process notify routines that the driver has registered.
    #[must_use]
    pub fn routines(&self) -> usize {
        self.state().routines.count()
    }

    /// Whether an id is somebody's: that of a process which runs, or of one that has exited and is kept.
    #[must_use]
    pub fn has(&self, pid: u64) -> bool {
        self.state().number_of(pid).is_some()
    }

    /// Whether a process runs no more.
    #[must_use]
    pub fn has_exited(&self, process: Process) -> bool {
        self.state().objects.get(&process.number).is_none_or(|object| object.exited)
    }

    /// Changes how Windows treats processes.
    pub fn set(&self, change: impl FnOnce(&mut ProcessSwitches)) {
        change(&mut self.state().switches);
    }

    /// The handle that another program has of a process is closed.
    ///
    /// # Panics
    /// When nobody has one.
    pub fn let_go(&self, process: Process) {
        let mut state = self.state();
        let object = state.objects.get_mut(&process.number).expect("a process that is there");
        object.others = object.others.checked_sub(1).expect("a process that somebody holds");
        state.settle(process.number);
    }

    /// Makes an object that everybody finds from now on.
    fn make(&self, spec: &ProcessSpec, now: u64) -> Process {
        let mut state = self.state();
        let taken = |state: &State, pid| state.objects.values().any(|object| object.process.pid == pid);
        let pid = spec.pid.unwrap_or_else(|| {
            (SYSTEM..).step_by(4).find(|pid| !taken(&state, *pid)).expect("a machine has fewer processes")
        });
        assert!(!taken(&state, pid), "process {pid} is there, or something keeps it: its id is not free");
        state.made += 1;
        let number = state.made;
        let process =
            Process { number, pid, key: self.boot << BOOT_SHIFT | number, created: spec.created.unwrap_or(now) };
        state.objects.insert(number, Object::new(process, spec));
        process
    }

    /// The address of the process with this id; of one that nobody has started, a program without a name.
    fn address_of(&self, machine: &Machine, pid: u64) -> u64 {
        let number = self.state().number_of(pid);
        let number = number.unwrap_or_else(|| {
            let spec = ProcessSpec { pid: Some(pid), parent: SYSTEM, ..ProcessSpec::default() };
            self.make(&spec, machine.clock().system_time()).number
        });
        address(number)
    }

    /// Changes the count of references; `None` when it would fall below 0.
    fn count(&self, number: u64, change: i64) -> Option<i64> {
        let mut state = self.state();
        let object = state.objects.get_mut(&number)?;
        let changed = (object.references + change >= 0).then_some(object.references + change)?;
        object.references = changed;
        state.settle(number);
        Some(changed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number_of(&self, pid: u64) -> Option<u64> {
        self.objects.values().find(|object| object.process.pid == pid).map(|object| object.process.number)
    }

    /// Whether a process is found by its id, and listed.
    fn is_found(&self, object: &Object) -> bool {
        !object.exited || self.switches.exited == Exited::Found
    }

    /// Deletes a process that nothing keeps: its id is free then, and its address nobody's.
    fn settle(&mut self, number: u64) {
        if self.objects.get(&number).is_some_and(Object::is_gone) {
            self.objects.remove(&number);
        }
    }
}

const fn address(number: u64) -> u64 {
    FIRST_ADDRESS + number * ADDRESS_STEP
}

/// The number of the process that argument 0 means. (Simplification: other kinds of objects cannot be counted.)
fn number(call: &Call<'_>) -> u64 {
    let address = call.arg(0);
    let offset = address.checked_sub(FIRST_ADDRESS).filter(|offset| offset % ADDRESS_STEP == 0);
    let number = offset.map(|offset| offset / ADDRESS_STEP);
    if let Some(number) = number.filter(|number| call.machine.processes().state().objects.contains_key(number)) {
        return number;
    }
    if memory::read::<u64>(address).is_ok() {
        // It may be a device, a driver, or whatever else Windows counts.
        call.not_modelled(&format!("{} of anything but a process", call.name()));
    }
    call.bug_check(
        REFERENCE_BY_POINTER,
        [0, address, 0, 0],
        format!("{} was given {address:#x}, which is no process", call.name()),
    )
}

/// What is asked of the process that argument 0 means.
fn object<T>(call: &Call<'_>, ask: impl FnOnce(&Object) -> T) -> T {
    let number = number(call);
    let state = call.machine.processes().state();
    ask(state.objects.get(&number).expect("looked up just now"))
}

/// The process that sent an IRP; a driver that has none in its hands gets NULL.
fn requestor(call: &Call<'_>) -> u64 {
    let processes = call.machine.processes();
    (processes.requestor)(call.machine, call.arg(0)).map_or(0, |pid| processes.address_of(call.machine, pid))
}

/// DDI `PsLookupProcessByProcessId`: `STATUS_INVALID_CID` for an id that is nobody's.
fn look_up(call: &Call<'_>) -> u64 {
    let number = {
        let state = call.machine.processes().state();
        let number = state.number_of(call.arg(0));
        number.filter(|number| state.is_found(&state.objects[number]))
    };
    let Some(number) = number else { return INVALID_CID.into() };
    call.write(call.arg(1), address(number));
    call.machine.processes().count(number, 1);
    SUCCESS
}

fn dereference(call: &Call<'_>) -> u64 {
    let number = number(call);
    let Some(left) = call.machine.processes().count(number, -1) else {
        let pid = object(call, |object| object.process.pid);
        call.bug_check(
            REFERENCE_BY_POINTER,
            [0, call.arg(0), 0, 0],
            format!("ObfDereferenceObject was called for process {pid}, which the driver holds no reference to"),
        );
    };
    left.cast_unsigned()
}

/// A driver that leaves has given all processes back, and is told of none.
pub(super) fn left(machine: &Machine) -> Vec<Leaving> {
    let processes = machine.processes();
    let (references, handles) = (processes.references().cast_unsigned(), processes.handles() as u64);
    let counted = |count: u64, what: &str| {
        (count > 0).then(|| Leaving::counted(Harm::Held, count, format!("the driver left with {count} {what}")))
    };
    let routine = notify::left(machine);
    let references = counted(references, "references to processes");
    routine.into_iter().chain(references).chain(counted(handles, "handles of processes")).collect()
}

#[cfg(test)]
mod tests;
