//! Who meets whom, three threads at a time. Each scenario ends with the driver unloaded and nothing left.

use super::{Arc, UnsafeCell, model::Driver, references::References, thread};

/// One scenario.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// Runs it once.
    pub run: fn(),
}

/// All of them.
pub const SMALL: &[Scenario] = &[
    Scenario { name: "references", run: references },
    Scenario { name: "authorize_end_unload", run: authorize_end_unload },
    Scenario { name: "authorize_twice_unload", run: authorize_twice_unload },
    Scenario { name: "evict_end", run: evict_end },
    Scenario { name: "evict_twice", run: evict_twice },
    Scenario { name: "packet_end_unload", run: packet_end_unload },
    Scenario { name: "authorize_reuse", run: authorize_reuse },
    Scenario { name: "evict_reuse", run: evict_reuse },
    Scenario { name: "evict_authorize_evicted", run: evict_authorize_evicted },
];

/// What one thread does.
pub type Step = fn(&Driver);

/// Runs the steps on a thread each, and the last one on this.
pub fn together(driver: &Arc<Driver>, others: &[Step], here: Step) {
    let threads: Vec<_> = others
        .iter()
        .map(|&step| {
            let driver = Arc::clone(driver);
            thread::spawn(move || step(&driver))
        })
        .collect();
    here(driver);
    for thread in threads {
        thread.join().unwrap();
    }
}

fn authorize_end_unload() {
    let driver = Driver::load(2);
    together(&driver, &[|driver| driver.authorize(1, false), |driver| driver.end(1)], Driver::unload);
}

fn authorize_twice_unload() {
    let driver = Driver::load(2);
    together(&driver, &[|driver| driver.authorize(1, false), |driver| driver.authorize(1, true)], Driver::unload);
}

fn evict_end() {
    let driver = Driver::load(1);
    driver.authorize(1, false);
    together(&driver, &[|driver| driver.authorize(2, false), |driver| driver.end(1)], |driver| driver.end(2));
    driver.unload();
}

fn evict_twice() {
    let driver = Driver::load(1);
    driver.authorize(1, false);
    together(&driver, &[|driver| driver.authorize(2, false), |driver| driver.authorize(3, false)], |_| {});
    driver.unload();
}

fn packet_end_unload() {
    let driver = Driver::load(1);
    driver.authorize(1, false);
    together(&driver, &[|driver| driver.packet(1), |driver| driver.end(1)], Driver::unload);
}

/// The flow ends while it is authorized, and another gets its handle at once.
fn authorize_reuse() {
    let driver = Driver::load(2);
    together(&driver, &[|driver| driver.authorize(1, false)], |driver| {
        driver.end(1);
        driver.begin_again(1);
    });
    driver.assert_tagged_as_known(1);
    driver.unload();
}

/// The same while it is evicted; and the new one is authorized, too.
fn evict_reuse() {
    let driver = Driver::load(2);
    driver.authorize(1, false);
    driver.authorize(2, false);
    together(&driver, &[|driver| driver.authorize(3, false)], |driver| {
        driver.end(1);
        driver.begin_again(1);
        driver.authorize(1, false);
    });
    driver.assert_tagged_as_known(1);
    driver.unload();
}

fn evict_authorize_evicted() {
    let driver = Driver::load(1);
    driver.authorize(1, false);
    together(&driver, &[|driver| driver.authorize(2, false), |driver| driver.authorize(1, true)], |driver| {
        driver.authorize(1, false);
    });
    driver.assert_tagged_as_known(1);
    driver.assert_tagged_as_known(2);
    driver.unload();
}

/// What was written under one reference, the holder of the last one reads without a race.
fn references() {
    struct Shared(References, UnsafeCell<u32>);
    // SAFETY: the cell is accessed as the references allow, which is what is checked.
    unsafe impl Send for Shared {}
    // SAFETY: as above.
    unsafe impl Sync for Shared {}

    let shared = Arc::new(Shared(References::one(), UnsafeCell::new(0)));
    shared.0.take();
    let other = Arc::clone(&shared);
    let thread = thread::spawn(move || {
        // SAFETY: the reader comes after the reference under which this is written.
        other.1.with_mut(|value| unsafe { *value = 1 });
        other.0.give_back()
    });
    if shared.0.give_back() {
        // SAFETY: this is the last reference.
        assert_eq!(shared.1.with(|value| unsafe { *value }), 1);
        assert!(!thread.join().unwrap());
    } else {
        assert!(thread.join().unwrap());
    }
}
