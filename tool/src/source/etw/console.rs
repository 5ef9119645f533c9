//! Ctrl-C, Ctrl-Break and the window's end stop the session. What it has by then is read to its end, and the program ends as at the end
//! of a file. The next Ctrl-C ends the program at once.

use std::{
    mem,
    sync::{Arc, Mutex, Once, PoisonError, Weak},
};

use windows_sys::{Win32::System::Console::SetConsoleCtrlHandler, core::BOOL};

use super::session::Session;

/// The session that runs.
static RUNNING: Mutex<Weak<Session>> = Mutex::new(Weak::new());

/// From now on the session is stopped when the user, or Windows, wants the program to end.
pub(super) fn stop_when_told(session: &Arc<Session>) {
    static ONCE: Once = Once::new();
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(session);
    ONCE.call_once(|| {
        // SAFETY: the handler stays, and may be called on any thread at any time. If Windows does not take it, the program ends
        // without a word, and the next run stops the session.
        unsafe { SetConsoleCtrlHandler(Some(end), 1) };
    });
}

/// The handler (`PHANDLER_ROUTINE`): whether there was something to stop. If not, Windows ends the program. At the end of the window, of
/// who was signed in, or of Windows, it ends it in either case, as soon as this returns.
extern "system" fn end(_what: u32) -> BOOL {
    let running = mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner));
    let session = running.upgrade();
    if let Some(session) = &session {
        session.stop();
    }
    session.is_some().into()
}
