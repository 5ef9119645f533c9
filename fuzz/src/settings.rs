//! The driver's settings: whatever the registry holds, what is used lies between the bounds, and its line can be printed.

use arbitrary::{Arbitrary, Unstructured};
use flowtag_on_host::{
    life, print,
    settings::{MAX_FLOWS, Stored, TRACE_LEVEL},
};

#[derive(Arbitrary, Debug)]
enum InTheRegistry {
    Nothing,
    Number(u32),
    SomethingElse(i32),
}

/// Chooses from what the registry holds.
pub fn run(input: &[u8]) {
    let Ok(it) = InTheRegistry::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let stored = match it {
        InTheRegistry::Nothing => Stored::Absent,
        InTheRegistry::Number(number) => Stored::Number(number),
        InTheRegistry::SomethingElse(status) => {
            print::life(|line| life::failed(line, "WdfRegistryQueryULong", status));
            Stored::Unreadable
        }
    };
    for setting in [&TRACE_LEVEL, &MAX_FLOWS] {
        let choice = setting.choose(stored);
        assert!((setting.minimum..=setting.maximum).contains(&choice.used), "{setting:?} {stored:?}");
        let asked_for = match stored {
            Stored::Absent => Some(setting.default),
            Stored::Number(number) => Some(number),
            Stored::Unreadable => None,
        };
        assert_eq!(choice.refused, asked_for != Some(choice.used), "{setting:?} {stored:?}");
        print::life(|line| life::refused(line, setting, stored, choice.used));
    }
}
