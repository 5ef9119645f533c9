//! What becomes of traffic when several filters have a say.
//!
//! Sub-layers are evaluated from heavy to light. Within one, filters are, until one blocks or permits. What a sub-layer decides
//! may be overridden by those below it while it is soft, which is what `FWPS_RIGHT_ACTION_WRITE` tells them (Win32, "Filter
//! Arbitration"). That page contradicts itself on whether evaluation goes on after a block that is final, so both are modelled
//! ([`Switches::block_ends_evaluation`](super::Switches)).

use super::{
    abi::{Guid, RIGHT_ACTION_WRITE, action},
    policy::Role,
};

/// What happens to the packet or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Permit,
    /// It is dropped.
    Block,
}

/// What a filter or callout makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it says.
    pub verdict: Verdict,
    /// Whether it has taken away the right to write another action. A hard permit gives way to a veto only.
    pub hard: bool,
}

impl Decision {
    /// What a filter decides by itself: a block is hard unless said otherwise, a permit is soft (Win32, "Filter Arbitration").
    pub(super) const fn of_filter(verdict: Verdict) -> Self {
        Self { verdict, hard: matches!(verdict, Verdict::Block) }
    }
}

/// The arbitration of one classification.
#[derive(Debug)]
pub(super) struct Arbiter {
    block_ends_evaluation: bool,
    /// What the sub-layers so far have decided.
    current: Option<Decision>,
    /// The sub-layer being evaluated, and whether it has decided.
    sublayer: Option<(Guid, bool)>,
}

/// How a callout broke the contract of `FWPS_CLASSIFY_OUT0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    #[error("an inspection callout must answer FWP_ACTION_CONTINUE")]
    InspectionDecides,
    #[error("the action was written without FWPS_RIGHT_ACTION_WRITE, and it is no veto")]
    WroteWithoutRight,
    #[error("a terminating callout must answer FWP_ACTION_BLOCK or FWP_ACTION_PERMIT")]
    TerminatingContinues,
    #[error("the action is none that a callout may answer")]
    UnknownAction,
    #[error("a right was taken that was not given")]
    TookRight,
}

impl Violation {
    /// Whether it is known what Windows makes of it, or thought: the answer stands for another one then.
    pub(super) fn is_tolerated(self) -> bool {
        matches!(self, Self::InspectionDecides | Self::TerminatingContinues | Self::WroteWithoutRight)
    }
}

impl Arbiter {
    const HARD_BLOCK: Decision = Decision { verdict: Verdict::Block, hard: true };

    pub(super) fn new(block_ends_evaluation: bool) -> Self {
        Self { block_ends_evaluation, current: None, sublayer: None }
    }

    /// Whether a filter in `sublayer` is evaluated at all.
    pub(super) fn evaluates(&mut self, sublayer: Guid) -> bool {
        if self.block_ends_evaluation && self.current == Some(Self::HARD_BLOCK) {
            return false;
        }
        match self.sublayer {
            Some((current, decided)) if current == sublayer => !decided,
            _ => {
                self.sublayer = Some((sublayer, false));
                true
            }
        }
    }

    /// Whether the next callout gets the write right: nobody above it has decided for good.
    pub(super) fn grants_write(&self) -> bool {
        self.current.is_none_or(|decision| !decision.hard)
    }

    /// The action that the next callout finds.
    pub(super) fn action(&self) -> u32 {
        match self.current.map(|decision| decision.verdict) {
            None => action::NONE,
            Some(Verdict::Permit) => action::PERMIT,
            Some(Verdict::Block) => action::BLOCK,
        }
    }

    /// A filter of the current sub-layer decides by itself.
    pub(super) fn decide(&mut self, decision: Decision) {
        if let Some((_, decided)) = &mut self.sublayer {
            *decided = true;
        }
        if self.grants_write() {
            self.current = Some(decision);
        }
    }

    /// A callout decides: it may also veto what was permitted for good.
    pub(super) fn answer(&mut self, decision: Decision) {
        self.decide(decision);
        if decision.verdict == Verdict::Block && !self.grants_write() {
            self.current = Some(Self::HARD_BLOCK);
        }
    }

    /// The outcome; what nobody decides on is permitted.
    pub(super) fn verdict(&self) -> Verdict {
        self.current.map_or(Verdict::Permit, |decision| decision.verdict)
    }
}

/// What a callout's answer means, and what is wrong with it.
///
/// `before` and `after` are action and rights around the call. An action that the callout left alone counts as "no
/// answer", which is no violation: WFP treats it as it treats the wrong answer, or as the decision that was there. So does it (a
/// guess) an action that was written without the right.
pub(super) fn judge(role: Role, before: (u32, u32), after: (u32, u32)) -> (Option<Decision>, Option<Violation>) {
    let (action, rights) = after;
    let answered = action != before.0;
    let may_write = before.1 & RIGHT_ACTION_WRITE != 0;
    let hard = rights & RIGHT_ACTION_WRITE == 0;
    let decision = match action {
        action::BLOCK => Some(Decision { verdict: Verdict::Block, hard }),
        action::PERMIT if may_write || !answered => Some(Decision { verdict: Verdict::Permit, hard }),
        _ => None,
    };
    let meant = match role {
        Role::Inspection => None,
        Role::Terminating => Some(decision.unwrap_or(Decision { verdict: Verdict::Block, hard })),
        Role::Unknown => decision,
    };
    let violation = if rights & !before.1 != 0 {
        Some(Violation::TookRight)
    } else if !answered {
        None
    } else if role == Role::Inspection && action != action::CONTINUE {
        Some(Violation::InspectionDecides)
    } else if !may_write && action != action::BLOCK {
        Some(Violation::WroteWithoutRight)
    } else if role == Role::Terminating && decision.is_none() {
        Some(Violation::TerminatingContinues)
    } else if decision.is_none() && action != action::CONTINUE {
        Some(Violation::UnknownAction)
    } else {
        None
    };
    (meant, violation)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIGH: Guid = Guid::new(1, 0, 0, [0; 8]);
    const LOW: Guid = Guid::new(2, 0, 0, [0; 8]);
    const SOFT_BLOCK: Decision = Decision { verdict: Verdict::Block, hard: false };
    const SOFT_PERMIT: Decision = Decision::of_filter(Verdict::Permit);
    const HARD_PERMIT: Decision = Decision { verdict: Verdict::Permit, hard: true };
    const HARD_BLOCK: Decision = Decision::of_filter(Verdict::Block);
    const WRITABLE: (u32, u32) = (action::NONE, RIGHT_ACTION_WRITE);
    const READ_ONLY: (u32, u32) = (action::NONE, 0);

    #[test]
    fn undecided_traffic_is_permitted() {
        assert_eq!(Arbiter::new(false).verdict(), Verdict::Permit);
    }

    #[test]
    fn a_decision_ends_its_sublayer() {
        let mut arbiter = Arbiter::new(false);
        arbiter.evaluates(HIGH);
        arbiter.decide(SOFT_PERMIT);
        assert!(!arbiter.evaluates(HIGH));
    }

    /// An arbiter whose upper sub-layer has decided, and whose lower one is asked.
    fn below(decision: Decision) -> Arbiter {
        let mut arbiter = Arbiter::new(false);
        arbiter.evaluates(HIGH);
        arbiter.decide(decision);
        assert!(arbiter.evaluates(LOW));
        arbiter
    }

    #[test]
    fn a_low_sublayer_can_block_what_a_high_one_permits() {
        let mut arbiter = below(SOFT_PERMIT);
        arbiter.decide(HARD_BLOCK);
        assert_eq!(arbiter.verdict(), Verdict::Block);
    }

    #[test]
    fn a_low_sublayer_cannot_permit_what_a_high_one_blocks_for_good() {
        let mut arbiter = below(HARD_BLOCK);
        arbiter.decide(HARD_PERMIT);
        assert_eq!(arbiter.verdict(), Verdict::Block);
    }

    #[test]
    fn a_low_sublayer_can_permit_what_a_high_one_blocks_softly() {
        let mut arbiter = below(SOFT_BLOCK);
        arbiter.decide(SOFT_PERMIT);
        assert_eq!(arbiter.verdict(), Verdict::Permit);
    }

    #[test]
    fn a_low_filter_cannot_block_what_a_high_one_permits_for_good() {
        let mut arbiter = below(HARD_PERMIT);
        arbiter.decide(HARD_BLOCK);
        assert_eq!(arbiter.verdict(), Verdict::Permit);
    }

    #[test]
    fn a_callout_can_veto_what_a_high_filter_permits_for_good() {
        let mut arbiter = below(HARD_PERMIT);
        arbiter.answer(SOFT_BLOCK);
        assert_eq!(arbiter.verdict(), Verdict::Block);
    }

    #[test]
    fn a_soft_decision_leaves_the_write_right_to_those_below() {
        assert!([SOFT_PERMIT, SOFT_BLOCK].into_iter().all(|decision| below(decision).grants_write()));
    }

    #[test]
    fn a_hard_decision_takes_the_write_right_from_those_below() {
        assert!([HARD_PERMIT, HARD_BLOCK].into_iter().all(|decision| !below(decision).grants_write()));
    }

    #[test]
    fn those_below_find_what_was_decided_above() {
        assert_eq!([SOFT_PERMIT, HARD_BLOCK].map(|decision| below(decision).action()), [action::PERMIT, action::BLOCK]);
    }

    #[test]
    fn a_hard_block_can_hide_traffic_from_those_below() {
        let mut arbiter = Arbiter::new(true);
        arbiter.evaluates(HIGH);
        arbiter.decide(HARD_BLOCK);
        assert!(!arbiter.evaluates(LOW));
    }

    #[test]
    fn a_soft_block_hides_no_traffic_from_those_below() {
        let mut arbiter = Arbiter::new(true);
        arbiter.evaluates(HIGH);
        arbiter.decide(SOFT_BLOCK);
        assert!(arbiter.evaluates(LOW));
    }

    #[test]
    fn an_inspection_callout_that_continues_is_right() {
        let answer = judge(Role::Inspection, WRITABLE, (action::CONTINUE, RIGHT_ACTION_WRITE));
        assert_eq!(answer, (None, None));
    }

    #[test]
    fn an_inspection_callout_that_blocks_is_wrong_and_blocks_nothing() {
        let answer = judge(Role::Inspection, WRITABLE, (action::BLOCK, 0));
        assert_eq!(answer, (None, Some(Violation::InspectionDecides)));
    }

    #[test]
    fn an_untouched_answer_is_no_violation() {
        assert_eq!(judge(Role::Inspection, READ_ONLY, READ_ONLY), (None, None));
    }

    #[test]
    fn writing_without_the_right_is_wrong() {
        let answer = judge(Role::Inspection, READ_ONLY, (action::CONTINUE, 0));
        assert_eq!(answer, (None, Some(Violation::WroteWithoutRight)));
    }

    #[test]
    fn a_veto_needs_no_right() {
        let answer = judge(Role::Terminating, READ_ONLY, (action::BLOCK, 0));
        assert_eq!(answer, (Some(HARD_BLOCK), None));
    }

    #[test]
    fn a_terminating_callout_without_an_answer_blocks() {
        assert_eq!(judge(Role::Terminating, WRITABLE, WRITABLE), (Some(SOFT_BLOCK), None));
    }

    #[test]
    fn a_terminating_callout_that_continues_is_wrong() {
        let answer = judge(Role::Terminating, WRITABLE, (action::CONTINUE, RIGHT_ACTION_WRITE));
        assert_eq!(answer, (Some(SOFT_BLOCK), Some(Violation::TerminatingContinues)));
    }

    #[test]
    fn a_terminating_callout_that_leaves_a_hard_permit_alone_permits() {
        let found = (action::PERMIT, 0);
        assert_eq!(judge(Role::Terminating, found, found), (Some(HARD_PERMIT), None));
    }

    #[test]
    fn a_permit_without_the_right_decides_nothing() {
        let answer = judge(Role::Unknown, READ_ONLY, (action::PERMIT, 0));
        assert_eq!(answer, (None, Some(Violation::WroteWithoutRight)));
    }

    #[test]
    fn a_callout_of_unknown_kind_may_continue() {
        let answer = judge(Role::Unknown, WRITABLE, (action::CONTINUE, RIGHT_ACTION_WRITE));
        assert_eq!(answer, (None, None));
    }

    #[test]
    fn taking_the_write_right_is_wrong() {
        let answer = judge(Role::Inspection, READ_ONLY, (action::NONE, RIGHT_ACTION_WRITE));
        assert_eq!(answer, (None, Some(Violation::TookRight)));
    }
}
