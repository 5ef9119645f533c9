//! More threads than loom can go through.

use super::{
    model::Driver,
    scenarios::{Scenario, Step, together},
};

/// All of them.
pub const LARGE: &[Scenario] = &[
    Scenario { name: "everybody_and_unload", run: everybody_and_unload },
    Scenario { name: "everybody_evicts", run: everybody_evicts },
    Scenario { name: "handles_are_used_again", run: handles_are_used_again },
];

fn everybody_and_unload() {
    let driver = Driver::load(2);
    driver.authorize(1, false);
    let others: &[Step] = &[
        |driver| driver.authorize(2, false),
        |driver| driver.authorize(3, false),
        |driver| driver.authorize(1, true),
        |driver| driver.packet(1),
        |driver| driver.end(2),
        |driver| driver.end(1),
    ];
    together(&driver, others, Driver::unload);
}

fn everybody_evicts() {
    let driver = Driver::load(2);
    driver.authorize(1, false);
    driver.authorize(2, false);
    let others: &[Step] = &[
        |driver| driver.authorize(3, false),
        |driver| driver.authorize(4, false),
        |driver| driver.authorize(5, false),
        |driver| driver.packet(1),
        |driver| driver.end(3),
    ];
    together(&driver, others, |driver| driver.packet(2));
    driver.unload();
}

fn handles_are_used_again() {
    let driver = Driver::load(2);
    driver.authorize(1, false);
    driver.authorize(2, false);
    let others: &[Step] = &[
        |driver| driver.authorize(3, false),
        |driver| driver.authorize(4, false),
        |driver| driver.packet(1),
        |driver| driver.authorize(2, true),
        |driver| {
            driver.end(1);
            driver.begin_again(1);
            driver.authorize(1, false);
        },
    ];
    together(&driver, others, |driver| {
        driver.end(2);
        driver.begin_again(2);
        driver.authorize(2, false);
    });
    driver.assert_tagged_as_known(1);
    driver.assert_tagged_as_known(2);
    driver.unload();
}
