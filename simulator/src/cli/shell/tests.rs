use std::fs;

use super::*;
use crate::{etw::tests::write_an_event, image::sample};

fn shell() -> Shell {
    Shell::new(Args::default())
}

fn typed(shell: &mut Shell, line: &str) -> (String, Exit) {
    let Output { text, exit } = shell.execute(line);
    (text, exit)
}

fn created() -> Shell {
    let mut shell = shell();
    let (text, exit) = typed(&mut shell, r"sc create flowtag type= kernel binPath= C:\drivers\flowtag.sys");
    assert_eq!((text.as_str(), exit), ("[SC] CreateService SUCCESS\n", Exit::Done));
    shell
}

#[test]
fn a_service_is_created_queried_and_deleted_as_on_windows() {
    let mut shell = created();
    let (text, exit) = typed(&mut shell, "sc query flowtag");
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        text,
        "
SERVICE_NAME: flowtag
        TYPE               : 1  KERNEL_DRIVER
        STATE              : 1  STOPPED
        WIN32_EXIT_CODE    : 1077  (0x435)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
"
    );
    assert_eq!(typed(&mut shell, "sc delete flowtag").0, "[SC] DeleteService SUCCESS\n");
    assert_eq!(
        typed(&mut shell, "sc query flowtag"),
        (
            "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\nThe specified service does not exist as an \
             installed service.\n\n"
                .into(),
            Exit::Failed
        )
    );
}

#[test]
fn each_failure_names_the_function_and_the_number() {
    let mut shell = created();
    for (line, expected) in [
        ("sc start other", "[SC] StartService: OpenService FAILED 1060:\n"),
        ("sc stop other", "[SC] OpenService FAILED 1060:\n"),
        ("sc delete other", "[SC] OpenService FAILED 1060:\n"),
        ("sc stop flowtag", "[SC] ControlService FAILED 1062:\n\nThe service has not been started.\n"),
        ("sc create flowtag type= kernel binPath= x", "[SC] CreateService FAILED 1073:\n"),
    ] {
        let (text, exit) = typed(&mut shell, line);
        assert!(text.starts_with(expected), "{line}: {text}");
        assert_eq!(exit, Exit::Failed, "{line}");
    }
}

#[test]
fn a_missing_driver_is_explained() {
    let mut shell = created();
    let (text, exit) = typed(&mut shell, "sc start flowtag");
    assert!(text.starts_with("[SC] StartService FAILED 2:\n\nThe system cannot find the file specified.\n"), "{text}");
    assert!(text.contains("flowtag.sys: No such file") && text.contains("cargo xtask build"), "{text}");
    assert_eq!(exit, Exit::Unusable);
}

/// What `sc start` says of a driver that is `bytes`, in a file named for the test.
fn started(test: &str, bytes: &[u8]) -> (String, Exit) {
    let path = std::env::temp_dir().join(format!("flowtag-shell-{test}-{}.sys", std::process::id()));
    fs::write(&path, bytes).unwrap();
    let mut shell = shell();
    typed(&mut shell, &format!("sc create other type= kernel binPath= {}", path.display()));
    let said = typed(&mut shell, "sc start other");
    fs::remove_file(path).unwrap();
    said
}

const UNSUCCESSFUL: Option<u32> = Some(0xC000_0001);
const NOTHING: [Option<u32>; 4] = [Some(0); 4];

/// A driver that prints at `level`, and then fails to start.
fn printing(level: u32) -> Vec<u8> {
    let ihv_network = Some(80);
    sample::driver(
        ("ntoskrnl.exe", "DbgPrintEx"),
        [ihv_network, Some(level), None, Some(0)],
        b"other: no luck\n",
        UNSUCCESSFUL,
    )
}

#[test]
fn a_driver_that_prints_and_fails_to_start_is_said_to_tell_why() {
    let (text, exit) = started("prints", &printing(0));
    assert!(text.contains("other: no luck\n[SC] StartService FAILED 31:\n"), "{text}");
    assert!(text.contains("entry point failed with status 0xc0000001\n  its trace lines say why\n"), "{text}");
    assert_eq!(exit, Exit::Failed);
}

#[test]
fn lines_that_are_not_shown_say_nothing_yet() {
    let (text, _) = started("hidden", &printing(3));
    assert!(text.ends_with("\n  what it has printed is not shown; `help` says how to see it\n"), "{text}");
}

#[test]
fn a_driver_that_fails_to_start_without_a_word_has_no_lines_that_say_why() {
    let silent = sample::driver(("ntoskrnl.exe", "IoGetCurrentProcess"), NOTHING, b"", UNSUCCESSFUL);
    let (text, exit) = started("silent", &silent);
    assert!(text.ends_with("0xc0000001\n  it has printed nothing\n"), "{text}");
    assert_eq!(exit, Exit::Failed);
}

#[test]
fn a_driver_that_the_framework_does_not_bind_has_not_run() {
    // A WDF_BIND_INFO of some other component's.
    let mut info = [0; 0x40];
    info[0] = 48;
    info[16] = 1;
    info[8..16].copy_from_slice(&sample::POINTER_TO_DATA.to_le_bytes());
    let unbound = sample::driver(("WDFLDR.SYS", "WdfVersionBind"), [None; 4], &info, None);
    let (text, _) = started("unbound", &unbound);
    assert!(text.contains("failed with status 0xc000000d\n  the framework refused to bind it"), "{text}");
    assert!(!text.contains("trace lines"), "{text}");
}

#[test]
fn what_the_simulator_lacks_is_said_so_and_is_no_finding() {
    let mdl = sample::driver(("ntoskrnl.exe", "IoAllocateMdl"), NOTHING, b"", None);
    let (text, exit) = started("lacks", &mdl);
    assert!(text.starts_with("*** the simulator does not model IoAllocateMdl\n"), "{text}");
    assert!(!text.contains("STOP") && !text.contains("left"), "{text}");
    assert_eq!(exit, Exit::BugCheck);
}

#[test]
fn a_driver_that_fails_to_start_must_have_given_everything_back() {
    let pool = sample::driver(
        ("ntoskrnl.exe", "ExAllocatePool2"),
        [Some(0x40), Some(100), Some(u32::from_le_bytes(*b"Test")), Some(0)],
        b"",
        UNSUCCESSFUL,
    );
    let (text, exit) = started("leaks", &pool);
    assert!(
        text.starts_with("*** STOP 0x000000C4 DRIVER_VERIFIER_DETECTED_VIOLATION (0x62, 0x0, 0x0, 0x1)\n"),
        "{text}"
    );
    assert_eq!(exit, Exit::BugCheck);
}

#[test]
fn create_wants_its_options_as_windows_does() {
    for (line, problem) in [
        ("sc create flowtag binPath= x", "type= kernel is missing"),
        ("sc create flowtag type= kernel", "binPath= is missing"),
        ("sc create flowtag type= kernel binPath=", "has no value"),
        ("sc create flowtag type= kernel binPath= x start= never", "no value for start="),
        ("sc create flowtag type= kernel binPath= x error= never", "no value for error="),
        ("sc create flowtag type= own binPath= x", "kernel drivers only"),
        ("sc create flowtag type= kernel binPath = x", "'binPath' is no option"),
        ("sc create", "USAGE:"),
        ("sc config", "USAGE:"),
        ("sc config flowtag", "USAGE:"),
        ("sc config flowtag start= never", "no value for start="),
    ] {
        let (text, exit) = typed(&mut shell(), line);
        assert!(text.contains(problem), "{line}: {text}");
        assert_eq!(exit, Exit::Unusable, "{line}");
    }
}

#[test]
fn a_space_behind_the_equal_sign_is_not_needed() {
    let mut shell = shell();
    let (text, _) =
        typed(&mut shell, r#"sc create flowtag type=kernel START=auto binPath="C:\my drivers\flowtag.sys""#);
    assert_eq!(text, "[SC] CreateService SUCCESS\n");
    let (text, _) = typed(&mut shell, "sc qc flowtag");
    assert!(text.contains(": 2   AUTO_START\n") && text.contains(r"C:\my drivers\flowtag.sys"), "{text}");
}

#[test]
fn a_service_is_described_as_on_windows() {
    let mut shell = created();
    let (text, exit) = typed(&mut shell, "sc qc flowtag");
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        text,
        r"[SC] QueryServiceConfig SUCCESS

SERVICE_NAME: flowtag
        TYPE               : 1  KERNEL_DRIVER
        START_TYPE         : 3   DEMAND_START
        ERROR_CONTROL      : 1   NORMAL
        BINARY_PATH_NAME   : \??\C:\drivers\flowtag.sys
        LOAD_ORDER_GROUP   :
        TAG                : 0
        DISPLAY_NAME       : flowtag
        DEPENDENCIES       :
        SERVICE_START_NAME :
"
    );
}

#[test]
fn a_service_is_changed_in_what_is_given_only() {
    let mut shell = created();
    let line = "sc config flowtag start= disabled error= ignore DisplayName= \"Who did it\"";
    assert_eq!(typed(&mut shell, line), ("[SC] ChangeServiceConfig SUCCESS\n".into(), Exit::Done));
    let (text, _) = typed(&mut shell, "sc qc flowtag");
    for shown in [": 4   DISABLED\n", ": 0   IGNORE\n", ": Who did it\n", r": \??\C:\drivers\flowtag.sys"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(typed(&mut shell, "sc start flowtag").0.starts_with("[SC] StartService FAILED 1058:\n"));
    let (stored, _) = typed(&mut shell, r"reg query HKLM\SYSTEM\CurrentControlSet\Services\flowtag");
    assert!(stored.contains("    Start    REG_DWORD    0x4\n"), "{stored}");
    assert!(typed(&mut shell, "sc config other start= auto").0.starts_with("[SC] OpenService FAILED 1060:\n"));
}

#[test]
fn a_name_that_no_service_may_have_is_refused() {
    let long = "x".repeat(257);
    for name in ["a/b", r"a\b", &long, "\"\""] {
        let (text, exit) = typed(&mut shell(), &format!("sc create {name} type= kernel binPath= x"));
        assert!(text.starts_with("[SC] CreateService FAILED 123:\n"), "{name}: {text}");
        assert_eq!(exit, Exit::Failed);
    }
    let longest = "x".repeat(256);
    assert_eq!(typed(&mut shell(), &format!("sc create {longest} type= kernel binPath= x")).1, Exit::Done);
}

#[test]
fn the_filtering_engine_is_stopped_and_started_as_a_service() {
    let mut shell = shell();
    let state = |shell: &mut Shell| {
        let (text, _) = typed(shell, "sc query BFE");
        text.lines().find_map(|line| line.trim().strip_prefix("STATE              : ")).unwrap().to_owned()
    };
    assert_eq!(state(&mut shell), "4  RUNNING");
    assert!(typed(&mut shell, "sc start bfe").0.starts_with("[SC] StartService FAILED 1056:\n"));
    assert_eq!(typed(&mut shell, "sc stop bfe").1, Exit::Done);
    assert_eq!(state(&mut shell), "1  STOPPED");
    assert!(typed(&mut shell, "sc stop bfe").0.starts_with("[SC] ControlService FAILED 1062:\n"));
    assert_eq!(typed(&mut shell, "sc start bfe").1, Exit::Done);
    assert_eq!(state(&mut shell), "4  RUNNING");
}

#[test]
fn a_restart_starts_the_filtering_engine() {
    let mut shell = shell();
    typed(&mut shell, "sc stop bfe");
    typed(&mut shell, "restart");
    assert!(typed(&mut shell, "sc query bfe").0.contains("4  RUNNING"));
}

#[test]
fn a_restart_starts_what_starts_with_the_machine() {
    for (start, tried) in [("boot", true), ("system", true), ("auto", true), ("demand", false), ("disabled", false)] {
        let mut shell = created();
        typed(&mut shell, &format!("sc config flowtag start= {start}"));
        let (text, exit) = typed(&mut shell, "restart");
        // There is no file.
        assert_eq!(text.contains("flowtag did not start:"), tried, "{start}: {text}");
        assert_eq!(exit, if tried { Exit::Failed } else { Exit::Done }, "{start}");
    }
}

#[test]
fn a_windows_path_is_looked_for_beside_the_image_unless_something_else_was_said() {
    let drivers =
        |arguments: Args| Shell::new(arguments.with_image(Some("/build/flowtag.sys".into()))).drivers().to_owned();
    assert_eq!(drivers(Args::default()), Path::new("/build"));
    assert_eq!(drivers(Args::default().with_drivers(Path::new("/mine"))), Path::new("/mine"));
    assert_eq!(Shell::new(Args::default().with_image(None)).drivers(), Path::new("."));
}

#[test]
fn a_setting_is_added_shown_and_deleted() {
    const KEY: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\flowtag\Parameters";
    let mut shell = shell();
    let success = "The operation completed successfully.\n";
    assert_eq!(typed(&mut shell, &format!("reg add {KEY} /v TraceLevel /t REG_DWORD /d 3 /f")).0, success);
    assert_eq!(
        typed(&mut shell, &format!("reg query {KEY} /v tracelevel")).0,
        "\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\flowtag\\Parameters\n    TraceLevel    REG_DWORD    \
         0x3\n\n"
    );
    assert_eq!(typed(&mut shell, &format!("reg delete {KEY} /v TraceLevel /f")).0, success);
    let (text, exit) = typed(&mut shell, &format!("reg query {KEY} /v TraceLevel"));
    assert_eq!(text, "ERROR: The system was unable to find the specified registry key or value.\n");
    assert_eq!(exit, Exit::Failed);
}

#[test]
fn a_query_lists_the_keys_below_as_they_were_written() {
    let mut shell = created();
    let (text, _) = typed(&mut shell, r"reg query HKLM\SYSTEM\CurrentControlSet\Services\flowtag");
    assert!(text.contains("    Start    REG_DWORD    0x3\n"), "{text}");
    typed(&mut shell, r"reg add HKLM\SYSTEM\CurrentControlSet\Services\flowtag\Parameters /f");
    let (text, _) = typed(&mut shell, r"reg query HKLM\SYSTEM\CurrentControlSet\Services\flowtag");
    let below = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\flowtag\Parameters";
    assert!(text.lines().any(|line| line == below), "{text}");
}

#[test]
fn a_bad_setting_is_refused() {
    for line in [
        r"reg add HKLM\A /v X /t REG_DWORD /d three /f",
        r"reg add HKLM\A /v X /t REG_DWORD /d 4294967296 /f",
        r"reg add HKLM\A /v X /t DWORD /d 3 /f",
        r"reg add HKXX\A /v X /t REG_DWORD /d 3 /f",
        r"reg add HKLM\A /v X /x",
        "reg add",
    ] {
        assert_eq!(typed(&mut shell(), line).1, Exit::Unusable, "{line}");
    }
}

#[test]
fn a_value_is_not_overwritten_without_being_told_to() {
    let mut shell = shell();
    typed(&mut shell, r"reg add HKLM\A /v X /t REG_DWORD /d 1");
    let (text, exit) = typed(&mut shell, r"reg add HKLM\A /v X /t REG_DWORD /d 2");
    assert!(text.starts_with("Value X exists, overwrite(Yes/No)?"), "{text}");
    assert_eq!(exit, Exit::Failed);
    assert!(typed(&mut shell, r"reg query HKLM\A").0.contains("0x1"));
}

#[test]
fn flows_are_opened_used_listed_and_closed_without_a_driver() {
    let mut shell = shell();
    let (text, exit) =
        typed(&mut shell, r"flow open out tcp 10.0.0.5:50123 93.184.216.34:443 pid=4242 path=\device\x.exe");
    assert!(text.starts_with("flow 1 is open, handle 0x"), "{text}");
    assert_eq!(exit, Exit::Done);
    typed(&mut shell, "flow open in udp [::1]:53 [::1]:40000");
    assert_eq!(typed(&mut shell, "flow send 1 517").1, Exit::Done);
    assert_eq!(typed(&mut shell, "flow receive 2 100").1, Exit::Done);
    let (text, _) = typed(&mut shell, "flow list");
    assert!(text.contains("out protocol 6 10.0.0.5:50123 93.184.216.34:443 pid=4242"), "{text}");
    assert!(text.contains("in protocol 17 [::1]:53 [::1]:40000 pid=-"), "{text}");
    typed(&mut shell, "flow close 1");
    assert!(!typed(&mut shell, "flow list").0.contains("443"));
    assert_eq!(typed(&mut shell, "flow send 1 517").1, Exit::Unusable);
}

#[test]
fn capital_letters_make_no_difference() {
    let mut shell = shell();
    typed(&mut shell, r"FLOW Open OUT TCP 10.0.0.5:50123 93.184.216.34:443 PID=4242 Path=\Device\x.exe");
    typed(&mut shell, "flow OPEN In Icmp [fe80::1]:128 [fe80::2]:0");
    let (text, _) = typed(&mut shell, "Flow List");
    assert!(text.contains("out protocol 6 10.0.0.5:50123 93.184.216.34:443 pid=4242"), "{text}");
    assert!(text.contains("in protocol 58 [fe80::1]:128 [fe80::2]:0 pid=-"), "{text}");
}

#[test]
fn a_packet_is_no_larger_than_ip_carries() {
    let mut shell = shell();
    typed(&mut shell, "flow open out tcp 10.0.0.5:1 10.0.0.6:2");
    assert_eq!(typed(&mut shell, "flow send 1 65495").1, Exit::Done);
    for bytes in ["-1", "65496", "65536", "4294967295", "99999999999999999999", "1e3", "many"] {
        let (text, exit) = typed(&mut shell, &format!("flow receive 1 {bytes}"));
        assert!(text.contains("0 to 65495 bytes"), "{bytes}: {text}");
        assert_eq!(exit, Exit::Unusable, "{bytes}");
    }
}

#[test]
fn a_flow_that_cannot_be_is_refused() {
    for line in [
        "flow",
        "flow open sideways tcp 10.0.0.5:1 10.0.0.6:2",
        "flow open out tcp 10.0.0.5 10.0.0.6:2",
        "flow open out tcp 10.0.0.5:1 [::1]:2",
        "flow open out carrier-pigeon 10.0.0.5:1 10.0.0.6:2",
        "flow open out tcp 10.0.0.5:1 10.0.0.6:2 pid=me",
        "flow close 1",
    ] {
        assert_eq!(typed(&mut shell(), line).1, Exit::Unusable, "{line}");
    }
}

#[test]
fn the_clock_can_be_turned() {
    let mut shell = shell();
    assert_eq!(typed(&mut shell, "time +1.5s").0, "1.500 s since the machine started\n");
    assert_eq!(typed(&mut shell, "time").0, "1.500 s since the machine started\n");
    assert_eq!(typed(&mut shell, "time +3500MS").0, "5.000 s since the machine started\n");
}

#[test]
fn the_clock_is_turned_forward_and_not_too_far() {
    let mut shell = shell();
    typed(&mut shell, "time +800000h");
    let huge = format!("+{}h", "9".repeat(400));
    for step in
        ["-5s", "5s", "+-5s", "+1parsec", "+5", "+s", "+1e9h", "+1.2.3s", "+800000h", "+99999999999999999h", &huge]
    {
        let (text, exit) = typed(&mut shell, &format!("time {step}"));
        assert!(text.contains("forward only") || text.contains("100 years"), "{step}: {text}");
        assert_eq!(exit, Exit::Unusable, "{step}");
    }
    assert_eq!(typed(&mut shell, "time").0, "2880000000.000 s since the machine started\n");
}

#[test]
fn a_restart_keeps_services_and_registry() {
    let mut shell = created();
    typed(&mut shell, r"reg add HKLM\A /v X /t REG_DWORD /d 7 /f");
    typed(&mut shell, "time +5s");
    typed(&mut shell, "restart");
    assert_eq!(typed(&mut shell, "time").0, "0.000 s since the machine started\n");
    assert!(typed(&mut shell, "sc query flowtag").0.contains("1  STOPPED"));
    assert!(typed(&mut shell, r"reg query HKLM\A").0.contains("0x7"));
}

#[test]
fn comments_and_empty_lines_do_nothing() {
    for line in ["", "   ", "# comment", ":: comment", "rem comment"] {
        assert_eq!(typed(&mut shell(), line), (String::new(), Exit::Done));
    }
}

#[test]
fn an_unknown_command_says_where_to_look() {
    let (text, exit) = typed(&mut shell(), "net start flowtag");
    assert!(text.contains("`help`"), "{text}");
    assert_eq!(exit, Exit::Unusable);
}

#[test]
fn exit_ends_the_shell() {
    let mut shell = shell();
    typed(&mut shell, "exit");
    assert!(shell.finished());
}

#[test]
fn events_are_had_from_before_and_behind_a_restart_where_they_are_wanted() {
    for (wanted, expected) in [(true, 2), (false, 0)] {
        let mut shell = Shell::new(Args { events: wanted.then(|| "unused".into()), ..Args::default() });
        write_an_event(&shell.machine);
        shell.execute("restart");
        write_an_event(&shell.machine);

        assert_eq!(shell.events().len(), expected);
        assert_eq!(shell.events().len(), 0, "each is told once");
    }
}
