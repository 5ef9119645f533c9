//! windows.md, held against what the driver does: its commands, its settings, its lines, its statuses, its symbols.

use std::collections::BTreeSet;

use flowtag_tests::{
    pages::prompt_lines,
    rig::PROVIDER,
    settings::{MAX_FLOWS, Setting, TRACE_LEVEL},
    totals::Totals,
};

use crate::{files, inf_file::Inf};

const IMAGE: &str = r"C:\flowtag\flowtag.sys";

/// The guide, as it is in the package.
pub fn text() -> String {
    files::text(&files::x64().join("windows.md"))
}

/// The rows of all tables, as their cells.
pub fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::trim).collect()).collect()
}

/// The words between backticks.
pub fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_service_is_created_as_the_inf_file_creates_it() {
    let guide = text();
    let create = prompt_lines(&guide).into_iter().find(|command| command.starts_with("sc create")).expect("sc create");
    let inf = Inf::parse(&files::text(&files::x64().join("flowtag.inf")));
    let [name, ..] = inf.values("DefaultInstall.NTamd64.Services", "AddService") else { panic!("AddService") };
    let display_name = inf.value("Flowtag.Service", "DisplayName");
    assert_eq!(
        create,
        format!("sc create {name} type= kernel start= demand binPath= {IMAGE} DisplayName= {display_name}")
    );
}

#[test]
fn the_table_of_settings_has_what_the_driver_reads() {
    let guide = text();
    for setting in [&TRACE_LEVEL, &MAX_FLOWS] {
        let Setting { name, default, minimum, maximum, .. } = setting;
        let row = rows(&guide).into_iter().find(|row| row[0] == format!("`{name}`"));
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        assert_eq!(row[1..4], [default, minimum, maximum].map(u32::to_string), "{name}");
        assert!(
            prompt_lines(&guide).iter().any(|command| command.contains(&format!(
                r"reg add HKLM\SYSTEM\CurrentControlSet\Services\flowtag\Parameters /v {name} /t REG_DWORD /d "
            ))),
            "no command sets {name}"
        );
    }
}

#[test]
fn the_settings_that_the_guide_stores_are_among_those_that_the_driver_reads() {
    // Below `Parameters\Wdf` are those of KMDF.
    let guide = text();
    let ours = prompt_lines(&guide).into_iter().filter(|command| command.contains(r"flowtag\Parameters /v"));
    for command in ours {
        let name = command.split("/v ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a value's name");
        assert!([TRACE_LEVEL.name, MAX_FLOWS.name].contains(&name), "{command}");
    }
}

#[test]
fn the_filter_value_is_that_of_the_drivers_first_line() {
    let mut line = flowtag_tests::line::Line::empty();
    flowtag_tests::life::loading(&mut line);
    let line = line.as_c_str().to_str().expect("ASCII");
    let (name, mask) = line
        .split("Debug Print Filter value ")
        .nth(1)
        .and_then(|rest| rest.split(')').next()?.split_once('='))
        .expect("the line names a value and its number");
    let guide = text();
    assert!(guide.contains(&format!(r#"\Debug Print Filter" /v {name} /t REG_DWORD /d {mask} /f"#)), "{name} {mask}");
    let digit = mask.trim_start_matches("0x");
    assert!(quoted(&guide).contains(format!("ed nt!Kd_{name}_Mask {digit}").as_str()));
}

#[test]
fn the_provider_of_events_has_the_same_id_everywhere_and_buffers_that_are_not_paged() {
    let [data1, data2, data3, data4] = {
        // Three numbers, the lowest byte first, and eight bytes.
        let (numbers, bytes) = (PROVIDER, PROVIDER.swap_bytes());
        [
            format!("{:08x}", numbers & 0xffff_ffff),
            format!("{:04x}", (numbers >> 32) & 0xffff),
            format!("{:04x}", (numbers >> 48) & 0xffff),
            format!("{:016x}", bytes & u128::from(u64::MAX)),
        ]
    };
    let id = format!("{data1}-{data2}-{data3}-{}-{}", &data4[..4], &data4[4..]);
    for name in ["windows.md", "events.md", "flowtag.wprp"] {
        assert!(files::text(&files::x64().join(name)).contains(&id), "{name} lacks {id}");
    }
    let profile = files::text(&files::x64().join("flowtag.wprp"));
    let providers: Vec<_> = profile.lines().filter(|line| line.contains("<EventProvider ")).collect();
    assert_eq!(providers.len(), 2);
    assert!(providers.iter().all(|provider| provider.contains(&id) && provider.contains("NonPagedMemory=\"true\"")));
}

#[test]
fn every_line_of_the_driver_is_explained_and_no_other() {
    // traces.md shows each line; the driver's unit tests hold it to that.
    let traces = files::text(&files::x64().join("traces.md"));
    let shown: BTreeSet<_> = traces.lines().filter_map(|line| line.strip_prefix("flowtag: ")).map(event).collect();
    let guide = text();
    let table = guide.split("| line | means |").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a table");
    let explained: BTreeSet<_> =
        rows(table).into_iter().flat_map(|row| quoted(row[0]).into_iter().map(str::to_owned)).collect();
    assert_eq!(explained, shown);
}

/// The words of a line that come before its fields.
fn event(line: &str) -> String {
    line.split(' ').take_while(|word| !word.contains('=')).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_guides_examples_are_among_those_of_traces_md() {
    let traces = files::text(&files::x64().join("traces.md"));
    for line in text().lines().filter(|line| line.starts_with("flowtag: ")) {
        assert!(traces.lines().any(|shown| shown == line), "{line}");
    }
}

#[test]
fn every_total_is_explained_and_no_other() {
    let guide = text();
    let table = guide.split("| total | counts |").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a table");
    let explained: Vec<_> = rows(table).into_iter().flat_map(|row| quoted(row[0])).collect();
    assert_eq!(explained, Totals::zero().all().map(|(name, _)| name));
}
