//! What Windows may do and tests want to see: every switch selects a behaviour that a driver has to stand.
//!
//! The default is the documented behaviour where there is one, and the likeliest where there is none.

use super::{layer::Field, status::Status};
use crate::computer::Irql;

/// The engine's behaviour where it has a choice.
#[derive(Clone, Debug)]
pub struct Switches {
    /// At which IRQL callouts are called.
    pub irql: IrqlChoice,
    /// What an association is answered where the callout has a context already.
    pub existing_context: ExistingContext,
    /// Whether the referee lets an association pass where the callout has a context already.
    pub second_context: SecondContext,
    /// When a context that is taken off stops being in the way of another one.
    pub emptied: Emptied,
    /// What becomes of an association with a flow that has ended but is still being classified.
    pub dying_flow: DyingFlow,
    /// Whether the end of a flow waits for a classify of it.
    pub flow_end: FlowEnd,
    /// When flowDeleteFn runs after `FwpsFlowRemoveContext0`.
    pub removal: Removal,
    /// What a removal that is pending is answered.
    pub pending_answer: PendingAnswer,
    /// What a removal from a flow that does not exist is answered.
    pub unknown_flow: UnknownFlow,
    /// `FwpsFlowRemoveContext0` removes the context and yet returns this.
    pub removal_error: Option<Status>,
    /// The flow ends inside the n-th successful `FwpsFlowAssociateContext0` from now, before it returns; 1 is the next.
    pub end_flow_after_associations: Option<u32>,
    /// Whether a flow gets the lowest handle that has become free, not a fresh one.
    pub handle_reuse: HandleReuse,
    /// A connect is classified twice, as a redirected one is: same handle, neither time as a reauthorization.
    pub connect_twice: bool,
    /// So many attempts to unregister a callout are answered `STATUS_DEVICE_BUSY` without a reason.
    pub busy_answers: u32,
    /// How long a context keeps its callout registered.
    pub busy_until: BusyUntil,
    /// A callout that was to be unregistered, and answered `STATUS_DEVICE_BUSY`, gets no further contexts: one build,
    /// `FeRefCalloutFlowContext`.
    pub refuse_contexts_when_leaving: bool,
    /// What else ends when the base filtering engine stops.
    pub bfe_stop: BfeStop,
    /// When who has subscribed hears of the base filtering engine's states.
    pub bfe_told: Told,
    /// The callout flags that this Windows knows; registering with another one fails (a guess).
    pub known_callout_flags: u32,
    /// `FwpmTransactionCommit0` takes effect and yet returns this.
    pub commit_error: Option<Status>,
    /// Whether callouts may write the action.
    pub write_right: WriteRight,
    /// Whether a callout finds what the sub-layers above have decided.
    pub action_above: ActionAbove,
    /// What becomes of an answer that a callout may not give.
    pub wrong_answer: WrongAnswer,
    /// A block by one sub-layer, if it is final, hides the traffic from those below it (the documentation says both).
    pub block_ends_evaluation: bool,
    /// The flow handle in the metadata.
    pub flow_handle: FlowHandleField,
    /// Where the process path lies.
    pub process_path: PathMemory,
    /// Fields that are `FWP_EMPTY` in every classify.
    pub empty_fields: Vec<Field>,
    /// Fields that are `FWP_EMPTY` when a flow is authorized again.
    pub empty_on_reauthorization: Vec<Field>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            irql: IrqlChoice::default(),
            existing_context: ExistingContext::default(),
            second_context: SecondContext::default(),
            emptied: Emptied::default(),
            dying_flow: DyingFlow::default(),
            flow_end: FlowEnd::default(),
            removal: Removal::default(),
            pending_answer: PendingAnswer::default(),
            unknown_flow: UnknownFlow::default(),
            removal_error: None,
            end_flow_after_associations: None,
            handle_reuse: HandleReuse::default(),
            connect_twice: false,
            busy_answers: 0,
            busy_until: BusyUntil::default(),
            refuse_contexts_when_leaving: true,
            bfe_stop: BfeStop::default(),
            bfe_told: Told::default(),
            known_callout_flags: u32::MAX,
            commit_error: None,
            write_right: WriteRight::default(),
            action_above: ActionAbove::default(),
            wrong_answer: WrongAnswer::default(),
            block_ends_evaluation: false,
            flow_handle: FlowHandleField::default(),
            process_path: PathMemory::default(),
            empty_fields: Vec::new(),
            empty_on_reauthorization: Vec::new(),
        }
    }
}

/// The IRQL of callouts. DDI `FWPS_CALLOUT_CLASSIFY_FN2` says `<= DISPATCH_LEVEL` and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqlChoice {
    /// A legal one by chance, from the machine's seed; the odds are a guess.
    Random,
    /// Always this one, but where something above it classifies.
    Fixed(Irql),
}

impl Default for IrqlChoice {
    /// `DISPATCH_LEVEL`, to which one build raises to authorize a connect (tcpip's `WfpAlepAuthorizeConnect`).
    fn default() -> Self {
        Self::Fixed(Irql::DISPATCH)
    }
}

/// What `FwpsFlowAssociateContext0` answers where the callout has a context already. The old context stays either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExistingContext {
    /// `STATUS_OBJECT_NAME_EXISTS`: DDI `FwpsFlowAssociateContext0`, and NETIO's `WfpAssociateContextToFlowInternal` in one build.
    #[default]
    NameExists,
    /// `STATUS_SUCCESS`: fwpkclnt folds every status that is none of failure into this one. A guess: in a disassembly of
    /// one build its `FwpsFlowRemoveContext0` does so, and nobody has seen its `FwpsFlowAssociateContext0`.
    Folded,
}

/// What the referee says to an association where the callout has a context already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondContext {
    /// Nothing: the driver is answered.
    #[default]
    Answered,
    /// A bug check, whatever the answer would be: this driver is to know what it has tagged.
    Reported,
}

/// When a context that is taken off stops being in the way of another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emptied {
    /// When it is taken off.
    AtOnce,
    /// When its flowDeleteFn is called: until the last classify with it has ended it is still there, only marked
    /// (`WfpAssociateContextToFlowInternal` in one build). That it is emptied before the call has been seen for the end of a
    /// flow (`WfpProcessFlowDelete`).
    #[default]
    BeforeDelete,
    /// When its flowDeleteFn has returned (a guess: not found, not excluded for removals).
    AfterDelete,
}

/// What happens to an association with a flow that has ended but is still being classified.
///
/// Nothing is documented, so a driver must be right in every case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DyingFlow {
    /// The association fails: `STATUS_NOT_FOUND`.
    #[default]
    Refuse,
    /// It fails by chance with that, or with `STATUS_INVALID_PARAMETER`: one build has both, the second from
    /// `IsFlowContextTableAcceptingContexts`.
    RefuseByChance,
    /// It succeeds, and flowDeleteFn follows when the last classify of the flow ends.
    DeleteLater,
    /// It succeeds, and flowDeleteFn runs before it returns.
    DeleteInline,
}

/// Whether the end of a flow waits for a classify of it that runs with the callout's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowEnd {
    /// flowDeleteFn is called when the last such classify has ended, as after a removal. A guess on which Microsoft's
    /// msnmntr relies: it frees in flowDeleteFn what its classifyFn reads.
    #[default]
    Waits,
    /// flowDeleteFn is called at once. In a disassembly of one build `WfpProcessFlowDelete` does not look at the count of
    /// classifies that a removal honours; whether the network stack keeps a flow while its packet is classified has not been
    /// followed.
    DoesNotWait,
}

/// Whether, and when, another flow gets the handle of one that has ended. Nothing is documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandleReuse {
    /// Never.
    #[default]
    Never,
    /// As soon as no classify of the old flow runs; its flowDeleteFn may be still to come.
    AfterClassifies,
    /// At once, and even while the old flow is being classified.
    AtOnce,
}

/// When flowDeleteFn runs after a removal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// As documented: inside the removal, or at the end of the classify that is active.
    #[default]
    AsDocumented,
    /// The removal is pending (as if another CPU were classifying) until the test runs the deletions.
    PendingUntilTold,
    /// The removal is pending by chance; flowDeleteFn runs during a later call into the engine, or while a thread waits.
    PendingByChance,
}

/// What `FwpsFlowRemoveContext0` answers when flowDeleteFn comes later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PendingAnswer {
    /// `STATUS_PENDING`, as documented.
    #[default]
    Pending,
    /// `STATUS_SUCCESS`: in one build fwpkclnt's `FwpsFlowRemoveContext0` makes that of every status that is no failure.
    Folded,
}

/// What `FwpsFlowRemoveContext0` answers for a flow that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFlow {
    /// `STATUS_NOT_FOUND`: so one build answers an association (`KfdAleGetTableFromHandle`).
    #[default]
    NotFound,
    /// `STATUS_UNSUCCESSFUL`: documented for a flow without a context, which one that does not exist is, too.
    Unsuccessful,
}

/// How long `FwpsCalloutUnregisterById0` answers `STATUS_DEVICE_BUSY` for a context. The documentation says "while there
/// are contexts", not whether one that flowDeleteFn is just being told of is among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BusyUntil {
    /// Until its flowDeleteFn has returned.
    Returned,
    /// Until its flowDeleteFn is called: the driver may be let go while that runs, but not its image, which the callout's
    /// device object keeps. So in one build, `WfpProcessFlowDelete`.
    #[default]
    Deleting,
}

/// What becomes of callouts and contexts when the base filtering engine stops. Nothing is documented: all of them are guesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BfeStop {
    /// Callouts stay registered, and contexts stay on their flows.
    #[default]
    KeepsCallouts,
    /// Every flow loses its contexts, and lives on: flowDeleteFn is called for each, as at the end of a flow, which may wait
    /// for a classify ([`FlowEnd`]).
    EndsContexts,
    /// The same, and no callout is registered any longer. At once its key is free, it takes no contexts and no classify finds
    /// it; its id answers `STATUS_DEVICE_BUSY` for as long as it is busy, and its device object is referenced until then.
    EndsCallouts,
}

/// When a state of the base filtering engine is told to who has subscribed. No page says: both are guesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// When it is reached: by the thread that changes it, before that goes on.
    #[default]
    AtOnce,
    /// When the test says, by a system thread, in order: then the engine may run again, and the driver still hear that it stops.
    Later,
}

/// Whether `FWPS_RIGHT_ACTION_WRITE` is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteRight {
    /// Unless somebody has blocked before.
    #[default]
    AsArbitrated,
    /// Never.
    Never,
    /// By chance.
    ByChance,
}

/// What a callout finds in `FWPS_CLASSIFY_OUT0.actionType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActionAbove {
    /// What the sub-layers above have decided so far. A guess, but drivers of others take it so: tnodir/fort counts a packet
    /// as blocked when it finds `FWP_ACTION_BLOCK` without the write right. Win32, "Filter Arbitration", says that the engine
    /// maintains the action along with the right, not that callouts see it.
    #[default]
    Shown,
    /// `FWP_ACTION_NONE`, whatever they have decided.
    Hidden,
}

/// What becomes of an action that a callout may not answer: a decision of one that only inspects, none of one that must
/// decide, or one that is written without `FWPS_RIGHT_ACTION_WRITE` and is no veto.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrongAnswer {
    /// A bug check.
    #[default]
    Reported,
    /// What Windows makes of it: an inspection callout continues and a terminating one blocks, whatever else they answer (SDK
    /// `FWPS_ACTION0`). Guess: what is written without the right
    /// counts as not written (SDK `FWPS_CLASSIFY_OUT0` forbids it, and does not say what comes of it).
    AsWindows,
}

/// `FWPS_METADATA_FIELD_FLOW_HANDLE` and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowHandleField {
    /// Present.
    #[default]
    Present,
    /// The bit is clear; the value behind it is garbage.
    Absent,
    /// The bit is set, the value is 0.
    Zero,
}

/// The memory of the process path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathMemory {
    /// It can be read at any IRQL.
    #[default]
    NonPaged,
    /// When a classify starts below `DISPATCH_LEVEL`, it can be read only there (a guess: DDI `FWPS_INCOMING_METADATA_VALUES0` does
    /// not say which memory it is).
    Paged,
}
