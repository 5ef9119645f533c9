//! Ctrl-C during a test, which would leave the machine in the middle of it: a service that was changed, settings that are gone.

use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;

/// From now on it does nothing, in the test's own programs neither, which inherit that (page `SetConsoleCtrlHandler`). A test ends within
/// minutes by itself.
pub(super) fn pass_over_ctrl_c() {
    // SAFETY: no handler is one of the two that there may be.
    unsafe { SetConsoleCtrlHandler(None, 1) };
}
