//! A stand-in for fwpkclnt.sys: the management of sublayers, callouts and filters, and flows with their contexts.
//!
//! One session, one thread of traffic. What the values of a classify are is in [`layer`] and [`classify`].
mod abi;
mod bfe;
mod callouts;
mod classify;
mod contexts;
mod flow;
mod layer;
mod management;
mod script;

pub use abi::{Callout, ChangeFn, Guid, NewCallout, NewFilter, NewProvider, NewSublayer, Session};
pub use bfe::{state, subscribe, unsubscribe};
pub use callouts::{register, unregister};
pub use contexts::{associate, remove};
pub use management::{
    abort, add_callout, add_filter, add_provider, add_sublayer, begin, close, commit, delete_callout, delete_filter,
    delete_provider, delete_sublayer, open,
};
pub use script::act;

use crate::{complain, list::List, lock::Lock};

/// Everything that the platform knows.
struct Platform {
    service: bfe::Service,
    management: management::Management,
    callouts: List<callouts::Registered, 16>,
    flows: List<flow::Flow, 32>,
    /// Run-time ids and flow handles come from here.
    numbers: u32,
    /// Whether Associate answers `STATUS_SUCCESS` for a flow that has a context, and keeps the old one: its sibling
    /// `FwpsFlowRemoveContext0` folds every kind of success into that one in a disassembled fwpkclnt.sys, so it may too.
    folds: bool,
}

static PLATFORM: Lock<Platform> = Lock::new(Platform {
    service: bfe::Service::new(),
    management: management::Management::new(),
    callouts: List::EMPTY,
    flows: List::EMPTY,
    numbers: 0x100,
    folds: false,
});

impl Platform {
    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }
}

/// Complains of what a driver that leaves has left.
pub fn left() {
    PLATFORM.with(|platform| {
        if platform.service.has_subscriber() {
            complain!("the driver left its subscription to the filter engine's state");
        }
        if platform.management.is_open() {
            complain!("the driver left a session open");
        }
        if platform.management.has_objects() {
            complain!("the driver left objects in the filter engine");
        }
        for callout in platform.callouts.iter() {
            complain!("the driver left callout {} registered", callout.id);
        }
        for flow in platform.flows.iter() {
            for context in flow.contexts.iter() {
                complain!("the driver left a context on {}, at layer {}", flow.name.as_str(), context.layer);
            }
        }
    });
}
