//! Sessions with the base filtering bfe, and their transactions.
//!
//! Win32 "Object Management". Guesses: what a call with the handle of a dead session returns (`FWP_SESSION_ABORTED` when BFE
//! stopped, `INVALID_HANDLE` otherwise), and that a second session which wants to write is told `FWP_TIMEOUT` at once
//! instead of after its wait, 15 seconds if it does not say.

use std::collections::{HashMap, HashSet};

use super::{
    bfe_state::ServiceState,
    policy::{Policy, SessionId},
    status::{self, Status},
};

/// Session handles start here: nothing that could be taken for a pointer of the driver's.
const FIRST_HANDLE: u64 = 0xBFE0_0000;

#[derive(Debug)]
struct Session {
    dynamic: bool,
    transaction: Option<Transaction>,
}

#[derive(Debug)]
enum Transaction {
    ReadOnly,
    /// The policy as it will be.
    Write(Policy),
}

/// The base filtering engine: the policy in force and who is changing it.
#[derive(Debug, Default)]
pub(super) struct Bfe {
    policy: Policy,
    sessions: HashMap<SessionId, Session>,
    /// Sessions that died when the engine stopped.
    aborted: HashSet<SessionId>,
    opened: u64,
    state: ServiceState,
}

impl Transaction {
    fn policy(self) -> Option<Policy> {
        match self {
            Self::ReadOnly => None,
            Self::Write(policy) => Some(policy),
        }
    }
}

impl Bfe {
    /// `FwpmEngineOpen0`.
    pub(super) fn open(&mut self, dynamic: bool) -> Result<SessionId, Status> {
        if self.state != ServiceState::Running {
            return Err(status::EPT_NOT_REGISTERED);
        }
        self.opened += 1;
        let handle = FIRST_HANDLE + self.opened;
        self.sessions.insert(handle, Session { dynamic, transaction: None });
        Ok(handle)
    }

    /// `FwpmEngineClose0`: an open transaction is aborted, and the session's dynamic objects vanish. Returns the policy
    /// that is given up.
    pub(super) fn close(&mut self, handle: SessionId) -> Result<Option<Policy>, Status> {
        let given_up = self.session(handle)?.transaction.take().and_then(Transaction::policy);
        self.sessions.remove(&handle);
        self.policy = self.policy.without_objects_of(handle);
        Ok(given_up)
    }

    /// `FwpmTransactionBegin0`.
    pub(super) fn begin(&mut self, handle: SessionId, read_only: bool) -> Result<(), Status> {
        if self.session(handle)?.transaction.is_some() {
            return Err(status::FWP_TXN_IN_PROGRESS);
        }
        let someone_writes =
            self.sessions.values().any(|other| matches!(other.transaction, Some(Transaction::Write(_))));
        if someone_writes {
            return Err(status::FWP_TIMEOUT);
        }
        let transaction = if read_only { Transaction::ReadOnly } else { Transaction::Write(self.policy.clone()) };
        self.session(handle)?.transaction = Some(transaction);
        Ok(())
    }

    /// `FwpmTransactionCommit0`.
    pub(super) fn commit(&mut self, handle: SessionId) -> Result<(), Status> {
        let transaction = self.session(handle)?.transaction.take().ok_or(status::FWP_NO_TXN_IN_PROGRESS)?;
        if let Some(policy) = transaction.policy() {
            self.policy = policy;
        }
        Ok(())
    }

    /// `FwpmTransactionAbort0`; returns the policy that is given up.
    pub(super) fn abort(&mut self, handle: SessionId) -> Result<Option<Policy>, Status> {
        let transaction = self.session(handle)?.transaction.take().ok_or(status::FWP_NO_TXN_IN_PROGRESS)?;
        Ok(transaction.policy())
    }

    /// Lets `change` work on what the session sees: its transaction, or the policy in force when it has none.
    ///
    /// The second argument of `change` is the owner of what it adds.
    pub(super) fn change<T>(
        &mut self,
        handle: SessionId,
        change: impl FnOnce(&mut Policy, Option<SessionId>) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let session = self.sessions.get_mut(&handle);
        let Some(session) = session else { return Err(self.dead(handle)) };
        let owner = session.dynamic.then_some(handle);
        match &mut session.transaction {
            Some(Transaction::ReadOnly) => Err(status::FWP_INCOMPATIBLE_TXN),
            Some(Transaction::Write(policy)) => change(policy, owner),
            None => change(&mut self.policy, owner),
        }
    }

    /// All sessions die, all objects vanish.
    pub(super) fn end_all(&mut self) {
        self.aborted.extend(self.sessions.drain().map(|(handle, _)| handle));
        self.policy = Policy::default();
    }

    /// The service goes from one state to the next, if it is in that one.
    pub(super) fn leave(&mut self, state: ServiceState, next: ServiceState) -> bool {
        let there = self.state == state;
        if there {
            self.state = next;
        }
        there
    }

    pub(super) fn state(&self) -> ServiceState {
        self.state
    }

    pub(super) fn runs(&self) -> bool {
        self.state == ServiceState::Running
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn policy_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }

    pub(super) fn is_dynamic(&self, handle: SessionId) -> bool {
        self.sessions.get(&handle).is_some_and(|session| session.dynamic)
    }

    pub(super) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    fn session(&mut self, handle: SessionId) -> Result<&mut Session, Status> {
        if self.sessions.contains_key(&handle) {
            return Ok(self.sessions.get_mut(&handle).expect("just found"));
        }
        Err(self.dead(handle))
    }

    fn dead(&self, handle: SessionId) -> Status {
        if self.aborted.contains(&handle) { status::FWP_SESSION_ABORTED } else { status::INVALID_HANDLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wfp::{abi::Guid, policy::SubLayer};

    fn add(bfe: &mut Bfe, handle: SessionId, number: u32) -> Result<(), Status> {
        bfe.change(handle, |policy, owner| {
            policy.add_sublayer(SubLayer { key: Guid::new(number, 0, 0, [0; 8]), weight: 0, provider: None, owner })
        })
    }

    fn sublayers(bfe: &Bfe) -> usize {
        bfe.policy().sizes()[0]
    }

    fn opened() -> (Bfe, SessionId) {
        let mut bfe = Bfe::default();
        let handle = bfe.open(true).unwrap();
        (bfe, handle)
    }

    #[test]
    fn opening_fails_while_the_service_does_not_run() {
        let mut bfe = Bfe::default();
        assert!(bfe.leave(ServiceState::Running, ServiceState::StopPending));
        assert_eq!(bfe.open(true), Err(status::EPT_NOT_REGISTERED));
    }

    #[test]
    fn a_session_has_one_transaction() {
        let (mut bfe, handle) = opened();
        bfe.begin(handle, false).unwrap();
        assert_eq!(bfe.begin(handle, false), Err(status::FWP_TXN_IN_PROGRESS));
    }

    #[test]
    fn committing_without_a_transaction_fails() {
        let (mut bfe, handle) = opened();
        assert_eq!(bfe.commit(handle), Err(status::FWP_NO_TXN_IN_PROGRESS));
    }

    #[test]
    fn aborting_without_a_transaction_fails() {
        let (mut bfe, handle) = opened();
        assert_eq!(bfe.abort(handle).unwrap_err(), status::FWP_NO_TXN_IN_PROGRESS);
    }

    #[test]
    fn a_change_takes_effect_when_it_is_committed() {
        let (mut bfe, handle) = opened();
        bfe.begin(handle, false).unwrap();
        add(&mut bfe, handle, 1).unwrap();
        let before = sublayers(&bfe);
        bfe.commit(handle).unwrap();
        assert_eq!((before, sublayers(&bfe)), (0, 1));
    }

    #[test]
    fn an_aborted_change_never_takes_effect() {
        let (mut bfe, handle) = opened();
        bfe.begin(handle, false).unwrap();
        add(&mut bfe, handle, 1).unwrap();
        bfe.abort(handle).unwrap();
        assert_eq!(sublayers(&bfe), 0);
    }

    #[test]
    fn a_failed_call_does_not_abort_the_transaction() {
        let (mut bfe, handle) = opened();
        bfe.begin(handle, false).unwrap();
        add(&mut bfe, handle, 1).unwrap();
        add(&mut bfe, handle, 1).unwrap_err();
        bfe.commit(handle).unwrap();
        assert_eq!(sublayers(&bfe), 1);
    }

    #[test]
    fn a_change_without_a_transaction_takes_effect_at_once() {
        let (mut bfe, handle) = opened();
        add(&mut bfe, handle, 1).unwrap();
        assert_eq!(sublayers(&bfe), 1);
    }

    #[test]
    fn a_read_only_transaction_refuses_changes() {
        let (mut bfe, handle) = opened();
        bfe.begin(handle, true).unwrap();
        assert_eq!(add(&mut bfe, handle, 1), Err(status::FWP_INCOMPATIBLE_TXN));
    }

    #[test]
    fn two_sessions_cannot_both_write() {
        let (mut bfe, handle) = opened();
        let other = bfe.open(true).unwrap();
        bfe.begin(handle, false).unwrap();
        assert_eq!(bfe.begin(other, false), Err(status::FWP_TIMEOUT));
    }

    #[test]
    fn closing_a_dynamic_session_takes_its_objects_along() {
        let (mut bfe, handle) = opened();
        add(&mut bfe, handle, 1).unwrap();
        bfe.close(handle).unwrap();
        assert_eq!(sublayers(&bfe), 0);
    }

    #[test]
    fn closing_a_static_session_leaves_its_objects() {
        let mut bfe = Bfe::default();
        let handle = bfe.open(false).unwrap();
        add(&mut bfe, handle, 1).unwrap();
        bfe.close(handle).unwrap();
        assert_eq!(sublayers(&bfe), 1);
    }

    #[test]
    fn closing_aborts_an_open_transaction() {
        let mut bfe = Bfe::default();
        let handle = bfe.open(false).unwrap();
        bfe.begin(handle, false).unwrap();
        add(&mut bfe, handle, 1).unwrap();
        bfe.close(handle).unwrap();
        assert_eq!(sublayers(&bfe), 0);
    }

    #[test]
    fn a_closed_handle_is_invalid() {
        let (mut bfe, handle) = opened();
        bfe.close(handle).unwrap();
        assert_eq!(bfe.close(handle).unwrap_err(), status::INVALID_HANDLE);
    }

    #[test]
    fn stopping_the_service_ends_sessions_and_removes_objects() {
        let (mut bfe, handle) = opened();
        add(&mut bfe, handle, 1).unwrap();
        bfe.end_all();
        assert_eq!((bfe.close(handle).unwrap_err(), sublayers(&bfe)), (status::FWP_SESSION_ABORTED, 0));
    }
}
