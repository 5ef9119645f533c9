//! What a run has found, as a table for the terminal and as a page with plots.

use std::{
    fmt::{self, Write},
    fs,
    path::Path,
};

use anyhow::{Context, Result};

use crate::{
    capture,
    counts::Counts,
    flood::{self, Flood},
    lock_hold::CaptureHolds,
    measurements::{Measured, short},
    plots,
    timing::Spread,
};

/// The tables, in Markdown, which a terminal shows well too.
pub fn table(measured: &Measured) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_tables(&mut text, measured);
    text
}

/// Writes report.md and the plots that it shows into `folder`.
pub fn write(folder: &Path, measured: &Measured) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    plots::draw(folder, measured)?;
    let mut text = String::from("# What a tag costs\n\n");
    text.push_str(&table(measured));
    text.push_str("\n![cost against live flows](cost-against-live-flows.svg)\n");
    text.push_str("\n![cost of a flow's life beside the peers](beside-the-peers.svg)\n");
    let path = folder.join("report.md");
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

fn write_tables(text: &mut String, measured: &Measured) -> fmt::Result {
    writeln!(text, "| operation | instructions | imports | allocations | IRQL pairs | ns over an empty callout |")?;
    writeln!(text, "|---|---:|---:|---:|---:|---|")?;
    let named = |name: &str| measured.times.iter().find(|(timed, _)| *timed == name).map(|&(_, spread)| spread);
    for (name, counts) in &measured.counted {
        let Counts { instructions, imports, pool_allocations, irql_pairs } = counts;
        let time = nanoseconds(named(name));
        writeln!(text, "| {name} | {instructions} | {imports} | {pool_allocations} | {irql_pairs} | {time} |")?;
    }
    for (name, spread) in measured.times.iter().filter(|(name, _)| !measured.counted.contains_key(*name)) {
        writeln!(text, "| {name} | | | | | {} |", nanoseconds(Some(*spread)))?;
    }

    writeln!(text, "\nInstructions and nanoseconds among live flows; each packet is of another flow.\n")?;
    writeln!(text, "| live flows | packet | | life of a flow | | evicting | |")?;
    writeln!(text, "|---:|---:|---|---:|---|---:|---|")?;
    for scale in &measured.scale {
        let [packet, life, evicting] = [scale.transport, scale.life, scale.evicting].map(|counts| counts.instructions);
        let [packet_time, life_time, evicting_time] =
            [scale.transport_time, scale.life_time, scale.evicting_time].map(|time| nanoseconds(Some(time)));
        let flows = short(scale.flows);
        write!(text, "| {flows} | {packet} | {packet_time} | {life} | {life_time} |")?;
        writeln!(text, " {evicting} | {evicting_time} |")?;
    }

    write_evictions(text, measured)?;

    writeln!(text, "\n| open flows at unload | seconds | removals | instructions a flow |")?;
    writeln!(text, "|---:|---:|---:|---:|")?;
    for scale in &measured.scale {
        let (flows, seconds) = (short(scale.flows), scale.unload.time.as_secs_f64());
        let (removals, instructions) = (scale.unload.removals, scale.unload.per_flow.instructions);
        writeln!(text, "| {flows} | {seconds:.3} | {removals} | {instructions} |")?;
    }

    writeln!(text, "\n| peer | life of a flow, in lives of flowtag's |")?;
    writeln!(text, "|---|---|")?;
    for (name, ratio) in &measured.peers {
        let ratio = ratio.map_or_else(
            || "not run".to_owned(),
            |Spread { low, median, high }| format!("{median:.2} ({low:.2} to {high:.2})"),
        );
        writeln!(text, "| {name} | {ratio} |")?;
    }
    let (flow, slot) = (measured.flow_bytes, measured.slot_bytes);
    writeln!(text, "\nNonpaged pool: {flow} bytes a flow besides its path, {slot} bytes a slot of the ring.")
}

fn write_evictions(text: &mut String, measured: &Measured) -> fmt::Result {
    writeln!(
        text,
        "\nA ring of {} flows, {} of them in use, and {} newcomers.\n",
        flood::FLOWS,
        flood::BUSY,
        flood::NEWCOMERS
    )?;
    writeln!(
        text,
        "| packets a newcomer | flows in use are | of these lost | newcomers untracked | at most in a row |"
    )?;
    writeln!(text, "|---:|---|---:|---:|---:|")?;
    for flood in &measured.floods {
        let (packets, placement) = (flood.packets.name(), flood.placement.name());
        let Flood { busy_lost, untracked, longest_row, .. } = flood;
        let hundredths = 10_000 * untracked / flood::NEWCOMERS;
        writeln!(
            text,
            "| {packets} | {placement} | {busy_lost} | {untracked} ({}.{:02} %) | {longest_row} |",
            hundredths / 100,
            hundredths % 100
        )?;
    }

    writeln!(text, "\n| under the ring's lock | ns, warm | ns, cold |")?;
    writeln!(text, "|---|---|---|")?;
    for hold in &measured.holds {
        writeln!(text, "| {} | {} | {} |", hold.what, nanoseconds(Some(hold.warm)), nanoseconds(Some(hold.cold)))?;
    }
    write_capture(text, measured)?;
    let Spread { low, median, high } = measured.lives_on_two_cpus;
    writeln!(
        text,
        "\nA life while another processor goes through lives: {median:.2} ({low:.2} to {high:.2}) times one alone."
    )
}

fn write_capture(text: &mut String, measured: &Measured) -> fmt::Result {
    let CaptureHolds { holds, spread, longest } = measured.capture_holds;
    let Spread { low, median, high } = measured.capture;
    let flows = capture::FLOWS;
    writeln!(
        text,
        "\nA session asks for {flows} live flows: {median:.0} ({low:.0} to {high:.0}) ms, the simulator's part included."
    )?;
    let held = nanoseconds(Some(spread));
    writeln!(text, "The ring's lock is held {holds} times for it, for {held} ns, {longest:.0} ns at the longest.")
}

fn nanoseconds(spread: Option<Spread>) -> String {
    spread.map_or_else(String::new, |Spread { low, median, high }| format!("{median:.1} ({low:.1} to {high:.1})"))
}
