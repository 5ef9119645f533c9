//! Replays every input in `fuzz/corpus/`, without libFuzzer.

use std::{fs, path::Path};

use flowtag_fuzz::{TARGETS, target};

fn replay(name: &str) {
    let run = target(name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        eprintln!("{}", input.display());
        run(&fs::read(&input).unwrap());
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
fn every_target_has_its_test() {
    assert_eq!(TARGETS.len(), 8);
}

/// Or else the corpus of images would show how they are refused, and no more.
#[test]
fn the_sound_image_in_the_corpus_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/image/driver");
    assert!(flowtag_simulator::windows::load_image(&path).is_ok());
}
