//! The demo from a recording.

use anyhow::{Result, ensure};

use super::{driver::Driver, recorded::Step, run::Run};

/// Lets everything in the recording happen again, as fast as it goes.
///
/// # Errors
/// It ends too early, or a new recording of it or standard output cannot be written.
pub fn replay<D: Driver>(run: &mut Run<'_, D>, steps: Vec<Step>) -> Result<()> {
    let whole = steps.iter().any(|step| matches!(step, Step::DriverStops(_)));
    ensure!(whole, "the recording was cut off before the driver stopped: make a new one");
    run.doing("replaying");
    for step in steps {
        match step {
            Step::Recording { .. } => {}
            Step::Event(event) => run.event(event)?,
            Step::DriverStarts(at) => run.start(at)?,
            Step::DriverStops(at) => run.stop(at)?,
            Step::Report(report) => run.report(report)?,
            Step::Lost(records) => run.lost(records)?,
            Step::CommandEnded(ended) => run.command_ended(ended)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{
        command::Ended,
        model::Model,
        recorded::{self, Recorder},
        run::{Judged, Lines},
        summary::summary,
        verdict::{Mode, Verdict},
    };
    use crate::traffic::event::Event;

    fn demo() -> Vec<Step> {
        recorded::read(recorded::DEMO, "the recording").unwrap()
    }

    fn replayed(steps: Vec<Step>) -> Judged {
        let model = Model::default();
        let mut run = Run::new(&model, None, Lines::Hidden);
        replay(&mut run, steps).unwrap();
        run.judge(Mode::Recorded, String::new()).unwrap()
    }

    fn judged(steps: Vec<Step>) -> Verdict {
        replayed(steps).verdict
    }

    #[test]
    fn a_driver_that_does_all_as_it_should_passes_the_recording() {
        let verdict = judged(demo());

        assert_eq!(verdict.complaints(), [""; 0]);
        assert_eq!(verdict.shortages(), [""; 0]);
    }

    #[test]
    fn the_truth_does_not_come_from_the_events() {
        let mut steps = demo();
        let started = steps.iter().position(|step| matches!(step, Step::DriverStarts(_))).unwrap();
        let mut pid_changed = false;
        let mut bytes_changed = false;
        for step in &mut steps[started..] {
            match step {
                Step::Event(Event::Open { flow, .. }) if !pid_changed => {
                    flow.pid = Some(1);
                    pid_changed = true;
                }
                Step::Event(Event::Packet { packet, flow, .. })
                    if !bytes_changed && packet.payload > 0 && *flow > 8 =>
                {
                    packet.payload += 1;
                    bytes_changed = true;
                }
                _ => {}
            }
        }

        let verdict = judged(steps);

        assert_eq!((verdict.wrong_pid, verdict.right_pid), (1, verdict.flows - 1));
        assert_eq!(verdict.bytes_right, verdict.flows - verdict.older_than_driver - 1);
    }

    #[test]
    fn a_flow_that_never_reaches_the_driver_is_missed() {
        let mut steps = demo();
        let last = steps.iter().rposition(|step| matches!(step, Step::Event(Event::Open { .. }))).unwrap();
        steps.remove(last);

        assert_eq!(judged(steps).untagged, 1);
    }

    #[test]
    fn a_recording_is_judged_as_the_live_run_was() {
        let path = std::env::temp_dir().join(format!("flowtag-replayed-{}", std::process::id()));
        let model = Model::default();
        let mut run = Run::new(&model, Some(Recorder::create(&path).unwrap()), Lines::Hidden);
        run.start(1.0).unwrap();
        run.stop(2.0).unwrap();
        run.lost(3).unwrap();
        run.command_ended(Ended::Failed("exit status: 1".into())).unwrap();
        let live = run.judge(Mode::Live, String::new()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();

        let replayed = replayed(recorded::read(&text, "the recording").unwrap());

        let (words, good) = summary(&replayed);
        assert_eq!((words.as_str(), good), (summary(&live).0.as_str(), false));
        assert!(
            words.contains("The command failed: exit status: 1.") && words.contains("3 records were lost"),
            "{words}"
        );
        assert!(!words.contains("are wanted"), "a command is not held to what the demo's own programs do: {words}");
    }

    #[test]
    fn a_recording_that_was_cut_off_is_refused() {
        let mut steps = demo();
        steps.retain(|step| !matches!(step, Step::DriverStops(_)));
        let model = Model::default();

        let error = replay(&mut Run::new(&model, None, Lines::Hidden), steps).unwrap_err();

        assert!(error.to_string().contains("cut off"), "{error}");
    }
}
