//! The places in the driver that call imports that can fail.

use std::{cell::OnceCell, collections::BTreeMap};

use flowtag_simulator::{
    computer::call_stack::CallStack,
    image::{Frame, Image},
    windows,
};
use flowtag_tests::rig;

use super::{Case, points};

/// All places found so far.
#[derive(Default)]
pub struct Places {
    found: BTreeMap<u64, Place>,
    unswept: Vec<u64>,
    symbols: OnceCell<Option<Image>>,
}

struct Place {
    stack: CallStack,
    calls: u64,
    /// The faults without which it is not reached.
    behind: Case,
}

impl Places {
    /// Adds what a run with the faults of `case` has seen.
    pub fn add(&mut self, case: &Case, stacks: Vec<(CallStack, u64)>) {
        for (stack, calls) in stacks {
            self.found.entry(stack.id()).or_insert_with(|| {
                self.unswept.push(stack.id());
                Place { stack, calls, behind: case.clone() }
            });
        }
    }

    /// The faults of all places that were not swept yet, each behind those that lead there.
    pub fn take_unswept(&mut self) -> Vec<Case> {
        let places = std::mem::take(&mut self.unswept).into_iter().map(|id| &self.found[&id]);
        let cases = places.flat_map(|Place { stack, calls, behind }| {
            let faults = points::faults_of(stack, *calls);
            faults.into_iter().map(|fault| behind.iter().copied().chain([fault]).collect::<Case>())
        });
        cases.collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Prints them, by import.
    pub fn print(&self) {
        let mut by_import: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for place in self.found.values() {
            by_import.entry(&place.stack.import).or_default().push(place);
        }
        for (import, places) in by_import {
            println!("{import}");
            for place in places {
                let faults = points::faults_of(&place.stack, place.calls).len();
                let behind = if place.behind.is_empty() { "" } else { ", only behind a fault" };
                let lines = self.describe(place.stack.id());
                println!("    {faults:3} faults in {:5} calls{behind}: {lines}", place.calls);
            }
        }
    }

    /// A place in words: the driver's functions and lines, innermost first.
    pub fn describe(&self, stack: u64) -> String {
        let Some(place) = self.found.get(&stack) else { return "a place not seen before".into() };
        let image = self.symbols.get_or_init(|| windows::load_image(&rig::image()).ok());
        let Some(image) = image else { return "?".into() };
        let frames =
            place.stack.frames.iter().flat_map(|frame| image.symbolize(image.range().start + u64::from(*frame) - 1));
        let words = frames.map(|frame| match frame {
            Frame::Driver { place: Some(place), .. } => place,
            Frame::Driver { function, place: None } => function,
            Frame::Import(name) => name.into(),
        });
        words.collect::<Vec<_>>().join(" < ")
    }
}
