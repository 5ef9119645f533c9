//! Which services run in which process, as the service control manager has it.
//!
//! The tag that an event has is a service's, too (`ServiceTag`), but Windows documents no function that makes a name of it.

use std::{ptr, slice};

use windows_sys::Win32::{
    Foundation::{ERROR_MORE_DATA, WIN32_ERROR},
    System::Services::{
        ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW, SC_ENUM_PROCESS_INFO,
        SC_MANAGER_ENUMERATE_SERVICE, SERVICE_ACTIVE, SERVICE_WIN32,
    },
};

use crate::{
    service_handle::{Handle, last_error},
    source::Service,
    wide,
};

/// The largest buffer that there may be (page `EnumServicesStatusExW`).
const BYTES: u32 = 256 * 1024;

/// The services that run, or begin or end to. It takes no administrator (page *Service Security and Access Rights*).
pub(in crate::source) fn running() -> Result<Vec<Service>, WIN32_ERROR> {
    // SAFETY: no name is this machine's manager, and its database of services.
    let manager = Handle::of(unsafe { OpenSCManagerW(ptr::null(), ptr::null(), SC_MANAGER_ENUMERATE_SERVICE) })?;
    let mut services = Vec::new();
    // Words, for the pointers in it.
    let mut buffer = vec![0_u64; BYTES as usize / size_of::<u64>()];
    let (mut needed, mut count, mut resume) = (0, 0, 0);
    loop {
        // SAFETY: the manager is open, the buffer has so many bytes, and the rest has room for a number each.
        let is_done = unsafe {
            EnumServicesStatusExW(
                manager.0,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32,
                SERVICE_ACTIVE,
                buffer.as_mut_ptr().cast(),
                BYTES,
                &raw mut needed,
                &raw mut count,
                &raw mut resume,
                ptr::null(),
            ) != 0
        };
        if !is_done {
            match last_error() {
                ERROR_MORE_DATA if count > 0 => {}
                error => return Err(error),
            }
        }
        // SAFETY: the buffer begins with so many of these, and is aligned for them.
        let entries =
            unsafe { slice::from_raw_parts(buffer.as_ptr().cast::<ENUM_SERVICE_STATUS_PROCESSW>(), count as usize) };
        // One that begins may have no process yet (guess).
        for entry in entries.iter().filter(|entry| entry.ServiceStatusProcess.dwProcessId != 0) {
            // SAFETY: the name lies in the buffer, too, and ends with a NUL.
            let name = unsafe { wide::read(entry.lpServiceName) };
            services.push(Service { process: entry.ServiceStatusProcess.dwProcessId, name });
        }
        if is_done {
            return Ok(services);
        }
    }
}

#[cfg(all(test, not(windows)))]
mod tests {
    use std::{cell::RefCell, ffi::c_void};

    use windows_sys::Win32::{Foundation::ERROR_ACCESS_DENIED, System::Services::SERVICE_STATUS_PROCESS};

    use super::{super::fake, *};

    /// So many services at once has the fake manager.
    const AT_ONCE: usize = 2;

    /// A name, which ends with a NUL, and a process id.
    type Entry = (Vec<u16>, u32);

    thread_local! {
        /// What the manager has; `None` if it refuses.
        static SERVICES: RefCell<Option<Vec<Entry>>> = const { RefCell::new(None) };
    }

    /// The function of Windows, by its page: a part of the services at a time, while there are more.
    #[unsafe(no_mangle)]
    unsafe extern "system" fn EnumServicesStatusExW(
        _manager: *mut c_void,
        level: i32,
        kind: u32,
        state: u32,
        buffer: *mut ENUM_SERVICE_STATUS_PROCESSW,
        bytes: u32,
        needed: *mut u32,
        count: *mut u32,
        resume: *mut u32,
        group: *const u16,
    ) -> i32 {
        // SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_ACTIVE.
        assert_eq!((level, kind, state, bytes, group.is_null()), (0, 0x30, 1, 0x4_0000, true));
        SERVICES.with_borrow_mut(|services| {
            let Some(services) = services else { return fake::fail(ERROR_ACCESS_DENIED, 0) };
            // SAFETY: the caller's promise.
            let first = unsafe { *resume } as usize;
            let part = services.iter_mut().skip(first).take(AT_ONCE);
            let mut written = 0;
            for (name, process) in part {
                let status = SERVICE_STATUS_PROCESS { dwProcessId: *process, ..SERVICE_STATUS_PROCESS::default() };
                let entry = ENUM_SERVICE_STATUS_PROCESSW {
                    lpServiceName: name.as_mut_ptr(),
                    lpDisplayName: ptr::null_mut(),
                    ServiceStatusProcess: status,
                };
                // SAFETY: the caller's buffer has room for more than two, and is aligned for them.
                unsafe { buffer.wrapping_add(written).write(entry) };
                written += 1;
            }
            let next = first + written;
            let (is_done, next) = if next < services.len() { (false, next) } else { (true, 0) };
            // SAFETY: the caller's promise.
            unsafe { *needed = u32::from(!is_done) };
            // SAFETY: as above.
            unsafe { *count = u32::try_from(written).expect("a few") };
            // SAFETY: as above.
            unsafe { *resume = u32::try_from(next).expect("a few") };
            if is_done { 1 } else { fake::fail(ERROR_MORE_DATA, 0) }
        })
    }

    fn manager_has(services: &[(&str, u32)]) {
        let services = services.iter().map(|(name, process)| (name.encode_utf16().chain([0]).collect(), *process));
        SERVICES.set(Some(services.collect()));
    }

    #[test]
    fn all_services_are_told_however_many_calls_that_takes() {
        let services = [("Dnscache", 7), ("BFE", 8), ("mpssvc", 8), ("Dhcp", 9), ("EventLog", 10)];
        manager_has(&services);
        let expected = services.map(|(name, process)| Service { process, name: name.to_owned() });
        assert_eq!(running(), Ok(expected.to_vec()));
    }

    #[test]
    fn a_service_without_a_process_yet_is_left_out() {
        manager_has(&[("Dnscache", 0), ("BFE", 8)]);
        assert_eq!(running(), Ok(vec![Service { process: 8, name: "BFE".to_owned() }]));
    }

    #[test]
    fn why_the_manager_refuses_is_told() {
        SERVICES.set(None);
        assert_eq!(running(), Err(ERROR_ACCESS_DENIED));
    }
}
