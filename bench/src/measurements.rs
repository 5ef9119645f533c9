//! The run: every measurement, in order.

use std::time::Duration;

use anyhow::{Context, Result};
use flowtag_simulator::kernel::pool::Tag;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    capture,
    counts::{Counted, Counts},
    figures::Figures,
    flood::{self, Flood},
    flow_life,
    lock_hold::{self, CaptureHolds, Hold},
    operations,
    subject::{PATHS, Subject},
    timing::Spread,
    transport::{self, packet},
    unload::{self, Unload},
};

/// Live flows at which operations are measured.
pub const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// What a run has found.
#[derive(Default)]
pub struct Measured {
    /// Everything, by name.
    pub figures: Figures,
    /// Exact counts of the operations that the budget limits.
    pub counted: Counted,
    /// Nanoseconds over an empty callout, by operation.
    pub times: Vec<(&'static str, Spread)>,
    /// How many times as long a life takes while another processor goes through lives, too.
    pub lives_on_two_cpus: Spread,
    /// What floods do to a full ring.
    pub floods: Vec<Flood>,
    /// How long the ring's lock is held.
    pub holds: Vec<Hold>,
    /// How long it is held while all flows are captured.
    pub capture_holds: CaptureHolds,
    /// Milliseconds that this takes.
    pub capture: Spread,
    /// How an operation changes with the number of live flows.
    pub scale: Vec<Scale>,
    /// How many times as long as flowtag a peer takes for a flow's life; nothing if it could not be run.
    pub peers: Vec<(&'static str, Option<Spread>)>,
    /// Bytes of pool a flow without path.
    pub flow_bytes: usize,
    /// Bytes of pool a slot of the ring.
    pub slot_bytes: usize,
}

/// The costs at one number of live flows.
pub struct Scale {
    /// Live flows.
    pub flows: u32,
    /// One more packet.
    pub transport: Counts,
    /// One more life.
    pub life: Counts,
    /// One more flow, for which the oldest is evicted.
    pub evicting: Counts,
    /// Nanoseconds of a packet, each of another flow.
    pub transport_time: Spread,
    /// Nanoseconds of a life.
    pub life_time: Spread,
    /// Nanoseconds of a flow for which the oldest is evicted.
    pub evicting_time: Spread,
    /// Unloading the driver.
    pub unload: Unload,
}

/// Measures everything.
pub fn all(quick: bool) -> Result<Measured> {
    let rounds = if quick { 51 } else { 301 };
    let progress = progress(7 + SIZES.len() as u64);
    let mut measured = Measured::default();

    progress.set_message("counting");
    measured.counted = operations::counted()?;
    progress.inc(1);
    progress.set_message("packets");
    measured.times = packets(rounds)?;
    progress.inc(1);
    progress.set_message("lives of flows");
    measured.times.extend(lives(rounds)?);
    progress.inc(1);
    progress.set_message("peers");
    measured.peers = peers(rounds)?;
    measured.lives_on_two_cpus = lives_on_two_cpus(rounds)?;
    progress.inc(1);
    progress.set_message("floods");
    measured.floods = flood::all()?;
    progress.inc(1);
    progress.set_message("the ring's lock");
    measured.holds = lock_hold::all(10 * rounds)?;
    measured.capture_holds = lock_hold::capture(capture::FLOWS)?;
    progress.inc(1);
    progress.set_message("capturing");
    measured.capture = capture::milliseconds(rounds.div_ceil(20))?;
    progress.inc(1);
    for flows in SIZES {
        progress.set_message(format!("{flows} live flows"));
        let scale = scale(flows, rounds, &mut measured)?;
        measured.scale.push(scale);
        progress.inc(1);
    }
    progress.finish_and_clear();
    name_all(&mut measured)?;
    Ok(measured)
}

fn progress(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos}/{len} {wide_bar} {elapsed} {msg}");
    let bar = ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn packets(rounds: usize) -> Result<Vec<(&'static str, Spread)>> {
    Ok(vec![
        ("transport", transport::nanoseconds(&Subject::flowtag(2, 16)?, 1, rounds)?),
        ("transport_trace0", transport::nanoseconds(&Subject::flowtag(0, 16)?, 1, rounds)?),
        ("transport_unheard", transport::nanoseconds(&Subject::unheard(16)?, 1, rounds)?),
        ("transport_chain8", transport::nanoseconds(&Subject::flowtag(2, 16)?, 8, rounds)?),
        ("transport_two_cpus_same_flow", transport::nanoseconds_on_two_cpus(true, rounds)?),
        ("transport_two_cpus_different_flows", transport::nanoseconds_on_two_cpus(false, rounds)?),
    ])
}

fn lives(rounds: usize) -> Result<Vec<(&'static str, Spread)>> {
    let empty = Subject::fixture("empty")?;
    let mut times = Vec::new();
    let [typical, long] = PATHS;
    for (name, subject, path) in [
        ("flow_life", Subject::flowtag(0, 16)?, 0),
        ("flow_life_path60", Subject::flowtag(0, 16)?, typical),
        ("flow_life_path260", Subject::flowtag(0, 16)?, long),
        ("flow_life_trace2", Subject::flowtag(2, 16)?, 0),
        ("flow_life_trace2_path60", Subject::flowtag(2, 16)?, typical),
        ("flow_life_trace2_path260", Subject::flowtag(2, 16)?, long),
        ("flow_life_unheard_path60", Subject::unheard(16)?, typical),
        ("flow_life_session_path60", Subject::with_session(16)?, typical),
    ] {
        times.push((name, flow_life::nanoseconds_over(&subject, &empty, path, rounds)?));
    }
    Ok(times)
}

fn peers(rounds: usize) -> Result<Vec<(&'static str, Option<Spread>)>> {
    let (flowtag, empty) = (Subject::flowtag(0, 16)?, Subject::fixture("empty")?);
    let [typical, _] = PATHS;
    let mut ratios = Vec::new();
    for name in ["article", "article_both_ways"] {
        let ratio = flow_life::ratio(&flowtag, &Subject::fixture(name)?, &empty, typical, rounds)?;
        ratios.push((name, Some(ratio)));
    }
    let windivert = Subject::windivert()?;
    let ratio =
        windivert.map(|windivert| flow_life::ratio(&flowtag, &windivert, &empty, typical, rounds)).transpose()?;
    ratios.push(("windivert", ratio));
    Ok(ratios)
}

fn lives_on_two_cpus(rounds: usize) -> Result<Spread> {
    flow_life::ratio_on_two_cpus(&Subject::flowtag(0, 16)?, &Subject::fixture("empty")?, rounds)
}

/// Measures operations while so many flows live, the memory that they take, and unloading the driver.
fn scale(flows: u32, rounds: usize, measured: &mut Measured) -> Result<Scale> {
    let subject = Subject::flowtag(0, flows)?;
    let handles = subject.open_many(flows, 0)?;
    let pool = |tag: &[u8; 4]| subject.machine.pool().used_by(Tag(u32::from_le_bytes(*tag))).bytes;
    measured.flow_bytes = pool(b"FtFl") / flows as usize;
    measured.slot_bytes = pool(b"FtRg") / flows as usize;
    let (&last, tagged) = handles.split_last().context("no flows")?;
    let transport = operations::classify(&subject, last, &packet(1))?;
    let transport_time = transport::nanoseconds_among(&subject, tagged, rounds)?;
    subject.machine.close_flow(last)?;
    let life = operations::life(&subject, 0)?;
    let empty = Subject::fixture("empty")?;
    empty.open_many(flows, 0)?;
    let life_time = flow_life::nanoseconds_over(&subject, &empty, 0, rounds)?;
    // In another ring, since the flows of this one have sent something: one after the other would be spared.
    let full = Subject::flowtag(0, flows)?;
    full.open_many(flows, 0)?;
    let evicting = operations::evicting(&full)?;
    let evicting_time = flow_life::nanoseconds_evicting(&full, &empty, rounds)?;
    drop((full, empty));
    let unload = unload::measured(&subject, flows)?;
    Ok(Scale { flows, transport, life, evicting, transport_time, life_time, evicting_time, unload })
}

/// Gives every figure its name.
fn name_all(measured: &mut Measured) -> Result<()> {
    let figures = &mut measured.figures;
    for (operation, counts) in &measured.counted {
        match ["transport", "flow_life"].iter().find_map(|base| Some((base, operation.strip_prefix(base)?))) {
            Some((base, special)) => figures.counts(base, special, counts),
            None => figures.counts(operation, "", counts),
        }
    }
    for &(name, spread) in &measured.times {
        let (base, special) = if let Some(special) = name.strip_prefix("flow_life") {
            ("flow_life", special)
        } else {
            ("transport", name.strip_prefix("transport").unwrap_or(name))
        };
        figures.spread(&format!("{base}_ns_over_empty{special}"), spread);
    }
    for &(name, ratio) in &measured.peers {
        match ratio {
            Some(ratio) => figures.spread(&format!("{name}_flow_life_ratio"), ratio),
            None => figures.set(format!("{name}_flow_life_ratio"), "not run"),
        }
    }
    figures.spread("flow_life_ratio_two_cpus", measured.lives_on_two_cpus);
    for flood in &measured.floods {
        let name = format!("flood_{}_packets_{}", flood.packets.short(), flood.placement.name());
        figures.set(format!("{name}_busy_lost"), flood.busy_lost);
        figures.set(format!("{name}_untracked"), flood.untracked);
        figures.set(format!("{name}_longest_row"), flood.longest_row);
    }
    for hold in &measured.holds {
        figures.spread(&format!("lock_hold_ns_{}_warm", hold.name), hold.warm);
        figures.spread(&format!("lock_hold_ns_{}_cold", hold.name), hold.cold);
    }
    figures.spread("lock_hold_ns_of_a_whole_capture", measured.capture_holds.spread);
    figures.set("lock_hold_ns_of_a_whole_capture_longest", measured.capture_holds.longest);
    figures.spread("capture_65536_ms", measured.capture);
    for scale in &measured.scale {
        let flows = short(scale.flows);
        figures.set(format!("transport_instructions_at_{flows}"), scale.transport.instructions);
        figures.set(format!("flow_life_instructions_at_{flows}"), scale.life.instructions);
        figures.set(format!("flow_life_instructions_evicting_at_{flows}"), scale.evicting.instructions);
        figures.spread(&format!("transport_ns_over_empty_at_{flows}"), scale.transport_time);
        figures.spread(&format!("flow_life_ns_over_empty_at_{flows}"), scale.life_time);
        figures.spread(&format!("flow_life_ns_over_empty_evicting_at_{flows}"), scale.evicting_time);
        figures.set(format!("unload_{flows}_seconds"), scale.unload.time.as_secs_f64());
        figures.set(format!("unload_{flows}_removals"), scale.unload.removals);
        figures.set(format!("unload_{flows}_instructions_per_flow"), scale.unload.per_flow.instructions);
    }
    let (first, last) = (measured.scale.first(), measured.scale.last());
    let (first, last) = first.zip(last).context("no sizes")?;
    let grown = [(last.transport, first.transport), (last.life, first.life), (last.evicting, first.evicting)]
        .map(|(last, first)| quotient(last.instructions, first.instructions));
    figures.set("scale_1m_over_1k", grown.into_iter().fold(0.0, f64::max));
    figures.set("pool_bytes_per_flow", measured.flow_bytes);
    figures.set("ring_bytes_per_slot", measured.slot_bytes);
    Ok(())
}

/// To three decimals.
fn quotient(dividend: u64, divisor: u64) -> f64 {
    let thousandths = u32::try_from(1_000 * dividend / divisor.max(1)).unwrap_or(u32::MAX);
    f64::from(thousandths) / 1e3
}

/// 1k, 10k, 100k, 1m.
pub fn short(flows: u32) -> String {
    if flows >= 1_000_000 { format!("{}m", flows / 1_000_000) } else { format!("{}k", flows / 1_000) }
}
