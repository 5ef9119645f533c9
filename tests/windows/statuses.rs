//! The table of what `DriverEntry` can return, held against the driver in the simulator.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use flowtag_simulator::{
    computer::Fails,
    service::{ServiceError, Win32Error},
    windows,
};
use flowtag_tests::rig::Rig;

use crate::{files, guide};

/// What `sc start` shows for a status.
fn shown(status: u32) -> String {
    let Win32Error(error) = Win32Error::from_status(status);
    if error < 0x1_0000 { error.to_string() } else { format!("{error:#x}") }
}

/// The row of the guide's tables that has this status.
fn row_of(status: u32, guide: &str) -> Vec<String> {
    let quoted = format!("`{status:#010x}`");
    let rows: Vec<_> =
        guide::rows(guide).into_iter().filter(|row| row[..2].iter().any(|cell| cell.contains(&quoted))).collect();
    let [row] = &rows[..] else { panic!("{} rows have the status {quoted}", rows.len()) };
    row.iter().map(|&cell| cell.to_owned()).collect()
}

/// The statuses that start fails with, and the steps that its line names, over every documented failure of each import.
fn failures() -> BTreeMap<u32, BTreeSet<String>> {
    let mut failures = BTreeMap::<u32, BTreeSet<String>>::new();
    for export in windows::imports().all().filter(|export| !UNDOING.contains(&export.name)) {
        let statuses: Vec<Option<u32>> = match export.fails {
            Fails::Never => continue,
            Fails::Null | Fails::False => vec![None],
            Fails::Status(statuses) => statuses.iter().copied().map(Some).collect(),
        };
        for status in statuses {
            let rig = Rig::installed(&[]);
            rig.machine.faults().fail_times(export.name, 1, u64::MAX, status);
            if let Err(ServiceError::Entry(status)) = rig.start() {
                let steps = failures.entry(status).or_default();
                let line = rig.lines().into_iter().find_map(|line| {
                    Some(line.strip_prefix("flowtag: load failed step=")?.split(' ').next()?.to_owned())
                });
                steps.extend(line);
            }
        }
    }
    failures
}

/// Imports that only teardown calls: one that never succeeds keeps it waiting.
const UNDOING: [&str; 3] = ["FwpsCalloutUnregisterById0", "FwpsCalloutUnregisterByKey0", "FwpmEngineClose0"];

#[test]
fn every_status_that_driver_entry_can_return_has_its_line() {
    let guide = guide::text();
    let failures = failures();
    assert!(failures.len() >= 15, "{failures:x?}");
    for (&status, steps) in &failures {
        let row = row_of(status, &guide);
        assert!(
            row.iter().any(|cell| cell.trim_matches('`') == shown(status)),
            "{status:#010x} is shown as {}: {row:?}",
            shown(status)
        );
        for step in steps {
            assert!(row[2].contains(&format!("`{step}`")), "{status:#010x} also comes from {step}: {row:?}");
        }
    }
}

#[test]
fn the_table_has_no_status_twice_and_each_with_its_error() {
    let guide = guide::text();
    let statuses: Vec<u32> = guide::rows(&guide)
        .iter()
        .flat_map(|row| guide::quoted(row[0]).into_iter().chain(guide::quoted(row[1])))
        .filter_map(|word| u32::from_str_radix(word.strip_prefix("0xc")?, 16).ok().map(|number| number | 0xc000_0000))
        .collect();
    assert!(statuses.len() >= 20, "{statuses:x?}");
    for status in statuses {
        let row = row_of(status, &guide);
        let cells = row[..2].join(" ");
        let error = shown(status);
        assert!(
            cells.split([' ', ',', '`']).any(|word| word == error),
            "{status:#010x} is shown as {error}, not as in {row:?}"
        );
    }
}

#[test]
fn every_error_of_the_service_commands_is_explained() {
    let guide = guide::text();
    let mut numbers = BTreeSet::new();
    for row in guide::rows(&guide) {
        numbers.extend(row[0].split([' ', ',']).map(str::to_owned));
    }
    for error in [
        Win32Error::INVALID_SERVICE_CONTROL,
        Win32Error::SERVICE_ALREADY_RUNNING,
        Win32Error::SERVICE_DISABLED,
        Win32Error::SERVICE_DOES_NOT_EXIST,
        Win32Error::SERVICE_NOT_ACTIVE,
        Win32Error::SERVICE_MARKED_FOR_DELETE,
        Win32Error::SERVICE_EXISTS,
    ] {
        assert!(numbers.contains(&error.0.to_string()), "{}: {error}", error.0);
    }
}

#[test]
fn every_step_that_can_fail_is_in_the_table() {
    let guide = guide::text();
    let table = guide.split("| status | error |").nth(1).expect("a table");
    let mut steps = BTreeSet::new();
    collect_steps(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"), &mut steps);
    assert!(steps.len() >= 10, "{steps:?}");
    let quoted = guide::quoted(table);
    for step in steps {
        assert!(quoted.contains(step.as_str()), "{step}");
    }
}

/// Collects what the driver's sources name as the step of a failure.
fn collect_steps(folder: &Path, steps: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect_steps(&path, steps);
            continue;
        }
        let text = files::text(&path);
        for start in ["check(\"", "step: \""] {
            steps.extend(text.split(start).skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
        }
    }
}
