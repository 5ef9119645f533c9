use std::fs;

use super::*;
use crate::windows::Options;

fn machine() -> Machine {
    Machine::new(Options::default())
}

fn config(binary_path: &str) -> Config {
    Config { binary_path: binary_path.into(), ..Config::default() }
}

fn error_of(outcome: Result<Status, ServiceError>) -> Win32Error {
    outcome.expect_err("an error").win32().expect("a Win32 error")
}

#[test]
fn a_service_that_does_not_exist_is_error_1060() {
    let machine = machine();
    assert_eq!(error_of(machine.start_service("flowtag")), Win32Error(1060));
    assert_eq!(error_of(machine.stop_service("flowtag")), Win32Error(1060));
    assert_eq!(machine.query_service("flowtag"), Err(Win32Error(1060)));
    assert_eq!(machine.delete_service("flowtag"), Err(Win32Error(1060)));
}

#[test]
fn a_new_service_is_stopped_and_was_never_started() {
    let machine = machine();
    machine.create_service("flowtag", config("/flowtag.sys")).unwrap();
    let status = machine.query_service("FLOWTAG").unwrap();
    assert_eq!((status.state, status.exit_code), (State::Stopped, Win32Error(1077)));
    assert_eq!(error_of(machine.stop_service("flowtag")), Win32Error(1062));
}

#[test]
fn a_service_is_created_once() {
    let machine = machine();
    machine.create_service("flowtag", config("/flowtag.sys")).unwrap();
    assert_eq!(machine.create_service("FlowTag", config("/flowtag.sys")), Err(Win32Error(1073)));
}

#[test]
fn a_disabled_service_does_not_start() {
    let machine = machine();
    let disabled = Config { start: StartType::Disabled, ..config("/flowtag.sys") };
    machine.create_service("flowtag", disabled).unwrap();
    assert_eq!(error_of(machine.start_service("flowtag")), Win32Error(1058));
}

#[test]
fn a_missing_file_is_error_2_and_remembered() {
    let machine = machine();
    machine.create_service("flowtag", config("/nowhere/flowtag.sys")).unwrap();
    assert_eq!(error_of(machine.start_service("flowtag")), Win32Error(2));
    let status = machine.query_service("flowtag").unwrap();
    assert_eq!((status.state, status.exit_code), (State::Stopped, Win32Error(2)));
}

#[test]
fn a_file_that_is_no_driver_is_error_193() {
    let machine = machine();
    machine.create_service("flowtag", config("/proc/self/exe")).unwrap();
    assert_eq!(error_of(machine.start_service("flowtag")), Win32Error(193));
}

#[test]
fn a_driver_for_a_32_bit_processor_is_blocked() {
    let x86 = LoadError::WrongMachine { path: "/flowtag.sys".into(), machine: LoadError::X86.into() };
    let arm64 = LoadError::WrongMachine { path: "/flowtag.sys".into(), machine: "ARM64".into() };
    assert_eq!([x86, arm64].map(|error| load_error(&error).0), [1275, 193]);
}

#[test]
fn the_service_is_described_in_the_registry_until_it_is_deleted() {
    let machine = machine();
    machine.create_service("flowtag", config("/flowtag.sys")).unwrap();
    let key = registry::service_key("flowtag");
    assert_eq!(machine.registry().get(&key, "Start"), Some(Value::Dword(3)));
    machine.delete_service("flowtag").unwrap();
    assert!(!machine.registry().has_key(&key));
}

#[test]
fn a_windows_path_is_looked_for_by_its_file_name() {
    let windows = Config { drivers: "/build".into(), ..config(r"C:\drivers\flowtag.sys") };
    assert_eq!(windows.image_path(), Path::new("/build/flowtag.sys"));
    let slashes = Config { drivers: "/build".into(), ..config("c:/drivers/flowtag.sys") };
    assert_eq!(slashes.image_path(), Path::new("/build/flowtag.sys"));
    assert_eq!(config("/a/flowtag.sys").image_path(), Path::new("/a/flowtag.sys"));
    assert_eq!(config("\"/a/flowtag.sys\"").image_path(), Path::new("/a/flowtag.sys"));
}

#[test]
fn a_windows_path_is_found_whatever_its_letters() {
    let folder = std::env::temp_dir().join(format!("flowtag-drivers-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("FlowTag.sys"), "").unwrap();
    let found = Config { drivers: folder.clone(), ..config(r"C:\Drivers\FLOWTAG.SYS") }.image_path();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, folder.join("FlowTag.sys"));
}

#[test]
fn a_drive_becomes_the_kernels_name_of_it() {
    assert_eq!(config(r"C:\drivers\flowtag.sys").kernel_path(), r"\??\C:\drivers\flowtag.sys");
    assert_eq!(config(r"\SystemRoot\flowtag.sys").kernel_path(), r"\SystemRoot\flowtag.sys");
    assert_eq!(config("/a/flowtag.sys").kernel_path(), "/a/flowtag.sys");
}
