//! Whose the flows are: which process exactly.

use std::collections::BTreeMap;

use super::{
    Finding,
    flows::{described, each, must},
};
use crate::{
    event::Process as Told,
    selftest::{
        evidence::{Evidence, Kind, Process},
        told::{join, read},
    },
    time::{MILLISECOND, Time},
};

/// How much the clock of the kernel may be beside that of programs: it moves in ticks, of 15.6 ms at most (page *Acquiring
/// high-resolution time stamps*); some of them.
const TICKS: u64 = 100 * MILLISECOND;

/// Whether it was created when this one was, by whom this one was.
fn is_of(told: &Told, process: &Process) -> bool {
    let created = told.created >= process.launched.earlier(TICKS) && told.created <= process.hello.now.later(TICKS);
    created && told.parent == process.parent
}

/// Whether it names nobody.
fn is_nobody(told: &Told) -> bool {
    (told.start_key, told.created, told.parent) == (0, Time::FIRST, 0)
}

pub(super) fn creation(evidence: &Evidence) -> Finding {
    each(evidence, "flows", |life, flow, told| {
        let owner = life.owner(flow);
        (!life.is_ambiguous(owner)).then_some(())?;
        let told = &told.first.process;
        let wrong = || format!("told as created {}, by process {}", told.created, told.parent);
        Some(must(is_of(told, owner), wrong))
    })
}

pub(super) fn keys(evidence: &Evidence) -> Finding {
    let Some(life) = evidence.life(Kind::Traffic) else { return Finding::unknown("the driver did not stop") };
    let told = read(&life.told);
    // The first key of each process, and who has each key.
    let mut of_process: BTreeMap<usize, u64> = BTreeMap::new();
    let mut owner_of: BTreeMap<u64, usize> = BTreeMap::new();
    let mut count = 0;
    let mut problems = Vec::new();
    for joined in join(life, &told) {
        let Some(told) = joined.told else { continue };
        let (index, key) = (joined.flow.process, told.first.process.start_key);
        // Two that had one id are judged by another claim.
        let shares_id = |other: &Process| other.hello.pid == life.processes[index].hello.pid;
        if life.processes.iter().filter(|other| shares_id(other)).count() > 1 {
            continue;
        }
        count += 1;
        let first = *of_process.entry(index).or_insert(key);
        let owner = *owner_of.entry(key).or_insert(index);
        if key == 0 {
            problems.push(format!("{}: none", described(life, joined.flow)));
        } else if first != key {
            problems.push(format!("{}: {key:#x}, and {first:#x} before", described(life, joined.flow)));
        } else if owner != index {
            let other = life.processes[owner].hello.pid;
            problems.push(format!("{}: {key:#x}, which process {other} has", described(life, joined.flow)));
        }
    }
    let what = format!("flows of {} processes", of_process.len());
    Finding::count(count, &what, &problems)
}

pub(super) fn reused(evidence: &Evidence) -> Finding {
    let Some(life) = evidence.life(Kind::Traffic) else { return Finding::unknown("the driver did not stop") };
    let reused =
        |process: &Process| life.processes.iter().filter(|other| other.hello.pid == process.hello.pid).count() > 1;
    let ids = life.processes.iter().filter(|process| reused(process)).count() / 2;
    if ids == 0 {
        return Finding::unknown("no process id was used again");
    }
    let told = read(&life.told);
    let mut count = 0;
    let mut problems = Vec::new();
    for joined in join(life, &told) {
        let (owner, Some(told)) = (life.owner(joined.flow), joined.told) else { continue };
        if !reused(owner) {
            continue;
        }
        count += 1;
        let told = &told.first.process;
        let is_right =
            if life.is_ambiguous(owner) { is_nobody(told) } else { told.start_key != 0 && is_of(told, owner) };
        if !is_right {
            let Told { start_key, created, parent, .. } = told;
            let wrong = format!("told as that with the key {start_key:#x}, created {created} by process {parent}");
            problems.push(format!("{}: {wrong}", described(life, joined.flow)));
        }
    }
    Finding::count(count, &format!("flows of {ids} ids that were used again"), &problems)
}
