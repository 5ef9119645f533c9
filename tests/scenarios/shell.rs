//! The Windows guide, rehearsed: `flowtag-sim shell` with the shipped driver.

use flowtag_simulator::cli::shell::{Args, Exit, Shell};

use flowtag_tests::rig::image;

/// A shell on which the service exists.
fn shell() -> Shell {
    let mut shell = Shell::new(Args::default());
    typed(&mut shell, &format!("sc create flowtag type= kernel binPath= \"{}\"", image().display()));
    shell
}

/// Types a command that must go well.
fn typed(shell: &mut Shell, line: &str) -> String {
    let output = shell.execute(line);
    assert_eq!(output.exit, Exit::Done, "{line}: {}", output.text);
    output.text
}

/// Shows all lines of the driver, as the guide says.
fn show_all_lines(shell: &mut Shell) {
    typed(
        shell,
        r#"reg add "HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Debug Print Filter" /v IHVNETWORK /t REG_DWORD /d 0xf /f"#,
    );
    typed(shell, "restart");
}

#[test]
fn the_service_starts_runs_and_stops_as_on_windows() {
    let mut shell = shell();
    let started = typed(&mut shell, "sc start flowtag");
    assert!(started.contains("        STATE              : 4  RUNNING\n"), "{started}");
    assert!(started.contains("(STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)"), "{started}");
    let again = shell.execute("sc start flowtag");
    assert!(again.text.starts_with("[SC] StartService FAILED 1056:\n"), "{}", again.text);
    let stopped = typed(&mut shell, "sc stop flowtag");
    assert!(stopped.contains("        STATE              : 1  STOPPED\n"), "{stopped}");
    assert_eq!(typed(&mut shell, "sc delete flowtag"), "[SC] DeleteService SUCCESS\n");
}

#[test]
fn lines_about_flows_are_shown_only_with_the_debug_print_filter() {
    let open = "flow open out tcp 10.0.0.5:50123 93.184.216.34:443 pid=4242";
    let mut shell = shell();
    typed(&mut shell, "sc start flowtag");
    assert!(!typed(&mut shell, open).contains("flowtag: open"));
    show_all_lines(&mut shell);
    typed(&mut shell, "sc start flowtag");
    assert!(typed(&mut shell, open).contains("flowtag: open flow="));
}

#[test]
fn a_flow_is_traced_from_its_opening_to_its_end() {
    let mut shell = shell();
    show_all_lines(&mut shell);
    typed(&mut shell, "sc start flowtag");
    let opened = typed(
        &mut shell,
        r"flow open out tcp 10.0.0.5:50123 93.184.216.34:443 pid=4242 path=\device\harddiskvolume3\windows\curl.exe",
    );
    assert!(opened.contains("pid=4242 dir=out proto=tcp 10.0.0.5:50123 -> 93.184.216.34:443"), "{opened}");
    assert!(opened.contains(r"path=\device\harddiskvolume3\windows\curl.exe"), "{opened}");
    assert!(typed(&mut shell, "flow send 1 517").contains("dir=out bytes=517"));
    assert!(typed(&mut shell, "flow receive 1 1400").contains("dir=in bytes=1400"));
    typed(&mut shell, "time +2s");
    let closed = typed(&mut shell, "flow close 1");
    assert!(closed.contains("packets=1/1 bytes=517/1400 ms=2000 why=deleted"), "{closed}");
}

#[test]
fn a_setting_takes_effect_at_the_next_start() {
    let mut shell = shell();
    assert!(typed(&mut shell, "sc start flowtag").contains("trace_level=2"));
    typed(
        &mut shell,
        r"reg add HKLM\SYSTEM\CurrentControlSet\Services\flowtag\Parameters /v TraceLevel /t REG_DWORD /d 3 /f",
    );
    typed(&mut shell, "sc stop flowtag");
    assert!(typed(&mut shell, "sc start flowtag").contains("trace_level=3"));
}

#[test]
fn a_service_deleted_while_it_runs_goes_when_it_stops() {
    let mut shell = shell();
    typed(&mut shell, "sc start flowtag");
    typed(&mut shell, "sc delete flowtag");
    assert!(shell.execute("sc delete flowtag").text.starts_with("[SC] DeleteService FAILED 1072:\n"));
    typed(&mut shell, "sc query flowtag");
    typed(&mut shell, "sc stop flowtag");
    assert!(shell.execute("sc query flowtag").text.contains("FAILED 1060:"));
}
