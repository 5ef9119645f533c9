//! A full ring is flooded: which flows keep their tags.

use anyhow::Result;
use flowtag_simulator::wfp::{Direction, FlowHandle};

use crate::{
    subject::{Subject, flow},
    transport::packet,
};

/// Flows in the ring.
pub const FLOWS: usize = 4_096;
/// Flows of the flood.
pub const NEWCOMERS: usize = 10 * FLOWS;
/// Flows in use.
pub const BUSY: usize = 100;
/// Newcomers for each packet of a flow in use.
const RATE: usize = FLOWS / 16;

/// Where the flows in use are in the ring when the flood begins.
#[derive(Clone, Copy)]
pub enum Placement {
    /// The first opened.
    Oldest,
    /// Anywhere.
    Anywhere,
    /// The last opened.
    Youngest,
}

impl Placement {
    /// For the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Anywhere => "anywhere",
            Self::Youngest => "youngest",
        }
    }

    const fn has(self, number: usize) -> bool {
        match self {
            Self::Oldest => number < BUSY,
            // A generator whose period is the ring.
            Self::Anywhere => (number * 1_309 + 7) % FLOWS < BUSY,
            Self::Youngest => number < FLOWS && number >= FLOWS - BUSY,
        }
    }
}

/// Packets of each flow, those in use aside.
#[derive(Clone, Copy)]
pub enum Packets {
    /// One for every other flow.
    OneOrNone,
    /// Twenty, as it is opened.
    Twenty,
}

impl Packets {
    /// For the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneOrNone => "0 or 1",
            Self::Twenty => "20",
        }
    }

    /// For the figures.
    pub const fn short(self) -> &'static str {
        match self {
            Self::OneOrNone => "01",
            Self::Twenty => "20",
        }
    }

    const fn of(self, number: usize) -> usize {
        match self {
            Self::OneOrNone => number % 2,
            Self::Twenty => 20,
        }
    }
}

/// What a flood did.
pub struct Flood {
    /// Where the flows in use were.
    pub placement: Placement,
    /// Packets of the others.
    pub packets: Packets,
    /// Flows in use that lost their tags.
    pub busy_lost: usize,
    /// Newcomers that were not tagged.
    pub untracked: usize,
    /// The most of these one after the other.
    pub longest_row: usize,
}

/// Every flood of the table.
pub fn all() -> Result<Vec<Flood>> {
    let mut floods = Vec::new();
    for packets in [Packets::OneOrNone, Packets::Twenty] {
        for placement in [Placement::Oldest, Placement::Anywhere, Placement::Youngest] {
            floods.push(flood(placement, packets)?);
        }
    }
    Ok(floods)
}

fn flood(placement: Placement, packets: Packets) -> Result<Flood> {
    let subject = Subject::flowtag(0, u32::try_from(FLOWS)?)?;
    let (spec, packet) = (flow(0), packet(1));
    let send = |flow: FlowHandle| subject.machine.transport(flow, Direction::Outbound, &packet).map(drop);
    let is_tagged = |flow: FlowHandle| subject.machine.flow_context(flow, Direction::Outbound).is_some();
    let mut busy: Vec<(usize, FlowHandle)> = Vec::new();
    let mut flood = Flood { placement, packets, busy_lost: 0, untracked: 0, longest_row: 0 };
    let mut row = 0;
    for number in 0..FLOWS + NEWCOMERS {
        for (_, flow) in busy.iter().filter(|(one, _)| one % RATE == number % RATE) {
            send(*flow)?;
        }
        let flow = subject.open(&spec)?;
        if placement.has(number) {
            busy.push((number, flow));
        }
        if is_tagged(flow) {
            row = 0;
        } else {
            flood.untracked += 1;
            row += 1;
            flood.longest_row = flood.longest_row.max(row);
        }
        for _ in 0..packets.of(number) {
            send(flow)?;
        }
    }
    flood.busy_lost = busy.iter().filter(|(_, flow)| !is_tagged(*flow)).count();
    Ok(flood)
}
