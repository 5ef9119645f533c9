//! `OpenTrace` and `ProcessTrace`: what a session or a file has, record by record.

use std::{path::Path, ptr, sync::Arc, thread};

use windows_sys::Win32::{
    Foundation::{ERROR_SUCCESS, GetLastError},
    System::Diagnostics::Etw::{
        CloseTrace, EVENT_RECORD, EVENT_TRACE_LOGFILEW, OpenTraceW, PROCESS_TRACE_MODE_EVENT_RECORD,
        PROCESS_TRACE_MODE_REAL_TIME, PROCESSTRACE_HANDLE, ProcessTrace,
    },
};

use super::{failure::Failure, record::Record, stream::Sink};
use crate::wide;

/// `INVALID_PROCESSTRACE_HANDLE` of evntrace.h.
const INVALID: u64 = u64::MAX;

/// What ETW had no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) events: u32,
    pub(super) buffers: u32,
}

/// A session or a file that is open for reading.
pub(super) struct Trace {
    handle: PROCESSTRACE_HANDLE,
    sink: Arc<Sink>,
    lost: Lost,
    /// No page says that `OpenTrace` makes a copy.
    _name: Vec<u16>,
}

impl Trace {
    /// The session of this name.
    pub(super) fn of_session(name: &'static str, sink: Sink) -> Result<Self, Failure> {
        let mut wide = wide::text(name);
        let mut of = EVENT_TRACE_LOGFILEW { LoggerName: wide.as_mut_ptr(), ..EVENT_TRACE_LOGFILEW::default() };
        let opened = Self::open(&mut of, PROCESS_TRACE_MODE_REAL_TIME, wide, sink);
        opened.map_err(|code| Failure::of_session(name, "OpenTraceW", code))
    }

    /// A file.
    pub(super) fn of_file(path: &Path, sink: Sink) -> Result<Self, Failure> {
        let mut wide = wide::path(path);
        let mut of = EVENT_TRACE_LOGFILEW { LogFileName: wide.as_mut_ptr(), ..EVENT_TRACE_LOGFILEW::default() };
        Self::open(&mut of, 0, wide, sink).map_err(|code| Failure::Other { call: "OpenTraceW", code })
    }

    /// Opens what `of` names, which is `name`. Without `PROCESS_TRACE_MODE_RAW_TIMESTAMP` ETW converts each time to a `FILETIME`,
    /// whatever clock the session has (page `WNODE_HEADER`, Remarks).
    fn open(of: &mut EVENT_TRACE_LOGFILEW, mode: u32, name: Vec<u16>, sink: Sink) -> Result<Self, u32> {
        let sink = Arc::new(sink);
        of.Anonymous1.ProcessTraceMode = mode | PROCESS_TRACE_MODE_EVENT_RECORD;
        of.Anonymous2.EventRecordCallback = Some(deliver);
        of.Context = Arc::as_ptr(&sink).cast_mut().cast();
        // SAFETY: it is initialized as its page asks: a name that ends with a NUL, modes, a callback and its context.
        let handle = unsafe { OpenTraceW(of) };
        if handle.Value == INVALID {
            // SAFETY: it only reads what the call above has left.
            return Err(unsafe { GetLastError() });
        }
        // SAFETY: both members of the union are plain numbers.
        let header = unsafe { of.LogfileHeader.Anonymous2.Anonymous };
        let lost = Lost { events: header.EventsLost, buffers: of.LogfileHeader.BuffersLost };
        Ok(Self { handle, sink, lost, _name: name })
    }

    /// What the header says was lost while the file was written. That of a session that runs says nothing yet.
    pub(super) const fn lost(&self) -> Lost {
        self.lost
    }

    /// Delivers everything to the sink, on a thread of its own, since `ProcessTrace` returns only when there is no more.
    pub(super) fn process_on_thread(self) {
        thread::spawn(move || {
            let handle = self.handle;
            // SAFETY: one handle, which is open; the sink that its callback takes is ours until this has returned.
            let code = unsafe { ProcessTrace(&raw const handle, 1, ptr::null(), ptr::null()) };
            if code != ERROR_SUCCESS {
                self.sink.fail(code);
            }
        });
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody has it any more.
        unsafe { CloseTrace(self.handle) };
    }
}

/// The callback (`PEVENT_RECORD_CALLBACK`): "one at a time", says the page *Consuming Events*.
///
/// # Safety
/// Called by ETW only.
unsafe extern "system" fn deliver(record: *mut EVENT_RECORD) {
    // SAFETY: ETW gives a record that stays as it is until this returns.
    let record = unsafe { &*record };
    // SAFETY: it is the context that `open` gave, and `process_on_thread` keeps that alive while ETW calls.
    let sink = unsafe { &*record.UserContext.cast_const().cast::<Sink>() };
    // SAFETY: as above, and so is what it points to.
    sink.take(&unsafe { Record::of(record) });
}
