//! The few lines about the driver itself. `docs/traces.md` has their grammar.
//!
//! IRQL: any: nothing here calls the kernel
use crate::{
    line::Line,
    settings::{Setting, Stored},
    totals::Totals,
};

/// The driver is being loaded. The first line of all, so it says how to see the others.
pub fn loading(line: &mut Line) {
    line.text(concat!("flowtag: loading version=", env!("CARGO_PKG_VERSION")));
    line.text(" (lines about flows need the Debug Print Filter value IHVNETWORK=0x8)\n");
}

/// A stored setting is not used.
pub fn refused(line: &mut Line, setting: &Setting, stored: Stored, used: u32) {
    line.text("flowtag: setting refused name=");
    line.text(setting.name);
    line.text(" value=");
    match stored {
        Stored::Number(number) => line.decimal(number),
        Stored::Absent | Stored::Unreadable => line.byte(b'-'),
    }
    line.text(" min=");
    line.decimal(setting.minimum);
    line.text(" max=");
    line.decimal(setting.maximum);
    field(line, "used", used.into());
    line.byte(b'\n');
}

/// The driver is loaded.
pub fn loaded(line: &mut Line, trace_level: u32, max_flows: u32) {
    line.text("flowtag: loaded");
    field(line, "trace_level", trace_level.into());
    field(line, "max_flows", max_flows.into());
    line.byte(b'\n');
}

/// A step of loading failed, and the driver with it.
pub fn failed(line: &mut Line, step: &str, status: i32) {
    line.text("flowtag: load failed");
    step_of(line, step, status);
}

/// Nobody gets events.
pub fn no_events(line: &mut Line, status: i32) {
    line.text("flowtag: no events");
    step_of(line, "EtwRegister", status);
}

/// A callout had to be registered without some of the offload flags.
pub fn without_flags(line: &mut Line, callout: usize, status: i32) {
    line.text("flowtag: offload flags refused");
    field(line, "callout", callout as u64);
    status_of(line, status);
}

/// Something is lost for the first time, perhaps since Windows answered `status`; the totals have the number.
pub fn lost(line: &mut Line, kind: &str, status: Option<i32>) {
    line.text("flowtag: lost first=");
    line.text(kind);
    if let Some(status) = status {
        line.text(" status=0x");
        line.hexadecimal(status.cast_unsigned());
    }
    line.text(" (totals at unload)\n");
}

/// The filter engine does not run: the filters are added when it does.
pub fn waiting(line: &mut Line, state: u32) {
    line.text("flowtag: waiting");
    field(line, "bfe", state.into());
    line.byte(b'\n');
}

/// The filter engine runs, and has the filters.
pub fn joined(line: &mut Line) {
    line.text("flowtag: filters added\n");
}

/// The filter engine runs again, and does not take the filters.
pub fn not_joined(line: &mut Line, step: &str, status: i32) {
    line.text("flowtag: filters not added");
    step_of(line, step, status);
}

/// The driver will not hear of a filter engine that comes and goes.
pub fn not_subscribed(line: &mut Line, status: i32) {
    line.text("flowtag: not subscribed");
    status_of(line, status);
}

/// Unloading waits for the end of the subscription.
pub fn unsubscribing(line: &mut Line, milliseconds: u64, status: i32) {
    line.text("flowtag: unsubscribing");
    field(line, "ms", milliseconds);
    status_of(line, status);
}

/// No flow will have the key of its process.
pub fn no_keys(line: &mut Line, step: &str, status: i32) {
    line.text("flowtag: no process keys");
    step_of(line, step, status);
}

/// Only flows of processes that begin from now on will have their keys.
pub fn older_unknown(line: &mut Line, step: &str, status: i32) {
    line.text("flowtag: older processes unknown");
    step_of(line, step, status);
}

/// Unloading waits until Windows tells of processes no more.
pub fn unwatching(line: &mut Line, milliseconds: u64, status: i32) {
    line.text("flowtag: unwatching");
    field(line, "ms", milliseconds);
    status_of(line, status);
}

/// The driver is being unloaded.
pub fn stopping(line: &mut Line, flows: u32) {
    line.text("flowtag: stopping");
    field(line, "live", flows.into());
    line.byte(b'\n');
}

/// Unloading waits for flows whose contexts are not given back yet.
pub fn draining(line: &mut Line, flows: u32, milliseconds: u64, removals: [(&str, u64); 4]) {
    line.text("flowtag: draining");
    field(line, "live", flows.into());
    field(line, "ms", milliseconds);
    for (name, count) in removals {
        field(line, name, count);
    }
    line.byte(b'\n');
}

/// Unloading waits for a callout.
pub fn unregistering(line: &mut Line, callout: usize, milliseconds: u64, status: i32) {
    line.text("flowtag: unregistering");
    field(line, "callout", callout as u64);
    field(line, "ms", milliseconds);
    status_of(line, status);
}

/// The filter engine has objects of an earlier life, which will be deleted.
pub fn leftovers(line: &mut Line) {
    line.text("flowtag: leftovers found\n");
}

/// A step of leaving the filter engine fails, and is tried again.
pub fn closing(line: &mut Line, milliseconds: u64, step: &str, status: i32) {
    line.text("flowtag: closing");
    field(line, "ms", milliseconds);
    step_of(line, step, status);
}

/// A step of leaving the filter engine has failed, and is not tried again.
pub fn not_closed(line: &mut Line, step: &str, status: i32) {
    line.text("flowtag: engine not closed");
    step_of(line, step, status);
}

/// The last line.
pub fn totals(line: &mut Line, totals: &Totals) {
    line.text("flowtag: totals");
    for (name, count) in totals.all() {
        field(line, name, count);
    }
    line.byte(b'\n');
}

fn field(line: &mut Line, name: &str, number: u64) {
    line.byte(b' ');
    line.text(name);
    line.byte(b'=');
    line.decimal(number);
}

fn step_of(line: &mut Line, step: &str, status: i32) {
    line.text(" step=");
    line.text(step);
    status_of(line, status);
}

fn status_of(line: &mut Line, status: i32) {
    line.text(" status=0x");
    line.hexadecimal(status.cast_unsigned());
    line.byte(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{MAX_FLOWS, TRACE_LEVEL};

    /// Asserts that a line is what it should be, and that the documentation shows it.
    fn assert_line(write: impl FnOnce(&mut Line), expected: &str) {
        let mut line = Line::empty();
        write(&mut line);
        let written = line.as_c_str().to_str().unwrap().to_owned();
        assert_eq!(written, format!("{expected}\n"));
        let document = include_str!("../docs/traces.md");
        assert!(document.lines().any(|shown| shown == expected), "docs/traces.md lacks: {expected}");
    }

    #[test]
    fn the_first_line_says_how_to_see_the_others() {
        let version = env!("CARGO_PKG_VERSION");
        let others = "lines about flows need the Debug Print Filter value IHVNETWORK=0x8";
        assert_line(loading, &format!("flowtag: loading version={version} ({others})"));
    }

    #[test]
    fn a_refused_number_is_shown() {
        assert_line(
            |line| refused(line, &TRACE_LEVEL, Stored::Number(9), 2),
            "flowtag: setting refused name=TraceLevel value=9 min=0 max=3 used=2",
        );
    }

    #[test]
    fn a_refused_value_that_is_no_number_is_a_dash() {
        assert_line(
            |line| refused(line, &MAX_FLOWS, Stored::Unreadable, 65_536),
            "flowtag: setting refused name=MaxFlows value=- min=16 max=1048576 used=65536",
        );
    }

    #[test]
    fn the_loaded_line_is_as_documented() {
        assert_line(|line| loaded(line, 2, 65_536), "flowtag: loaded trace_level=2 max_flows=65536");
    }

    #[test]
    fn the_load_failed_line_is_as_documented() {
        let status = 0xc022_0009_u32.cast_signed();
        assert_line(
            |line| failed(line, "FwpsCalloutRegister2", status),
            "flowtag: load failed step=FwpsCalloutRegister2 status=0xc0220009",
        );
    }

    #[test]
    fn the_line_of_a_driver_without_events_is_as_documented() {
        let status = 0xc000_009a_u32.cast_signed();
        assert_line(|line| no_events(line, status), "flowtag: no events step=EtwRegister status=0xc000009a");
    }

    #[test]
    fn the_offload_line_is_as_documented() {
        let status = 0xc000_000d_u32.cast_signed();
        assert_line(
            |line| without_flags(line, 4, status),
            "flowtag: offload flags refused callout=4 status=0xc000000d",
        );
    }

    #[test]
    fn the_lost_line_is_as_documented() {
        assert_line(|line| lost(line, "untracked", None), "flowtag: lost first=untracked (totals at unload)");
    }

    #[test]
    fn the_lost_line_says_what_windows_answered() {
        let status = 0xc000_009a_u32.cast_signed();
        assert_line(
            |line| lost(line, "associate_failed", Some(status)),
            "flowtag: lost first=associate_failed status=0xc000009a (totals at unload)",
        );
    }

    #[test]
    fn the_stopping_line_is_as_documented() {
        assert_line(|line| stopping(line, 12), "flowtag: stopping live=12");
    }

    #[test]
    fn the_draining_line_is_as_documented() {
        let removals = [("removed", 4), ("pending", 1), ("unsuccessful", 19), ("other", 0)];
        assert_line(
            |line| draining(line, 2, 1_010, removals),
            "flowtag: draining live=2 ms=1010 removed=4 pending=1 unsuccessful=19 other=0",
        );
    }

    #[test]
    fn the_unregistering_line_is_as_documented() {
        let status = 0x8000_0011_u32.cast_signed();
        assert_line(
            |line| unregistering(line, 5, 1_270, status),
            "flowtag: unregistering callout=5 ms=1270 status=0x80000011",
        );
    }

    #[test]
    fn the_line_of_an_engine_that_does_not_close_is_as_documented() {
        let status = 0xc002_001b_u32.cast_signed();
        assert_line(
            |line| closing(line, 1_270, "FwpmTransactionBegin0", status),
            "flowtag: closing ms=1270 step=FwpmTransactionBegin0 status=0xc002001b",
        );
        assert_line(
            |line| not_closed(line, "FwpmEngineClose0", status),
            "flowtag: engine not closed step=FwpmEngineClose0 status=0xc002001b",
        );
    }

    #[test]
    fn the_line_of_what_an_earlier_life_has_left_is_as_documented() {
        assert_line(leftovers, "flowtag: leftovers found");
    }

    #[test]
    fn the_lines_of_a_filter_engine_that_comes_and_goes_are_as_documented() {
        assert_line(|line| waiting(line, 2), "flowtag: waiting bfe=2");
        assert_line(joined, "flowtag: filters added");
        let status = 0xc022_0012_u32.cast_signed();
        assert_line(
            |line| not_joined(line, "FwpmTransactionBegin0", status),
            "flowtag: filters not added step=FwpmTransactionBegin0 status=0xc0220012",
        );
    }

    #[test]
    fn the_lines_of_the_subscription_are_as_documented() {
        let status = 0xc000_009a_u32.cast_signed();
        assert_line(|line| not_subscribed(line, status), "flowtag: not subscribed status=0xc000009a");
        let status = 0xc000_0001_u32.cast_signed();
        assert_line(|line| unsubscribing(line, 1_270, status), "flowtag: unsubscribing ms=1270 status=0xc0000001");
    }

    #[test]
    fn the_lines_about_processes_are_as_documented() {
        let status = 0xc000_0022_u32.cast_signed();
        assert_line(
            |line| no_keys(line, "PsSetCreateProcessNotifyRoutineEx2", status),
            "flowtag: no process keys step=PsSetCreateProcessNotifyRoutineEx2 status=0xc0000022",
        );
        let status = 0xc000_0004_u32.cast_signed();
        assert_line(
            |line| older_unknown(line, "ZwQuerySystemInformation", status),
            "flowtag: older processes unknown step=ZwQuerySystemInformation status=0xc0000004",
        );
        let status = 0xc000_000d_u32.cast_signed();
        assert_line(|line| unwatching(line, 1_270, status), "flowtag: unwatching ms=1270 status=0xc000000d");
    }

    #[test]
    fn the_totals_line_is_as_documented() {
        let all = Totals::zero();
        for _ in 0..2 {
            all.opened.count();
            all.closed.count();
        }
        all.already_tagged.count();
        assert_line(
            |line| totals(line, &all),
            "flowtag: totals opened=2 closed=2 evicted=0 untracked=0 reauth_skipped=0 alloc_failed=0 associate_failed=0 already_tagged=1 busy=0 gone=0 unnamed=0 blocked=0 unlisted=0",
        );
    }
}
