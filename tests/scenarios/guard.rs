//! Control flow guard: the driver hands over no function that its image does not list, and the referee sees one that it
//! does not.

use std::{collections::BTreeSet, fs, path::Path};

use flowtag_simulator::{
    Machine, Options,
    image::guard::GuardTable,
    service::{Config, ServiceError},
    wfp::{Direction, Packet},
};
use object::{pe::IMAGE_DLLCHARACTERISTICS_GUARD_CF, read::pe::PeFile64};

use flowtag_tests::rig::{TCP, image, outbound};

/// Every role that a function of the driver's has for somebody else.
const ROLES: [&str; 7] = [
    "the entry point",
    "EvtDriverUnload",
    "classifyFn",
    "notifyFn",
    "flowDeleteFn",
    "DriverUnload",
    "process notify routine",
];

/// A machine with this image as its driver, which is not running.
fn machine(test: &str, bytes: &[u8]) -> Machine {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guard-{test}.sys"));
    fs::write(&path, bytes).unwrap();
    let machine = Machine::new(Options::default());
    let config = Config { binary_path: path.display().to_string(), ..Config::default() };
    machine.create_service("flowtag", config).unwrap();
    machine
}

/// A driver's whole life, with a packet.
fn live(machine: &Machine) -> Result<(), ServiceError> {
    machine.start_service("flowtag")?;
    let flow = machine.open_flow(&outbound()).unwrap();
    machine.transport(flow, Direction::Outbound, &Packet::new(TCP, 100)).unwrap();
    machine.close_flow(flow).unwrap();
    machine.stop_service("flowtag").map(drop)
}

/// The image without one function in its guard table: its neighbour stands there twice.
fn without(bytes: &[u8], listed: &[u32], index: usize) -> Vec<u8> {
    let table = |functions: &[u32]| functions.iter().flat_map(|function| function.to_le_bytes()).collect::<Vec<_>>();
    let whole = table(listed);
    let at = bytes.windows(whole.len()).position(|window| window == whole).expect("the table, without flags");
    let mut functions = listed.to_vec();
    functions[index] = functions[if index == 0 { 1 } else { index - 1 }];
    let mut bytes = bytes.to_vec();
    bytes[at..at + whole.len()].copy_from_slice(&table(&functions));
    bytes
}

#[test]
fn a_function_that_the_driver_hands_over_and_its_guard_table_lacks_is_a_bug_check_in_every_role() {
    let bytes = fs::read(image()).unwrap();
    let guard = GuardTable::read(&PeFile64::parse(&*bytes).unwrap()).expect("control flow guard");
    let mut missed = BTreeSet::new();
    for (index, function) in guard.functions().iter().enumerate() {
        let machine = machine(&format!("without-{index}"), &without(&bytes, guard.functions(), index));
        match live(&machine) {
            Ok(()) => {} // listed, and nothing but the driver's own code calls it
            Err(ServiceError::BugCheck(bug_check)) => {
                assert_eq!((bug_check.code(), bug_check.parameters()[0]), (0x139, 10), "{bug_check}");
                let reason = bug_check.reason();
                assert!(reason.contains(&format!("guard-without-{index}.sys+{function:#x} as ")), "{reason}");
                missed.extend(ROLES.into_iter().filter(|role| reason.contains(&format!(" as {role},"))));
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(missed, BTreeSet::from(ROLES));
}

#[test]
fn an_image_that_asks_for_control_flow_guard_and_has_no_table_cannot_be_entered() {
    let mut bytes = fs::read(image()).unwrap();
    forget_the_load_configuration(&mut bytes);
    let Err(ServiceError::BugCheck(bug_check)) = live(&machine("none", &bytes)) else { panic!("it lives") };
    assert!(bug_check.reason().contains(" as the entry point,"), "{bug_check}");
}

#[test]
fn an_image_without_control_flow_guard_may_be_called_anywhere() {
    let mut bytes = fs::read(image()).unwrap();
    forget_the_load_configuration(&mut bytes);
    let flags = optional_header(&bytes) + DLL_CHARACTERISTICS;
    bytes[flags + 1] &= !IMAGE_DLLCHARACTERISTICS_GUARD_CF.0.to_le_bytes()[1];
    live(&machine("off", &bytes)).unwrap();
}

/// Where a field and an entry of the data directory are in the optional header of a 64-bit image.
const DLL_CHARACTERISTICS: usize = 70;
const LOAD_CONFIGURATION: usize = 112 + 10 * 8;

fn optional_header(bytes: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([bytes[0x3C], bytes[0x3D]])) + 24
}

fn forget_the_load_configuration(bytes: &mut [u8]) {
    let entry = optional_header(bytes) + LOAD_CONFIGURATION;
    bytes[entry..entry + 8].fill(0);
}
