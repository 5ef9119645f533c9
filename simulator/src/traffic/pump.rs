//! Gives events to a machine, one after the other.

use std::collections::HashMap;

use super::event::{Direction, Event, Flow, Packet, Process};

/// A network stack with flows: the simulated machine, or a test's stand-in.
pub trait Sink {
    /// How it names a flow.
    type Handle: Copy;
    /// What can go wrong: for the machine, a bug check.
    type Error;

    /// A process begins. The id of one that has exited may be used again.
    ///
    /// # Errors
    /// The sink's own.
    fn begin(&self, process: &Process) -> Result<(), Self::Error>;

    /// The process with this id exits; one that never began is passed over.
    ///
    /// # Errors
    /// The sink's own.
    fn exit(&self, pid: u32) -> Result<(), Self::Error>;

    /// A flow begins; `arrived` is the packet that made an inbound flow begin, and comes before its authorization.
    ///
    /// # Errors
    /// The sink's own.
    fn open(&self, flow: &Flow, arrived: Option<Packet>) -> Result<Self::Handle, Self::Error>;

    /// A packet of an open flow.
    ///
    /// # Errors
    /// The sink's own.
    fn packet(&self, handle: Self::Handle, direction: Direction, packet: Packet) -> Result<(), Self::Error>;

    /// A flow ends.
    ///
    /// # Errors
    /// The sink's own.
    fn close(&self, handle: Self::Handle) -> Result<(), Self::Error>;
}

/// Drives a sink.
#[derive(Debug)]
pub struct Pump<'a, S: Sink> {
    sink: &'a S,
    handles: HashMap<u64, S::Handle>,
}

impl<'a, S: Sink> Pump<'a, S> {
    /// A pump that drives `sink`.
    #[must_use]
    pub fn new(sink: &'a S) -> Self {
        Self { sink, handles: HashMap::new() }
    }

    /// Gives one event to the sink. An event of a flow that is not open is passed over: a recording may have been cut.
    ///
    /// # Errors
    /// The sink's own.
    pub fn feed(&mut self, event: &Event) -> Result<(), S::Error> {
        match event {
            Event::Begin(process) => self.sink.begin(process)?,
            Event::Exit { pid } => self.sink.exit(*pid)?,
            Event::Open { flow, arrived } => {
                let handle = self.sink.open(flow, *arrived)?;
                self.handles.insert(flow.id, handle);
            }
            Event::Packet { flow, direction, packet } => {
                if let Some(&handle) = self.handles.get(flow) {
                    self.sink.packet(handle, *direction, *packet)?;
                }
            }
            Event::Close { flow } => {
                if let Some(handle) = self.handles.remove(flow) {
                    self.sink.close(handle)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, convert::Infallible};

    use super::*;

    #[derive(Default)]
    struct Log(RefCell<Vec<String>>);

    impl Sink for Log {
        type Handle = u64;
        type Error = Infallible;

        fn begin(&self, process: &Process) -> Result<(), Infallible> {
            self.0.borrow_mut().push(format!("begin {}", process.pid));
            Ok(())
        }

        fn exit(&self, pid: u32) -> Result<(), Infallible> {
            self.0.borrow_mut().push(format!("exit {pid}"));
            Ok(())
        }

        fn open(&self, flow: &Flow, arrived: Option<Packet>) -> Result<u64, Infallible> {
            self.0.borrow_mut().push(format!("open {} {:?}", flow.id, arrived.map(|packet| packet.payload)));
            Ok(flow.id + 100)
        }

        fn packet(&self, handle: u64, direction: Direction, packet: Packet) -> Result<(), Infallible> {
            self.0.borrow_mut().push(format!("packet {handle} {direction:?} {}", packet.payload));
            Ok(())
        }

        fn close(&self, handle: u64) -> Result<(), Infallible> {
            self.0.borrow_mut().push(format!("close {handle}"));
            Ok(())
        }
    }

    fn fed(events: &[Event]) -> Vec<String> {
        let log = Log::default();
        let mut pump = Pump::new(&log);
        for event in events {
            let Ok(()) = pump.feed(event);
        }
        log.0.into_inner()
    }

    fn open(id: u64) -> Event {
        let flow = Flow {
            id,
            pid: Some(1),
            path: None,
            direction: Direction::Inbound,
            protocol: 6,
            local: "127.0.0.1:1".parse().unwrap(),
            remote: "127.0.0.1:2".parse().unwrap(),
        };
        Event::Open { flow, arrived: Some(Packet { header: 20, payload: 3 }) }
    }

    fn packet(flow: u64) -> Event {
        Event::Packet { flow, direction: Direction::Outbound, packet: Packet { header: 20, payload: 5 } }
    }

    #[test]
    fn processes_begin_and_exit_in_their_turn() {
        let process = Process { pid: 42, parent: 1, created: 5, path: None };
        let events = [Event::Begin(process), open(1), Event::Exit { pid: 42 }, Event::Close { flow: 1 }];

        assert_eq!(fed(&events), ["begin 42", "open 1 Some(3)", "exit 42", "close 101"]);
    }

    #[test]
    fn packets_and_the_end_go_to_the_handle_the_sink_gave() {
        assert_eq!(
            fed(&[open(1), packet(1), Event::Close { flow: 1 }]),
            ["open 1 Some(3)", "packet 101 Outbound 5", "close 101"]
        );
    }

    #[test]
    fn nothing_reaches_a_flow_after_its_end() {
        assert_eq!(
            fed(&[open(1), Event::Close { flow: 1 }, packet(1), Event::Close { flow: 1 }]),
            ["open 1 Some(3)", "close 101"]
        );
    }
}
