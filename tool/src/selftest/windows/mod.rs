//! Windows itself: its service control manager, its registry, and sessions of ETW. Compiled for Windows, and never seen running there.

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

use anyhow::{Context, Result, bail};
use windows_sys::Win32::Foundation::{ERROR_SERVICE_DOES_NOT_EXIST, WIN32_ERROR};

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
}

impl Windows {
    /// This machine; the image is for when there is no service yet.
    ///
    /// # Errors
    /// The user is no administrator.
    pub fn open(driver: Option<&Path>) -> Result<Self> {
        let driver =
            driver.map(|path| absolute(path).with_context(|| format!("find {}", path.display()))).transpose()?;
        Ok(Self { manager: Manager::open()?, driver, listeners: Vec::new(), dependents: Vec::new() })
    }

    fn create(&self) -> Result<WIN32_ERROR> {
        let Some(driver) = &self.driver else {
            bail!("there is no service {DRIVER} yet: give the driver's image, --driver C:\\flowtag\\flowtag.sys");
        };
        Ok(self.manager.create(DRIVER, driver).err().unwrap_or(0))
    }

    /// Stops the services that need the Base Filtering Engine, as far as Windows allows, and then that one.
    fn stop_bfe(&mut self, bfe: &Opened) -> Result<(), WIN32_ERROR> {
        for name in bfe.dependents()? {
            self.manager.find(&name)?.stop()?;
            self.dependents.push(name);
        }
        bfe.stop()
    }

    /// Starts it, and them.
    fn start_bfe(&mut self, bfe: &Opened) -> Result<(), WIN32_ERROR> {
        let started = bfe.start();
        while let Some(name) = self.dependents.pop() {
            self.manager.find(&name)?.start()?;
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
        let opened = match self.manager.find(name) {
            Ok(opened) => opened,
            Err(error @ ERROR_SERVICE_DOES_NOT_EXIST) => return Ok(Answer { error, state: 0, said: None }),
            Err(error) => bail!("the service {name} cannot be opened: {}", services::message(error)),
        };
        let done = match (service, verb) {
            (Service::Bfe, Verb::Stop) => self.stop_bfe(&opened),
            (Service::Bfe, Verb::Start) => self.start_bfe(&opened),
            (_, Verb::Start) => opened.start(),
            (_, Verb::Stop) => opened.stop(),
            (_, Verb::Delete) => opened.delete(),
            (_, Verb::Create | Verb::Query) => Ok(()),
        };
        let error = done.err().unwrap_or(0);
        let said = (error != 0).then(|| services::message(error));
        Ok(Answer { error, state: opened.state().unwrap_or(0), said })
    }

    fn set(&mut self, name: &str, value: Option<&Value>) -> Result<Option<Value>> {
        let refused = |error| anyhow::anyhow!("the setting {name}: {}", services::message(error));
        let key = Key::create(PARAMETERS).map_err(refused)?;
        let before = key.value(name).map_err(refused)?;
        key.set(name, value).map_err(refused)?;
        Ok(before)
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
