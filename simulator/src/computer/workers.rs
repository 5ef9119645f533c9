//! System worker threads: they run what drivers and the framework put off.
//!
//! Real threads of the host's, started when there is work and nobody free to do it. Each job makes its thread a CPU of
//! the machine at `PASSIVE_LEVEL`.

use std::{
    collections::VecDeque,
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{Cpu, Machine};

/// Windows has more; beyond a few they only wait for the host's processors.
const MOST_THREADS: usize = 4;
/// How often who waits for a job looks whether the machine still lives.
const GLANCE: Duration = Duration::from_millis(10);

/// A wait that lasts longer is one that never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bug check: somebody ended the machine by hand.
const MANUALLY_INITIATED_CRASH: u32 = 0xE2;

type Job = Box<dyn FnOnce() + Send>;

/// A machine's worker threads.
pub struct Workers {
    shared: Arc<Shared>,
    /// [`PATIENCE`], but for tests.
    patience: Duration,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// There is a job, or no more will come.
    work: Condvar,
    /// A job has ended.
    progress: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    running: usize,
    threads: usize,
    closed: bool,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self { shared: Arc::default(), patience: PATIENCE }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.work.notify_all();
    }
}

impl Workers {
    /// Has a worker thread run `job` on a CPU of `machine`. A machine that has died meanwhile runs it no more.
    pub(crate) fn run(&self, machine: &Machine, job: impl FnOnce(&Cpu) + Send + 'static) {
        let machine = machine.clone();
        let mut queue = self.shared.queue();
        queue.jobs.push_back(Box::new(move || drop(machine.run(job))));
        if queue.jobs.len() + queue.running > queue.threads && queue.threads < MOST_THREADS {
            queue.threads += 1;
            let shared = Arc::clone(&self.shared);
            thread::Builder::new().name("worker".into()).spawn(move || shared.serve()).expect("a worker thread");
        }
        drop(queue);
        self.shared.work.notify_one();
    }

    /// Waits until all jobs have run.
    pub fn wait_until_idle(&self) {
        let mut queue = self.shared.queue();
        while queue.running > 0 || !queue.jobs.is_empty() {
            queue = self.shared.progress.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `done`, which is looked at again whenever a job has ended. Unwinds when the machine dies; a wait that
    /// never ends is a bug check.
    pub(crate) fn wait(&self, cpu: &Cpu, done: impl Fn() -> bool) {
        let started = Instant::now();
        while !done() {
            if started.elapsed() > self.patience {
                let text = "the framework waits for the driver: a request that it does not complete, or a work item";
                cpu.bug_check(MANUALLY_INITIATED_CRASH, [0; 4], text);
            }
            let queue = self.shared.queue();
            drop(self.shared.progress.wait_timeout(queue, GLANCE).unwrap_or_else(PoisonError::into_inner));
            cpu.check_alive();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut queue = self.queue();
        loop {
            let Some(job) = queue.jobs.pop_front() else {
                if queue.closed {
                    return;
                }
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.running += 1;
            drop(queue);
            // A job that panics is a bug of the host's, which its message shows; nobody must wait for it for ever.
            let _ = panic::catch_unwind(AssertUnwindSafe(job));
            queue = self.queue();
            queue.running -= 1;
            self.progress.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Options;
    use crate::computer::Irql;

    #[test]
    fn all_jobs_run_on_threads_of_their_own_at_passive_level() {
        let machine = Machine::new(Options::default());
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..20 {
            let (ran, here) = (Arc::clone(&ran), thread::current().id());
            machine.workers().run(&machine, move |cpu| {
                assert!(cpu.irql() == Irql::PASSIVE && thread::current().id() != here);
                ran.fetch_add(1, Ordering::Relaxed);
            });
        }
        machine.workers().wait_until_idle();
        assert_eq!(ran.load(Ordering::Relaxed), 20);
    }

    #[test]
    fn a_waiting_job_does_not_keep_the_next_one_from_running() {
        let machine = Machine::new(Options::default());
        let (send, receive) = std::sync::mpsc::channel();
        machine.workers().run(&machine, move |_| receive.recv().expect("the other job"));
        machine.workers().run(&machine, move |_| send.send(()).expect("the waiting job"));
        machine.workers().wait_until_idle();
    }

    #[test]
    fn a_wait_that_never_ends_is_a_bug_check_that_says_for_whom() {
        let workers = Workers { shared: Arc::default(), patience: Duration::ZERO };
        let bug_check = Machine::new(Options::default()).run(|cpu| workers.wait(cpu, || false)).unwrap_err();
        assert_eq!(bug_check.code(), MANUALLY_INITIATED_CRASH);
        assert!(bug_check.to_string().contains("waits for the driver"), "{bug_check}");
    }
}
