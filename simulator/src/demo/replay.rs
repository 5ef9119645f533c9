//! The demo from a recording.

use anyhow::Result;

use super::{driver::Driver, recorded::Step, run::Run};

/// Lets everything in the recording happen again, as fast as it goes.
///
/// # Errors
/// A new recording of it cannot be written.
pub fn replay<D: Driver>(run: &mut Run<'_, D>, steps: Vec<Step>) -> Result<()> {
    run.doing("replaying");
    for step in steps {
        match step {
            Step::Recording { .. } => {}
            Step::Event(event) => run.event(event)?,
            Step::DriverStarts(at) => run.start(at)?,
            Step::DriverStops(at) => run.stop(at)?,
            Step::Report(report) => run.report(report)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{
        model::Model,
        recorded,
        verdict::{Mode, Verdict},
    };
    use crate::traffic::event::Event;

    fn demo() -> Vec<Step> {
        recorded::read(recorded::DEMO, "the recording").unwrap()
    }

    fn judged(steps: Vec<Step>) -> Verdict {
        let model = Model::default();
        let mut run = Run::new(&model, None, true);
        replay(&mut run, steps).unwrap();
        run.judge(Mode::Recorded, String::new(), 0).unwrap().verdict
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
}
