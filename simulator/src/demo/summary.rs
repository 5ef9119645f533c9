//! The end of the demo: a table per process, and the verdict in words.

// Writing to a string cannot fail: the results of `writeln!` are dropped.
use std::{collections::BTreeMap, env, fmt::Write as _};

use super::{
    command::Ended,
    packets::judge::{Counts, Frames},
    run::Judged,
    trace::Tagged,
    verdict::Mode,
};

/// How many wrong flows are shown one by one.
const DETAILS: usize = 20;

/// Table and verdict, and whether it is good. Of a command of the user's own nobody reports the truth.
#[must_use]
pub fn summary(judged: &Judged) -> (String, bool) {
    let verdict = &judged.verdict;
    let one_command = judged.command.is_some();
    let mut text = format!("\n{}\n", per_process(&judged.tagged));
    if let Some(ended) = judged.command.as_ref().filter(|&ended| *ended != Ended::Well) {
        let _ = writeln!(text, "{ended}");
    }
    if let Some(failure) = &judged.failure {
        // What the tags lack then is no finding: a bug check ended it, or the simulator lacks something.
        let _ = writeln!(text, "The driver was given up, and its tags were not judged:\n{failure}");
        return (text, false);
    }
    let mut complaints = verdict.complaints();
    if !one_command {
        complaints.extend(verdict.shortages());
    }
    if !complaints.is_empty() {
        text.push_str("The driver did not pass:\n");
        for line in complaints.iter().chain(verdict.details.iter().take(DETAILS)) {
            let _ = writeln!(text, "  - {line}");
        }
    } else if one_command {
        text.push_str("The driver left nothing behind and nothing crashed. A command of your own reports no flows, so the tags were not judged.\n");
    } else {
        let source = match verdict.mode {
            Mode::Live => "live traffic of this machine",
            Mode::Recorded => "a recording of real traffic",
        };
        let _ = writeln!(
            text,
            "The driver tagged all {} flows of {} programs ({source}) with the process that owns them, {} of them older than the driver. It counted the\n\
             payload bytes of the other {} as their programs did, and was stopped with {} flows open, without leaving anything behind.",
            verdict.flows, verdict.programs, verdict.older_than_driver, verdict.bytes_right, verdict.open_at_stop
        );
        let _ = writeln!(
            text,
            "It knew which process exactly of {} of them, while {} process ids were used again, and named nobody for the {} of which that\n\
             cannot be known. Its {} events say the same as its lines.",
            verdict.keys_right,
            verdict.reused_pids,
            verdict.keys_ambiguous + verdict.keys_unknown,
            verdict.etw_events
        );
        match &verdict.frames {
            Frames::Judged(counts) => text.push_str(&of_packets(counts)),
            Frames::None { no_frames } => {
                let _ = writeln!(text, "The packets themselves were not captured: {no_frames}.");
            }
        }
    }
    if let Some(file) = &judged.annotated {
        let here = env::current_dir().unwrap_or_default();
        let file = file.strip_prefix(here).unwrap_or(file).display();
        let _ = writeln!(text, "Each packet with its owner: tshark -r {file}, or open it in Wireshark.");
    }
    (text, complaints.is_empty())
}

/// What became of the packets.
fn of_packets(counts: &Counts) -> String {
    let Counts { frames, frames_right, frames_older, short_connections, ports_reused, frames_dropped, .. } = counts;
    format!(
        "tcpdump captured {frames} packets of these flows and dropped {frames_dropped}; flowtag annotate named the process that sent them of \
         {frames_right}, and\nof no packet another one. {frames_older} are of flows older than the driver, {short_connections} connections \
         lived under 5 ms, {ports_reused} times another process\nhad the same port within a second.\n"
    )
}

#[derive(Default)]
struct Row {
    flows: u64,
    packets: u64,
    bytes: u64,
}

/// What each process did, as the driver traced it. An id that another program has by now has a line for each.
fn per_process(flows: &[Tagged]) -> String {
    let mut rows: BTreeMap<(u64, &str), Row> = BTreeMap::new();
    for flow in flows {
        let program = flow.path.rsplit('\\').next().unwrap_or_default();
        let row = rows.entry((flow.pid, program)).or_default();
        row.flows += 1;
        let counted = flow.counted.clone().unwrap_or_default();
        row.packets += counted.packets.0 + counted.packets.1;
        row.bytes += counted.bytes.0 + counted.bytes.1;
    }
    let mut table = format!("{:>8}  {:<20} {:>6} {:>9} {:>12}\n", "PID", "PROGRAM", "FLOWS", "PACKETS", "BYTES");
    for ((pid, program), Row { flows, packets, bytes }) in rows {
        let _ = writeln!(table, "{pid:>8}  {program:<20} {flows:>6} {packets:>9} {bytes:>12}");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::trace::{Counted, Owner};
    use crate::traffic::event::Direction;

    #[test]
    fn the_flows_of_a_process_are_added_up() {
        let flow = Tagged {
            flow: 1,
            pid: 42,
            direction: Direction::Outbound,
            protocol: None,
            ends: None,
            again: false,
            owner: Owner::default(),
            service: None,
            path: r"\device\harddiskvolume1\usr\bin\curl".into(),
            counted: Some(Counted { packets: (1, 2), bytes: (10, 20), ..Counted::default() }),
        };

        let later = Tagged { path: r"\device\harddiskvolume1\usr\bin\perl".into(), ..flow.clone() };
        let table = per_process(&[flow.clone(), Tagged { counted: None, ..flow }, later]);

        let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(rows, [["42", "curl", "2", "3", "30"], ["42", "perl", "1", "3", "30"]]);
    }
}
