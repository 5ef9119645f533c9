//! The cases.

use flowtag_simulator::wfp::{
    BusyUntil, DyingFlow, Emptied, ExistingContext, HandleReuse, PendingAnswer, Removal, SecondContext,
};

use super::{
    case::{
        Case, Does,
        Does::{
            Again, Capture, Connect, Deferred, End, Listen, Load, Pass, Reauthorize, Receive, Restart, Send, Succeed,
            Unload,
        },
        Flow::{New, Oldest, Youngest},
        Windows,
    },
    stage::RING,
};

/// Windows as it is documented, and eight ways in which it may behave otherwise.
///
/// Where entries are emptied only after flowDeleteFn, an association may find a context that is on its way out: the driver
/// cannot know that, so this is no fault of its, as long as Windows says so (docs/architecture.md).
fn windows() -> [Windows; 9] {
    let switched = |name, set| Windows { name, set, removal_fails: false };
    [
        switched("", |_| {}),
        switched("dying flow deletes later", |switches| switches.dying_flow = DyingFlow::DeleteLater),
        switched("dying flow deletes inline", |switches| switches.dying_flow = DyingFlow::DeleteInline),
        switched("handles are reused", |switches| switches.handle_reuse = HandleReuse::AtOnce),
        switched("callouts stay until flowDeleteFn has returned", |switches| switches.busy_until = BusyUntil::Returned),
        switched("every status that is no failure is success", |switches| {
            switches.existing_context = ExistingContext::Folded;
            switches.pending_answer = PendingAnswer::Folded;
            switches.second_context = SecondContext::Answered;
        }),
        switched("entries are emptied after flowDeleteFn", |switches| {
            switches.emptied = Emptied::AfterDelete;
            switches.existing_context = ExistingContext::NameExists;
            switches.second_context = SecondContext::Answered;
        }),
        switched("removals are pending", |switches| switches.removal = Removal::PendingByChance),
        Windows { name: "a removal fails", set: |_| {}, removal_fails: true },
    ]
}

/// The cases with this in their names.
pub fn named(part: &str) -> Vec<Case> {
    all().into_iter().filter(|case| case.name.contains(part)).collect()
}

/// All cases.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, open, threads) in pairs() {
        add(&mut cases, name, open, &threads, true);
    }
    for (name, open, threads) in triples() {
        add(&mut cases, name, open, &threads, true);
    }
    for (name, open, threads) in crowds() {
        add(&mut cases, name, open, &threads, false);
    }
    cases
}

/// The case under each of the ways that Windows may behave.
fn add(cases: &mut Vec<Case>, name: &str, open: u64, threads: &[Vec<Does>], small: bool) {
    for windows in windows() {
        let name = if windows.name.is_empty() { name.to_owned() } else { format!("{name}, {}", windows.name) };
        cases.push(Case { name, open, threads: threads.to_vec(), windows, small });
    }
}

type Threads = Vec<Vec<Does>>;

/// Each two of: authorize, classify, delete, evict, unload.
fn pairs() -> Vec<(&'static str, u64, Threads)> {
    let full = u64::from(RING);
    vec![
        ("two connect", 0, vec![vec![Connect], vec![Connect]]),
        ("connect, and its flow ends", 0, vec![vec![Connect], vec![End(New)]]),
        ("connect, and its flow sends", 0, vec![vec![Connect], vec![Send(New)]]),
        ("connect, and its flow is authorized again", 0, vec![vec![Connect], vec![Reauthorize(New)]]),
        ("connect while unloading", 0, vec![vec![Connect], vec![Unload]]),
        ("send and receive", 1, vec![vec![Send(Oldest)], vec![Receive(Oldest)]]),
        ("send on a flow that ends", 1, vec![vec![Send(Oldest)], vec![End(Oldest)]]),
        ("send while unloading", 1, vec![vec![Send(Oldest)], vec![Unload]]),
        ("authorize again while unloading", 1, vec![vec![Reauthorize(Oldest)], vec![Unload]]),
        ("the filter engine restarts while unloading", 1, vec![vec![Restart], vec![Unload]]),
        ("the filter engine restarts on two CPUs at once", 0, vec![vec![Restart], vec![Restart]]),
        ("connect while the filter engine restarts", 0, vec![vec![Connect], vec![Restart]]),
        ("a process begins and exits while unloading", 0, vec![vec![Pass], vec![Unload]]),
        ("the owner exits and has a successor while unloading", 1, vec![vec![Succeed], vec![Unload]]),
        ("connect while the owner exits and has a successor", 0, vec![vec![Connect], vec![Succeed]]),
        ("load while the owner exits and has a successor", 0, vec![vec![Load], vec![Succeed]]),
        ("load while a process begins and exits", 0, vec![vec![Load], vec![Pass]]),
        ("two flows end", 2, vec![vec![End(Oldest)], vec![End(Youngest)]]),
        ("a flow ends twice", 1, vec![vec![End(Oldest)], vec![End(Oldest)]]),
        ("a flow ends while unloading", 1, vec![vec![End(Oldest)], vec![Unload]]),
        ("evict a flow that sends", full, vec![vec![Connect], vec![Send(Oldest)]]),
        ("evict a flow that ends", full, vec![vec![Connect], vec![End(Oldest)]]),
        ("evict while another ends", full, vec![vec![Connect], vec![End(Youngest)]]),
        ("evict while unloading", full, vec![vec![Connect], vec![Unload]]),
        ("two evict", full, vec![vec![Connect], vec![Connect]]),
        ("connect, and its flow is classified twice", 0, vec![vec![Connect], vec![Again(New)]]),
        ("a tagged flow is authorized twice at once", 1, vec![vec![Reauthorize(Oldest)], vec![Again(Oldest)]]),
        ("authorize again a flow that ends", 1, vec![vec![Again(Oldest)], vec![End(Oldest)]]),
        ("evict a flow that is authorized again", full, vec![vec![Connect], vec![Reauthorize(Oldest)]]),
        ("evict a flow that is classified twice", full, vec![vec![Connect], vec![Again(Oldest)]]),
        ("connect while a flow ends", 1, vec![vec![Connect], vec![End(Oldest)]]),
        ("evict a flow whose handle is used again", full, vec![vec![Connect], vec![End(Oldest), Connect]]),
        ("a session begins while unloading", 1, vec![vec![Listen], vec![Unload]]),
        ("a session captures while unloading", 1, vec![vec![Capture], vec![Unload]]),
        ("a session captures a flow that ends", 1, vec![vec![Capture], vec![End(Oldest)]]),
        ("a session captures while a flow connects", 0, vec![vec![Capture], vec![Connect]]),
        ("a session captures while a flow is evicted", full, vec![vec![Capture], vec![Connect]]),
        ("two sessions capture at once", 1, vec![vec![Capture], vec![Capture]]),
    ]
}

/// Three at once.
fn triples() -> Vec<(&'static str, u64, Threads)> {
    let full = u64::from(RING);
    vec![
        ("a session captures a flow that ends, unload", 1, vec![vec![Capture], vec![End(Oldest)], vec![Unload]]),
        ("a session captures, connect, unload", 0, vec![vec![Capture], vec![Connect], vec![Unload]]),
        ("two sessions capture while unloading", 1, vec![vec![Capture], vec![Capture], vec![Unload]]),
        ("connect, its flow ends, unload", 0, vec![vec![Connect], vec![End(New)], vec![Unload]]),
        ("connect, its flow sends and ends", 0, vec![vec![Connect], vec![Send(New)], vec![End(New)]]),
        ("connect, its flow sends, unload", 0, vec![vec![Connect], vec![Send(New)], vec![Unload]]),
        ("the filter engine restarts, connect, unload", 1, vec![vec![Restart], vec![Connect], vec![Unload]]),
        ("the filter engine restarts twice, unload", 0, vec![vec![Restart], vec![Restart], vec![Unload]]),
        ("connect, the owner has a successor, unload", 0, vec![vec![Connect], vec![Succeed], vec![Unload]]),
        ("load while processes come and go", 0, vec![vec![Load], vec![Succeed], vec![Pass]]),
        ("send, end, unload", 1, vec![vec![Send(Oldest)], vec![End(Oldest)], vec![Unload]]),
        ("send, receive, unload", 1, vec![vec![Send(Oldest)], vec![Receive(Oldest)], vec![Unload]]),
        ("send, receive, end", 1, vec![vec![Send(Oldest)], vec![Receive(Oldest)], vec![End(Oldest)]]),
        ("evict, send, end", full, vec![vec![Connect], vec![Send(Oldest)], vec![End(Oldest)]]),
        ("evict, send, unload", full, vec![vec![Connect], vec![Send(Oldest)], vec![Unload]]),
        ("evict, end, unload", full, vec![vec![Connect], vec![End(Oldest)], vec![Unload]]),
        ("two evict while one ends", full, vec![vec![Connect], vec![Connect], vec![End(Oldest)]]),
        ("two evict while unloading", full, vec![vec![Connect], vec![Connect], vec![Unload]]),
        (
            "connect, its flow is authorized again and ends",
            0,
            vec![vec![Connect], vec![Reauthorize(New)], vec![End(New)]],
        ),
        ("connect, its flow is authorized again, unload", 0, vec![vec![Connect], vec![Reauthorize(New)], vec![Unload]]),
        (
            "a tagged flow is authorized twice while unloading",
            1,
            vec![vec![Reauthorize(Oldest)], vec![Again(Oldest)], vec![Unload]],
        ),
        (
            "connect while a flow ends, and authorize its handle again",
            1,
            vec![vec![Connect], vec![End(Oldest)], vec![Again(Oldest)]],
        ),
        (
            "evict a flow that is authorized again, unload",
            full,
            vec![vec![Connect], vec![Reauthorize(Oldest)], vec![Unload]],
        ),
        ("two connect while unloading", 0, vec![vec![Connect], vec![Connect], vec![Unload]]),
    ]
}

/// More than can be explored.
fn crowds() -> Vec<(&'static str, u64, Threads)> {
    let full = u64::from(RING);
    vec![
        (
            "a life while unloading",
            2,
            vec![vec![Connect, Send(New), End(New)], vec![Send(Oldest), End(Oldest)], vec![Receive(New), Unload]],
        ),
        (
            "four CPUs, room in the ring",
            2,
            vec![
                vec![Connect, Send(New), Receive(New)],
                vec![End(Oldest), Connect, Reauthorize(New)],
                vec![Send(Youngest), End(New), Deferred],
                vec![Receive(New), Unload],
            ],
        ),
        (
            "four CPUs, ring full",
            full,
            vec![
                vec![Connect, Connect, Send(New)],
                vec![Send(Oldest), End(Youngest), Connect],
                vec![Receive(Oldest), End(Oldest), Deferred, End(New)],
                vec![Send(Youngest), Unload],
            ],
        ),
        (
            "four CPUs, ring full, no unload",
            full,
            vec![
                vec![Connect, Reauthorize(New), Connect],
                vec![Connect, End(New), Send(New)],
                vec![Send(Oldest), End(Oldest), Deferred],
                vec![Receive(Youngest), Reauthorize(Youngest), End(Youngest)],
            ],
        ),
    ]
}
