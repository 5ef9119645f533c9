//! The filter engine's service, its state, and who hears of it (DDI `FwpmBfeStateSubscribeChanges0`, `FwpmBfeStateGet0`,
//! `FwpmBfeStateUnsubscribeChanges0`). One subscription. The callback runs at `PASSIVE_LEVEL`, as microsoft/Windows-driver-samples
//! annotates its own (`network/trans/WFPSampler/sys/SubscriptionFunctions_BFEState.cpp`).
use core::ffi::c_void;

use super::{PLATFORM, abi::ChangeFn};
use crate::{
    complain,
    nt::{INVALID_PARAMETER, NOT_SUPPORTED, SUCCESS, Status},
};

/// The subscription's handle.
const SUBSCRIPTION: usize = 0x5000;

/// `FWPM_SERVICE_STATE` (fwpmtypes.h).
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Stopped = 0,
    StartPending = 1,
    StopPending = 2,
    Running = 3,
}

/// Who wants to hear of changes.
#[derive(Clone, Copy)]
struct Subscriber {
    callback: ChangeFn,
    context: *mut c_void,
}

// SAFETY: the context is the driver's, which takes it on any thread.
unsafe impl Send for Subscriber {}

/// The service.
pub struct Service {
    state: State,
    subscriber: Option<Subscriber>,
    /// Whether the callback runs.
    telling: bool,
}

impl Service {
    pub const fn new() -> Self {
        Self { state: State::Running, subscriber: None, telling: false }
    }

    pub fn runs(&self) -> bool {
        self.state == State::Running
    }

    pub const fn has_subscriber(&self) -> bool {
        self.subscriber.is_some()
    }
}

/// `FwpmBfeStateSubscribeChanges0`.
///
/// # Errors
/// What it answers.
pub fn subscribe(device: *const c_void, callback: Option<ChangeFn>, context: *mut c_void) -> Result<usize, Status> {
    let Some(callback) = callback.filter(|_| !device.is_null()) else {
        complain!("a subscription without device object or callback");
        return Err(INVALID_PARAMETER);
    };
    let subscriber = Subscriber { callback, context };
    if PLATFORM.with(|platform| platform.service.subscriber.replace(subscriber)).is_some() {
        complain!("a second subscription is not modelled");
        return Err(NOT_SUPPORTED);
    }
    Ok(SUBSCRIPTION)
}

/// `FwpmBfeStateGet0`.
pub fn state() -> u32 {
    PLATFORM.with(|platform| {
        if platform.service.subscriber.is_none() {
            complain!("FwpmBfeStateGet0 without a subscription, which must come first");
        }
        platform.service.state as u32
    })
}

/// `FwpmBfeStateUnsubscribeChanges0`.
pub fn unsubscribe(handle: usize) -> Status {
    PLATFORM.with(|platform| {
        let service = &mut platform.service;
        if service.telling {
            complain!("FwpmBfeStateUnsubscribeChanges0 inside the callback, which may deadlock");
        }
        if handle != SUBSCRIPTION || service.subscriber.take().is_none() {
            complain!("FwpmBfeStateUnsubscribeChanges0 with {handle:#x}, which is no subscription");
            return INVALID_PARAMETER;
        }
        SUCCESS
    })
}

/// The service stops. Its objects go, and no other: that callouts stay registered, and flows keep their contexts, is a guess.
pub fn stop() -> Option<()> {
    if !PLATFORM.with(|platform| platform.service.runs()) {
        return None;
    }
    reach(State::StopPending);
    PLATFORM.with(|platform| platform.management.stop());
    reach(State::Stopped);
    Some(())
}

/// The service starts, without any object.
pub fn start() -> Option<()> {
    if PLATFORM.with(|platform| platform.service.state != State::Stopped) {
        return None;
    }
    reach(State::StartPending);
    reach(State::Running);
    Some(())
}

/// Goes to a state, and says so.
fn reach(state: State) {
    let subscriber = PLATFORM.with(|platform| {
        platform.service.state = state;
        platform.service.telling = true;
        platform.service.subscriber
    });
    if let Some(Subscriber { callback, context }) = subscriber {
        // SAFETY: the driver has subscribed with both, and is still there.
        unsafe { callback(context, state as u32) };
    }
    PLATFORM.with(|platform| platform.service.telling = false);
}
