//! The service control manager, for kernel drivers.

mod config;
mod driver;
mod win32;

use std::{collections::BTreeMap, fmt, path::Path, sync::Mutex};

pub use config::{Config, ErrorControl, StartType};
use driver::Driver;
pub use win32::Win32Error;

use crate::{
    computer::{Machine, Subsystem},
    image::LoadError,
    interleave::{self, Touches},
    kernel::registry::{self, Value},
    referee::BugCheck,
};

/// Whether a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not.
    Stopped = 1,
    /// Its entry point is running.
    StartPending = 2,
    /// Its unload routine is running.
    StopPending = 3,
    /// It does.
    Running = 4,
}

/// What a query says of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it runs.
    pub state: State,
    /// Whether it can be stopped.
    pub stoppable: bool,
    /// Why it does not run.
    pub exit_code: Win32Error,
}

/// Why a service did not do what it was told.
#[derive(Debug)]
pub enum ServiceError {
    /// The service control manager says no.
    Win32(Win32Error),
    /// The driver's file cannot be loaded.
    Load(LoadError),
    /// The entry point failed. With KMDF that is the stub's, which calls `DriverEntry` when the framework takes the driver.
    Entry(u32),
    /// The simulator runs one driver at a time; this service's runs.
    OtherDriver(String),
    /// The machine stopped.
    BugCheck(BugCheck),
}

impl ServiceError {
    /// The error code that Windows shows; a bug check shows none.
    #[must_use]
    pub fn win32(&self) -> Option<Win32Error> {
        match self {
            Self::Win32(error) => Some(*error),
            Self::Load(error) => Some(load_error(error)),
            Self::Entry(status) => Some(Win32Error::from_status(*status)),
            Self::OtherDriver(_) => Some(Win32Error(1450)),
            Self::BugCheck(_) => None,
        }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Win32(error) => write!(f, "error {}: {error}", error.0),
            Self::Load(error) => write!(f, "{error}"),
            Self::Entry(status) => write!(f, "the driver's entry point failed with status {status:#010x}"),
            Self::OtherDriver(service) => {
                write!(
                    f,
                    "the simulator runs one driver at a time, and {service} runs\n  stop it first: sc stop {service}"
                )
            }
            Self::BugCheck(bug_check) => write!(f, "{bug_check}"),
        }
    }
}

impl std::error::Error for ServiceError {}

impl From<BugCheck> for ServiceError {
    fn from(bug_check: BugCheck) -> Self {
        Self::BugCheck(bug_check)
    }
}

/// One machine's services, by their names in lower case.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<BTreeMap<String, Service>>);

impl Subsystem for Services {}

#[derive(Debug)]
struct Service {
    name: String,
    config: Config,
    state: State,
    exit_code: Win32Error,
    /// Deleted while it ran: gone as soon as it stops.
    deleted: bool,
    driver: Option<Driver>,
}

impl Service {
    fn status(&self) -> Status {
        let stoppable = self.driver.as_ref().is_some_and(|driver| driver.unload_routine().is_some());
        Status { state: self.state, stoppable: stoppable && self.state == State::Running, exit_code: self.exit_code }
    }
}

/// Whether the service control manager takes a name: 1 to 256 characters, `/` and `\` not among them (`CreateServiceW` in
/// sdk-api's winsvc.h; that an empty one is refused is a guess). MS-SCMR names blank and comma, too, which Windows takes.
fn is_valid_name(name: &str) -> bool {
    (1..=256).contains(&name.encode_utf16().count()) && !name.contains(['/', '\\'])
}

impl Machine {
    /// Creates a service, as `sc create NAME type= kernel` does.
    ///
    /// # Errors
    /// When there is one of that name, or the name is none.
    pub fn create_service(&self, name: &str, config: Config) -> Result<(), Win32Error> {
        if !is_valid_name(name) {
            return Err(Win32Error::INVALID_NAME);
        }
        let mut services = self.services().0.lock().unwrap();
        match services.get(&name.to_lowercase()) {
            Some(Service { deleted: true, .. }) => return Err(Win32Error::SERVICE_MARKED_FOR_DELETE),
            Some(_) => return Err(Win32Error::SERVICE_EXISTS),
            None => {}
        }
        self.describe(name, &config);
        let exit_code = Win32Error::SERVICE_NEVER_STARTED;
        let name_kept = name.to_owned();
        let service =
            Service { name: name_kept, config, state: State::Stopped, exit_code, deleted: false, driver: None };
        services.insert(name.to_lowercase(), service);
        Ok(())
    }

    /// Changes how a service was created, as `sc config` does; what runs does not notice.
    ///
    /// # Errors
    /// When there is none of that name, or it is deleted already.
    pub fn change_service(&self, name: &str, change: impl FnOnce(&mut Config)) -> Result<(), Win32Error> {
        let mut services = self.services().0.lock().unwrap();
        let service = services.get_mut(&name.to_lowercase()).ok_or(Win32Error::SERVICE_DOES_NOT_EXIST)?;
        if service.deleted {
            return Err(Win32Error::SERVICE_MARKED_FOR_DELETE);
        }
        change(&mut service.config);
        self.describe(&service.name, &service.config);
        Ok(())
    }

    /// Writes down in the registry how a service is to be started.
    fn describe(&self, name: &str, config: &Config) {
        let key = registry::service_key(name);
        let display_name = if config.display_name.is_empty() { name } else { &config.display_name };
        for (value, data) in [
            ("Type", Value::Dword(1)),
            ("Start", Value::Dword(config.start as u32)),
            ("ErrorControl", Value::Dword(config.error as u32)),
            ("ImagePath", Value::ExpandSz(config.kernel_path())),
            ("DisplayName", Value::Sz(display_name.into())),
        ] {
            self.registry().set(&key, value, data);
        }
    }

    /// Starts what starts with the machine, and says what came of it: first what the boot loader and the kernel start, while
    /// the base filtering engine, a service of its own, does not run yet; then what the service control manager does, to which
    /// that engine comes first, as a member of a load ordering group (Win32 "Automatically Starting Services").
    #[must_use]
    pub fn start_services(&self) -> Vec<(String, Result<Status, ServiceError>)> {
        let configs = self.service_configs();
        let start = |wanted: StartType| {
            let names = configs.iter().filter(move |(_, config)| config.start == wanted).map(|(name, _)| name.clone());
            names.map(|name| (name.clone(), self.start_service(&name))).collect::<Vec<_>>()
        };
        if let Err(bug_check) = self.stop_bfe() {
            return vec![(String::from("bfe"), Err(bug_check.into()))];
        }
        let mut outcomes = start(StartType::Boot);
        outcomes.extend(start(StartType::System));
        if let Err(bug_check) = self.start_bfe() {
            outcomes.push((String::from("bfe"), Err(bug_check.into())));
            return outcomes;
        }
        outcomes.extend(start(StartType::Auto));
        outcomes
    }

    /// Loads a service's driver and runs its entry point.
    ///
    /// # Errors
    /// What the service control manager, the loader, the driver or the referee says.
    pub fn start_service(&self, name: &str) -> Result<Status, ServiceError> {
        let (name, path) = {
            let mut services = self.services().0.lock().unwrap();
            let running = services.values().find(|service| service.state != State::Stopped);
            let running = running.map(|service| service.name.clone());
            let service = find(&mut services, name)?;
            if service.deleted {
                return Err(ServiceError::Win32(Win32Error::SERVICE_MARKED_FOR_DELETE));
            }
            if service.state != State::Stopped {
                return Err(ServiceError::Win32(Win32Error::SERVICE_ALREADY_RUNNING));
            }
            if service.config.start == StartType::Disabled {
                return Err(ServiceError::Win32(Win32Error::SERVICE_DISABLED));
            }
            if let Some(other) = running {
                return Err(ServiceError::OtherDriver(other));
            }
            service.state = State::StartPending;
            (service.name.clone(), service.config.image_path())
        };
        let outcome = self.load_and_enter(&name, &path);
        let mut services = self.services().0.lock().unwrap();
        let service = find(&mut services, &name)?;
        match outcome {
            Ok(driver) => {
                (service.state, service.exit_code, service.driver) = (State::Running, Win32Error(0), Some(driver));
                Ok(service.status())
            }
            Err(error) => {
                service.state = State::Stopped;
                service.exit_code = error.win32().unwrap_or(service.exit_code);
                Err(error)
            }
        }
    }

    fn load_and_enter(&self, name: &str, path: &Path) -> Result<Driver, ServiceError> {
        let driver = Driver::load(self, name, path).map_err(ServiceError::Load)?;
        let status = driver.enter(self)?;
        if status.cast_signed() < 0 {
            self.unmap_image();
            return Err(ServiceError::Entry(status));
        }
        Ok(driver)
    }

    /// Runs a driver's unload routine and unloads it. While a program has one of its files open, the driver stays, in the
    /// state [`State::StopPending`], until the last of them is closed.
    ///
    /// # Errors
    /// What the service control manager or the referee says.
    pub fn stop_service(&self, name: &str) -> Result<Status, ServiceError> {
        {
            let mut services = self.services().0.lock().unwrap();
            let service = find(&mut services, name)?;
            let not_active = ServiceError::Win32(Win32Error::SERVICE_NOT_ACTIVE);
            if service.state != State::Running {
                return Err(not_active);
            }
            let Some(driver) = &service.driver else { return Err(not_active) };
            if driver.unload_routine().is_none() {
                return Err(ServiceError::Win32(Win32Error::INVALID_SERVICE_CONTROL));
            }
            service.state = State::StopPending;
        }
        if self.kmdf().open_files() == 0 {
            self.unload_if_stopping()?;
        }
        let services = self.services().0.lock().unwrap();
        // A service that was deleted before is gone with its stop.
        let stopped = Status { state: State::Stopped, stoppable: false, exit_code: Win32Error(0) };
        Ok(services.get(&name.to_lowercase()).map_or(stopped, Service::status))
    }

    /// Whether a driver was told to stop and has not been unloaded yet.
    pub(crate) fn is_stopping(&self) -> bool {
        self.services().0.lock().unwrap().values().any(|service| service.state == State::StopPending)
    }

    /// Unloads the driver that was told to stop, if there is one and none of its files is open.
    pub(crate) fn unload_if_stopping(&self) -> Result<(), BugCheck> {
        if self.kmdf().open_files() > 0 {
            return Ok(());
        }
        let stopping = {
            let mut services = self.services().0.lock().unwrap();
            let service = services.values_mut().find(|service| service.state == State::StopPending);
            service.and_then(|service| Some((service.name.clone(), service.driver.take()?)))
        };
        let Some((name, driver)) = stopping else { return Ok(()) };
        let Some(routine) = driver.unload_routine() else { return Ok(()) };
        driver.unload(self, routine)?;
        interleave::point("the image is unloaded", Touches::DRIVER_MEMORY);
        self.unmap_image();
        let mut services = self.services().0.lock().unwrap();
        if let Some(service) = services.get_mut(&name.to_lowercase()) {
            service.state = State::Stopped;
            if service.deleted {
                self.remove(&mut services, &name);
            }
        }
        Ok(())
    }

    /// What a service's state is.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn query_service(&self, name: &str) -> Result<Status, Win32Error> {
        let services = self.services().0.lock().unwrap();
        services.get(&name.to_lowercase()).map(Service::status).ok_or(Win32Error::SERVICE_DOES_NOT_EXIST)
    }

    /// How a service was created.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn service_config(&self, name: &str) -> Result<Config, Win32Error> {
        let services = self.services().0.lock().unwrap();
        let service = services.get(&name.to_lowercase()).ok_or(Win32Error::SERVICE_DOES_NOT_EXIST)?;
        Ok(service.config.clone())
    }

    /// Deletes a service; one that runs, as soon as it stops.
    ///
    /// # Errors
    /// When there is none of that name, or it is deleted already.
    pub fn delete_service(&self, name: &str) -> Result<(), Win32Error> {
        let mut services = self.services().0.lock().unwrap();
        let service = services.get_mut(&name.to_lowercase()).ok_or(Win32Error::SERVICE_DOES_NOT_EXIST)?;
        if service.deleted {
            return Err(Win32Error::SERVICE_MARKED_FOR_DELETE);
        }
        service.deleted = true;
        if service.state == State::Stopped {
            self.remove(&mut services, name);
        }
        Ok(())
    }

    /// What there is of services, for a restart.
    pub(crate) fn service_configs(&self) -> Vec<(String, Config)> {
        let services = self.services().0.lock().unwrap();
        let kept = services.values().filter(|service| !service.deleted);
        kept.map(|service| (service.name.clone(), service.config.clone())).collect()
    }

    fn services(&self) -> &Services {
        self.part()
    }

    fn remove(&self, services: &mut BTreeMap<String, Service>, name: &str) {
        services.remove(&name.to_lowercase());
        self.registry().delete_key(&registry::service_key(name));
    }
}

fn find<'a>(services: &'a mut BTreeMap<String, Service>, name: &str) -> Result<&'a mut Service, ServiceError> {
    services.get_mut(&name.to_lowercase()).ok_or(ServiceError::Win32(Win32Error::SERVICE_DOES_NOT_EXIST))
}

/// What Windows says of a file that it cannot load.
fn load_error(error: &LoadError) -> Win32Error {
    match error {
        LoadError::Unreadable { cause, .. } if cause.kind() == std::io::ErrorKind::PermissionDenied => Win32Error(5),
        LoadError::Unreadable { .. } => Win32Error(2),
        // As x64 Windows answered somebody's driver: ZwLoadDriver 0xC000036B (JKornev/hidden, issue 36).
        LoadError::WrongMachine { machine, .. } if machine == LoadError::X86 => Win32Error::DRIVER_BLOCKED,
        LoadError::NotPe { .. }
        | LoadError::WrongMachine { .. }
        | LoadError::NotDriver { .. }
        | LoadError::Damaged { .. } => Win32Error(193),
        LoadError::UnknownImports { .. } => Win32Error(127),
        LoadError::NoMemory { .. } => Win32Error(8),
    }
}

#[cfg(test)]
mod leaving_tests;
#[cfg(test)]
mod tests;
