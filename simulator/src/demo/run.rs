//! One run of the demo: events in, debug lines out, and the driver in between, live or recorded.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use anyhow::Result;
use indicatif::ProgressBar;

use super::{
    command::Ended,
    driver::Driver,
    keys::Keys,
    live_flows::LiveFlows,
    packets::{
        Packets,
        judge::{self, Truth},
    },
    process::Process,
    recorded::{Recorder, Step},
    report::Report,
    sessions::{Late, Sessions},
    trace,
    verdict::{Evidence, Mode, Verdict},
};
use crate::{
    output::{self, Unwritable},
    traffic::{
        event::{Event, Flow},
        pump::Pump,
    },
};

/// Up to `WINEVENT_LEVEL_INFO` (winmeta.h): all but packets.
const INFORMATION: u8 = 4;

/// Where debug lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// On standard output.
    Output,
    /// On standard error.
    Errors,
    /// Nowhere.
    Hidden,
}

/// A run.
pub struct Run<'a, D: Driver> {
    driver: &'a D,
    pump: Pump<'a, D>,
    recorder: Option<Recorder>,
    screen: Screen,
    started: f64,
    stopped: f64,
    flows: LiveFlows,
    session: Option<D::Session>,
    /// One that came later, and what there was then.
    late: Option<(D::Session, Vec<Flow>)>,
    processes: Vec<Process>,
    reports: Vec<Report>,
    events_lost: u64,
    command: Option<Ended>,
    /// Why the driver is not fed any more: a bug check, or it does not start or stop.
    failure: Option<String>,
}

impl<'a, D: Driver> Run<'a, D> {
    /// A run on the machine of `driver`, with its debug lines shown there.
    #[must_use]
    pub fn new(driver: &'a D, recorder: Option<Recorder>, lines: Lines) -> Self {
        let screen = Screen::new(lines);
        Self {
            driver,
            pump: Pump::new(driver),
            recorder,
            screen,
            started: 0.0,
            stopped: 0.0,
            flows: LiveFlows::default(),
            session: None,
            late: None,
            processes: Vec::new(),
            reports: Vec::new(),
            events_lost: 0,
            command: None,
            failure: None,
        }
    }

    /// Says what is going on, on a terminal.
    pub fn doing(&self, what: &'static str) {
        self.screen.progress.set_message(what);
    }

    /// Gives an event to the machine; when it happened, in units of 100 ns since 1601, is not known of a recorded one.
    ///
    /// # Errors
    /// The recording or standard output cannot be written.
    pub fn event(&mut self, event: Event, at: Option<u64>) -> Result<()> {
        if self.failure.is_none() {
            self.flows.observe(&event);
            self.driver.happens_at(at);
            self.failure = self.pump.feed(&event).err().map(|error| error.to_string());
            self.driver.happens_at(None);
            self.screen.show(self.driver)?;
        }
        self.record(&Step::Event(event))
    }

    /// Starts the driver, to which somebody listens from then on; `at` is the time.
    ///
    /// # Errors
    /// The recording or standard output cannot be written.
    pub fn start(&mut self, at: f64) -> Result<()> {
        self.started = at;
        self.flows.driver_starts();
        let started = self.driver.listen(INFORMATION).and_then(|session| {
            self.session = Some(session);
            self.driver.start()
        });
        self.failure = started.err().map(|error| format!("{error:#}"));
        self.screen.show(self.driver)?;
        self.record(&Step::DriverStarts(at))
    }

    /// Somebody else begins to listen, too, and asks for the captured state; `at` is the time.
    ///
    /// # Errors
    /// The recording or standard output cannot be written.
    pub fn session_comes(&mut self, at: f64) -> Result<()> {
        if self.failure.is_none() {
            let heard = self.driver.listen(INFORMATION).and_then(|session| {
                self.late = Some((session, self.flows.known()));
                self.driver.capture_state(session)
            });
            self.failure = heard.err().map(|error| format!("{error:#}"));
            self.screen.show(self.driver)?;
        }
        self.record(&Step::SessionComes(at))
    }

    /// Stops it; `at` is the time.
    ///
    /// # Errors
    /// The recording or standard output cannot be written.
    pub fn stop(&mut self, at: f64) -> Result<()> {
        self.stopped = at;
        if self.failure.is_none() {
            self.failure = self.driver.stop().err().map(|error| format!("{error:#}"));
        }
        self.screen.show(self.driver)?;
        self.record(&Step::DriverStops(at))
    }

    /// Takes in what a program says about a flow.
    ///
    /// # Errors
    /// The recording cannot be written.
    pub fn report(&mut self, report: Report) -> Result<()> {
        self.reports.push(report.clone());
        self.record(&Step::Report(report))
    }

    /// Takes in a process that the demo has started, and that has exited.
    ///
    /// # Errors
    /// The recording cannot be written.
    pub fn process(&mut self, process: Process) -> Result<()> {
        self.processes.push(process.clone());
        self.record(&Step::Process(process))
    }

    /// Takes in how many records the capture has lost.
    ///
    /// # Errors
    /// The recording cannot be written.
    pub fn lost(&mut self, records: u64) -> Result<()> {
        self.events_lost = records;
        self.record(&Step::Lost(records))
    }

    /// Takes in how the command ended, of which nobody reports what it did.
    ///
    /// # Errors
    /// The recording cannot be written.
    pub fn command_ended(&mut self, ended: Ended) -> Result<()> {
        self.command = Some(ended.clone());
        self.record(&Step::CommandEnded(ended))
    }

    fn record(&mut self, step: &Step) -> Result<()> {
        self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.write(step))
    }

    /// Ends the run and judges it, with the packets that were captured meanwhile.
    ///
    /// # Errors
    /// The recording cannot be written.
    pub fn judge(self, mode: Mode, driver_sha256: String, packets: &Packets) -> Result<Judged> {
        self.screen.progress.finish_and_clear();
        let lost = |session| self.driver.events_lost(session);
        let sessions = Sessions {
            first: self.session.map(|session| self.driver.events(session)).unwrap_or_default(),
            lost: self.session.map_or(0, lost) + self.late.as_ref().map_or(0, |(session, _)| lost(*session)),
            late: self.late.map(|(session, live)| Late { events: self.driver.events(session), live }),
        };
        self.recorder.map_or(Ok(()), Recorder::finish)?;
        let lines = self.driver.lines(0);
        let tagged = trace::read(lines.iter().map(|line| line.text.as_str()));
        let truth =
            Truth { reports: &self.reports, processes: &self.processes, started: self.started, stopped: self.stopped };
        let evidence = Evidence {
            mode,
            driver_sha256,
            reports: &self.reports,
            tagged: &tagged,
            keys: Keys { processes: &self.processes, known: &self.driver.start_keys(), started: self.started },
            sessions: &sessions,
            frames: judge::judge(packets, &truth),
            started: self.started,
            stopped: self.stopped,
            events_lost: self.events_lost,
            remains: self.driver.remains(),
        };
        let annotated = packets.as_ref().ok().map(|annotated| annotated.file.clone());
        Ok(Judged { verdict: Verdict::new(&evidence), tagged, annotated, command: self.command, failure: self.failure })
    }
}

/// What came out of a run.
#[derive(Debug)]
pub struct Judged {
    /// The judgement.
    pub verdict: Verdict,
    /// What the driver traced.
    pub tagged: Vec<trace::Tagged>,
    /// The capture in which each packet has its owner, if there is one.
    pub annotated: Option<PathBuf>,
    /// How the command ended, if it was one of the user's own.
    pub command: Option<Ended>,
    /// Why it was not fed to the end.
    pub failure: Option<String>,
}

/// Shows debug lines and, on a terminal, what is going on.
struct Screen {
    lines: Lines,
    shown: usize,
    progress: ProgressBar,
}

impl Screen {
    fn new(lines: Lines) -> Self {
        let progress = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        Self { lines, shown: 0, progress }
    }

    fn show(&mut self, driver: &impl Driver) -> Result<(), Unwritable> {
        let lines = driver.lines(self.shown);
        self.progress.tick();
        if lines.is_empty() {
            return Ok(());
        }
        self.progress.suspend(|| {
            for line in &lines {
                self.shown += 1;
                let text = format!("{:>6} {:>14.8}  {}", self.shown, line.time.as_secs_f64(), line.text);
                match self.lines {
                    Lines::Output => output::print(&format!("{text}\n"))?,
                    Lines::Errors => output::note(text),
                    Lines::Hidden => {}
                }
            }
            Ok(())
        })
    }
}
