//! The session that the driver's events come through.

use std::{
    mem::offset_of,
    ptr,
    sync::{Mutex, PoisonError},
};

use windows_sys::{
    Win32::{
        Foundation::{ERROR_INVALID_FUNCTION, ERROR_SUCCESS},
        System::Diagnostics::Etw::{
            CONTROLTRACE_HANDLE, ControlTraceW, EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_CONTROL_CODE_ENABLE_PROVIDER,
            EVENT_TRACE_CONTROL_STOP, EVENT_TRACE_INDEPENDENT_SESSION_MODE, EVENT_TRACE_PROPERTIES,
            EVENT_TRACE_REAL_TIME_MODE, EnableTraceEx2, StartTraceW, WNODE_FLAG_TRACED_GUID,
        },
    },
    core::GUID,
};

use super::{claim::Claim, failure::Failure, record::PROVIDER, trace::Lost};
use crate::wide;

/// A name for each run of this program at a time. More than eight sessions cannot have a provider (page `EnableTraceEx2`).
const NAMES: [&str; 8] =
    ["flowtag 1", "flowtag 2", "flowtag 3", "flowtag 4", "flowtag 5", "flowtag 6", "flowtag 7", "flowtag 8"];

/// The driver's levels and keywords (docs/events.md).
const VERBOSE: u8 = 5;
const FLOWS_FIRST_PACKETS_AND_DRIVER: u64 = 0b1011;
const PACKETS: u64 = 0b0100;

/// Buffers, in KiB, and how many of them at most. Whoever begins in the middle gets an event for each live flow at once.
const BUFFER_SIZE: u32 = 256;
const MOST_BUFFERS: u32 = 256;
/// In seconds; the least that there is (page *Configuring and Starting an `AutoLogger` Session*).
const FLUSH_EACH: u32 = 1;
/// `Wnode.ClientContext`: the system's clock, which is that of captures and of the processes' start times, also when it is set
/// meanwhile; from Windows 10 on as fine as the performance counter's (page `WNODE_HEADER`).
const SYSTEM_TIME: u32 = 2;
/// How long the driver may take to hear of the session, in milliseconds. Only then it is asked for what it has.
const PATIENCE: u32 = 10_000;

/// A session that runs, until it is stopped or dropped.
pub(super) struct Session {
    name: &'static str,
    handle: CONTROLTRACE_HANDLE,
    packets: bool,
    /// What was lost; `None` while it runs.
    lost: Mutex<Option<Lost>>,
    /// The last to go: while there is a session, the name is ours.
    _claim: Claim,
}

impl Session {
    /// Starts one in which the driver's events are wanted. Sessions of former runs, which were ended without a word, are stopped.
    pub(super) fn start(packets: bool) -> Result<Self, Failure> {
        let mut ours = None;
        for name in NAMES {
            let Some(claim) = Claim::of(name) else { continue };
            // There is none, as a rule; and whatever else is wrong, the next calls meet, too.
            let _ = stop(name);
            ours.get_or_insert((name, claim));
        }
        let (name, claim) = ours.ok_or(Failure::NoRoom)?;
        let mut properties = Properties::new();
        let of = &mut properties.of;
        of.Wnode.ClientContext = SYSTEM_TIME;
        // Independent: where this session has no room for an event, others get it nevertheless (page *Logging Mode Constants*).
        of.LogFileMode = EVENT_TRACE_REAL_TIME_MODE | EVENT_TRACE_INDEPENDENT_SESSION_MODE;
        of.BufferSize = BUFFER_SIZE;
        of.MaximumBuffers = MOST_BUFFERS;
        of.FlushTimer = FLUSH_EACH;
        let mut handle = CONTROLTRACE_HANDLE::default();
        let wide = wide::text(name);
        // SAFETY: the name ends with a NUL, and behind the properties there is room for it, as they say.
        let code = unsafe { StartTraceW(&raw mut handle, wide.as_ptr(), properties.as_mut_ptr()) };
        if code != ERROR_SUCCESS {
            return Err(Failure::of_session(name, "StartTraceW", code));
        }
        // From here on it is stopped, whatever happens.
        let session = Self { name, handle, packets, lost: Mutex::new(None), _claim: claim };
        match session.tell_driver(EVENT_CONTROL_CODE_ENABLE_PROVIDER, PATIENCE) {
            ERROR_SUCCESS => Ok(session),
            code => Err(Failure::of_session(name, "EnableTraceEx2", code)),
        }
    }

    /// What it is called.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Asks the driver for an event about each flow that lives.
    pub(super) fn capture_state(&self) -> Result<(), Failure> {
        match self.tell_driver(EVENT_CONTROL_CODE_CAPTURE_STATE, 0) {
            // The latter is for a provider that is not registered (page `EnableTraceEx2`, of levels; that it holds here is a guess):
            // a driver that does not run has no flows.
            ERROR_SUCCESS | ERROR_INVALID_FUNCTION => Ok(()),
            code => Err(Failure::of_session(self.name, "EnableTraceEx2", code)),
        }
    }

    fn tell_driver(&self, what: u32, timeout: u32) -> u32 {
        let id = GUID::from_u128(PROVIDER);
        let keywords =
            if self.packets { FLOWS_FIRST_PACKETS_AND_DRIVER | PACKETS } else { FLOWS_FIRST_PACKETS_AND_DRIVER };
        // SAFETY: the session runs, and the id lives until this returns.
        unsafe { EnableTraceEx2(self.handle, &raw const id, what, VERBOSE, keywords, 0, timeout, ptr::null()) }
    }

    /// Stops it, unless that was done before, and says what was lost.
    pub(super) fn stop(&self) -> Lost {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have stopped it; then nobody knows.
        *lost.get_or_insert_with(|| stop(self.name).unwrap_or_default())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Stops the session of this name. The provider is disabled with it (page *Configuring and Starting an Event Tracing Session*).
fn stop(name: &str) -> Result<Lost, u32> {
    let mut properties = Properties::new();
    properties.of.LogFileNameOffset = Properties::FILE;
    let wide = wide::text(name);
    // SAFETY: the name ends with a NUL, and behind the properties there is room for both names, as they say.
    let code = unsafe {
        ControlTraceW(CONTROLTRACE_HANDLE::default(), wide.as_ptr(), properties.as_mut_ptr(), EVENT_TRACE_CONTROL_STOP)
    };
    let EVENT_TRACE_PROPERTIES { EventsLost: events, RealTimeBuffersLost: buffers, .. } = properties.of;
    if code == ERROR_SUCCESS { Ok(Lost { events, buffers }) } else { Err(code) }
}

/// Characters of the longest name of a session, or a file for it (page `ControlTrace`).
const LONGEST_NAME: usize = 1024;

/// `EVENT_TRACE_PROPERTIES` and room behind it for names.
#[repr(C)]
struct Properties {
    of: EVENT_TRACE_PROPERTIES,
    name: [u16; LONGEST_NAME],
    file: [u16; LONGEST_NAME],
}

#[expect(clippy::cast_possible_truncation, reason = "a few KiB")]
impl Properties {
    const FILE: u32 = offset_of!(Self, file) as u32;

    fn new() -> Box<Self> {
        let mut of = EVENT_TRACE_PROPERTIES::default();
        of.Wnode.BufferSize = size_of::<Self>() as u32;
        of.Wnode.Flags = WNODE_FLAG_TRACED_GUID;
        of.LoggerNameOffset = offset_of!(Self, name) as u32;
        Box::new(Self { of, name: [0; LONGEST_NAME], file: [0; LONGEST_NAME] })
    }

    /// To all of it.
    fn as_mut_ptr(&mut self) -> *mut EVENT_TRACE_PROPERTIES {
        (&raw mut *self).cast()
    }
}
