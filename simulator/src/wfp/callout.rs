//! The callouts that drivers have registered, and when they may leave.
//!
//! Facts, section 4. Id allocation is a guess.

use std::collections::HashMap;

use super::{
    abi::{FwpsCallout, Guid, callout_flag},
    status::{self, Status},
    switches::BusyUntil,
};

/// Where run-time ids start: the built-in callouts have the lower ones.
const FIRST_ID: u32 = 0x101;

/// Which arguments a classifyFn takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClassifyVersion {
    /// `FWPS_CALLOUT_CLASSIFY_FN0`: no classify context.
    Zero,
    /// `FWPS_CALLOUT_CLASSIFY_FN2`.
    Two,
}

/// A registered callout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callout {
    pub(super) id: u32,
    pub(super) flags: u32,
    pub(super) classify: u64,
    pub(super) version: ClassifyVersion,
    pub(super) notify: u64,
    /// 0 when it takes no contexts.
    pub(super) flow_delete: u64,
    /// Contexts associated for it and not yet through flowDeleteFn.
    contexts: u64,
    /// Those among them whose flowDeleteFn runs.
    deleting: u64,
    /// Calls of its classifyFn and notifyFn that are running.
    active: u64,
    /// It was asked to leave while busy.
    leaving: bool,
}

impl Callout {
    pub(super) fn conditional_on_flow(&self) -> bool {
        self.flags & callout_flag::CONDITIONAL_ON_FLOW != 0
    }
}

/// All registered callouts, and the run-time ids of those known by key.
#[derive(Debug, Default)]
pub(super) struct Callouts {
    registered: HashMap<u32, Callout>,
    ids: HashMap<Guid, u32>,
    last_id: u32,
}

impl Callouts {
    /// The run-time id of `key`: the same for its registration and for its management object.
    pub(super) fn id_of(&mut self, key: Guid) -> u32 {
        *self.ids.entry(key).or_insert_with(|| {
            self.last_id += 1;
            FIRST_ID - 1 + self.last_id
        })
    }

    /// `FwpsCalloutRegister0` and 2. `known_flags` are those that this Windows accepts.
    pub(super) fn register(
        &mut self,
        callout: &FwpsCallout,
        version: ClassifyVersion,
        known_flags: u32,
    ) -> Result<u32, Status> {
        if callout.classify_fn == 0 || callout.notify_fn == 0 || callout.flags & !known_flags != 0 {
            return Err(status::INVALID_PARAMETER);
        }
        let id = self.id_of(callout.callout_key);
        if self.registered.contains_key(&id) {
            return Err(status::FWP_ALREADY_EXISTS);
        }
        self.registered.insert(
            id,
            Callout {
                id,
                flags: callout.flags,
                classify: callout.classify_fn,
                version,
                notify: callout.notify_fn,
                flow_delete: callout.flow_delete_fn,
                contexts: 0,
                deleting: 0,
                active: 0,
                leaving: false,
            },
        );
        Ok(id)
    }

    /// `FwpsCalloutUnregisterById0`.
    pub(super) fn unregister(&mut self, id: u32, busy_until: BusyUntil) -> Status {
        let Some(callout) = self.registered.get_mut(&id) else { return status::FWP_CALLOUT_NOT_FOUND };
        let contexts = match busy_until {
            BusyUntil::Returned => callout.contexts,
            BusyUntil::Deleting => callout.contexts.saturating_sub(callout.deleting),
        };
        if contexts > 0 || callout.active > 0 {
            callout.leaving = true;
            return status::DEVICE_BUSY;
        }
        self.registered.remove(&id);
        status::SUCCESS
    }

    /// Notes that an attempt to unregister was answered with `DEVICE_BUSY`.
    pub(super) fn set_leaving(&mut self, id: u32) {
        if let Some(callout) = self.registered.get_mut(&id) {
            callout.leaving = true;
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<Callout> {
        self.registered.get(&id).copied()
    }

    pub(super) fn by_key(&self, key: Guid) -> Option<Callout> {
        self.get(*self.ids.get(&key)?)
    }

    /// Whether a context may be associated for `id`. With `refuse_leaving` not after a first `DEVICE_BUSY`.
    pub(super) fn takes_contexts(&self, id: u32, refuse_leaving: bool) -> bool {
        self.get(id).is_some_and(|callout| callout.flow_delete != 0 && !(refuse_leaving && callout.leaving))
    }

    pub(super) fn len(&self) -> usize {
        self.registered.len()
    }

    pub(super) fn contexts(&self) -> u64 {
        self.registered.values().map(|callout| callout.contexts).sum()
    }

    pub(super) fn context_added(&mut self, id: u32) {
        self.change(id, |callout| callout.contexts += 1);
    }

    /// flowDeleteFn is about to be called for one of its contexts.
    pub(super) fn deletion_begins(&mut self, id: u32) -> Option<Callout> {
        self.change(id, |callout| callout.deleting += 1);
        self.get(id)
    }

    /// That flowDeleteFn has returned.
    pub(super) fn context_deleted(&mut self, id: u32) {
        self.change(id, |callout| {
            callout.contexts = callout.contexts.saturating_sub(1);
            callout.deleting = callout.deleting.saturating_sub(1);
        });
    }

    pub(super) fn call_begins(&mut self, id: u32) {
        self.change(id, |callout| callout.active += 1);
    }

    pub(super) fn call_ends(&mut self, id: u32) {
        self.change(id, |callout| callout.active = callout.active.saturating_sub(1));
    }

    fn change(&mut self, id: u32, change: impl FnOnce(&mut Callout)) {
        if let Some(callout) = self.registered.get_mut(&id) {
            change(callout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_FLAGS: u32 = u32::MAX;

    fn callout(number: u32) -> FwpsCallout {
        FwpsCallout {
            callout_key: Guid::new(number, 0, 0, [0; 8]),
            classify_fn: 0x1000,
            notify_fn: 0x2000,
            flow_delete_fn: 0x3000,
            ..FwpsCallout::default()
        }
    }

    fn registered() -> (Callouts, u32) {
        let mut callouts = Callouts::default();
        let id = callouts.register(&callout(1), ClassifyVersion::Two, ALL_FLAGS).unwrap();
        (callouts, id)
    }

    #[test]
    fn a_key_is_registered_once() {
        let (mut callouts, _) = registered();
        assert_eq!(callouts.register(&callout(1), ClassifyVersion::Two, ALL_FLAGS), Err(status::FWP_ALREADY_EXISTS));
    }

    #[test]
    fn a_callout_that_is_gone_can_be_registered_again() {
        let (mut callouts, id) = registered();
        callouts.unregister(id, BusyUntil::Returned);
        assert!(callouts.register(&callout(1), ClassifyVersion::Two, ALL_FLAGS).is_ok());
    }

    #[test]
    fn flags_that_this_windows_does_not_know_are_refused() {
        let unknown = FwpsCallout { flags: 0x200, ..callout(1) };
        assert_eq!(Callouts::default().register(&unknown, ClassifyVersion::Two, 0xFF), Err(status::INVALID_PARAMETER));
    }

    #[test]
    fn a_callout_without_classify_function_is_refused() {
        let empty = FwpsCallout { classify_fn: 0, ..callout(1) };
        assert_eq!(
            Callouts::default().register(&empty, ClassifyVersion::Two, ALL_FLAGS),
            Err(status::INVALID_PARAMETER)
        );
    }

    #[test]
    fn an_unknown_callout_cannot_be_unregistered() {
        let (mut callouts, id) = registered();
        assert_eq!(callouts.unregister(id + 1, BusyUntil::Returned), status::FWP_CALLOUT_NOT_FOUND);
    }

    #[test]
    fn a_callout_with_a_context_is_busy() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        assert_eq!(callouts.unregister(id, BusyUntil::Returned), status::DEVICE_BUSY);
    }

    #[test]
    fn a_callout_whose_contexts_are_deleted_can_leave() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        callouts.deletion_begins(id);
        callouts.context_deleted(id);
        assert_eq!(callouts.unregister(id, BusyUntil::Returned), status::SUCCESS);
    }

    #[test]
    fn a_callout_whose_delete_function_runs_is_busy() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        callouts.deletion_begins(id);
        assert_eq!(callouts.unregister(id, BusyUntil::Returned), status::DEVICE_BUSY);
    }

    #[test]
    fn a_callout_whose_delete_function_runs_may_be_able_to_leave() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        callouts.deletion_begins(id);
        assert_eq!(callouts.unregister(id, BusyUntil::Deleting), status::SUCCESS);
    }

    #[test]
    fn a_callout_with_an_active_classify_is_busy() {
        let (mut callouts, id) = registered();
        callouts.call_begins(id);
        assert_eq!(callouts.unregister(id, BusyUntil::Returned), status::DEVICE_BUSY);
    }

    #[test]
    fn a_callout_without_delete_function_takes_no_contexts() {
        let mut callouts = Callouts::default();
        let id = callouts
            .register(&FwpsCallout { flow_delete_fn: 0, ..callout(1) }, ClassifyVersion::Two, ALL_FLAGS)
            .unwrap();
        assert!(!callouts.takes_contexts(id, false));
    }

    #[test]
    fn a_busy_callout_can_refuse_further_contexts() {
        let (mut callouts, id) = registered();
        callouts.call_begins(id);
        callouts.unregister(id, BusyUntil::Returned);
        assert!(callouts.takes_contexts(id, false) && !callouts.takes_contexts(id, true));
    }

    #[test]
    fn a_key_keeps_its_run_time_id() {
        let (mut callouts, id) = registered();
        callouts.unregister(id, BusyUntil::Returned);
        assert_eq!(callouts.id_of(callout(1).callout_key), id);
    }
}
