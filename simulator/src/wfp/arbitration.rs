//! What becomes of traffic when several filters have a say.
//!
//! Sub-layers are evaluated from heavy to light. Within one, filters are, until one blocks or permits. A block in any
//! sub-layer blocks; a block by a higher one clears the write right of the callouts below it. Facts, section 5; its
//! source contradicts itself on whether evaluation goes on after a block, so both are modelled
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

/// The arbitration of one classification.
#[derive(Debug)]
pub(super) struct Arbiter {
    block_ends_evaluation: bool,
    verdict: Option<Verdict>,
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
    pub(super) fn new(block_ends_evaluation: bool) -> Self {
        Self { block_ends_evaluation, verdict: None, sublayer: None }
    }

    /// Whether a filter in `sublayer` is evaluated at all.
    pub(super) fn evaluates(&mut self, sublayer: Guid) -> bool {
        if self.block_ends_evaluation && self.verdict == Some(Verdict::Block) {
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
        self.verdict != Some(Verdict::Block)
    }

    /// A filter of the current sub-layer decides.
    pub(super) fn decide(&mut self, verdict: Verdict) {
        if let Some((_, decided)) = &mut self.sublayer {
            *decided = true;
        }
        if self.verdict != Some(Verdict::Block) {
            self.verdict = Some(verdict);
        }
    }

    /// The outcome; what nobody decides on is permitted.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Permit)
    }
}

/// What a callout's answer means, and what is wrong with it.
///
/// `before` and `after` are action and rights around the call. An action that the callout left alone counts as "no
/// answer", which is no violation: WFP treats it as it treats the wrong answer. So does it (a guess) an action that was
/// written without the right.
pub(super) fn judge(role: Role, before: (u32, u32), after: (u32, u32)) -> (Option<Verdict>, Option<Violation>) {
    let (action, rights) = after;
    let answered = action != before.0;
    let may_write = before.1 & RIGHT_ACTION_WRITE != 0;
    let decision = match action {
        action::BLOCK => Some(Verdict::Block),
        action::PERMIT if may_write => Some(Verdict::Permit),
        _ => None,
    };
    let meant = match role {
        Role::Inspection => None,
        Role::Terminating => Some(decision.unwrap_or(Verdict::Block)),
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
        arbiter.decide(Verdict::Permit);
        assert!(!arbiter.evaluates(HIGH));
    }

    #[test]
    fn a_permit_leaves_the_next_sublayer_to_decide() {
        let mut arbiter = Arbiter::new(true);
        arbiter.evaluates(HIGH);
        arbiter.decide(Verdict::Permit);
        assert!(arbiter.evaluates(LOW));
    }

    #[test]
    fn a_low_sublayer_can_block_what_a_high_one_permits() {
        let mut arbiter = Arbiter::new(false);
        arbiter.evaluates(HIGH);
        arbiter.decide(Verdict::Permit);
        arbiter.evaluates(LOW);
        arbiter.decide(Verdict::Block);
        assert_eq!(arbiter.verdict(), Verdict::Block);
    }

    #[test]
    fn a_low_sublayer_cannot_permit_what_a_high_one_blocks() {
        let mut arbiter = Arbiter::new(false);
        arbiter.evaluates(HIGH);
        arbiter.decide(Verdict::Block);
        arbiter.evaluates(LOW);
        arbiter.decide(Verdict::Permit);
        assert_eq!(arbiter.verdict(), Verdict::Block);
    }

    #[test]
    fn a_block_takes_the_write_right_from_those_below() {
        let mut arbiter = Arbiter::new(false);
        arbiter.evaluates(HIGH);
        arbiter.decide(Verdict::Block);
        assert!(arbiter.evaluates(LOW) && !arbiter.grants_write());
    }

    #[test]
    fn a_block_can_hide_traffic_from_those_below() {
        let mut arbiter = Arbiter::new(true);
        arbiter.evaluates(HIGH);
        arbiter.decide(Verdict::Block);
        assert!(!arbiter.evaluates(LOW));
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
        assert_eq!(answer, (Some(Verdict::Block), None));
    }

    #[test]
    fn a_terminating_callout_without_an_answer_blocks() {
        assert_eq!(judge(Role::Terminating, WRITABLE, WRITABLE), (Some(Verdict::Block), None));
    }

    #[test]
    fn a_terminating_callout_that_continues_is_wrong() {
        let answer = judge(Role::Terminating, WRITABLE, (action::CONTINUE, RIGHT_ACTION_WRITE));
        assert_eq!(answer, (Some(Verdict::Block), Some(Violation::TerminatingContinues)));
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
