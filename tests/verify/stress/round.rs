//! One machine, and many lives of the driver on it.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use flowtag_simulator::{Options, etw::SessionId, kernel::pool::PoolKind, wfp::Verdict};
use flowtag_tests::rig::{Rig, told_of_after_its_end};
use indicatif::ProgressBar;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{Counts, settings, traffic::Shared};
use crate::{caught::caught, workers::processors};

/// So often the driver is loaded in a round.
const LOADS: u64 = 50;
/// So many flows Windows opens while the driver is loaded, by chance.
const FLOWS_A_LOAD: std::ops::Range<u64> = 200..6_000;
/// More than one, so that a processor has something to do while one of its threads waits for another: to fall asleep and
/// to be woken takes a virtual machine longer than most steps.
const THREADS_A_PROCESSOR: u64 = 2;
/// Threads that open no flow for so long hang.
const PATIENCE: Duration = Duration::from_mins(2);

/// The driver's totals that are counted.
const TOTALS: [&str; 13] = [
    "opened",
    "closed",
    "evicted",
    "untracked",
    "reauth_skipped",
    "alloc_failed",
    "associate_failed",
    "already_tagged",
    "busy",
    "gone",
    "unnamed",
    "blocked",
    "unlisted",
];

/// Runs a round, or as much of one as `target` opened flows ask for; on failure, what is wrong.
pub fn run(seed: u64, pool: PoolKind, target: u64, counts: &mut Counts, bar: &ProgressBar) -> Result<(), String> {
    let rig = Rig::with_options(Options { seed, pool, ..Options::default() }, &[]);
    let shared = Shared::new();
    let threads = THREADS_A_PROCESSOR * processors() as u64;
    let outcome = thread::scope(|scope| {
        let (shared, machine) = (&shared, &rig.machine);
        let traffic: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || caught(|| shared.drive(machine, seed << 8 | thread))))
            .collect();
        let lives = caught(|| live(&rig, shared, seed, target, counts, bar));
        shared.done.store(true, Ordering::Relaxed);
        let traffic = traffic.into_iter().map(|thread| thread.join().expect("its panics are caught"));
        traffic.fold(lives, Result::and)
    });
    for (name, count) in
        [("flows of Windows", &shared.opened), ("packets", &shared.packets), ("reauthorizations", &shared.reauthorized)]
    {
        *counts.entry(name).or_default() += count.load(Ordering::Relaxed);
    }
    outcome
}

/// Loads and unloads the driver under the traffic.
fn live(rig: &Rig, shared: &Shared, seed: u64, target: u64, counts: &mut Counts, bar: &ProgressBar) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..LOADS {
        settings::change(rig, &mut random);
        let early = random.random::<bool>().then(|| listen(rig, &mut random));
        rig.start().unwrap_or_else(|error| panic!("start: {error}"));
        let flows = random.random_range(FLOWS_A_LOAD);
        wait_for(rig, shared, flows / 2);
        settings::change_amidst(rig, &mut random);
        let session = early.unwrap_or_else(|| listen(rig, &mut random));
        rig.machine.capture_state(session).unwrap_or_else(|bug_check| panic!("{bug_check}"));
        wait_for(rig, shared, flows / 2);
        rig.machine.stop_service("flowtag").unwrap_or_else(|error| panic!("stop: {error}"));
        rig.assert_clean();
        assert_eq!(rig.machine.wfp().verdicts(Verdict::Block), 0, "classifications that blocked");
        let events = rig.events(session);
        assert_eq!(rig.machine.etw().lost(session), 0, "events lost");
        assert_eq!(told_of_after_its_end(&events), None, "an event of a flow after its close");
        rig.machine.stop_session(session).unwrap_or_else(|bug_check| panic!("{bug_check}"));
        *counts.entry("events").or_default() += events.len() as u64;
        let totals = rig.totals();
        drop(rig.machine.debug_print().take_lines());
        assert_eq!(totals["opened"], totals["closed"], "flows opened and closed");
        for name in TOTALS {
            *counts.entry(name).or_default() += totals[name];
        }
        *counts.entry("loads").or_default() += 1;
        bar.set_position(counts["opened"]);
        if counts["opened"] >= target {
            return;
        }
    }
}

/// A session begins that wants flows, or more.
fn listen(rig: &Rig, random: &mut ChaCha8Rng) -> SessionId {
    let (level, keywords) = *[(4, 1), (5, 3), (0, 0)].choose(random).expect("three");
    rig.listen(level, keywords)
}

/// Waits until Windows has opened so many more flows.
fn wait_for(rig: &Rig, shared: &Shared, flows: u64) {
    let start = Instant::now();
    let wanted = shared.opened.load(Ordering::Relaxed) + flows;
    while shared.opened.load(Ordering::Relaxed) < wanted {
        if let Some(bug_check) = rig.machine.referee().verdict() {
            panic!("{bug_check}");
        }
        assert!(start.elapsed() < PATIENCE, "the threads hang: {flows} flows are not opened within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}
