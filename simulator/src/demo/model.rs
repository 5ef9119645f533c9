//! A stand-in for the machine with the driver on it, which does all as it should, or does not: the demo can be tested without either.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Duration,
};

use anyhow::Result;

use super::{
    driver::{Driver, Line},
    verdict::Remains,
};
use crate::traffic::{
    event::{Direction, Flow, Packet, protocol},
    pump::Sink,
};

/// A driver that is right.
#[derive(Default)]
pub struct Model {
    running: Cell<bool>,
    open: RefCell<HashMap<u64, Entry>>,
    lines: RefCell<Vec<Line>>,
}

struct Entry {
    flow: Flow,
    tagged: bool,
    packets: [u64; 2],
    bytes: [u64; 2],
}

impl Model {
    fn print(&self, text: String) {
        self.lines.borrow_mut().push(Line { time: Duration::ZERO, text });
    }

    fn tag(&self, entry: &mut Entry, origin: &str) {
        entry.tagged = true;
        let flow = &entry.flow;
        let direction = if flow.direction == Direction::Outbound { "out" } else { "in" };
        let protocol = match flow.protocol {
            protocol::TCP => "tcp",
            protocol::UDP => "udp",
            _ => "icmp",
        };
        let (id, pid, local, remote) = (flow.id, flow.pid.unwrap_or_default(), flow.local, flow.remote);
        let path = flow.path.as_deref().unwrap_or("-").replace('/', "\\");
        self.print(format!("flowtag: open flow={id:#x} pid={pid} dir={direction} proto={protocol} {local} -> {remote} origin={origin} svc=- path={path}"));
    }

    fn untag(&self, entry: &mut Entry, why: &str) {
        entry.tagged = false;
        let (id, pid, [sent, received], [out, inward]) =
            (entry.flow.id, entry.flow.pid.unwrap_or_default(), entry.packets, entry.bytes);
        self.print(format!(
            "flowtag: close flow={id:#x} pid={pid} packets={sent}/{received} bytes={out}/{inward} ms=0 why={why}"
        ));
    }
}

impl Sink for Model {
    type Handle = u64;
    type Error = std::convert::Infallible;

    fn open(&self, flow: &Flow, _arrived: Option<Packet>) -> Result<u64, Self::Error> {
        let mut entry = Entry { flow: flow.clone(), tagged: false, packets: [0; 2], bytes: [0; 2] };
        if self.running.get() {
            self.tag(&mut entry, "new");
        }
        self.open.borrow_mut().insert(flow.id, entry);
        Ok(flow.id)
    }

    fn packet(&self, handle: u64, direction: Direction, packet: Packet) -> Result<(), Self::Error> {
        if self.running.get() {
            let mut open = self.open.borrow_mut();
            let entry = open.get_mut(&handle).unwrap();
            if !entry.tagged {
                self.tag(entry, "reauth");
            }
            entry.packets[direction as usize] += 1;
            entry.bytes[direction as usize] += u64::from(packet.payload);
        }
        Ok(())
    }

    fn close(&self, handle: u64) -> Result<(), Self::Error> {
        let mut entry = self.open.borrow_mut().remove(&handle).unwrap();
        if entry.tagged {
            self.untag(&mut entry, "deleted");
        }
        Ok(())
    }
}

impl Driver for Model {
    fn start(&self) -> Result<()> {
        self.running.set(true);
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        self.running.set(false);
        for entry in self.open.borrow_mut().values_mut().filter(|entry| entry.tagged) {
            self.untag(entry, "unload");
        }
        Ok(())
    }

    fn lines(&self, from: usize) -> Vec<Line> {
        self.lines.borrow()[from..].to_vec()
    }

    fn remains(&self) -> Remains {
        Remains::default()
    }
}
