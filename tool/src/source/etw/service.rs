//! Whether the driver runs: a session of a driver that does not is silent, and nobody would know why.

use std::ptr;

use windows_sys::Win32::{
    Foundation::{ERROR_SERVICE_DOES_NOT_EXIST, WIN32_ERROR},
    System::Services::{
        OpenSCManagerW, OpenServiceW, QueryServiceStatus, SC_MANAGER_CONNECT, SERVICE_QUERY_STATUS, SERVICE_STATUS,
        SERVICE_STOPPED,
    },
};

use crate::{
    service_handle::{Handle, last_error},
    wide,
};

/// The service's name, as docs/windows.md creates it.
const NAME: &str = "flowtag";

/// Why no events come, and what to do; `None` if they do, or if nobody can tell.
pub(super) fn why_silent() -> Option<&'static str> {
    match state() {
        Ok(SERVICE_STOPPED) => Some("the driver does not run: as administrator, `sc start flowtag`"),
        Err(ERROR_SERVICE_DOES_NOT_EXIST) => {
            Some("the driver is not installed: windows.md says how, up to `sc create flowtag` and `sc start flowtag`")
        }
        _ => None,
    }
}

/// `dwCurrentState` of the service.
fn state() -> Result<u32, WIN32_ERROR> {
    // SAFETY: no name is this machine's manager, and its database of services.
    let manager = Handle::of(unsafe { OpenSCManagerW(ptr::null(), ptr::null(), SC_MANAGER_CONNECT) })?;
    let name = wide::text(NAME);
    // SAFETY: the manager is open, and the name ends with a NUL.
    let service = Handle::of(unsafe { OpenServiceW(manager.0, name.as_ptr(), SERVICE_QUERY_STATUS) })?;
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the service is open, and the status has room.
    if unsafe { QueryServiceStatus(service.0, &raw mut status) } == 0 {
        return Err(last_error());
    }
    Ok(status.dwCurrentState)
}
