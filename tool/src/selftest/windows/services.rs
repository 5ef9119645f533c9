//! The service control manager.

use std::{
    io,
    path::Path,
    ptr, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use windows_sys::Win32::{
    Foundation::{
        ERROR_ACCESS_DENIED, ERROR_MORE_DATA, ERROR_SERVICE_DATABASE_LOCKED, ERROR_SERVICE_REQUEST_TIMEOUT, WIN32_ERROR,
    },
    System::Services::{
        ControlService, CreateServiceW, DeleteService, ENUM_SERVICE_STATUSW, EnumDependentServicesW, OpenSCManagerW,
        OpenServiceW, QUERY_SERVICE_CONFIGW, QueryServiceConfigW, QueryServiceStatus, SC_MANAGER_CONNECT,
        SC_MANAGER_CREATE_SERVICE, SERVICE_ACTIVE, SERVICE_ALL_ACCESS, SERVICE_CONTROL_STOP, SERVICE_DEMAND_START,
        SERVICE_ERROR_NORMAL, SERVICE_KERNEL_DRIVER, SERVICE_QUERY_STATUS, SERVICE_START_PENDING, SERVICE_STATUS,
        SERVICE_STOP_PENDING, StartServiceW,
    },
};

use crate::{
    service_handle::{Handle, last_error},
    wide,
};

/// How long a service may take, and how often to look.
const PATIENCE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(20);
/// So many services depend on another one, or more.
const DEPENDENTS: usize = 64;

/// The manager.
pub(super) struct Manager(Handle);

/// A service.
pub(super) struct Opened(Handle);

impl Manager {
    pub(super) fn open() -> Result<Self> {
        let access = SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE;
        // SAFETY: no name is this machine's manager, and its database of services.
        match Handle::of(unsafe { OpenSCManagerW(ptr::null(), ptr::null(), access) }) {
            Ok(manager) => Ok(Self(manager)),
            Err(ERROR_ACCESS_DENIED) => {
                bail!(
                    "only an administrator may start a driver: type this into a prompt opened by “Run as administrator”"
                )
            }
            Err(error) => bail!("the service control manager does not answer: {}", message(error)),
        }
    }

    /// Creates the service of a driver that is started by hand.
    pub(super) fn create(&self, name: &str, image: &Path) -> Result<(), WIN32_ERROR> {
        let (name, image) = (wide::text(name), wide::path(image));
        // SAFETY: the manager is open, and the texts end with a NUL; what is NULL may be (page `CreateServiceW`).
        let service = unsafe {
            CreateServiceW(
                self.0.0,
                name.as_ptr(),
                name.as_ptr(),
                SERVICE_ALL_ACCESS,
                SERVICE_KERNEL_DRIVER,
                SERVICE_DEMAND_START,
                SERVICE_ERROR_NORMAL,
                image.as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
            )
        };
        Handle::of(service).map(drop)
    }

    /// The service of this name, to look at and to do that with. Of some services an administrator may do this and not that, and who asks for
    /// all of it gets nothing.
    pub(super) fn find(&self, name: &str, rights: u32) -> Result<Opened, WIN32_ERROR> {
        let name = wide::text(name);
        let access = SERVICE_QUERY_STATUS | rights;
        // SAFETY: the manager is open, and the name ends with a NUL.
        Handle::of(unsafe { OpenServiceW(self.0.0, name.as_ptr(), access) }).map(Opened)
    }
}

impl Opened {
    /// The path of its image, as it is stored; a driver's may begin with `\??\`.
    pub(super) fn image(&self) -> Result<String, WIN32_ERROR> {
        let mut needed = 0;
        // SAFETY: the service is open; without room it says how much it needs (page `QueryServiceConfigW`).
        unsafe { QueryServiceConfigW(self.0.0, ptr::null_mut(), 0, &raw mut needed) };
        let mut room =
            vec![QUERY_SERVICE_CONFIGW::default(); (needed as usize).div_ceil(size_of::<QUERY_SERVICE_CONFIGW>())];
        // SAFETY: the service is open, and the buffer has at least this size. Behind the structure come the texts that it points to.
        succeeded(unsafe { QueryServiceConfigW(self.0.0, room.as_mut_ptr(), needed, &raw mut needed) })?;
        // SAFETY: the text ends with a NUL, and lies in the buffer, which is still there.
        Ok(room.first().map(|config| unsafe { wide::read(config.lpBinaryPathName) }).unwrap_or_default())
    }

    /// `dwCurrentState`, once none is pending.
    pub(super) fn state(&self) -> Result<u32, WIN32_ERROR> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut status = SERVICE_STATUS::default();
            // SAFETY: the service is open, and the status has room.
            if unsafe { QueryServiceStatus(self.0.0, &raw mut status) } == 0 {
                return Err(last_error());
            }
            let state = status.dwCurrentState;
            let pending = matches!(state, SERVICE_START_PENDING | SERVICE_STOP_PENDING);
            if !pending || Instant::now() > deadline {
                return Ok(state);
            }
            thread::sleep(GLANCE);
        }
    }

    /// For a driver it returns when that has initialized (page `StartServiceW`); for others it is waited for.
    pub(super) fn start(&self) -> Result<(), WIN32_ERROR> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // SAFETY: the service is open; there are no arguments.
            match succeeded(unsafe { StartServiceW(self.0.0, 0, ptr::null()) }) {
                // Another one is being started (seen in Wine), and this one's turn comes.
                Err(ERROR_SERVICE_DATABASE_LOCKED) if Instant::now() < deadline => thread::sleep(GLANCE),
                Err(error) => return Err(error),
                Ok(()) => return self.no_longer(SERVICE_START_PENDING),
            }
        }
    }

    pub(super) fn stop(&self) -> Result<(), WIN32_ERROR> {
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the service is open, and the status has room.
        succeeded(unsafe { ControlService(self.0.0, SERVICE_CONTROL_STOP, &raw mut status) })?;
        self.no_longer(SERVICE_STOP_PENDING)
    }

    fn no_longer(&self, pending: u32) -> Result<(), WIN32_ERROR> {
        if self.state()? == pending { Err(ERROR_SERVICE_REQUEST_TIMEOUT) } else { Ok(()) }
    }

    /// It goes when its last handle does.
    pub(super) fn delete(&self) -> Result<(), WIN32_ERROR> {
        // SAFETY: the service is open.
        succeeded(unsafe { DeleteService(self.0.0) })
    }

    /// The services that need this one and run, in the order in which they have to be stopped: "the reverse order of start" (page
    /// `EnumDependentServicesW`).
    pub(super) fn dependents(&self) -> Result<Vec<String>, WIN32_ERROR> {
        let mut room = vec![ENUM_SERVICE_STATUSW::default(); DEPENDENTS];
        let (mut needed, mut count) = (0, 0);
        loop {
            let bytes = u32::try_from(size_of_val(room.as_slice())).unwrap_or(u32::MAX);
            // SAFETY: the service is open, and the buffer has this size. Behind the structures come the names that they point to.
            let done = succeeded(unsafe {
                EnumDependentServicesW(
                    self.0.0,
                    SERVICE_ACTIVE,
                    room.as_mut_ptr(),
                    bytes,
                    &raw mut needed,
                    &raw mut count,
                )
            });
            match done {
                Ok(()) => break,
                Err(ERROR_MORE_DATA) => {
                    let more = (needed as usize).div_ceil(size_of::<ENUM_SERVICE_STATUSW>()) + DEPENDENTS;
                    room.resize(room.len() + more, ENUM_SERVICE_STATUSW::default());
                }
                Err(error) => return Err(error),
            }
        }
        // SAFETY: the names end with a NUL, and lie in the buffer, which is still there.
        Ok(room.iter().take(count as usize).map(|service| unsafe { wide::read(service.lpServiceName) }).collect())
    }
}

/// What the system says of an error.
pub(super) fn message(error: WIN32_ERROR) -> String {
    io::Error::from_raw_os_error(error.cast_signed()).to_string()
}

fn succeeded(answer: i32) -> Result<(), WIN32_ERROR> {
    if answer == 0 { Err(last_error()) } else { Ok(()) }
}
