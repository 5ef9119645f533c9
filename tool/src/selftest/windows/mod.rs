//! Windows itself: its service control manager, its registry, and sessions of ETW. Compiled for Windows, and never seen running there.

mod console;
mod listener;
mod registry;
mod services;

use std::{
    ffi::OsString,
    path::{Path, PathBuf, absolute},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, ERROR_SERVICE_DOES_NOT_EXIST, WIN32_ERROR},
    System::Services::{SERVICE_ENUMERATE_DEPENDENTS, SERVICE_QUERY_CONFIG, SERVICE_START, SERVICE_STOP},
};

use self::{
    listener::Listener,
    registry::Key,
    services::{Manager, Opened},
};
use super::machine::{Answer, Heard, Machine, STOPPED, Service, Value, Verb};

/// The services' names.
const DRIVER: &str = "flowtag";
const BFE: &str = "bfe";
/// The driver's settings, below `HKEY_LOCAL_MACHINE` (docs/windows.md).
const PARAMETERS: &str = r"SYSTEM\CurrentControlSet\Services\flowtag\Parameters";
/// `DELETE` of winnt.h.
const DELETE: u32 = 0x0001_0000;
/// What this Windows is.
const VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// After so long what was told before has come: the session's buffers are flushed each second.
const SETTLES: Duration = Duration::from_millis(2_500);

/// This machine.
pub struct Windows {
    manager: Manager,
    /// The image of a service that has to be created.
    driver: Option<PathBuf>,
    listeners: Vec<Listener>,
    /// The services that were stopped with the Base Filtering Engine, in this order.
    dependents: Vec<String>,
    /// The one that did not stop.
    refused_by: Option<String>,
}

impl Windows {
    /// This machine; the image is for when there is no service yet.
    ///
    /// # Errors
    /// The user is no administrator.
    pub fn open(driver: Option<&Path>) -> Result<Self> {
        let driver =
            driver.map(|path| absolute(path).with_context(|| format!("find {}", path.display()))).transpose()?;
        if let Some(driver) = &driver {
            ensure!(driver.is_file(), "{} is no file: give the driver's image", driver.display());
        }
        let manager = Manager::open()?;
        console::pass_over_ctrl_c();
        Ok(Self { manager, driver, listeners: Vec::new(), dependents: Vec::new(), refused_by: None })
    }

    fn create(&self) -> Result<WIN32_ERROR> {
        let Some(driver) = &self.driver else {
            bail!("there is no service {DRIVER} yet: give the driver's image, --driver C:\\flowtag\\flowtag.sys");
        };
        Ok(self.manager.create(DRIVER, driver).err().unwrap_or(0))
    }

    /// Sees that a service which is there already has the image that was given.
    fn check_image(&self, service: &Opened) -> Result<()> {
        let Some(driver) = &self.driver else { return Ok(()) };
        let image = service.image().map_err(|error| anyhow!("the service {DRIVER}: {}", services::message(error)))?;
        let given = driver.to_string_lossy().to_lowercase();
        ensure!(
            image.to_lowercase().ends_with(&given),
            "the service {DRIVER} is there already, with the image {image}: `sc delete {DRIVER}` first, or leave --driver out"
        );
        Ok(())
    }

    /// Stops the services that need the Base Filtering Engine, as far as Windows allows, and then that one. As Windows comes, it allows none
    /// of it: administrators may start BFE and the firewall, and not stop them (docs/tool.md).
    fn stop_bfe(&mut self, bfe: &Opened) -> Result<(), WIN32_ERROR> {
        for name in bfe.dependents()? {
            let stopped = self.manager.find(&name, SERVICE_STOP).and_then(|dependent| dependent.stop());
            if let Err(error) = stopped {
                self.refused_by = Some(name);
                return Err(error);
            }
            self.dependents.push(name);
        }
        bfe.stop()
    }

    /// Starts it, and all of them; tells of what failed first.
    fn start_bfe(&mut self, bfe: &Opened) -> Result<(), WIN32_ERROR> {
        let mut started = bfe.start();
        while let Some(name) = self.dependents.pop() {
            let dependent = self.manager.find(&name, SERVICE_START).and_then(|dependent| dependent.start());
            started = started.and(dependent);
        }
        started
    }
}

impl Machine for Windows {
    fn name(&self) -> String {
        let version = Key::read(VERSION).ok();
        let build = version.and_then(|version| {
            Some(format!("Windows, build {}.{}", version.text("CurrentBuildNumber")?, version.number("UBR")?))
        });
        build.unwrap_or_else(|| "Windows".to_owned())
    }

    fn ask(&mut self, service: Service, verb: Verb) -> Result<Answer> {
        if verb == Verb::Create {
            let error = self.create()?;
            return Ok(Answer { error, state: STOPPED, said: None });
        }
        let name = if service == Service::Driver { DRIVER } else { BFE };
        let rights = match verb {
            Verb::Start => SERVICE_START,
            Verb::Stop if service == Service::Bfe => SERVICE_STOP | SERVICE_ENUMERATE_DEPENDENTS,
            Verb::Stop => SERVICE_STOP,
            Verb::Delete => DELETE,
            Verb::Query if service == Service::Driver => SERVICE_QUERY_CONFIG,
            Verb::Create | Verb::Query => 0,
        };
        let opened = match self.manager.find(name, rights) {
            Ok(opened) => opened,
            Err(error @ ERROR_SERVICE_DOES_NOT_EXIST) => return Ok(Answer { error, state: 0, said: None }),
            Err(error @ ERROR_ACCESS_DENIED) if verb != Verb::Query => {
                // That is an answer, too, and it stays as it is.
                let said = Some(services::message(error));
                return Ok(Answer { error, said, ..self.ask(service, Verb::Query)? });
            }
            Err(error) => bail!("the service {name} cannot be opened: {}", services::message(error)),
        };
        if (service, verb) == (Service::Driver, Verb::Query) {
            self.check_image(&opened)?;
        }
        let done = match (service, verb) {
            (Service::Bfe, Verb::Stop) => self.stop_bfe(&opened),
            (Service::Bfe, Verb::Start) => self.start_bfe(&opened),
            (_, Verb::Start) => opened.start(),
            (_, Verb::Stop) => opened.stop(),
            (_, Verb::Delete) => opened.delete(),
            (_, Verb::Create | Verb::Query) => Ok(()),
        };
        let error = done.err().unwrap_or(0);
        let said = (error != 0).then(|| match self.refused_by.take() {
            Some(name) => format!("{name}, which needs it: {}", services::message(error)),
            None => services::message(error),
        });
        Ok(Answer { error, state: opened.state().unwrap_or(0), said })
    }

    fn set(&mut self, name: &str, value: Option<&Value>) -> Result<Option<Value>> {
        let refused = |error| anyhow!("the setting {name}: {}", services::message(error));
        let key = Key::create(PARAMETERS).map_err(refused)?;
        let before = key.value(name).map_err(refused)?;
        key.set(name, value).map_err(refused)?;
        Ok(before)
    }

    fn delivers_late(&self) -> bool {
        true
    }

    fn listen(&mut self) -> Result<usize> {
        self.listeners.push(Listener::start()?);
        Ok(self.listeners.len() - 1)
    }

    fn heard(&mut self, session: usize) -> Result<Heard> {
        thread::sleep(SETTLES);
        Ok(self.listeners[session].heard())
    }

    fn end(&mut self, session: usize) -> Result<Heard> {
        thread::sleep(SETTLES);
        self.listeners[session].end()
    }

    fn command(&mut self, program: &Path, arguments: &[OsString]) -> Result<Command> {
        let mut command = Command::new(program);
        command.args(arguments);
        Ok(command)
    }
}
