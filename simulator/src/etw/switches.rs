//! What event tracing may do and tests want to see: every switch selects a behaviour that a driver has to stand.

/// Its behaviour where it has a choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Switches {
    /// When a provider that a session wants already hears of it.
    pub at_registration: AtRegistration,
    /// What a registration that is refused leaves where the handle goes.
    pub refused: Refused,
    /// Whether `EtwUnregister` waits for an enable callback that runs.
    pub unregister: Unregister,
    /// What the enable callback is told where a session wants all levels.
    pub all_levels: AllLevels,
}

/// When a provider that a session wants already hears of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtRegistration {
    /// Inside `EtwRegister`, on the same thread, when the handle has been written: one build, `EtwpRegisterKMProvider`.
    #[default]
    HandleFirst,
    /// The same, before the handle has been written (a guess).
    CallbackFirst,
    /// Inside `EtwRegister`, which waits for it, on another thread, before the handle has been written (a guess).
    OtherThread,
    /// Later, when [`deliver_notices`](crate::Machine::deliver_notices) is called or a driver waits (a guess; SDK
    /// `EnableTraceEx` has only that it comes when the provider has been registered).
    Later,
}

/// What a registration that is refused leaves where the handle goes. Its page tells of one that succeeds only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refused {
    /// 0: one build, `EtwpRegisterKMProvider`, writes that before anything can fail.
    #[default]
    Zero,
    /// A number that is no registration's (a guess).
    Number,
}

/// Whether `EtwUnregister` waits for an enable callback that runs. Its page says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unregister {
    /// It does: in one build `EtwpEnableGuid` and `EtwpRegisterKMProvider` call back while they hold the lock that
    /// `EtwUnregister` takes. The enable callback of TraceLoggingProvider.h relies on that.
    #[default]
    Waits,
    /// It does not; the driver's code stays until the callback has returned, its memory is the driver's affair (a guess).
    Overtakes,
    /// It does not, and nothing keeps the driver's code either (a guess).
    OvertakesUnguarded,
}

/// What the enable callback is told where a session wants all levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllLevels {
    /// 255: one build, `EtwpEnableGuid`.
    #[default]
    Highest,
    /// 0, if that is what the session said: TraceLoggingProvider.h, `_tlgEnableCallback`, takes that for all levels.
    Zero,
}
