//! Real traffic, replayed.

use flowtag_simulator::demo::{
    recorded,
    replay::replay,
    run::{Lines, Run},
    simulated::Simulated,
    verdict::Mode,
};

use flowtag_tests::rig::image;

#[test]
fn every_flow_of_the_recording_gets_its_owner_and_its_bytes() {
    let driver = Simulated::new(&image()).unwrap();
    let mut run = Run::new(&driver, None, Lines::Hidden);

    replay(&mut run, recorded::read(recorded::DEMO, "the recording").unwrap()).unwrap();
    let judged = run.judge(Mode::Recorded, String::new(), &Err("a recording".into())).unwrap();

    assert_eq!(judged.failure, None);
    assert_eq!(judged.verdict.complaints(), [""; 0], "{:#?}", judged.verdict.details);
}
