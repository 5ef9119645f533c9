//! Processes, as far as a driver sees them: opaque, counted objects with a process id.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    computer::{Call, Export, Fails, Irql, Machine, argument, memory},
    referee::{Harm, Leaving},
};

/// `EPROCESS` addresses are counted from here; nothing is ever mapped there, since the type is opaque.
const FIRST_ADDRESS: u64 = 0x0E10_0000_0000;
const ADDRESS_STEP: u64 = 4096;

const REFERENCE_BY_POINTER: u32 = 0x18;

/// The exports that have to do with processes.
pub const EXPORTS: &[Export] = &[
    row("IoGetCurrentProcess", |call| call.machine.processes().address(call.cpu.process())),
    row("IoGetRequestorProcess", requestor)
        .with(&[argument(0, "Irp").used("kernel::processes::tests::an_irp_tells_which_process_sent_it")]),
    row("PsGetProcessId", process)
        .with(&[argument(0, "Process").used("kernel::processes::tests::an_address_that_is_no_process_is_caught")]),
    row("ObfReferenceObject", |call| {
        let pid = process(call);
        call.machine.processes().count(pid, 1).unwrap_or(0).cast_unsigned()
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

/// The processes that drivers hold references to.
#[derive(Debug)]
pub struct Processes {
    counts: Mutex<BTreeMap<u64, i64>>,
    requestor: Requestor,
}

impl Processes {
    /// No driver holds a process.
    pub(super) fn new(requestor: Requestor) -> Self {
        Self { counts: Mutex::default(), requestor }
    }

    /// References that drivers hold.
    #[must_use]
    pub fn references(&self) -> i64 {
        self.counts().values().sum()
    }

    fn address(&self, pid: u64) -> u64 {
        self.counts().entry(pid).or_default();
        FIRST_ADDRESS + pid * ADDRESS_STEP
    }

    /// The process whose `EPROCESS` is at `address`.
    fn at(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(FIRST_ADDRESS).filter(|offset| offset % ADDRESS_STEP == 0)?;
        let pid = offset / ADDRESS_STEP;
        self.counts().contains_key(&pid).then_some(pid)
    }

    /// Changes the count of references; `None` when it would fall below 0.
    fn count(&self, pid: u64, change: i64) -> Option<i64> {
        let mut counts = self.counts();
        let count = counts.entry(pid).or_default();
        let changed = (*count + change >= 0).then_some(*count + change)?;
        *count = changed;
        Some(changed)
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<u64, i64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The process that the driver's pointer means. (Simplification: other kinds of objects cannot be counted.)
fn process(call: &Call<'_>) -> u64 {
    let address = call.arg(0);
    call.machine.processes().at(address).unwrap_or_else(|| {
        if memory::read::<u64>(address).is_ok() {
            // It may be a device, a driver, or whatever else Windows counts.
            call.not_modelled(&format!("{} of anything but a process", call.name()));
        }
        call.bug_check(
            REFERENCE_BY_POINTER,
            [0, address, 0, 0],
            format!("{} was given {address:#x}, which is no process", call.name()),
        )
    })
}

/// The process that sent an IRP; a driver that has none in its hands gets NULL.
fn requestor(call: &Call<'_>) -> u64 {
    let pid = (call.machine.processes().requestor)(call.machine, call.arg(0));
    pid.map_or(0, |pid| call.machine.processes().address(pid))
}

/// A driver that leaves has given all processes back.
pub(super) fn left(machine: &Machine) -> Option<Leaving> {
    let references = machine.processes().references();
    let text = format!("the driver left with {references} references to processes");
    (references > 0).then(|| Leaving::counted(Harm::Held, references.cast_unsigned(), text))
}

fn dereference(call: &Call<'_>) -> u64 {
    let pid = process(call);
    let Some(left) = call.machine.processes().count(pid, -1) else {
        call.bug_check(
            REFERENCE_BY_POINTER,
            [0, call.arg(0), 0, 0],
            format!("ObfDereferenceObject was called for process {pid}, which the driver holds no reference to"),
        );
    };
    left.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use crate::{
        computer::{Machine, machine::Settings},
        kernel::{
            Configuration, Kernel, Version,
            pool::PoolKind,
            registry::Registry,
            tests::{called, code, machine},
            time::ClockKind,
        },
    };

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
}
