//! Event tracing, called as a driver calls it: by a small native one, made of win64 functions.

mod callbacks;
mod registering;
mod sessions;
mod writing;

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
};

use super::{Event, Session, SessionId};
use crate::{BugCheck, Machine, Options, computer::Irql};

/// The provider's id, and another's.
const ID: u128 = 0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10;
const OTHER: u128 = ID + 1;
/// The traits of a provider `test`: their size and its name.
const TRAITS: &[u8] = b"\x07\0test\0";
/// The metadata of an event `Hello` with a field `Number`, a `u32`.
const HELLO: &[u8] = b"\x11\0\0Hello\0Number\0\x08";
const INFORMATION: u8 = 4;

/// What an enable callback was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heard {
    code: u32,
    level: u8,
    any: u64,
    all: u64,
}

const DISABLED: Heard = Heard { code: 0, level: 0, any: 0, all: 0 };

type Import = extern "win64" fn(u64, u64, u64, u64, u64, u64) -> u64;
type Deed = Box<dyn Fn(&Driver) + Send>;

/// What the native driver has. Its callback is given its address as context.
struct Driver {
    machine: Machine,
    handle: AtomicU64,
    heard: Mutex<Vec<Heard>>,
    /// Which handle there was when the callback came, and on which thread it came.
    circumstances: Mutex<Vec<(u64, ThreadId)>>,
    /// What the callback does besides, once.
    deed: Mutex<Option<Deed>>,
}

extern "win64" fn enable_callback(
    source: &[u8; 16],
    code: u32,
    level: u8,
    any: u64,
    all: u64,
    filter: u64,
    driver: &Driver,
) {
    assert_eq!((*source, filter), ([0; 16], 0));
    driver.heard.lock().unwrap().push(Heard { code, level, any, all });
    let circumstances = (driver.handle(), thread::current().id());
    driver.circumstances.lock().unwrap().push(circumstances);
    let deed = driver.deed.lock().unwrap().take();
    if let Some(deed) = deed {
        deed(driver);
    }
}

/// Descriptors of an event, which point at its parts.
fn descriptors(parts: &[(&[u8], u32)]) -> Vec<[u64; 2]> {
    let described = parts.iter();
    described.map(|(part, kind)| [part.as_ptr() as u64, u64::from(*kind) << 32 | part.len() as u64]).collect()
}

/// An `EVENT_DESCRIPTOR`.
fn event_descriptor(level: u8, keyword: u64) -> [u64; 2] {
    [11 << 24 | u64::from(level) << 32, keyword]
}

/// A provider comes, writes an event and goes.
pub(crate) fn write_an_event(machine: &Machine) {
    let driver = Driver::on(machine.clone());
    driver.register();
    driver.set_traits(TRAITS).unwrap();
    driver.hello(INFORMATION, 1, 7);
    driver.unregister().unwrap();
}

impl Driver {
    fn new() -> Arc<Self> {
        Self::on(Machine::new(Options::default()))
    }

    /// It stays where it is: its callback has the address.
    fn on(machine: Machine) -> Arc<Self> {
        Arc::new(Self {
            machine,
            handle: AtomicU64::new(0),
            heard: Mutex::default(),
            circumstances: Mutex::default(),
            deed: Mutex::default(),
        })
    }

    /// One that is registered and has said who it is.
    fn registered() -> Arc<Self> {
        let driver = Self::new();
        driver.register();
        driver.set_traits(TRAITS).unwrap();
        driver
    }

    fn handle(&self) -> u64 {
        self.handle.load(Ordering::Relaxed)
    }

    fn address(&self, import: &str) -> u64 {
        self.machine.imports().address("ntoskrnl.exe", import).expect("the machine exports it")
    }

    /// Calls an import from outside the driver.
    fn call(&self, import: &'static str, arguments: &[u64]) -> Result<u64, BugCheck> {
        self.machine.run(|cpu| cpu.call(self.address(import), import, arguments))
    }

    /// Calls an import from the driver's code.
    fn import<const N: usize>(&self, import: &'static str, arguments: [u64; N]) -> u64 {
        // SAFETY: what an import is bound to is a win64 function; it ignores arguments that it does not have.
        let function: Import = unsafe { mem::transmute(self.address(import)) };
        let mut all = [0; 6];
        all[..N].copy_from_slice(&arguments);
        function(all[0], all[1], all[2], all[3], all[4], all[5])
    }

    fn register_as(&self, id: u128, callback: u64, context: u64) -> Result<u64, BugCheck> {
        self.call("EtwRegister", &[&raw const id as u64, callback, context, self.handle.as_ptr() as u64])
    }

    fn register(&self) {
        let context = std::ptr::from_ref(self) as u64;
        assert_eq!(self.register_as(ID, enable_callback as *const () as u64, context).unwrap(), 0);
    }

    fn unregister(&self) -> Result<u64, BugCheck> {
        self.call("EtwUnregister", &[self.handle()])
    }

    fn set_traits(&self, traits: &[u8]) -> Result<u64, BugCheck> {
        self.call("EtwSetInformation", &[self.handle(), 2, traits.as_ptr() as u64, traits.len() as u64])
    }

    /// Writes what `parts` are at this IRQL.
    fn write_at(&self, irql: Irql, (level, keyword): (u8, u64), parts: &[(&[u8], u32)]) -> Result<u64, BugCheck> {
        let (event, data) = (event_descriptor(level, keyword), descriptors(parts));
        let arguments = [self.handle(), event.as_ptr() as u64, 0, 0, data.len() as u64, data.as_ptr() as u64];
        self.machine.run(|cpu| cpu.at_irql(irql, || cpu.call(self.address("EtwWriteTransfer"), "write", &arguments)))
    }

    /// Writes an event with this metadata and this payload.
    fn write(&self, metadata: &[u8], payload: &[u8]) -> Result<u64, BugCheck> {
        self.write_at(Irql::PASSIVE, (INFORMATION, 1), &[(TRAITS, 2), (metadata, 1), (payload, 0)])
    }

    /// Writes a `Hello` at this level, with these keywords.
    fn hello(&self, level: u8, keyword: u64, number: u32) -> u64 {
        let number = number.to_le_bytes();
        self.write_at(Irql::PASSIVE, (level, keyword), &[(TRAITS, 2), (HELLO, 1), (&number, 0)]).unwrap()
    }

    fn start(&self, session: Session) -> SessionId {
        self.machine.start_session(session).unwrap()
    }

    /// What the session has got, by the numbers of the `Hello`s.
    fn numbers(&self, session: SessionId) -> Vec<u64> {
        self.machine.etw().events(session).iter().map(|event| event.number("Number")).collect()
    }

    fn events(&self, session: SessionId) -> Vec<Event> {
        self.machine.etw().events(session)
    }

    fn heard(&self) -> Vec<Heard> {
        mem::take(&mut *self.heard.lock().unwrap())
    }

    fn lost(&self, session: SessionId) -> u64 {
        self.machine.etw().lost(session)
    }
}

/// That of a session at this level for these keywords.
fn enabled(level: u8, any: u64) -> Heard {
    Heard { code: 1, level, any, all: 0 }
}

#[track_caller]
fn assert_violation<T: std::fmt::Debug>(outcome: Result<T, BugCheck>, what: &str) {
    let bug_check = outcome.expect_err("a bug check");
    assert_eq!(bug_check.code(), 0xC4, "{bug_check}");
    assert!(bug_check.reason().contains(what), "{bug_check}");
}
