//! A whole life of a flow: authorization, association, and the end of the flow.

use std::{sync::Barrier, thread};

use anyhow::Result;
use flowtag_simulator::wfp::FlowSpec;

use crate::{
    subject::{Subject, flow},
    timing::{Spread, nanoseconds_of, over},
};

/// Lives that are timed together: so few that most batches are not interrupted.
const BATCH: u32 = 50;

/// Nanoseconds of a life over one with empty callouts, in the driver `subject`.
pub fn nanoseconds_over(subject: &Subject, empty: &Subject, path_length: usize, rounds: usize) -> Result<Spread> {
    let spec = flow(path_length);
    try_out([subject, empty], &spec)?;
    Ok(over(rounds, || timed(subject, &spec), || timed(empty, &spec)))
}

/// Nanoseconds of opening one more flow, for which the driver evicts the oldest, over the same with empty callouts.
pub fn nanoseconds_evicting(full: &Subject, empty: &Subject, rounds: usize) -> Result<Spread> {
    let spec = flow(0);
    // The ring may have room for one.
    full.open(&spec)?;
    let open = |subject: &Subject| {
        let batch = || nanoseconds_of(BATCH, || _ = subject.open(&spec).expect("it has opened others"));
        subject.machine.run(|_| batch()).expect("no bug check")
    };
    Ok(over(rounds, || open(full), || open(empty)))
}

/// How many times as long a life takes while another processor goes through lives in the same machine, beside what it takes
/// alone; both without what it takes in an empty driver.
pub fn ratio_on_two_cpus(subject: &Subject, empty: &Subject, rounds: usize) -> Result<Spread> {
    let spec = flow(0);
    try_out([subject, empty], &spec)?;
    let barrier = Barrier::new(2);
    let together = |subject: &Subject| {
        barrier.wait();
        timed(subject, &spec)
    };
    let measure = || over(rounds, || together(subject), || together(empty));
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(measure);
        (measure(), other.join().expect("a measuring thread does not panic"))
    });
    let alone = over(rounds, || timed(subject, &spec), || timed(empty, &spec)).median;
    let both = first.mean(second);
    Ok(Spread { low: both.low / alone, median: both.median / alone, high: both.high / alone })
}

/// How many times as long the driver `peer` takes for a life as flowtag, both without what an empty driver takes.
pub fn ratio(flowtag: &Subject, peer: &Subject, empty: &Subject, path_length: usize, rounds: usize) -> Result<Spread> {
    let spec = flow(path_length);
    try_out([flowtag, peer, empty], &spec)?;
    let round = || {
        let [own, other, nothing] = [flowtag, peer, empty].map(|subject| timed(subject, &spec));
        (other - nothing) / (own - nothing)
    };
    Ok(Spread::of((0..rounds).map(|_| round()).collect()))
}

/// Says what is wrong with a driver that bug checks, and warms the caches.
fn try_out<const COUNT: usize>(subjects: [&Subject; COUNT], spec: &FlowSpec) -> Result<()> {
    subjects.into_iter().try_for_each(|subject| {
        (0..1_000).try_for_each(|_| subject.live(spec))?;
        subject.tidy_up()
    })
}

/// The time of one life, of a batch.
fn timed(subject: &Subject, spec: &FlowSpec) -> f64 {
    let batch = || nanoseconds_of(BATCH, || subject.live(spec).expect("it has lived a thousand times"));
    let time = subject.machine.run(|_| batch()).expect("no bug check");
    subject.tidy_up().expect("a driver that has run before");
    time
}
