//! One run of a case: a fresh machine, the threads in an order of somebody's choice, and what must hold afterwards.

use std::sync::{Arc, Mutex, PoisonError};

use flowtag_simulator::{
    Options,
    interleave::{Crew, Job, Plan, Run, Strategy, Waits},
    service::State,
    wfp::status,
};
use flowtag_tests::rig::{Rig, outbound, told_of_after_its_end};

use super::case::{Case, Sessions};

/// How many flows the ring holds: as few as it can be told.
pub const RING: u32 = 16;

/// Runs `case` once.
pub fn play(case: &Case, crew: &Crew, strategy: Arc<Mutex<dyn Strategy>>, waits: Waits) -> Run {
    let rig = Rig::with_options(Options::default(), &[("MaxFlows", RING)]);
    let machine = rig.machine.clone();
    if let Err(error) = prepare(case, &rig) {
        return Run { steps: Vec::new(), failure: Some(format!("before the threads began: {error}")) };
    }
    let sessions = Arc::new(Sessions::default());
    let jobs = case.threads.iter().map(|thread| -> Job {
        let (case, thread, machine, sessions) = (case.clone(), thread.clone(), machine.clone(), Arc::clone(&sessions));
        Box::new(move || thread.iter().try_for_each(|&does| case.perform(&machine, &sessions, does)))
    });
    let watched = machine.clone();
    let memory: Box<dyn Fn() -> u64 + Send> = Box::new(move || watched.driver_memory());
    let plan = Plan { strategy, memory: Some(memory), waits, seed: 1 };
    let mut run = crew.run(plan, jobs.collect());
    if run.failure.is_none() {
        run.failure = after(&rig).and_then(|()| every_flow_is_closed(&rig, &sessions)).err();
    }
    run
}

/// The driver runs, with the case's flows open.
fn prepare(case: &Case, rig: &Rig) -> Result<(), String> {
    rig.start().map_err(|error| error.to_string())?;
    for _ in 0..case.open {
        rig.machine.open_flow(&outbound()).map_err(|bug_check| bug_check.to_string())?;
    }
    rig.set(case.windows.set);
    if case.windows.removal_fails {
        rig.fail("FwpsFlowRemoveContext0", 1, Some(status::UNSUCCESSFUL));
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
    let wfp = machine.wfp();
    let left = [
        ("contexts", wfp.contexts()),
        ("callouts", wfp.callouts() as u64),
        ("filters", wfp.filters() as u64),
        ("sessions", wfp.sessions() as u64),
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
