//! A subsystem that nobody knows, plugged in from here: a lamp that a driver lights, and must put out before it leaves.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use flowtag_simulator::{
    BugCheck, Machine, Options,
    computer::{Call, Cpu, Export, Fails, Finding, Irql, Subsystem, argument},
    referee::{Harm, Leaving},
};

#[derive(Default)]
struct Lamp {
    lit: AtomicBool,
    waits: AtomicU32,
}

const MODULE: &str = "lamp.sys";
const EXPORTS: &[Export] = &[Export {
    module: MODULE,
    name: "LampLight",
    max_irql: Irql::DISPATCH,
    fails: Fails::False,
    run: light,
    inputs: &[],
}
.with(&[argument(0, "Light").values(4, &[0, 1], "a lamp is on or off")])];
/// What a driver is handed in a table: one that there is, and one that there is not.
const TABLE: &[&str] = &["LampLight", "LampDim"];
/// Where it says that its glass is.
const GLASS: u64 = 0x1A_0000_0000;
const STILL_LIT: u32 = 0xC4;

fn light(call: &Call<'_>) -> u64 {
    call.machine.part::<Lamp>().lit.store(call.arg_u32(0) != 0, Ordering::Relaxed);
    1
}

impl Subsystem for Lamp {
    fn exports(&self) -> &'static [&'static [Export]] {
        &[EXPORTS]
    }

    fn function_table(&self) -> Option<(&'static str, &'static [&'static str])> {
        Some((MODULE, TABLE))
    }

    fn time_passes(&self, _: &Cpu) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    fn explain(&self, _: &Machine, address: u64) -> Option<Finding> {
        (address == GLASS).then(|| Finding { code: 0xD6, text: "the glass of the lamp".into() })
    }

    fn left(&self, _: &Machine) -> Vec<Leaving> {
        let lit = self.lit.load(Ordering::Relaxed);
        let leaving = Leaving {
            harm: Harm::Held,
            code: STILL_LIT,
            parameters: [0; 4],
            reason: "the driver left the lamp on".into(),
        };
        lit.then_some(leaving).into_iter().collect()
    }
}

fn machine() -> Machine {
    Machine::new(Options { also: vec![|| Box::new(Lamp::default())], ..Options::default() })
}

fn call(machine: &Machine, module: &str, name: &'static str, arguments: &[u64]) -> Result<u64, BugCheck> {
    let address = machine.imports().address(module, name).expect("the machine exports it");
    machine.run(|cpu| cpu.call(address, name, arguments))
}

#[test]
fn its_export_is_served_beside_those_of_windows() {
    let machine = machine();

    assert_eq!(call(&machine, MODULE, "LampLight", &[1]).unwrap(), 1);

    assert!(machine.part::<Lamp>().lit.load(Ordering::Relaxed));
    assert!(machine.imports().address("ntoskrnl.exe", "ExAllocatePool2").is_some());
}

#[test]
fn its_export_fails_when_a_test_wants_it_to() {
    let machine = machine();
    machine.faults().fail("LampLight", 1, None);

    assert_eq!(call(&machine, MODULE, "LampLight", &[1]).unwrap(), 0);

    assert_eq!(machine.faults().calls("LampLight"), 1);
    assert!(!machine.part::<Lamp>().lit.load(Ordering::Relaxed));
}

#[test]
fn a_machine_without_it_does_not_export_it() {
    assert_eq!(Machine::new(Options::default()).imports().address(MODULE, "LampLight"), None);
}

#[test]
fn it_hears_of_it_when_a_driver_waits() {
    let (machine, interval) = (machine(), -10_000i64);

    call(&machine, "ntoskrnl.exe", "KeDelayExecutionThread", &[0, 0, &raw const interval as u64]).unwrap();

    assert_eq!(machine.part::<Lamp>().waits.load(Ordering::Relaxed), 1);
}

#[test]
fn it_explains_the_addresses_that_it_knows() {
    let caught = call(&machine(), "ntoskrnl.exe", "RtlCopyUnicodeString", &[GLASS, 0]).unwrap_err();

    assert_eq!(caught.code(), 0xD6);
    assert!(caught.reason().contains("the glass of the lamp"), "{caught}");
}

#[test]
fn a_function_of_its_table_that_it_does_not_have_stops_the_machine_by_name() {
    let machine = machine();
    let [light, dim] = machine.imports().function_table(MODULE) else { panic!("two functions") };
    assert_eq!(machine.run(|cpu| cpu.call(*light, "LampLight", &[0])).unwrap(), 1);

    let caught = machine.run(|cpu| cpu.call(*dim, "LampDim", &[])).unwrap_err();

    assert!(caught.is_not_modelled() && caught.reason() == "the simulator does not model LampDim", "{caught}");
}

#[test]
fn what_it_finds_when_a_driver_leaves_stops_the_machine() {
    let machine = machine();
    call(&machine, MODULE, "LampLight", &[1]).unwrap();

    let caught = machine.run(|cpu| cpu.check_left(machine.left())).unwrap_err();

    assert_eq!((caught.code(), caught.reason()), (STILL_LIT, "the driver left the lamp on"));
}

#[test]
fn a_restarted_machine_has_it_again_in_its_first_state() {
    let machine = machine();
    call(&machine, MODULE, "LampLight", &[1]).unwrap();

    let restarted = machine.restarted();

    assert!(!restarted.part::<Lamp>().lit.load(Ordering::Relaxed));
    assert_eq!(call(&restarted, MODULE, "LampLight", &[1]).unwrap(), 1);
}
