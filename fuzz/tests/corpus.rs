//! Replays every input in `fuzz/corpus/`, and every seed, without libFuzzer.

use std::{fs, path::Path};

use flowtag_fuzz::{TARGETS, seeds, target};

fn replay(name: &str) {
    let run = target(name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        eprintln!("{}", input.display());
        run(&fs::read(&input).unwrap());
    }
    for (number, seed) in seeds(name).iter().enumerate() {
        eprintln!("seed {number} of {name}");
        run(seed);
    }
}

#[test]
fn authorizations() {
    replay("authorize");
}

#[test]
fn packets() {
    replay("transport");
}

#[test]
fn settings() {
    replay("settings");
}

#[test]
fn images() {
    replay("image");
}

#[test]
fn unwind_data() {
    replay("unwind");
}

#[test]
fn probe_records() {
    replay("probe_records");
}

#[test]
fn recordings() {
    replay("recording");
}

#[test]
fn events() {
    replay("tracelogging");
}

#[test]
fn captures_of_pcapng() {
    replay("pcapng");
}

#[test]
fn captures_of_pcap() {
    replay("pcap");
}

#[test]
fn packets_and_whose_they_are() {
    replay("joined");
}

#[test]
fn lines_of_json() {
    replay("json_lines");
}

#[test]
fn trace_lines() {
    replay("trace_lines");
}

#[test]
fn payloads_of_events() {
    replay("event_payload");
}

#[test]
fn what_the_driver_writes() {
    replay("driver_output");
}

#[test]
fn every_target_has_its_test() {
    assert_eq!(TARGETS.len(), 15);
}

/// Or else the corpus of images would show how they are refused, and no more.
#[test]
fn the_sound_image_in_the_corpus_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/image/driver");
    assert!(flowtag_simulator::windows::load_image(&path).is_ok());
}
