//! Threads that take their turns: one run after the other, each with a new order.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, mpsc},
    thread,
};

use super::{
    order, seat,
    table::{Step, Strategy, Table, Waits},
    touches::Touches,
};

/// What one thread does in a run; an error ends the run.
pub type Job = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// How a run goes.
pub struct Plan {
    /// Who chooses the order.
    pub strategy: Arc<Mutex<dyn Strategy>>,
    /// Says what the driver's memory holds: another number when anything in it has changed.
    pub memory: Option<Box<dyn Fn() -> u64 + Send>>,
    /// When waits for time end.
    pub waits: Waits,
    /// Where the threads' randomness comes from.
    pub seed: u64,
}

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// Every step, in the order of the run.
    pub steps: Vec<Step>,
    /// What went wrong.
    pub failure: Option<String>,
}

impl Run {
    /// The same number for two runs that differ only in the order of steps that do not matter to each other.
    #[must_use]
    pub fn identity(&self) -> u64 {
        order::identity(&self.steps)
    }

    /// Who went when, as text.
    #[must_use]
    pub fn trace(&self) -> String {
        order::write(self.steps.iter().map(|step| step.thread))
    }
}

struct Task {
    table: Arc<Table>,
    number: usize,
    seed: u64,
    job: Job,
    failure: mpsc::Sender<String>,
}

/// Threads for any number of runs.
pub struct Crew {
    members: Vec<mpsc::Sender<Task>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Crew {
    /// As many threads as the largest run needs.
    ///
    /// # Panics
    /// When the system gives no more threads.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let mut crew = Self { members: Vec::new(), threads: Vec::new() };
        for number in 0..size {
            let (member, tasks) = mpsc::channel::<Task>();
            let thread = thread::Builder::new()
                .name(format!("cpu {number}"))
                .spawn(move || tasks.into_iter().for_each(Task::run));
            crew.members.push(member);
            crew.threads.push(thread.expect("a thread"));
        }
        crew
    }

    /// Has each job done by a thread of its own, in the order that the plan's strategy chooses.
    ///
    /// # Panics
    /// When there are more jobs than threads.
    #[must_use]
    pub fn run(&self, plan: Plan, jobs: Vec<Job>) -> Run {
        assert!(jobs.len() <= self.members.len(), "a crew of {} cannot do {} jobs", self.members.len(), jobs.len());
        let table = Arc::new(Table::new(jobs.len(), plan.strategy, plan.memory, plan.waits));
        let (failure, failures) = mpsc::channel();
        for (number, (job, member)) in jobs.into_iter().zip(&self.members).enumerate() {
            let task = Task { table: Arc::clone(&table), number, seed: plan.seed, job, failure: failure.clone() };
            member.send(task).expect("a member stays as long as its crew");
        }
        let steps = table.wait();
        Run { steps, failure: failures.try_iter().next() }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.members.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Task {
    fn run(self) {
        let Self { table, number, seed, job, failure } = self;
        seat::sit(table, number, seed);
        let done = panic::catch_unwind(AssertUnwindSafe(|| {
            seat::point("start", Touches::NOTHING);
            job()
        }));
        let failed = match done {
            Ok(Ok(())) => None,
            Ok(Err(failed)) => Some(failed),
            Err(payload) => Some(text(payload.as_ref())),
        };
        let has_failed = failed.is_some();
        if let Some(failed) = failed {
            let _ = failure.send(failed);
        }
        seat::rise(has_failed);
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    text.unwrap_or("a panic").to_owned()
}

/// Keeps the calling thread, and those that it makes from now on, on the processor numbered `processor` (modulo how many
/// there are), if the system lets it. Of a crew only one thread goes at a time, and it is cheaper to wake one that is
/// near.
pub fn stay_on(processor: usize) {
    // SAFETY: a set of processors may be all zero.
    let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is as large as it says.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&allowed), &raw mut allowed) } != 0 {
        return;
    }
    // SAFETY: the number is within the set's size.
    let usable: Vec<usize> = (0..1024).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &allowed) }).collect();
    let Some(&chosen) = usable.get(processor % usable.len().max(1)) else { return };
    // SAFETY: a set of processors may be all zero.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number came from such a set.
    unsafe { libc::CPU_SET(chosen, &mut one) };
    // SAFETY: the set is as large as it says. A refusal only costs time.
    let _ = unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) };
}
