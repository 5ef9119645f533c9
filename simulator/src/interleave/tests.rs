//! The scheduler on tiny models, whose orders can be counted by hand.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Crew, Explores, Job, Plan, Run, Strategy, Touches, Waits,
    bounded::Bounded,
    explore::Explorer,
    order, pause, point,
    random::{Given, Priorities},
    wait_until,
};

/// What the threads of a model do: the things that each touches, one step after the other.
type Model = &'static [&'static [u8]];

fn jobs(model: Model) -> Vec<Job> {
    let job = |things: &'static [u8]| -> Job {
        Box::new(move || {
            for &thing in things {
                point("step", Touches::thing(thing));
            }
            Ok(())
        })
    };
    model.iter().map(|things| job(things)).collect()
}

fn plan(strategy: Arc<Mutex<dyn Strategy>>) -> Plan {
    Plan { strategy, memory: None, waits: Waits::Early(1), seed: 0 }
}

/// Runs what `explorer` asks for until `enough`; returns a run of each order, and how many runs there were.
fn explore_with<E: Explores + 'static>(
    explorer: E,
    size: usize,
    make_plan: impl Fn(Arc<Mutex<dyn Strategy>>) -> (Plan, Vec<Job>),
    enough: impl Fn(&E) -> bool,
) -> (Vec<Run>, usize) {
    let crew = Crew::new(size);
    let explorer = Arc::new(Mutex::new(explorer));
    let mut seen = HashSet::new();
    let mut orders = Vec::new();
    for runs in 1.. {
        let (plan, jobs) = make_plan(explorer.clone());
        let run = crew.run(plan, jobs);
        if seen.insert(run.identity()) {
            orders.push(run);
        }
        let mut explorer = explorer.lock().unwrap();
        assert!(!explorer.strayed());
        if !explorer.next_run() || enough(&explorer) {
            return (orders, runs);
        }
    }
    unreachable!("the orders of a model have an end")
}

/// Runs every order, and returns a run of each: both explorers must find the same ones.
fn explore(size: usize, make_plan: impl Fn(Arc<Mutex<dyn Strategy>>) -> (Plan, Vec<Job>)) -> Vec<Run> {
    let (orders, _) = explore_with(Explorer::default(), size, &make_plan, |_| false);
    let (bounded, _) = explore_with(Bounded::default(), size, &make_plan, |_| false);
    let identities = |runs: &[Run]| runs.iter().map(Run::identity).collect::<HashSet<_>>();
    assert_eq!(identities(&orders), identities(&bounded));
    orders
}

/// How many orders there are.
fn orders(model: Model) -> usize {
    explore(model.len(), |strategy| (plan(strategy), jobs(model))).len()
}

/// How many of them have so many preemptions at most.
fn orders_with(preemptions: usize, model: Model) -> usize {
    let make_plan = |strategy| (plan(strategy), jobs(model));
    let (orders, _) =
        explore_with(Bounded::default(), model.len(), make_plan, |bounded| bounded.complete() >= Some(preemptions));
    orders.len()
}

#[test]
fn two_threads_that_always_conflict_have_every_order() {
    // 6 choose 3.
    assert_eq!(orders(&[&[1, 1, 1], &[1, 1, 1]]), 20);
}

#[test]
fn three_threads_that_always_conflict_have_every_order() {
    // 6! / (2! 2! 2!).
    assert_eq!(orders(&[&[1, 1], &[1, 1], &[1, 1]]), 90);
}

#[test]
fn threads_with_nothing_in_common_have_one_order() {
    assert_eq!(orders(&[&[1, 1, 1], &[2, 2, 2], &[3, 3]]), 1);
}

#[test]
fn only_steps_that_conflict_change_places() {
    // The orders of the two steps on 1, times those of the two on 2, but for the one that is a circle.
    assert_eq!(orders(&[&[1, 2], &[2, 1]]), 3);
}

#[test]
fn two_independent_pairs_multiply() {
    assert_eq!(orders(&[&[1], &[1], &[2], &[2]]), 4);
}

#[test]
fn the_explorer_runs_no_order_twice() {
    let model: Model = &[&[1, 2, 1], &[2, 3, 1], &[3, 1]];
    let (orders, runs) = explore_with(Explorer::default(), 3, |strategy| (plan(strategy), jobs(model)), |_| false);
    assert_eq!(orders.len(), runs);
}

#[test]
fn orders_with_few_preemptions_come_first() {
    // Of two turns, three, four and five, the last of which begins when the other thread has nothing left to do: a thread's
    // three steps make one turn or three in one way, two turns in two. So 2, 2 * 2, 2 * 2 * 2, 2 * 1 * 2.
    let model: Model = &[&[1, 1, 1], &[1, 1, 1]];
    assert_eq!([0, 1, 2, 3].map(|preemptions| orders_with(preemptions, model)), [2, 6, 14, 18]);
}

/// Every order of so many steps that each thread has left, by who goes when.
fn all_orders(left: [usize; 3], so_far: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if left == [0; 3] {
        found.push(so_far.clone());
    }
    for thread in 0..3 {
        if left[thread] > 0 {
            let mut left = left;
            left[thread] -= 1;
            so_far.push(thread);
            all_orders(left, so_far, found);
            so_far.pop();
        }
    }
}

/// How many preemptions an order has: turns that end although the thread has steps left.
fn preemptions(order: &[usize]) -> usize {
    (1..order.len()).filter(|&at| order[at] != order[at - 1] && order[at..].contains(&order[at - 1])).count()
}

/// Every order of three threads that there is, by trying all of them: its identity, and its fewest preemptions.
fn by_brute_force(model: Model) -> HashMap<u64, usize> {
    let mut found = Vec::new();
    all_orders([model[0].len(), model[1].len(), model[2].len()], &mut Vec::new(), &mut found);
    let crew = Crew::new(3);
    let mut fewest = HashMap::new();
    for order in found {
        let preemptions = preemptions(&order);
        // The first step of each thread is its start.
        let order = [0, 1, 2].into_iter().chain(order).collect();
        let identity = crew.run(plan(Arc::new(Mutex::new(Given::new(order)))), jobs(model)).identity();
        let known = fewest.entry(identity).or_insert(preemptions);
        *known = preemptions.min(*known);
    }
    fewest
}

const THREE_THREADS: [Model; 3] =
    [&[&[1, 2, 1], &[2, 3, 1], &[3, 1]], &[&[1, 2, 3], &[3, 2, 1], &[2, 2]], &[&[1, 4, 1], &[4, 1], &[1, 2, 4]]];

#[test]
fn every_order_is_found_that_brute_force_finds() {
    for model in THREE_THREADS {
        assert_eq!(orders(model), by_brute_force(model).len());
    }
}

#[test]
fn every_order_with_few_preemptions_is_found_that_brute_force_finds() {
    for model in THREE_THREADS {
        let fewest = by_brute_force(model);
        for most in 0..4 {
            let expected = fewest.values().filter(|preemptions| **preemptions <= most).count();
            assert_eq!(orders_with(most, model), expected, "at most {most} preemptions of {model:?}");
        }
    }
}

/// Two threads that each read a number and write back one more.
fn lost_update(strategy: Arc<Mutex<dyn Strategy>>) -> (Plan, Vec<Job>, Arc<AtomicU64>) {
    let number = Arc::new(AtomicU64::new(0));
    let job = || -> Job {
        let number = Arc::clone(&number);
        Box::new(move || {
            point("read", Touches::thing(1));
            let read = number.load(Ordering::Relaxed);
            point("write", Touches::thing(1));
            number.store(read + 1, Ordering::Relaxed);
            Ok(())
        })
    };
    let jobs = vec![job(), job()];
    (plan(strategy), jobs, number)
}

#[test]
fn the_explorer_finds_a_lost_update() {
    let ends = Mutex::new(Vec::new());
    let runs = explore(2, |strategy| {
        let (plan, jobs, number) = lost_update(strategy);
        ends.lock().unwrap().push(number);
        (plan, jobs)
    });
    assert_eq!(runs.len(), 6);
    let ends: HashSet<_> = ends.into_inner().unwrap().iter().map(|number| number.load(Ordering::Relaxed)).collect();
    assert_eq!(ends, HashSet::from([1, 2]));
}

#[test]
fn priorities_find_a_lost_update() {
    let crew = Crew::new(2);
    let lost = (0..100).filter(|&seed| {
        let (plan, jobs, number) = lost_update(Arc::new(Mutex::new(Priorities::new(seed, 2, 6, 2))));
        drop(crew.run(plan, jobs));
        number.load(Ordering::Relaxed) == 1
    });
    assert!(lost.count() > 0);
}

#[test]
fn a_run_goes_the_same_way_when_its_trace_is_given() {
    let crew = Crew::new(3);
    let model: Model = &[&[1, 2, 1], &[2, 3, 1], &[3, 1]];
    for seed in 0..20 {
        let run = crew.run(plan(Arc::new(Mutex::new(Priorities::new(seed, 3, 11, 4)))), jobs(model));
        let given = Given::new(order::read(&run.trace()).unwrap());
        let again = crew.run(plan(Arc::new(Mutex::new(given))), jobs(model));
        assert_eq!(again.steps, run.steps);
    }
}

#[test]
fn a_write_to_the_drivers_memory_is_noticed() {
    static MEMORY: AtomicU64 = AtomicU64::new(0);
    let job = |writes: bool| -> Job {
        Box::new(move || {
            point("code", Touches::DRIVER_CODE);
            MEMORY.fetch_add(u64::from(writes), Ordering::Relaxed);
            Ok(())
        })
    };
    let count = |writers: [bool; 2]| {
        let runs = explore(2, |strategy| {
            let memory: Box<dyn Fn() -> u64 + Send> = Box::new(|| MEMORY.load(Ordering::Relaxed));
            (Plan { memory: Some(memory), ..plan(strategy) }, writers.map(job).into())
        });
        runs.len()
    };
    assert_eq!((count([false, false]), count([true, false])), (1, 2));
}

#[test]
fn a_thread_that_waits_goes_only_when_it_may() {
    let runs = explore(2, |strategy| {
        let open = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&open);
        let waiter: Job = Box::new(move || {
            let ready = Arc::clone(&seen);
            wait_until("wait", Touches::thing(1), move || ready.load(Ordering::Relaxed) == 1);
            if seen.load(Ordering::Relaxed) == 1 { Ok(()) } else { Err("it went too early".into()) }
        });
        let opener: Job = Box::new(move || {
            point("open", Touches::thing(1));
            open.store(1, Ordering::Relaxed);
            Ok(())
        });
        (plan(strategy), vec![waiter, opener])
    });
    assert_eq!(runs.iter().map(|run| run.failure.as_deref()).collect::<Vec<_>>(), [None]);
}

#[test]
fn threads_that_all_wait_are_reported() {
    let crew = Crew::new(1);
    let job: Job = Box::new(|| {
        wait_until("wait", Touches::NOTHING, || false);
        Ok(())
    });
    let run = crew.run(plan(Arc::new(Mutex::new(Explorer::default()))), vec![job]);
    assert!(run.failure.unwrap().contains("Stuck"));
}

/// How many orders there are of a thread that looks twice whether another has taken its two steps, and sleeps
/// in between.
fn orders_of_polling(waits: Waits) -> usize {
    let runs = explore(2, |strategy| {
        let done = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&done);
        let poller: Job = Box::new(move || {
            loop {
                point("look", Touches::thing(1));
                if seen.load(Ordering::Relaxed) == 2 {
                    return Ok(());
                }
                pause("sleep");
            }
        });
        let worker: Job = Box::new(move || {
            for _ in 0..2 {
                point("work", Touches::thing(1));
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        (Plan { waits, ..plan(strategy) }, vec![poller, worker])
    });
    assert!(runs.iter().all(|run| run.failure.is_none()));
    runs.len()
}

#[test]
fn a_sleep_that_ends_only_when_nobody_else_can_go_on_adds_no_orders() {
    // It looks first before both steps, between them, or after them.
    assert_eq!(orders_of_polling(Waits::Early(0)), 3);
}

#[test]
fn a_sleep_that_may_end_early_once_adds_the_orders_of_one_more_look() {
    // The first look is behind both steps: 1. Behind one of them: it wakes before the other one and looks before or
    // behind it, or wakes behind it: 3. Before both: it wakes before the worker has started or when it has, and looks
    // at one of three places: 6; or between the steps, and looks at one of two: 2; or behind both: 1.
    assert_eq!(orders_of_polling(Waits::Early(1)), 1 + 3 + 9);
}
