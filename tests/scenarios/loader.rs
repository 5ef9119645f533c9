//! Loading the image, and finding the driver's source in a report.

use std::{fs, path::PathBuf};

use flowtag_simulator::{
    image::{Frame, LoadError},
    windows,
};

use flowtag_tests::rig::{Rig, image, outbound};

/// A changed copy of the image.
fn altered(test: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(image()).unwrap();
    change(&mut bytes);
    let path = std::env::temp_dir().join(format!("flowtag-{test}-{}.sys", std::process::id()));
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_truncated_image_is_damaged() {
    let path = altered("truncated", |bytes| bytes.truncate(bytes.len() / 2));
    let error = windows::load_image(&path).err().unwrap();
    assert!(matches!(error, LoadError::Damaged { .. }), "{error}");
}

#[test]
fn an_image_with_an_unknown_import_names_it() {
    let path = altered("import", |bytes| {
        // The name is in the driver's own messages too; none of them matters here.
        let name = b"FwpmFilterAdd0";
        while let Some(at) = bytes.windows(name.len()).position(|window| window == name) {
            bytes[at..at + name.len()].copy_from_slice(b"FwpmZebraAdd00");
        }
    });
    let error = windows::load_image(&path).err().unwrap();
    let LoadError::UnknownImports { imports, .. } = error else { panic!("{error}") };
    assert_eq!(imports, ["fwpkclnt.sys!FwpmZebraAdd00"]);
}

#[test]
fn a_bug_check_inside_an_import_names_the_drivers_file_and_line() {
    let rig = Rig::started();
    rig.machine.on_import(|call| {
        if call.name() == "FwpsFlowAssociateContext0" {
            call.bug_check(0xE2, [0; 4], "asked for by the test");
        }
    });
    let report = rig.machine.open_flow(&outbound()).unwrap_err();
    let in_authorize = |frame: &Frame| matches!(frame, Frame::Driver { place: Some(place), .. } if place.starts_with("src/callouts/authorize.rs:"));
    assert!(report.frames().iter().any(in_authorize), "{report}");
}
