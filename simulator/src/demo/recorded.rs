//! Recordings: a run of the demo, kept as JSON lines, one step a line.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{command::Ended, process::Process, report::Report};
use crate::traffic::event::Event;

/// The recording that comes with flowtag; recordings/README.md says how it was made.
pub const DEMO: &str = include_str!("../../recordings/demo.jsonl");

/// What is written. Format 1 has no processes and no session that comes later.
const FORMAT: u32 = 2;
/// The oldest that is read.
const OLDEST: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The first line.
    Recording {
        /// [`FORMAT`].
        format: u32,
        /// The kernel it was made on.
        kernel: String,
    },
    /// The driver was started, at this time on the monotonic clock, in seconds.
    DriverStarts(f64),
    /// The driver was stopped.
    DriverStops(f64),
    /// Another session of event tracing began in the middle, at this time, and asked for the captured state.
    SessionComes(f64),
    /// A process that the demo had started has exited.
    Process(Process),
    /// A program told of a flow that it had.
    Report(Report),
    /// So many records did not fit into the capture's ring.
    Lost(u64),
    /// It was a command of the user's own, and it ended.
    CommandEnded(Ended),
    /// Something happened on the network.
    #[serde(untagged)]
    Event(Event),
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    file: BufWriter<File>,
}

impl Recorder {
    /// Begins a recording.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("create the recording {}", path.display()))?;
        let mut recorder = Self { file: BufWriter::new(file) };
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        recorder.write(&Step::Recording { format: FORMAT, kernel })?;
        Ok(recorder)
    }

    /// Adds a step.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, step: &Step) -> Result<()> {
        serde_json::to_writer(&mut self.file, step).context("write the recording")?;
        self.file.write_all(b"\n").context("write the recording")
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.file.flush().context("write the recording")
    }
}

/// Reads the text of a recording; `name` is for messages.
///
/// # Errors
/// It is not one, or a line of it is not understood.
pub fn read(text: &str, name: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let step =
            serde_json::from_str(line).with_context(|| format!("{name}:{}: not a step of a recording", index + 1))?;
        steps.push(step);
    }
    ensure!(
        matches!(steps.first(), Some(Step::Recording { format: OLDEST..=FORMAT, .. })),
        "{name} is not a recording of format {OLDEST} to {FORMAT}: make a new one with `flowtag-sim demo --record FILE`"
    );
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::report::Protocol;
    use crate::traffic::event::{self, Direction, Flow, Packet};

    #[test]
    fn what_was_recorded_is_read_back() {
        let flow = Flow {
            id: 1,
            pid: Some(42),
            path: Some("/bin/é".into()),
            direction: Direction::Inbound,
            protocol: 17,
            local: "[::1]:53".parse().unwrap(),
            remote: "[::1]:5000".parse().unwrap(),
        };
        let report = Report {
            pid: 42,
            program: "peer".into(),
            protocol: Protocol::Udp,
            role: Direction::Inbound,
            local: flow.local,
            remote: flow.remote,
            sent: 1,
            received: 2,
            first: 2,
            opened: Some(1.5),
            closed: None,
            created: Some(100),
        };
        let process = event::Process { pid: 42, parent: 7, created: 123, path: Some("/bin/é".into()) };
        let started =
            Process { pid: 42, parent: 7, created: 100, program: "é".into(), launched: 0.25, ended: Some(0.75) };
        let steps = [
            Step::Event(Event::Begin(process)),
            Step::DriverStarts(0.25),
            Step::SessionComes(0.3),
            Step::Event(Event::Open { flow, arrived: Some(Packet { header: 8, payload: 2 }) }),
            Step::Event(Event::Packet {
                flow: 1,
                direction: Direction::Outbound,
                packet: Packet { header: 8, payload: 1 },
            }),
            Step::Event(Event::Close { flow: 1 }),
            Step::Event(Event::Exit { pid: 42 }),
            Step::DriverStops(0.5),
            Step::Process(started),
            Step::Report(report),
        ];
        let path = std::env::temp_dir().join(format!("flowtag-recording-{}", std::process::id()));

        let mut recorder = Recorder::create(&path).unwrap();
        for step in &steps {
            recorder.write(step).unwrap();
        }
        recorder.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let read = read(&text, "").unwrap();

        assert_eq!(read[1..], steps);
    }

    #[test]
    fn a_recording_of_another_format_says_what_to_do() {
        let error = read("{\"recording\":{\"format\":99,\"kernel\":\"\"}}\n", "old").unwrap_err();

        assert!(error.to_string().contains("make a new one"), "{error}");
    }

    #[test]
    fn a_recording_of_format_1_can_still_be_read() {
        let report = r#"{"report":{"pid":7,"program":"curl","protocol":"tcp","role":"out","local":"[::1]:1","remote":"[::1]:2","sent":1,"received":2,"first":0,"opened":1.5,"closed":2.5}}"#;
        let text = format!("{{\"recording\":{{\"format\":1,\"kernel\":\"\"}}}}\n{report}\n");

        let steps = read(&text, "old").unwrap();

        assert!(matches!(&steps[1], Step::Report(Report { pid: 7, created: None, .. })), "{steps:?}");
    }

    #[test]
    fn a_damaged_line_is_named_by_its_number() {
        let error = read("{\"recording\":{\"format\":1,\"kernel\":\"\"}}\n{\"packet\":", "some.jsonl").unwrap_err();

        assert!(error.to_string().contains("some.jsonl:2:"), "{error}");
    }
}
