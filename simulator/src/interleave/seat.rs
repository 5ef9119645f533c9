//! A thread's seat at the table. Threads without one go as they like: every function here then does nothing.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    table::{Halt, Intent, Table, Until},
    touches::Touches,
};

struct Seat {
    table: Arc<Table>,
    number: usize,
    /// A thread's own, so that what happens by chance to it does not depend on the others.
    random: ChaCha8Rng,
}

type Hook = fn(Option<Halt>);

thread_local! {
    static SEATED: Cell<bool> = const { Cell::new(false) };
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
    static WHEN_A_TURN_COMES: Cell<Option<Hook>> = const { Cell::new(None) };
}

/// Calls `hook` on this thread whenever it has waited for its turn, with what ends the run, if something does. Without a
/// hook a run that cannot go on is a panic.
pub(crate) fn when_a_turn_comes(hook: Option<Hook>) {
    WHEN_A_TURN_COMES.set(hook);
}

/// Whether the calling thread takes turns.
pub(crate) fn is_seated() -> bool {
    SEATED.get()
}

/// Sits down; `seed` is where the thread's randomness comes from.
pub(super) fn sit(table: Arc<Table>, number: usize, seed: u64) {
    let random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number as u64));
    SEAT.set(Some(Seat { table, number, random }));
    SEATED.set(true);
}

/// Gets up; `failed` ends the run of the others as well.
pub(super) fn rise(failed: bool) {
    SEATED.set(false);
    if let Some(Seat { table, number, .. }) = SEAT.take() {
        table.leave(number, failed);
    }
}

/// Comes to a point: the next step is `name`, and touches this.
pub fn point(name: &'static str, touches: Touches) {
    if SEATED.get() {
        arrive(Intent { name, touches, until: Until::Now });
    }
}

/// The step `name` is taken as soon as `ready`. False if the thread has no seat, and must see for itself.
pub(crate) fn wait_until(name: &'static str, touches: Touches, ready: impl Fn() -> bool + Send + 'static) -> bool {
    if SEATED.get() {
        arrive(Intent { name, touches, until: Until::Ready(Box::new(ready)) });
    }
    SEATED.get()
}

/// Lets time pass. False if the thread has no seat, and must wait itself.
pub(crate) fn pause(name: &'static str) -> bool {
    if SEATED.get() {
        arrive(Intent { name, touches: Touches::EVERYTHING, until: Until::Later });
    }
    SEATED.get()
}

/// A random number of the thread's own; `None` if it has no seat.
pub(crate) fn random_below(limit: u64) -> Option<u64> {
    if !SEATED.get() {
        return None;
    }
    SEAT.with_borrow_mut(|seat| seat.as_mut().map(|seat| seat.random.random_range(0..limit)))
}

fn arrive(intent: Intent) {
    let seat = SEAT.with_borrow(|seat| seat.as_ref().map(|seat| (Arc::clone(&seat.table), seat.number)));
    let Some((table, number)) = seat else { return };
    let halt = table.arrive(number, intent).err();
    match (WHEN_A_TURN_COMES.get(), halt) {
        (Some(hook), halt) => hook(halt),
        (None, None | Some(Halt::Failed)) => {}
        (None, Some(halt)) => panic!("the run cannot go on: {halt:?}"),
    }
}
