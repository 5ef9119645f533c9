//! Which processes and flows there are, by what the events tell.
//!
//! Packets are counted as they pass. Where an event tells what a flow has done since it was tagged, the larger number is right: it
//! counts packets, too, that nobody told of.

use std::collections::VecDeque;

use hashbrown::{HashMap, hash_map::Entry};

use super::{
    flow::{FlowId, State, text},
    processes::{ProcessId, Processes},
    snapshot::{Figures, FlowRow, ProcessRow, Snapshot},
    window::{Bytes, span},
};
use crate::{
    event::{Direction, Event, Flow, Packet, Process, Told},
    time::{MILLISECOND, Time},
};

/// A flow that has ended is shown for so long.
const LINGERS: u64 = 10_000 * MILLISECOND;
/// No more than so many of these.
const LINGERING: usize = 10_000;

/// What has been heard of.
#[derive(Debug, Default)]
pub struct Model {
    processes: Processes,
    /// Flows that live, by their handles.
    live: HashMap<u64, State>,
    /// Flows whose packets were told, and nothing else: their own events were written before anybody listened, or were lost.
    strays: HashMap<u64, State>,
    /// Flows that have ended, the longest ago first.
    ended: VecDeque<State>,
    next: u64,
    /// The times of the first event and of the newest.
    times: Option<(Time, Time)>,
}

impl Model {
    /// Hears an event.
    pub fn hear(&mut self, told: &Told) {
        if let Some(time) = told.time {
            let (began, newest) = self.times.unwrap_or((time, time));
            self.times = Some((began.min(time), newest.max(time)));
        }
        let since = |duration| told.time.map(|time| time.earlier(duration));
        match &told.event {
            Event::FlowOpen(flow) => self.lives(flow, told.time, Bytes::default()),
            Event::FlowRundown(flow, traffic) => self.lives(flow, since(traffic.duration), traffic.into()),
            Event::FlowClose(flow, traffic, _) => {
                self.lives(flow, since(traffic.duration), traffic.into());
                self.ends(flow.handle, told.time);
            }
            Event::FirstPacket(packet) | Event::Packet(packet) => self.passes(packet, told.time),
            // Flows of the driver's former run: whoever lost their ends will not get them any more.
            Event::Loaded(_) | Event::Totals(_) => {
                for handle in self.live.keys().copied().collect::<Vec<_>>() {
                    self.ends(handle, told.time);
                }
            }
            _ => {}
        }
    }

    /// The time of the newest event; `None` if none has told one.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        self.times.map(|(_, newest)| newest)
    }

    /// What there is now. `None` if nobody knows when that is: then there are no rates.
    pub fn snapshot(&mut self, now: Option<Time>) -> Snapshot {
        if let Some(now) = now {
            self.expire(now);
        }
        let mut rows: Vec<ProcessRow> = Vec::new();
        let mut places: HashMap<ProcessId, usize> = HashMap::new();
        for (id, owner) in self.processes.iter() {
            places.insert(id, rows.len());
            let (process, past) = (owner.process.clone(), owner.past);
            rows.push(ProcessRow { id, process, services: None, past, flows: Vec::new() });
        }
        for state in self.live.values().chain(self.strays.values()).chain(&self.ended) {
            let recent = now.map_or_else(Bytes::default, |now| state.window.at(now));
            let row = FlowRow {
                id: state.id,
                text: state.text.clone(),
                figures: Figures { recent, total: state.total },
                age: state.age(now),
                is_over: state.is_over,
            };
            if let Some(&place) = places.get(&state.process) {
                rows[place].flows.push(row);
            }
        }
        // Nothing is left of who was named by packets only, whose flow has turned out to be another one's.
        rows.retain(|row| !row.flows.is_empty() || row.past.both() > 0);
        let span = self.times.zip(now).map(|((began, _), now)| span(now, began));
        Snapshot { processes: rows, span, now }
    }

    /// The flow lives since `opened`, and has done so much. It may have been told before: a session that comes late gets live flows
    /// by a `FlowOpen` and a `FlowRundown`, in any order.
    fn lives(&mut self, flow: &Flow, opened: Option<Time>, total: Bytes) {
        let process = self.processes.hold(&flow.process);
        let text = text(flow);
        if let Some(known) = self.live.get_mut(&flow.handle) {
            if known.process == process && *known.text == *text {
                known.lives(opened, total);
                self.processes.release(process, Bytes::default());
                return;
            }
            // The handle is another flow's by now: the end of the first was lost.
            self.ends(flow.handle, opened);
        }
        self.next += 1;
        let mut state = State::new(FlowId(self.next), process, text);
        if let Some(stray) = self.strays.remove(&flow.handle) {
            self.processes.release(stray.process, Bytes::default());
            (state.window, state.total) = (stray.window, stray.total);
        }
        state.lives(opened, total);
        self.live.insert(flow.handle, state);
    }

    fn ends(&mut self, handle: u64, time: Option<Time>) {
        let Some(mut state) = self.live.remove(&handle) else { return };
        state.is_over = true;
        state.closed = time;
        self.ended.push_back(state);
        if self.ended.len() > LINGERING {
            self.pass_over();
        }
    }

    fn passes(&mut self, packet: &Packet, time: Option<Time>) {
        let bytes = match packet.direction {
            Direction::Out => Bytes { sent: packet.bytes.into(), received: 0 },
            Direction::In => Bytes { sent: 0, received: packet.bytes.into() },
        };
        let state = match self.live.get_mut(&packet.handle) {
            Some(state) => state,
            None => self.stray(packet),
        };
        state.total += bytes;
        if let Some(time) = time {
            state.window.add(time, bytes);
        }
    }

    fn stray(&mut self, packet: &Packet) -> &mut State {
        match self.strays.entry(packet.handle) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let process = Process { id: packet.process_id, start_key: packet.start_key, ..Process::default() };
                self.next += 1;
                let process = self.processes.hold(&process);
                place.insert(State::new(FlowId(self.next), process, format!("flow {:#x}", packet.handle)))
            }
        }
    }

    /// Leaves out the flows that ended long ago, and those of which only packets were told, and none lately.
    fn expire(&mut self, now: Time) {
        while self.ended.front().is_some_and(|state| state.closed.is_some_and(|time| time.later(LINGERS) <= now)) {
            self.pass_over();
        }
        let processes = &mut self.processes;
        self.strays.retain(|_, state| {
            let stays = !state.window.is_over(now);
            if !stays {
                processes.release(state.process, state.total);
            }
            stays
        });
    }

    /// What the flow did that ended the longest ago is its process's past from now on.
    fn pass_over(&mut self) {
        if let Some(state) = self.ended.pop_front() {
            self.processes.release(state.process, state.total);
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
