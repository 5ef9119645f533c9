//! What Windows refuses, and what to do then.

use std::io;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_NO_SYSTEM_RESOURCES, WIN32_ERROR,
};

/// Why there are no events.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The user may not.
    #[error(
        "Windows gives the driver's events only to administrators and to members of the group Performance Log Users: type this into a \
         prompt that was opened by “Run as administrator”, or join the group and sign in anew"
    )]
    Denied,
    /// A session of our name is there, and stays.
    #[error(
        "a session of another user is left over, and cannot be stopped from here: as administrator, `logman stop \"{0}\" -ets`"
    )]
    LeftOver(&'static str),
    /// ETW has no room for another session.
    #[error(
        "as many sessions run as Windows has room for: `logman query -ets` shows them, and `logman stop NAME -ets` ends one that nobody \
         needs"
    )]
    NoSession,
    /// The provider has no room for another session.
    #[error(
        "eight sessions listen to the driver already, and Windows has room for no more: `logman query -ets` shows all sessions, and \
         `logman stop NAME -ets` ends one that nobody needs"
    )]
    NoRoom,
    /// Something else.
    #[error("{call} fails: {}", io::Error::from_raw_os_error(code.cast_signed()))]
    Other {
        /// The function.
        call: &'static str,
        /// What it answered.
        code: WIN32_ERROR,
    },
}

impl Failure {
    /// What it means that `call` has answered this while the session `name` was being made. The pages of `StartTrace`,
    /// `EnableTraceEx2` and `OpenTrace` have the causes.
    pub(super) fn of_session(name: &'static str, call: &'static str, code: WIN32_ERROR) -> Self {
        match (code, call) {
            (ERROR_ACCESS_DENIED, _) => Self::Denied,
            (ERROR_ALREADY_EXISTS, "StartTraceW") => Self::LeftOver(name),
            (ERROR_NO_SYSTEM_RESOURCES, "StartTraceW") => Self::NoSession,
            (ERROR_NO_SYSTEM_RESOURCES, "EnableTraceEx2") => Self::NoRoom,
            _ => Self::Other { call, code },
        }
    }
}
