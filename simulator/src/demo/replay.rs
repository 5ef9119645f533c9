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
            Step::Event(event) => run.event(event, None)?,
            Step::DriverStarts(at) => run.start(at)?,
            Step::SessionComes(at) => run.session_comes(at)?,
            Step::DriverStops(at) => run.stop(at)?,
            Step::Process(process) => run.process(process)?,
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
    use crate::demo::process::TICK;
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
        run.judge(Mode::Recorded, String::new(), &Err("a recording".into())).unwrap()
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

    /// All keys of a recording, as they are counted: right, ambiguous, unknown, wrong.
    fn keys(verdict: &Verdict) -> (usize, usize, usize, usize) {
        (verdict.keys_right, verdict.keys_ambiguous, verdict.keys_unknown, verdict.keys_wrong)
    }

    #[test]
    fn every_flow_of_the_recording_has_a_right_key_or_one_that_nobody_can_know() {
        let verdict = judged(demo());

        let (right, ambiguous, unknown, wrong) = keys(&verdict);
        assert_eq!((right + ambiguous + unknown, wrong), (verdict.flows, 0));
        assert!(ambiguous > 0 && unknown > 0 && right > ambiguous + unknown, "{:?}", keys(&verdict));
    }

    #[test]
    fn the_truth_about_keys_does_not_come_from_the_events() {
        let right = judged(demo()).keys_right;
        let owner = demo().iter().find_map(|step| match step {
            Step::Event(Event::Open { flow, .. }) => flow.pid,
            _ => None,
        });
        let (mut later, mut elsewhere) = (demo(), demo());
        for (steps, change) in [(&mut later, (TICK, 0)), (&mut elsewhere, (0, 1))] {
            for step in steps {
                if let Step::Event(Event::Begin(process)) = step
                    && Some(process.pid) == owner
                {
                    process.created += change.0;
                    process.parent += change.1;
                }
            }
        }

        for verdict in [judged(later), judged(elsewhere)] {
            assert!(verdict.keys_wrong > 0, "{:?}", keys(&verdict));
            assert_eq!(verdict.keys_right + verdict.keys_wrong, right);
        }
    }

    #[test]
    fn an_exit_that_is_not_told_makes_a_key_wrong_where_nobody_can_know() {
        let mut steps = demo();
        let started = steps.iter().position(|step| matches!(step, Step::DriverStarts(_))).unwrap();
        // Those that exit before the driver is started, of which the heir's owner is one, seem to live.
        let mut index = 0;
        steps.retain(|step| {
            index += 1;
            index > started || !matches!(step, Step::Event(Event::Exit { .. }))
        });

        assert!(judged(steps).keys_wrong > 0);
    }

    #[test]
    fn a_recording_of_format_1_leaves_all_keys_unknown() {
        let mut steps = demo();
        steps.retain(|step| {
            let of_format_2 = matches!(
                step,
                Step::SessionComes(_) | Step::Process(_) | Step::Event(Event::Begin(_) | Event::Exit { .. })
            );
            !of_format_2
        });
        for step in &mut steps {
            if let Step::Report(report) = step {
                report.created = None;
            }
        }

        let verdict = judged(steps);

        assert_eq!(keys(&verdict), (0, 0, verdict.flows, 0));
        assert_eq!((verdict.complaints(), verdict.shortages()), (vec![], vec![]));
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
        let live = run.judge(Mode::Live, String::new(), &Err("nobody captures".into())).unwrap();
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
