//! The flows of the test's own programs, in the life of the driver that is for traffic.

use super::Finding;
use crate::{
    event::{Direction, Event, Flow, Origin},
    flows::{Protocol, TCP, UDP},
    selftest::{
        evidence::{Evidence, Kind, Life, TrueFlow},
        told::{Joined, ToldFlow, join, read},
    },
};

/// Judges each flow that was told of, in the life for traffic: what is wrong with it, in words; `None` for one that does not count.
pub(super) fn each(
    evidence: &Evidence,
    what: &str,
    wrong: impl Fn(&Life, &TrueFlow, &ToldFlow<'_>) -> Option<Result<(), String>>,
) -> Finding {
    each_of(evidence, what, join, |life, flow, told| wrong(life, flow, told?))
}

/// Joins the flows of a life, of one kind, with what was told of them.
pub(super) type Join = for<'l, 'a> fn(&'l Life, &'a [ToldFlow<'a>]) -> Vec<Joined<'l, 'a>>;

/// The same of each flow of a kind, whether it was told of or not.
pub(super) fn each_of(
    evidence: &Evidence,
    what: &str,
    join: Join,
    wrong: impl Fn(&Life, &TrueFlow, Option<&ToldFlow<'_>>) -> Option<Result<(), String>>,
) -> Finding {
    let Some(life) = evidence.life(Kind::Traffic) else { return Finding::unknown("the driver did not stop") };
    let told = read(&life.told);
    let mut count = 0;
    let mut problems = Vec::new();
    for joined in join(life, &told) {
        let Some(judged) = wrong(life, joined.flow, joined.told) else { continue };
        count += 1;
        problems.extend(judged.err().map(|wrong| format!("{}: {wrong}", described(life, joined.flow))));
    }
    Finding::count(count, what, &problems)
}

/// A flow, in words.
pub(super) fn described(life: &Life, flow: &TrueFlow) -> String {
    let (pid, talk) = (life.owner(flow).hello.pid, &flow.talk);
    if is_away(flow) {
        // Without this end, which says what the user's network is.
        return format!("{} -> {} of process {pid}", Protocol(talk.protocol), talk.remote);
    }
    let arrow = if talk.inbound { "<-" } else { "->" };
    format!("{} {} {arrow} {} of process {pid}", Protocol(talk.protocol), talk.local, talk.remote)
}

/// It is so, or what is wrong with it.
pub(super) fn must(is_so: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(wrong()) }
}

/// Whether its other end is on another machine.
pub(super) fn is_away(flow: &TrueFlow) -> bool {
    !flow.talk.remote.ip().is_loopback()
}

/// Whether it was opened before the driver was started.
pub(super) fn is_older(life: &Life, flow: &TrueFlow) -> bool {
    flow.talk.opened < life.started
}

pub(super) fn tagged(evidence: &Evidence) -> Finding {
    let Some(life) = evidence.life(Kind::Traffic) else { return Finding::unknown("the driver did not stop") };
    let told = read(&life.told);
    let joined = join(life, &told);
    let untold = joined.iter().filter(|joined| joined.told.is_none());
    let problems: Vec<_> = untold.map(|joined| format!("nothing tells of {}", described(life, joined.flow))).collect();
    let count = |is: &dyn Fn(&TrueFlow) -> bool| life.flows.iter().filter(|flow| is(flow)).count();
    let tcp = count(&|flow| flow.talk.protocol == TCP);
    let v6 = count(&|flow| flow.talk.local.is_ipv6());
    let away = count(&is_away);
    let udp = joined.len() - tcp;
    let what =
        format!("flows ({tcp} TCP, {udp} UDP; {} IPv4, {v6} IPv6; {away} to another machine)", joined.len() - v6);
    Finding::count(joined.len(), &what, &problems)
}

pub(super) fn direction(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |life, flow, told| {
        // Of those that were authorized again it is another question.
        let inbound = told.first.direction == Direction::In;
        (!is_older(life, flow)).then_some(())?;
        Some(must(inbound == flow.talk.inbound, || format!("told as {:?}", told.first.direction)))
    })
}

pub(super) fn owner(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |life, flow, told| {
        let told = told.first.process.id;
        Some(must(told == life.owner(flow).hello.pid, || format!("told as that of process {told}")))
    })
}

pub(super) fn path(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |life, flow, told| {
        Some(must(is_path_of(&told.first.process.path, &life.owner(flow).hello.program), || {
            format!("told as that of a program called {}", told.first.process.name())
        }))
    })
}

/// Whether an NT path is that of a program: the same behind the volume, of which each has its own name. Windows does not tell small
/// letters from capital ones.
fn is_path_of(path: &str, program: &str) -> bool {
    let program = program.replace('/', "\\");
    let program = program.strip_prefix(r"\\?\").unwrap_or(&program);
    let behind_volume = program.split_once(':').map_or(program, |(_, rest)| rest);
    let (path, program) = (path.to_lowercase(), behind_volume.to_lowercase());
    path.strip_suffix(&program).is_some_and(|volume| !volume.is_empty())
}

pub(super) fn bytes(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |life, flow, told| {
        let &(_, traffic, _) = told.closes.last()?;
        // Of an older one nobody knows how much was before.
        (!is_older(life, flow)).then_some(())?;
        let expected = (flow.talk.sent, counted(flow));
        let counted = (traffic.out_bytes, traffic.in_bytes);
        Some(must(counted == expected, || format!("{counted:?} instead of {expected:?} bytes out and in")))
    })
}

/// How many of the bytes that a program received the driver can count.
fn counted(flow: &TrueFlow) -> u64 {
    flow.talk.received - if flow.talk.protocol == UDP && flow.talk.inbound { flow.talk.first } else { 0 }
}

pub(super) fn first_packets(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |_, _, told| {
        let &(_, traffic, _) = told.closes.last()?;
        let expected = [traffic.out_packets, traffic.in_packets].map(|count| usize::from(count > 0));
        let of = |way| told.first_packets.iter().filter(|packet| packet.direction == way).count();
        let found = [Direction::Out, Direction::In].map(of);
        Some(must(found == expected, || format!("{found:?} instead of {expected:?} first packets out and in")))
    })
}

pub(super) fn older(evidence: &Evidence) -> Finding {
    each(evidence, "older flows", |life, flow, told| {
        is_older(life, flow).then_some(())?;
        Some(must(told.first.origin == Origin::Reauthorized, || "told as a new one".to_owned()))
    })
}

pub(super) fn newer(evidence: &Evidence) -> Finding {
    each(evidence, "newer flows", |life, flow, told| {
        (!is_older(life, flow)).then_some(())?;
        Some(must(told.first.origin == Origin::New, || "told as an older one".to_owned()))
    })
}

/// The flow that an event tells of as its beginning, if it does.
pub(super) const fn begun(event: &Event) -> Option<&Flow> {
    match event {
        Event::FlowOpen(flow) | Event::FlowRundown(flow, _) => Some(flow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_path_of;

    #[test]
    fn a_path_is_that_of_a_program_whatever_volume_it_is_on() {
        assert!(is_path_of(r"\device\harddiskvolume3\flowtag\flowtag.exe", r"C:\flowtag\Flowtag.exe"));
        assert!(is_path_of(r"\Device\HarddiskVolume3\flowtag\flowtag.exe", r"\\?\C:\flowtag\Flowtag.exe"));
        assert!(is_path_of(r"\device\harddiskvolume1\usr\bin\flowtag", "/usr/bin/flowtag"));
    }

    #[test]
    fn a_path_of_another_program_or_folder_or_without_a_volume_is_not() {
        assert!(!is_path_of(r"\device\harddiskvolume3\flowtag\curl.exe", r"C:\flowtag\flowtag.exe"));
        assert!(!is_path_of(r"\device\harddiskvolume3\other\flowtag.exe", r"C:\flowtag\flowtag.exe"));
        assert!(!is_path_of(r"\flowtag\flowtag.exe", r"C:\flowtag\flowtag.exe"));
        assert!(!is_path_of("", r"C:\flowtag\flowtag.exe"));
    }
}
