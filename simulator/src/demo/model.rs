//! A stand-in for the machine with the driver on it, which does all as it should, or does not: the demo can be tested without either.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use anyhow::Result;

use super::{
    driver::{Driver, Line},
    events::{tests::about, to_the_millisecond},
    keys::StartKey,
    report::Protocol,
    trace::{Counted, Owner, Tagged},
    verdict::Remains,
};
use crate::{
    etw::Event,
    traffic::{
        event::{Direction, Flow, Packet, Process, protocol},
        pump::Sink,
    },
};

/// A driver that is right.
#[derive(Default)]
pub struct Model {
    running: Cell<bool>,
    processes: RefCell<Vec<Known>>,
    keys: RefCell<Vec<StartKey>>,
    open: RefCell<BTreeMap<u64, Entry>>,
    lines: RefCell<Vec<Line>>,
    sessions: RefCell<Vec<Vec<Event>>>,
}

struct Known {
    process: Process,
    key: u64,
    exited: bool,
}

struct Entry {
    flow: Flow,
    tag: Option<Tag>,
    packets: [u64; 2],
    bytes: [u64; 2],
}

struct Tag {
    told: Tagged,
    created: u64,
}

impl Model {
    fn print(&self, text: String) {
        self.lines.borrow_mut().push(Line { time: Duration::ZERO, text });
    }

    fn tell(&self, name: &str, Tag { told, created }: &Tag) {
        for session in &mut *self.sessions.borrow_mut() {
            session.push(about(name, told, *created));
        }
    }

    /// The one that had this id, and has this file.
    fn owner_of(&self, flow: &Flow) -> Option<(Owner, u64)> {
        let processes = self.processes.borrow();
        let mut fit =
            processes.iter().filter(|known| (Some(known.process.pid), &known.process.path) == (flow.pid, &flow.path));
        let Known { process, key, .. } = fit.next().filter(|_| fit.next().is_none())?;
        let start = Some(to_the_millisecond(process.created));
        Some((Owner { key: Some(*key), start, parent: Some(process.parent.into()) }, process.created))
    }

    fn tag(&self, entry: &mut Entry, again: bool) {
        let flow = &entry.flow;
        let (owner, created) = self.owner_of(flow).unwrap_or_default();
        let told = Tagged {
            flow: flow.id,
            pid: flow.pid.unwrap_or_default().into(),
            direction: flow.direction,
            protocol: Some(if flow.protocol == protocol::TCP { Protocol::Tcp } else { Protocol::Udp }),
            ends: Some((flow.local, flow.remote)),
            again,
            owner,
            service: None,
            path: flow.path.as_deref().unwrap_or("-").replace('/', "\\"),
            counted: None,
        };
        let direction = if flow.direction == Direction::Outbound { "out" } else { "in" };
        let protocol = if flow.protocol == protocol::TCP { "tcp" } else { "udp" };
        let origin = if again { "reauth" } else { "new" };
        let Owner { key, start, parent } = &told.owner;
        let start = start.as_deref().unwrap_or("-");
        let key = key.map_or("-".to_owned(), |key| format!("{key:#x}"));
        let parent = parent.map_or("-".to_owned(), |parent| parent.to_string());
        self.print(format!(
            "flowtag: open flow={:#x} pid={} dir={direction} proto={protocol} {} -> {} origin={origin} start={start} key={key} \
             ppid={parent} svc=- path={}",
            told.flow, told.pid, flow.local, flow.remote, told.path
        ));
        let tag = Tag { told, created };
        self.tell("FlowOpen", &tag);
        entry.tag = Some(tag);
    }

    fn untag(&self, entry: &mut Entry, why: &str) {
        let Some(mut tag) = entry.tag.take() else { return };
        let (Tagged { flow, pid, .. }, [sent, received], [out, inward]) = (&tag.told, entry.packets, entry.bytes);
        self.print(format!(
            "flowtag: close flow={flow:#x} pid={pid} packets={sent}/{received} bytes={out}/{inward} ms=0 why={why}"
        ));
        let (packets, bytes) = (entry.packets.into(), entry.bytes.into());
        tag.told.counted = Some(Counted { packets, bytes, milliseconds: 0, why: why.to_owned() });
        self.tell("FlowClose", &tag);
    }
}

impl Sink for Model {
    type Handle = u64;
    type Error = std::convert::Infallible;

    fn begin(&self, process: &Process) -> Result<(), Self::Error> {
        let mut keys = self.keys.borrow_mut();
        let key = 1_000 + keys.len() as u64;
        keys.push(StartKey { pid: process.pid, created: process.created, key });
        self.processes.borrow_mut().push(Known { process: process.clone(), key, exited: false });
        Ok(())
    }

    fn exit(&self, pid: u32) -> Result<(), Self::Error> {
        for known in self.processes.borrow_mut().iter_mut().filter(|known| known.process.pid == pid) {
            known.exited = true;
        }
        Ok(())
    }

    fn open(&self, flow: &Flow, _arrived: Option<Packet>) -> Result<u64, Self::Error> {
        let mut entry = Entry { flow: flow.clone(), tag: None, packets: [0; 2], bytes: [0; 2] };
        if self.running.get() {
            self.tag(&mut entry, false);
        }
        self.open.borrow_mut().insert(flow.id, entry);
        Ok(flow.id)
    }

    fn packet(&self, handle: u64, direction: Direction, packet: Packet) -> Result<(), Self::Error> {
        if self.running.get() {
            let mut open = self.open.borrow_mut();
            let entry = open.get_mut(&handle).unwrap();
            if entry.tag.is_none() {
                self.tag(entry, true);
            }
            entry.packets[direction as usize] += 1;
            entry.bytes[direction as usize] += u64::from(packet.payload);
        }
        Ok(())
    }

    fn close(&self, handle: u64) -> Result<(), Self::Error> {
        let mut entry = self.open.borrow_mut().remove(&handle).unwrap();
        self.untag(&mut entry, "deleted");
        Ok(())
    }
}

impl Driver for Model {
    type Session = usize;

    fn happens_at(&self, _time: Option<u64>) {}

    fn start(&self) -> Result<()> {
        self.running.set(true);
        self.processes.borrow_mut().retain(|known| !known.exited);
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        self.running.set(false);
        for entry in self.open.borrow_mut().values_mut() {
            self.untag(entry, "unload");
        }
        Ok(())
    }

    fn lines(&self, from: usize) -> Vec<Line> {
        self.lines.borrow()[from..].to_vec()
    }

    fn start_keys(&self) -> Vec<StartKey> {
        self.keys.borrow().clone()
    }

    fn listen(&self, _level: u8) -> Result<usize> {
        let mut sessions = self.sessions.borrow_mut();
        sessions.push(Vec::new());
        Ok(sessions.len() - 1)
    }

    fn capture_state(&self, _session: usize) -> Result<()> {
        for tag in self.open.borrow().values().filter_map(|entry| entry.tag.as_ref()) {
            self.tell("FlowRundown", tag);
        }
        Ok(())
    }

    fn events(&self, session: usize) -> Vec<Event> {
        std::mem::take(&mut self.sessions.borrow_mut()[session])
    }

    fn events_lost(&self, _session: usize) -> u64 {
        0
    }

    fn remains(&self) -> Remains {
        Remains::default()
    }
}
