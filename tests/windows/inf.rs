//! flowtag.inf, held to what `InfVerif` asks of a primitive driver package.

use std::collections::BTreeSet;

use flowtag_tests::settings::{MAX_FLOWS, TRACE_LEVEL};

use crate::{
    files,
    inf_file::{Entry, Inf},
};

/// Where files go: the package's own folder in the driver store.
const DRIVER_STORE: &str = "13";

/// The stamped files, each with its machine.
fn stamped() -> [(Inf, &'static str); 2] {
    [(files::x64(), "amd64"), (files::arm64(), "arm64")]
        .map(|(package, machine)| (Inf::parse(&files::text(&package.join("flowtag.inf"))), machine))
}

/// Checks something of both files.
fn in_each(check: impl Fn(&Inf, &str)) {
    for (inf, machine) in stamped() {
        check(&inf, machine);
    }
}

#[test]
fn it_is_in_the_class_of_callout_drivers() {
    in_each(|inf, _| {
        assert_eq!(inf.value("Version", "Signature").to_uppercase(), "$WINDOWS NT$");
        assert_eq!(inf.value("Version", "Class"), "WFPCALLOUTS");
        assert_eq!(inf.value("Version", "ClassGuid").to_uppercase(), "{57465043-616C-6C6F-7574-5F636C617373}");
    });
}

#[test]
fn it_names_its_provider_and_its_catalog_and_lets_nobody_else_change_its_files() {
    in_each(|inf, _| {
        assert!(inf.values("Version", "Provider")[0].starts_with('%'), "a text that can be translated");
        assert!(!inf.value("Version", "Provider").is_empty());
        assert_eq!(inf.value("Version", "CatalogFile"), "flowtag.cat");
        assert_eq!(inf.value("Version", "PnpLockdown"), "1");
    });
}

#[test]
fn its_version_is_a_date_and_the_version_of_the_package() {
    in_each(|inf, _| {
        let [date, version] = inf.values("Version", "DriverVer") else { panic!("DriverVer is a date and a version") };
        let date: Vec<u32> = date.split('/').map(|part| part.parse().expect("a number")).collect();
        let [month, day, year] = date[..] else { panic!("month/day/year") };
        assert!((1..=12).contains(&month) && (1..=31).contains(&day) && (2026..2100).contains(&year), "{date:?}");
        assert_eq!(*version, format!("{}.0", env!("CARGO_PKG_VERSION")));
    });
}

#[test]
fn it_has_only_the_sections_of_a_primitive_driver_for_its_machine() {
    in_each(|inf, machine| {
        let expected = [
            "version",
            "sourcedisksnames",
            "sourcedisksfiles",
            "destinationdirs",
            &format!("defaultinstall.nt{machine}"),
            &format!("defaultinstall.nt{machine}.services"),
            "flowtag.files",
            "flowtag.service",
            "flowtag.settings",
            "strings",
        ];
        // In particular no Manufacturer, no DefaultUninstall, no ClassInstall32, no coinstaller.
        assert_eq!(inf.sections().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    });
}

#[test]
fn every_section_that_is_named_exists() {
    in_each(|inf, machine| {
        let install = format!("DefaultInstall.NT{machine}");
        for section in inf.values(&install, "CopyFiles") {
            assert!(!inf.section(section).is_empty());
        }
        let [_, _, service] = inf.values(&format!("{install}.Services"), "AddService") else {
            panic!("AddService is a name, flags and a section")
        };
        for section in inf.values(service, "AddReg") {
            assert!(!inf.section(section).is_empty());
        }
    });
}

#[test]
fn it_only_copies_files() {
    in_each(|inf, machine| {
        let directives: Vec<_> = inf.section(&format!("DefaultInstall.NT{machine}")).iter().map(key).collect();
        assert_eq!(directives, ["CopyFiles"], "no DelFiles, RenFiles, AddReg or the like");
    });
}

#[test]
fn files_go_to_the_driver_store_under_their_own_names() {
    in_each(|inf, machine| {
        let destinations: Vec<_> = inf.section("DestinationDirs").iter().map(key).collect();
        assert_eq!(destinations, ["DefaultDestDir"]);
        assert_eq!(inf.value("DestinationDirs", "DefaultDestDir"), DRIVER_STORE);
        let files: Vec<_> = inf.values(&format!("DefaultInstall.NT{machine}"), "CopyFiles").to_vec();
        for entry in files.iter().flat_map(|section| inf.section(section)) {
            assert_eq!(entry, &Entry { key: None, values: vec!["flowtag.sys".to_owned()] }, "no new name, no flags");
        }
    });
}

#[test]
fn every_copied_file_is_on_a_disk_and_in_the_package() {
    for (package, (inf, _)) in [files::x64(), files::arm64()].iter().zip(stamped()) {
        let disk = inf.value("SourceDisksFiles", "flowtag.sys");
        assert!(!inf.value("SourceDisksNames", &disk).is_empty());
        assert!(package.join("flowtag.sys").is_file());
    }
}

#[test]
fn the_service_is_a_kernel_driver_started_on_demand_from_the_driver_store() {
    in_each(|inf, machine| {
        let services = format!("DefaultInstall.NT{machine}.Services");
        let [name, flags, section] = inf.values(&services, "AddService") else { panic!("a name, flags, a section") };
        assert_eq!((name.as_str(), flags.as_str()), ("flowtag", ""), "the service belongs to no device");
        assert_eq!(inf.value(section, "ServiceType"), "1");
        assert_eq!(inf.value(section, "StartType"), "3");
        assert_eq!(inf.value(section, "ErrorControl"), "1");
        assert_eq!(inf.value(section, "ServiceBinary"), format!(r"%{DRIVER_STORE}%\flowtag.sys"));
    });
}

#[test]
fn it_writes_only_below_the_keys_that_are_its_own() {
    in_each(|inf, _| {
        let section = inf.value("Flowtag.Service", "AddReg");
        for entry in inf.section(&section) {
            assert_eq!(entry.values[0], "HKR", "{entry:?}");
        }
    });
}

#[test]
fn it_stores_the_defaults_of_the_settings_that_the_driver_reads() {
    const REG_DWORD: &str = "0x00010001";
    in_each(|inf, _| {
        let stored: Vec<_> = inf.section("Flowtag.Settings").iter().map(|entry| entry.values.clone()).collect();
        let expected: Vec<_> = [&TRACE_LEVEL, &MAX_FLOWS]
            .map(|setting| {
                ["HKR", "Parameters", setting.name, REG_DWORD, &setting.default.to_string()].map(str::to_owned).to_vec()
            })
            .into();
        assert_eq!(stored, expected);
    });
}

#[test]
fn every_string_is_there_and_used() {
    in_each(|inf, _| {
        let used: BTreeSet<_> = inf
            .entries()
            .flat_map(|entry| &entry.values)
            .filter_map(|value| value.strip_prefix('%')?.strip_suffix('%'))
            .collect();
        let defined: BTreeSet<_> = inf.section("Strings").iter().map(key).collect();
        assert_eq!(used, defined);
    });
}

#[test]
fn the_stamped_file_has_no_variables_left_and_is_plain_text_for_windows() {
    for package in [files::x64(), files::arm64()] {
        let text = files::text(&package.join("flowtag.inf"));
        assert!(text.is_ascii());
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        // `$WINDOWS NT$` is the signature.
        assert_eq!(text.replace("$WINDOWS NT$", "").matches("$ARCH$").count(), 0);
    }
}

fn key(entry: &Entry) -> &str {
    entry.key.as_deref().unwrap_or_else(|| panic!("no key: {entry:?}"))
}
