//! One run of a case: a fresh machine, the threads in an order of somebody's choice, and what must hold afterwards.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use flowtag_simulator::{
    Options,
    interleave::{Crew, Job, Plan, Run, Strategy, Waits},
    service::State,
    wfp::status,
};
use flowtag_tests::rig::{Rig, field, outbound, told_of_after_its_end};

use super::case::{Case, Known, Owner, Sessions};

/// How many flows the ring holds: as few as it can be told.
pub const RING: u32 = 16;

/// Runs `case` once.
pub fn play(case: &Case, crew: &Crew, strategy: Arc<Mutex<dyn Strategy>>, waits: Waits) -> Run {
    let rig = Rig::with_options(Options::default(), &[("MaxFlows", RING)]);
    let machine = rig.machine.clone();
    let known = match prepare(case, &rig) {
        Ok(owner) => Arc::new(Known { owner, sessions: Sessions::default() }),
        Err(error) => {
            return Run { steps: Vec::new(), failure: Some(format!("before the threads began: {error}")) };
        }
    };
    let jobs = case.threads.iter().map(|thread| -> Job {
        let (case, thread, machine, known) = (case.clone(), thread.clone(), machine.clone(), Arc::clone(&known));
        Box::new(move || thread.iter().try_for_each(|&does| case.perform(&machine, &known, does)))
    });
    let watched = machine.clone();
    let memory: Box<dyn Fn() -> u64 + Send> = Box::new(move || watched.driver_memory());
    let plan = Plan { strategy, memory: Some(memory), waits, seed: 1 };
    let mut run = crew.run(plan, jobs.collect());
    if run.failure.is_none() {
        let outcome = keys(&rig, &known.owner).and_then(|()| after(&rig));
        run.failure = outcome.and_then(|()| every_flow_is_closed(&rig, &known.sessions)).err();
    }
    run
}

/// The driver runs, unless it is to be loaded, with the case's flows open.
fn prepare(case: &Case, rig: &Rig) -> Result<Owner, String> {
    let owner = Owner::begin(&rig.machine)?;
    if !case.loads() {
        rig.start().map_err(|error| error.to_string())?;
    }
    for _ in 0..case.open {
        rig.machine.open_flow(&outbound()).map_err(|bug_check| bug_check.to_string())?;
    }
    rig.set(case.windows.set);
    if case.windows.removal_fails {
        rig.fail("FwpsFlowRemoveContext0", 1, Some(status::UNSUCCESSFUL));
    }
    Ok(owner)
}

/// No flow has another key than that of its owner. Whoever exited before the driver could be told is not known: then the next one of
/// the same program is taken for it.
fn keys(rig: &Rig, owner: &Owner) -> Result<(), String> {
    if rig.machine.query_service("flowtag").is_ok_and(|status| status.state == State::Running) {
        rig.machine.open_flow(&outbound()).map_err(|bug_check| bug_check.to_string())?;
    }
    let key = format!("{:#x}", owner.process.key);
    let exited = rig.machine.processes().has_exited(owner.process);
    for line in rig.lines_of("open") {
        let known = field(&line, "key");
        if known != "-" && known != key && (!exited || owner.told.load(Ordering::Relaxed)) {
            return Err(format!("{line}: the owner has the key {key}"));
        }
    }
    Ok(())
}

/// The driver can be stopped if it has not been, and leaves nothing behind.
fn after(rig: &Rig) -> Result<(), String> {
    let machine = &rig.machine;
    let running = machine.query_service("flowtag").is_ok_and(|status| status.state == State::Running);
    if running {
        if machine.wfp().filters() != 8 {
            return Err(format!("the filter engine has {} of the driver's filters", machine.wfp().filters()));
        }
        machine.run_deferred_deletes().map_err(|bug_check| bug_check.to_string())?;
        machine.stop_service("flowtag").map_err(|error| error.to_string())?;
    }
    if let Some(bug_check) = machine.referee().verdict() {
        return Err(bug_check.to_string());
    }
    let (wfp, processes) = (machine.wfp(), machine.processes());
    let left = [
        ("contexts", wfp.contexts()),
        ("callouts", wfp.callouts() as u64),
        ("filters", wfp.filters() as u64),
        ("sessions", wfp.sessions() as u64),
        ("process notify routines", processes.routines() as u64),
        ("references to processes", processes.references().cast_unsigned()),
        ("handles of processes", processes.handles() as u64),
        ("providers of events", machine.etw().registrations() as u64),
        ("blocks of pool", machine.pool().live_count() as u64),
    ];
    if let Some((what, count)) = left.into_iter().find(|&(_, count)| count > 0) {
        return Err(format!("{count} {what} are left after unload"));
    }
    if machine.query_service("flowtag").is_ok_and(|status| status.state != State::Stopped) {
        return Err("the service has not stopped".into());
    }
    let (opened, closed) = (rig.total("opened"), rig.total("closed"));
    if opened != closed {
        return Err(format!("the driver counted {opened} opened flows and {closed} closed ones"));
    }
    Ok(())
}

/// The last that a session hears of a handle is that its flow is closed: nothing is told of a flow that has ended.
fn every_flow_is_closed(rig: &Rig, sessions: &Sessions) -> Result<(), String> {
    for &session in sessions.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Some((flow, name)) = told_of_after_its_end(&rig.events(session)) {
            return Err(format!("the last event of the flow {flow:#x} is {name}"));
        }
    }
    Ok(())
}
