//! Whose the packets of a capture are: flows and packets of any times on a few tuples, held against the rule itself.

use arbitrary::{Arbitrary, Unstructured};
use flowtag_tool::{
    event::{Event, Told, Traffic, Why},
    flows::TOLERANCE,
    time::MILLISECOND,
};

use crate::{
    annotation::{annotated, table},
    made::{BEGIN, Capture, ETHERNET, Order, RAW, after, ethernet, flow, udp},
    pcapng_reader::{self, Block, Packet},
};

const SERVER: &str = "10.0.0.9:53";
/// In microseconds: ten of it are the tolerance.
const STEP: u64 = TOLERANCE / MILLISECOND * 1000 / 10;
const EPB_FLAGS: u16 = 2;
const COMMENT: u16 = 1;

#[derive(Arbitrary, Debug)]
struct Made {
    big: bool,
    flows: Vec<Talk>,
    packets: Vec<Sent>,
}

/// A flow.
#[derive(Arbitrary, Debug)]
struct Talk {
    /// Which tuple, the way of it, and whose: each modulo a few.
    tuple: u8,
    server: bool,
    process: u8,
    opened: u8,
    lived: u8,
}

/// A packet.
#[derive(Arbitrary, Debug)]
struct Sent {
    tuple: u8,
    back: bool,
    time: u16,
    ethernet: bool,
    /// Whether the capture says which way it went.
    flags: Option<bool>,
    comment: bool,
}

/// Whom the rule gives a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Whose {
    Nobody,
    Process(u32),
    Several,
}

/// Annotates the capture, and reads it with the reader of the command's tests, which wants everything to be as it should.
pub fn run(input: &[u8]) {
    let Ok(it) = Made::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let events: Vec<Told> = it.flows.iter().enumerate().map(|(handle, talk)| talk.told(handle as u64)).collect();
    let table = table(&events);
    let mut capture = Capture::new(if it.big { Order::Big } else { Order::Little }, RAW);
    capture.interface(ETHERNET, &[]);
    for sent in &it.packets {
        sent.capture(&mut capture);
    }
    let annotated = annotated(&capture.bytes, &table, true).expect("it is a capture");
    let summary = annotated.summary;
    let before = packets(&capture.bytes).0;
    let (after, processes) = packets(&annotated.bytes);

    let whose: Vec<Whose> = it.packets.iter().map(|sent| sent.whose(&it.flows)).collect();
    assert_eq!((before.len(), after.len()), (whose.len(), whose.len()), "no packet is lost");
    for ((before, after), whose) in before.iter().zip(&after).zip(&whose) {
        let owner = match whose {
            Whose::Process(id) => Some((*id, 0)),
            Whose::Nobody | Whose::Several => None,
        };
        assert_eq!(after.owner, owner);
        let without_owner =
            Packet { owner: None, options: before.options.clone(), comments: before.comments.clone(), ..after.clone() };
        assert_eq!(&without_owner, before, "nothing else of the packet is another");
        assert!(after.options.starts_with(&before.options) && after.comments.starts_with(&before.comments));
        assert_eq!(after.options.len() - before.options.len(), if owner.is_some() { 2 } else { 0 });
    }
    let count = |wanted: fn(&Whose) -> bool| whose.iter().filter(|whose| wanted(whose)).count() as u64;
    assert_eq!(summary.joined, count(|whose| matches!(whose, Whose::Process(_))));
    assert_eq!(summary.unknown, count(|whose| *whose == Whose::Nobody));
    assert_eq!(summary.ambiguous, count(|whose| *whose == Whose::Several));
    let mut owners: Vec<u32> = after.iter().filter_map(|packet| packet.owner).map(|(id, _)| id).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut told: Vec<u32> = processes.iter().map(|process| process.id).collect();
    told.sort_unstable();
    assert_eq!(told, owners, "each owner is told of once");
}

fn packets(file: &[u8]) -> (Vec<Packet>, Vec<pcapng_reader::Process>) {
    let (mut packets, mut processes) = (Vec::new(), Vec::new());
    for block in pcapng_reader::blocks(file) {
        match block {
            Block::Packet(packet) => packets.push(packet),
            Block::Process(process) => processes.push(process),
            Block::Section(_) | Block::Other(..) => {}
        }
    }
    (packets, processes)
}

/// One of three, and the server that all of them talk to.
fn ends(tuple: u8, back: bool) -> [String; 2] {
    let client = format!("10.0.0.5:{}", 1000 + u16::from(tuple % 3));
    if back { [SERVER.into(), client] } else { [client, SERVER.into()] }
}

impl Talk {
    fn process(&self) -> u32 {
        1 + u32::from(self.process % 3)
    }

    fn opened(&self) -> u64 {
        u64::from(self.opened) * STEP
    }

    fn closed(&self) -> u64 {
        self.opened() + u64::from(self.lived) * STEP
    }

    /// Its end, which says when it began.
    fn told(&self, handle: u64) -> Told {
        let [local, remote] = ends(self.tuple, self.server);
        let duration = u64::from(self.lived) * STEP * (MILLISECOND / 1000);
        let traffic = Traffic { duration, ..Traffic::default() };
        let flow = flow(handle, self.process(), &local, &remote);
        Told { time: Some(after(self.closed())), event: Event::FlowClose(flow, traffic, Why::Ended) }
    }
}

impl Sent {
    fn capture(&self, capture: &mut Capture) {
        let [source, destination] = ends(self.tuple, self.back);
        let packet = udp(&source, &destination);
        let flags = self.flags.map(|inbound| capture.u32(if inbound { 1 } else { 2 }));
        let mut options: Vec<(u16, &[u8])> = Vec::new();
        if self.comment {
            options.push((COMMENT, b"seen"));
        }
        if let Some(flags) = &flags {
            options.push((EPB_FLAGS, flags));
        }
        let (interface, data) = if self.ethernet { (1, ethernet(&packet)) } else { (0, packet) };
        capture.packet_with(interface, BEGIN + self.time(), &data, &options);
    }

    fn time(&self) -> u64 {
        u64::from(self.time % 1024) * STEP
    }

    /// Where there were flows of one end only, it is theirs. Where there were of both, it is the sender's, or the receiver's if it came in.
    fn whose(&self, flows: &[Talk]) -> Whose {
        let of_end =
            |server: bool| flows.iter().filter(move |talk| talk.tuple % 3 == self.tuple % 3 && talk.server == server);
        let (sender, receiver) = (of_end(self.back), of_end(!self.back));
        let came_in = if sender.clone().next().is_some() && receiver.clone().next().is_some() {
            self.flags == Some(true)
        } else {
            sender.clone().next().is_none()
        };
        if came_in { self.at_end(&receiver) } else { self.at_end(&sender) }
    }

    /// Of the flows that live when it was captured, and if there are none of those that nearly do, all have to be one process's.
    fn at_end<'a>(&self, flows: &(impl Iterator<Item = &'a Talk> + Clone)) -> Whose {
        let within = |tolerance: u64| {
            let lives = flows.clone().filter(move |talk| {
                talk.opened() <= self.time() + tolerance && self.time() <= talk.closed() + tolerance
            });
            lives.map(Talk::process).fold(Whose::Nobody, |whose, process| match whose {
                Whose::Nobody => Whose::Process(process),
                Whose::Process(other) if other == process => whose,
                _ => Whose::Several,
            })
        };
        match within(0) {
            Whose::Nobody => within(10 * STEP),
            whose => whose,
        }
    }
}
