//! The callouts that drivers have registered, and when they may leave.
//!
//! DDI `FwpsCalloutRegister2`, `FwpsCalloutUnregisterById0`; busy while it classifies: microsoft/ebpf-for-windows issue 1272,
//! and while it is notified: a guess. Id allocation is a guess. What a callout says of its contexts is decided by [`BusyUntil`].
//! That all of them may end with the filter engine is one answer of [`BfeStop`](super::BfeStop), a guess.

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
    /// The device object that it was registered for, referenced until it is unregistered.
    pub(super) device_object: u64,
    /// Tells it from an earlier one with the same id.
    registration: u64,
    /// Contexts associated for it whose flowDeleteFn has not been called.
    contexts: u64,
    /// Contexts whose flowDeleteFn runs.
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

    /// Whether something keeps it from being unregistered.
    fn is_busy(&self, busy_until: BusyUntil) -> bool {
        let contexts = match busy_until {
            BusyUntil::Returned => self.contexts + self.deleting,
            BusyUntil::Deleting => self.contexts,
        };
        contexts > 0 || self.active > 0
    }
}

/// All registered callouts, and the run-time ids of those known by key.
#[derive(Debug, Default)]
pub(super) struct Callouts {
    registered: HashMap<u32, Callout>,
    /// Those that the end of the filter engine has ended while they were busy: their keys are free.
    ended: HashMap<u32, Callout>,
    ids: HashMap<Guid, u32>,
    last_id: u32,
    registrations: u64,
    /// Runs of flowDeleteFn, those for callouts that are gone among them.
    deletions: u64,
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
        device_object: u64,
        known_flags: u32,
    ) -> Result<u32, Status> {
        if callout.classify_fn == 0 || callout.notify_fn == 0 || callout.flags & !known_flags != 0 {
            return Err(status::INVALID_PARAMETER);
        }
        let id = self.id_of(callout.callout_key);
        if self.registered.contains_key(&id) {
            return Err(status::FWP_ALREADY_EXISTS);
        }
        self.registrations += 1;
        self.registered.insert(
            id,
            Callout {
                id,
                flags: callout.flags,
                classify: callout.classify_fn,
                version,
                notify: callout.notify_fn,
                flow_delete: callout.flow_delete_fn,
                device_object,
                registration: self.registrations,
                contexts: 0,
                deleting: 0,
                active: 0,
                leaving: false,
            },
        );
        Ok(id)
    }

    /// `FwpsCalloutUnregisterById0`: the callout that has gone.
    pub(super) fn unregister(&mut self, id: u32, busy_until: BusyUntil) -> Result<Callout, Status> {
        if self.ended.contains_key(&id) {
            return Err(status::DEVICE_BUSY);
        }
        let callout = self.registered.get_mut(&id).ok_or(status::FWP_CALLOUT_NOT_FOUND)?;
        if callout.is_busy(busy_until) {
            callout.leaving = true;
            return Err(status::DEVICE_BUSY);
        }
        let gone = *callout;
        self.registered.remove(&id);
        Ok(gone)
    }

    /// All registrations end, and keys are given fresh ids from now on. Each callout goes when [`Self::take_ended`] takes it.
    pub(super) fn end_all(&mut self) {
        self.ended.extend(self.registered.drain());
        self.ids.clear();
    }

    /// The ended ones that nothing keeps any longer. They are gone.
    pub(super) fn take_ended(&mut self, busy_until: BusyUntil) -> Vec<Callout> {
        self.ended.extract_if(|_, callout| !callout.is_busy(busy_until)).map(|(_, callout)| callout).collect()
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

    /// Those that the driver may be called for.
    pub(super) fn len(&self) -> usize {
        self.registered.len() + self.ended.len()
    }

    /// Contexts that are associated or whose flowDeleteFn has not returned.
    pub(super) fn contexts(&self) -> u64 {
        let all = self.registered.values().chain(self.ended.values());
        all.map(|callout| callout.contexts).sum::<u64>() + self.deletions
    }

    pub(super) fn context_added(&mut self, id: u32) {
        self.change(id, |callout| callout.contexts += 1);
    }

    /// flowDeleteFn is about to be called for one of its contexts.
    pub(super) fn deletion_begins(&mut self, id: u32) -> Option<Callout> {
        let callout = self.change(id, |callout| {
            callout.contexts = callout.contexts.saturating_sub(1);
            callout.deleting += 1;
            *callout
        })?;
        self.deletions += 1;
        Some(callout)
    }

    /// That flowDeleteFn has returned. Meanwhile another callout may have been registered in the place of this one.
    pub(super) fn deletion_ends(&mut self, deleted_for: &Callout) {
        self.deletions -= 1;
        self.change(deleted_for.id, |callout| {
            if callout.registration == deleted_for.registration {
                callout.deleting -= 1;
            }
        });
    }

    pub(super) fn call_begins(&mut self, id: u32) {
        self.change(id, |callout| callout.active += 1);
    }

    pub(super) fn call_ends(&mut self, id: u32) {
        self.change(id, |callout| callout.active = callout.active.saturating_sub(1));
    }

    fn change<T>(&mut self, id: u32, change: impl FnOnce(&mut Callout) -> T) -> Option<T> {
        self.registered.get_mut(&id).or_else(|| self.ended.get_mut(&id)).map(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_FLAGS: u32 = u32::MAX;
    const DEVICE: u64 = 0xDE_71CE;

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
        let id = callouts.register(&callout(1), ClassifyVersion::Two, DEVICE, ALL_FLAGS).unwrap();
        (callouts, id)
    }

    fn unregister(callouts: &mut Callouts, id: u32, busy_until: BusyUntil) -> Status {
        callouts.unregister(id, busy_until).err().unwrap_or(status::SUCCESS)
    }

    #[test]
    fn a_key_is_registered_once() {
        let (mut callouts, _) = registered();
        assert_eq!(
            callouts.register(&callout(1), ClassifyVersion::Two, DEVICE, ALL_FLAGS),
            Err(status::FWP_ALREADY_EXISTS)
        );
    }

    #[test]
    fn a_callout_that_is_gone_can_be_registered_again() {
        let (mut callouts, id) = registered();
        unregister(&mut callouts, id, BusyUntil::Returned);
        assert!(callouts.register(&callout(1), ClassifyVersion::Two, DEVICE, ALL_FLAGS).is_ok());
    }

    #[test]
    fn flags_that_this_windows_does_not_know_are_refused() {
        let unknown = FwpsCallout { flags: 0x200, ..callout(1) };
        assert_eq!(
            Callouts::default().register(&unknown, ClassifyVersion::Two, DEVICE, 0xFF),
            Err(status::INVALID_PARAMETER)
        );
    }

    #[test]
    fn a_callout_without_classify_function_is_refused() {
        let empty = FwpsCallout { classify_fn: 0, ..callout(1) };
        assert_eq!(
            Callouts::default().register(&empty, ClassifyVersion::Two, DEVICE, ALL_FLAGS),
            Err(status::INVALID_PARAMETER)
        );
    }

    #[test]
    fn an_unknown_callout_cannot_be_unregistered() {
        let (mut callouts, id) = registered();
        assert_eq!(unregister(&mut callouts, id + 1, BusyUntil::Returned), status::FWP_CALLOUT_NOT_FOUND);
    }

    #[test]
    fn a_callout_with_a_context_is_busy() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        assert_eq!(unregister(&mut callouts, id, BusyUntil::Returned), status::DEVICE_BUSY);
    }

    #[test]
    fn a_callout_whose_contexts_are_deleted_can_leave() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        let deleted_for = callouts.deletion_begins(id).unwrap();
        callouts.deletion_ends(&deleted_for);
        assert_eq!(unregister(&mut callouts, id, BusyUntil::Returned), status::SUCCESS);
    }

    #[test]
    fn a_callout_whose_delete_function_runs_is_busy() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        callouts.deletion_begins(id);
        assert_eq!(unregister(&mut callouts, id, BusyUntil::Returned), status::DEVICE_BUSY);
    }

    #[test]
    fn a_callout_whose_delete_function_runs_may_be_able_to_leave() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        callouts.deletion_begins(id);
        assert_eq!(unregister(&mut callouts, id, BusyUntil::Deleting), status::SUCCESS);
    }

    #[test]
    fn a_late_return_of_a_delete_function_is_not_counted_for_the_next_callout_with_that_key() {
        let (mut callouts, id) = registered();
        callouts.context_added(id);
        let old = callouts.deletion_begins(id).unwrap();
        unregister(&mut callouts, id, BusyUntil::Deleting);
        callouts.register(&callout(1), ClassifyVersion::Two, DEVICE, ALL_FLAGS).unwrap();
        callouts.context_added(id);
        callouts.deletion_begins(id);
        callouts.deletion_ends(&old);
        assert_eq!(unregister(&mut callouts, id, BusyUntil::Returned), status::DEVICE_BUSY);
    }

    #[test]
    fn a_callout_with_an_active_classify_is_busy() {
        let (mut callouts, id) = registered();
        callouts.call_begins(id);
        assert_eq!(unregister(&mut callouts, id, BusyUntil::Returned), status::DEVICE_BUSY);
    }

    #[test]
    fn a_callout_without_delete_function_takes_no_contexts() {
        let mut callouts = Callouts::default();
        let id = callouts
            .register(&FwpsCallout { flow_delete_fn: 0, ..callout(1) }, ClassifyVersion::Two, DEVICE, ALL_FLAGS)
            .unwrap();
        assert!(!callouts.takes_contexts(id, false));
    }

    #[test]
    fn a_busy_callout_can_refuse_further_contexts() {
        let (mut callouts, id) = registered();
        callouts.call_begins(id);
        unregister(&mut callouts, id, BusyUntil::Returned);
        assert!(callouts.takes_contexts(id, false) && !callouts.takes_contexts(id, true));
    }

    #[test]
    fn a_key_keeps_its_run_time_id() {
        let (mut callouts, id) = registered();
        unregister(&mut callouts, id, BusyUntil::Returned);
        assert_eq!(callouts.id_of(callout(1).callout_key), id);
    }
}
