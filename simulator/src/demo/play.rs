//! What the demo's own programs do, and when.

use anyhow::Result;

use super::{
    driver::Driver,
    live::Live,
    programs::{self, Ports},
    report::now,
    run::Run,
};
use crate::traffic::live::Capture;

/// The demo's own programs: some older than the driver, some that come and go, some that outlive it.
///
/// # Errors
/// A program is not installed, fails, or hangs.
pub fn own_programs<D: Driver>(run: &mut Run<'_, D>, capture: &mut Capture) -> Result<()> {
    let mut live = Live::new(run, capture);

    live.run.doing("starting programs that are older than the driver");
    let servers = [programs::http_server(), programs::echo_server(), programs::peer(&["serve"], &[])?];
    let [http, python, peer] = servers.map(|server| live.launch(server));
    let (http, python, peer) = (http?, python?, peer?);
    live.until("the servers listen", |live| {
        [http, python, peer].iter().all(|&server| live.programs[server].ready.is_some())
    })?;
    let [http_ports, python_ports, peer_ports] = [http, python, peer].map(|server| Ports::of(&live.programs[server]));
    let old = live.launch(programs::peer(&["talk", "--hold", "--size", "300"], &peer_ports.for_peer()?)?)?;
    // Nobody can know of its process: it has exited when the driver starts, and what it has opened goes on.
    let unknown = live.launch(programs::heir(&peer_ports, &python_ports)?)?;
    live.until("the first connections stand", |live| live.programs[old].ready.is_some() && live.stands_alone(unknown))?;

    live.run.start(now())?;

    live.run.doing("real traffic");
    let lasting = live.launch(programs::peer(&["talk", "--hold", "--size", "1200"], &python_ports.for_peer()?)?)?;
    let mut passing = Vec::new();
    for (v6, size) in [(false, 0), (true, 1), (false, 1_000), (true, 5_000), (false, 20_000), (true, 60_000)] {
        passing.push(live.launch(programs::curl(&http_ports, v6, size)?)?);
    }
    passing.push(live.launch(programs::echo_client(&python_ports)?)?);
    passing.push(live.launch(programs::echo_client(&peer_ports)?)?);
    passing.push(live.launch(programs::perl(&peer_ports)?)?);
    passing.push(live.launch(programs::perl(&python_ports)?)?);
    passing.push(live.launch(programs::peer(&["talk", "--count", "3", "--size", "64"], &peer_ports.for_peer()?)?)?);
    // This server sees each connection at once, so that some live for less than 5 ms.
    passing.push(live.launch(programs::peer(&["talk", "--count", "16", "--size", "64"], &python_ports.for_peer()?)?)?);
    live.programs[old].ask()?;
    live.programs[unknown].ask()?;
    live.until("the passing programs are done", |live| {
        passing.iter().all(|&program| live.programs[program].is_done()) && live.programs[lasting].ready.is_some()
    })?;

    live.run.doing("a port is used again");
    live.one_port(&python_ports)?;

    live.run.doing("another one listens");
    live.run.session_comes(now())?;

    live.run.doing("process ids are used again");
    let heirs = [
        live.launch(programs::heir(&peer_ports, &python_ports)?)?,
        live.launch(programs::heir(&peer_ports, &python_ports)?)?,
    ];
    live.until("their owners have gone", |live| heirs.iter().all(|&heir| live.stands_alone(heir)))?;
    // By another program, which cannot be taken for the one before; and by the same one, which can.
    let other =
        live.launch_again(heirs[0], programs::peer(&["talk", "--hold", "--size", "40"], &peer_ports.for_peer()?)?)?;
    let same = live.launch_again(heirs[1], programs::echo_client(&peer_ports)?)?;
    live.until("those with used ids have talked", |live| {
        live.programs[other].ready.is_some() && live.programs[same].is_done()
    })?;
    // And now the old sockets talk to somebody new.
    let lasting = [old, unknown, lasting, other, heirs[0], heirs[1]];
    for program in lasting {
        live.programs[program].ask()?;
    }
    live.until("the lasting connections are quiet", |live| {
        lasting.iter().all(|&program| live.programs[program].rounds == live.programs[program].asked)
    })?;

    live.run.doing("stopping the driver with connections open");
    live.run.stop(now())?;

    live.run.doing("asking the programs");
    for group in [lasting.as_slice(), &[http, python, peer]] {
        for &program in group {
            live.programs[program].release();
        }
        live.until("the programs end", |live| group.iter().all(|&program| live.programs[program].is_done()))?;
    }
    live.hear_out()
}

/// How many programs use one port, one after the other.
const ON_ONE_PORT: usize = 3;

impl<D: Driver> Live<'_, '_, D> {
    /// Programs talk to the same server from the same port, each as soon as the one before has given it up. All run by then.
    fn one_port(&mut self, server: &Ports) -> Result<()> {
        let first = self.launch(programs::again(0, server)?)?;
        self.until("the first one has a port", |live| live.programs[first].ready.is_some())?;
        let port = Ports::of(&self.programs[first]).only()?;
        let mut all = vec![first];
        for _ in 1..ON_ONE_PORT {
            all.push(self.launch(programs::again(port, server)?)?);
        }
        self.until("the next ones wait", |live| all.iter().all(|&program| live.programs[program].ready.is_some()))?;
        for &program in &all {
            self.programs[program].ask()?;
            self.until("it has given up its port", |live| live.programs[program].rounds == 1)?;
            self.programs[program].release();
        }
        self.until("they end", |live| all.iter().all(|&program| live.programs[program].is_done()))
    }

    /// Whether a program's process has exited, and its heir has what it opened.
    fn stands_alone(&self, program: usize) -> bool {
        self.programs[program].has_exited() && self.programs[program].ready.is_some()
    }
}
