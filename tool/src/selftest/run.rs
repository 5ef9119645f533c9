//! What happens in a test: three lives of the driver, and the programs that talk meanwhile.

use std::{
    env, fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    children::Children,
    evidence::{Evidence, Kind, Late, Life, Settings, Step, WithoutBfe},
    machine::{Answer, Crash, Machine, RUNNING, STOPPED, Service, Value, Verb},
    report::now,
};
use crate::event::Event;

/// `ERROR_SERVICE_DOES_NOT_EXIST` and `ERROR_SERVICE_EXISTS` of winerror.h.
const DOES_NOT_EXIST: u32 = 1060;
const EXISTS: u32 = 1073;
/// The driver's settings, and what the second life has: the most and the least that there is (docs/windows.md).
const TRACE_LEVEL: &str = "TraceLevel";
const MAX_FLOWS: &str = "MaxFlows";
const LIMITED: Settings = Settings { trace_level: Some(3), max_flows: Some(16) };
/// How late the last event of a life may come: a session's buffers are delivered when they are flushed, and no page says how soon.
const LATEST: Duration = Duration::from_secs(15);
/// So many connections at once, each of which is two flows here, are more than that.
const MANY: usize = 24;

/// What is asked of a test.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Whether the Base Filtering Engine may be stopped and started, which interrupts the network.
    pub restart_bfe: bool,
}

/// Runs the test. Whatever ends it early is part of what was seen. `doing` is told what is going on.
///
/// # Errors
/// It has not come to a test: the service cannot be made, or does not stop.
pub fn run(machine: &mut dyn Machine, wanted: Wanted, doing: &dyn Fn(&str)) -> Result<Evidence> {
    let mut test = Test { machine, evidence: Evidence::default(), doing };
    test.evidence.no_traffic = test.machine.no_traffic();
    let before = test.prepare()?;
    let done = test.all(wanted);
    let restored = test.restore(&before);
    if let Err(error) = done.and(restored) {
        match error.downcast_ref::<Crash>() {
            Some(crash) => test.evidence.crash = Some(crash.0.clone()),
            None => test.evidence.given_up = Some(format!("{error:#}")),
        }
    }
    Ok(test.evidence)
}

struct Test<'a> {
    machine: &'a mut dyn Machine,
    evidence: Evidence,
    doing: &'a dyn Fn(&str),
}

/// What the machine was like.
struct Before {
    /// Whether the service is the test's own, and goes with it.
    created: bool,
    /// Whether it ran.
    running: bool,
    settings: [(&'static str, Option<Value>); 2],
}

impl Test<'_> {
    /// Takes the service that there is, stopped, or makes one.
    fn prepare(&mut self) -> Result<Before> {
        let mut found = self.machine.ask(Service::Driver, Verb::Query)?;
        let created = found.state == 0 || found.error == DOES_NOT_EXIST;
        if created {
            found = self.machine.ask(Service::Driver, Verb::Create)?;
            ensure!(found.error == 0 || found.error == EXISTS, "the service cannot be created: {}", in_words(&found));
        }
        let running = found.state != STOPPED;
        if running {
            let stopped = self.machine.ask(Service::Driver, Verb::Stop)?;
            ensure!(stopped.state == STOPPED, "the service that runs does not stop: {}", in_words(&stopped));
        }
        // To see what there is means to take it away.
        let trace_level = self.machine.set(TRACE_LEVEL, None)?;
        let max_flows = self.machine.set(MAX_FLOWS, None)?;
        Ok(Before { created, running, settings: [(TRACE_LEVEL, trace_level), (MAX_FLOWS, max_flows)] })
    }

    /// Leaves the machine as it was.
    fn restore(&mut self, before: &Before) -> Result<()> {
        if self.evidence.answer(Step::BfeStop).is_some() && self.evidence.answer(Step::BfeStart).is_none() {
            self.machine.ask(Service::Bfe, Verb::Start)?;
        }
        if self.machine.ask(Service::Driver, Verb::Query)?.state == RUNNING {
            self.machine.ask(Service::Driver, Verb::Stop)?;
        }
        for (name, value) in &before.settings {
            self.machine.set(name, value.as_ref())?;
        }
        if before.created {
            self.machine.ask(Service::Driver, Verb::Delete)?;
        } else if before.running {
            self.machine.ask(Service::Driver, Verb::Start)?;
        }
        Ok(())
    }

    fn set(&mut self, settings: Settings) -> Result<()> {
        for (name, number) in [(TRACE_LEVEL, settings.trace_level), (MAX_FLOWS, settings.max_flows)] {
            self.machine.set(name, number.map(Value::Number).as_ref())?;
        }
        Ok(())
    }

    fn all(&mut self, wanted: Wanted) -> Result<()> {
        let session = match self.machine.listen() {
            Ok(session) => session,
            Err(error) if error.is::<Crash>() => return Err(error),
            Err(error) => {
                // Services answer all the same.
                self.evidence.no_events = Some(format!("{error:#}"));
                return self.lives(None, wanted);
            }
        };
        let done = self.lives(Some(session), wanted);
        // Also of one that came to nothing.
        let ended = self.machine.end(session).map(|heard| {
            self.evidence.lost += heard.lost;
            self.evidence.wrong.extend(heard.wrong);
        });
        done.and(ended)
    }

    fn lives(&mut self, session: Option<usize>, wanted: Wanted) -> Result<()> {
        self.first(session)?;
        self.second(session)?;
        self.third(session, wanted)
    }

    /// Traffic of all kinds: some of it older than the driver, some that passes, some that is open when it stops.
    fn first(&mut self, session: Option<usize>) -> Result<()> {
        let mut children = Children::new();
        let with_traffic = self.with_traffic();
        let mut servers = Vec::new();
        let mut lasting = Vec::new();
        (self.doing)("programs talk that are older than the driver");
        if with_traffic {
            servers.push(self.server(&mut children)?);
            let old = self.talk(&mut children, servers[0], &["--hold", "--size", "300"])?;
            children.until_ready(&[old])?;
            lasting.push(old);
        }

        (self.doing)("the driver starts");
        let mut life = Life { kind: Kind::Traffic, started: now(), ..Life::default() };
        self.start(Step::Start)?;
        self.ask(Step::StartTwice, Service::Driver, Verb::Start)?;

        if with_traffic {
            (self.doing)("programs talk");
            servers.push(self.server(&mut children)?);
            lasting.push(self.talk(&mut children, servers[1], &["--hold", "--size", "1200"])?);
            let mut passing = Vec::new();
            for (server, size, count) in [(1, "64", "3"), (1, "1", "1"), (0, "1400", "2"), (1, "20000", "1")] {
                passing.push(self.talk(&mut children, servers[server], &["--size", size, "--count", count])?);
            }
            passing.push(children.launch(self.machine, &["alone"])?);
            children.ask(&lasting[..1])?;
            children.until_done(&passing)?;
            children.until_ready(&lasting)?;

            if self.machine.chooses_ids() {
                (self.doing)("process ids are used again");
                self.reuse(&mut children, servers[1], [passing[0], passing[1]])?;
            }

            (self.doing)("another one listens");
            // What is on its way is to be heard before.
            self.hear(session, &mut life)?;
            let mut late = Late { at: now(), told: Vec::new() };
            let late_session = self.machine.listen()?;
            late.told = self.machine.heard(late_session)?.told;
            children.ask(&lasting)?;
            children.until_ready(&lasting)?;
            self.end_life(Some(Step::Stop), session, &mut children, &mut life)?;
            late.told.extend(self.machine.end(late_session)?.told);
            self.evidence.late = Some(late);
        } else {
            self.end_life(Some(Step::Stop), session, &mut children, &mut life)?;
        }
        self.ask(Step::StopTwice, Service::Driver, Verb::Stop)?;
        self.keep(life, children, &servers)
    }

    /// The ids of two programs that have exited are used again: by another program, which cannot be taken for the one before; and by the
    /// same one, which can.
    fn reuse(&mut self, children: &mut Children, server: usize, [one, two]: [usize; 2]) -> Result<()> {
        let own = env::current_exe().context("find our own program file")?;
        let folder = env::temp_dir().join(format!("flowtag-selftest-{}", std::process::id()));
        let other = folder.join("flowtag-again.exe");
        let servers = children.servers(server)?;
        let mut arguments = vec!["talk", "--size", "40"];
        arguments.extend(servers.iter().map(String::as_str));
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        fs::copy(&own, &other).with_context(|| format!("copy our own program to {}", other.display()))?;
        let started = [(one, &other), (two, &own)]
            .map(|(before, program)| children.launch_again(self.machine, before, program, &arguments));
        let started = started.into_iter().collect::<Result<Vec<_>>>();
        let done = started.and_then(|started| children.until_done(&started));
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        done
    }

    /// With more flows than there is room for.
    fn second(&mut self, session: Option<usize>) -> Result<()> {
        (self.doing)("the driver starts again, with room for 16 flows");
        let mut children = Children::new();
        self.set(LIMITED)?;
        let mut life = Life { kind: Kind::Limit, settings: LIMITED, started: now(), ..Life::default() };
        self.start(Step::StartAgain)?;
        let mut servers = Vec::new();
        if self.with_traffic() {
            servers.push(self.server(&mut children)?);
            let server = children.servers(servers[0])?.into_iter().next().context("a server without TCP")?;
            let mut arguments = vec!["talk", "--hold", "--size", "10"];
            arguments.resize(arguments.len() + MANY, &server);
            let many = children.launch(self.machine, &arguments)?;
            children.until_ready(&[many])?;
            children.ask(&[many])?;
            children.until_ready(&[many])?;
        }
        self.end_life(None, session, &mut children, &mut life)?;
        self.keep(life, children, &servers)
    }

    /// With the filter engine restarted, if that is wanted.
    fn third(&mut self, session: Option<usize>, wanted: Wanted) -> Result<()> {
        let mut children = Children::new();
        self.set(Settings::default())?;
        let mut life = Life { kind: Kind::Bfe, started: now(), ..Life::default() };
        self.start_in_passing()?;
        let mut servers = Vec::new();
        if wanted.restart_bfe {
            let with_traffic = self.with_traffic();
            let mut lasting = Vec::new();
            if with_traffic {
                servers.push(self.server(&mut children)?);
                lasting.push(self.talk(&mut children, servers[0], &["--hold", "--size", "60"])?);
                children.until_ready(&lasting)?;
            }
            (self.doing)("the Base Filtering Engine is stopped and started");
            self.ask(Step::BfeStop, Service::Bfe, Verb::Stop)?;
            let stopped = now();
            if with_traffic {
                let meanwhile = self.talk(&mut children, servers[0], &["--size", "70"])?;
                children.until_done(&[meanwhile])?;
            }
            self.ask(Step::BfeStart, Service::Bfe, Verb::Start)?;
            // The driver hears of it on another thread.
            self.hear(session, &mut life)?;
            life.without_bfe = Some(WithoutBfe { stopped, back: now() });
            self.ask(Step::AfterBfe, Service::Driver, Verb::Query)?;
            if with_traffic {
                let then = self.talk(&mut children, servers[0], &["--size", "80"])?;
                children.until_done(&[then])?;
                children.ask(&lasting)?;
                children.until_ready(&lasting)?;
            }
        }
        self.end_life(None, session, &mut children, &mut life)?;
        self.keep(life, children, &servers)
    }

    /// Whether it is of use that programs talk.
    const fn with_traffic(&self) -> bool {
        self.evidence.no_traffic.is_none() && self.evidence.no_events.is_none()
    }

    fn server(&mut self, children: &mut Children) -> Result<usize> {
        let server = children.launch(self.machine, &["serve"])?;
        children.until_ready(&[server])?;
        Ok(server)
    }

    fn talk(&mut self, children: &mut Children, server: usize, options: &[&str]) -> Result<usize> {
        let servers = children.servers(server)?;
        let mut arguments = vec!["talk"];
        arguments.extend(options);
        arguments.extend(servers.iter().map(String::as_str));
        children.launch(self.machine, &arguments)
    }

    fn ask(&mut self, step: Step, service: Service, verb: Verb) -> Result<Answer> {
        let answer = self.machine.ask(service, verb)?;
        self.evidence.asked.push((step, answer.clone()));
        Ok(answer)
    }

    fn start(&mut self, step: Step) -> Result<()> {
        let answer = self.ask(step, Service::Driver, Verb::Start)?;
        must_be(RUNNING, "start", &answer)
    }

    fn start_in_passing(&mut self) -> Result<()> {
        let answer = self.machine.ask(Service::Driver, Verb::Start)?;
        must_be(RUNNING, "start a third time", &answer)
    }

    fn hear(&mut self, session: Option<usize>, life: &mut Life) -> Result<()> {
        let Some(session) = session else { return Ok(()) };
        let heard = self.machine.heard(session)?;
        life.told.extend(heard.told);
        self.evidence.wrong.extend(heard.wrong);
        Ok(())
    }

    /// Stops the driver, and hears all that it has told.
    fn end_life(
        &mut self,
        step: Option<Step>,
        session: Option<usize>,
        children: &mut Children,
        life: &mut Life,
    ) -> Result<()> {
        (self.doing)("the driver stops");
        children.until_closed()?;
        // Before that what is on its way is heard.
        self.hear(session, life)?;
        life.stopped = now();
        let answer = match step {
            Some(step) => self.ask(step, Service::Driver, Verb::Stop)?,
            None => self.machine.ask(Service::Driver, Verb::Stop)?,
        };
        life.ended = now();
        must_be(STOPPED, "stop", &answer)?;
        self.hear(session, life)?;
        let deadline = Instant::now() + LATEST;
        while session.is_some() && self.machine.delivers_late() && !has_ended(life) && Instant::now() < deadline {
            self.hear(session, life)?;
        }
        Ok(())
    }

    /// Lets the programs end, and keeps what they say with what was heard.
    fn keep(&mut self, mut life: Life, mut children: Children, servers: &[usize]) -> Result<()> {
        children.release(servers)?;
        children.tell(&mut life)?;
        self.evidence.lives.push(life);
        Ok(())
    }
}

/// Whether the last of its events has come.
fn has_ended(life: &Life) -> bool {
    life.told.iter().any(|told| matches!(told.event, Event::Totals(_)))
}

fn must_be(state: u32, what: &str, answer: &Answer) -> Result<()> {
    if answer.state != state {
        bail!("the driver does not {what}: {}", in_words(answer));
    }
    Ok(())
}

/// What a service answered, for people.
#[must_use]
pub fn in_words(answer: &Answer) -> String {
    let state = match answer.state {
        0 => "no service".to_owned(),
        STOPPED => "STOPPED".to_owned(),
        2 => "START_PENDING".to_owned(),
        3 => "STOP_PENDING".to_owned(),
        RUNNING => "RUNNING".to_owned(),
        other => format!("state {other}"),
    };
    match answer.error {
        0 => state,
        error => format!("error {error}, {state}"),
    }
}
