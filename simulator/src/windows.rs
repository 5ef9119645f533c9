//! A Windows, put together: which parts it has, and the numbers of one release.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use crate::{
    computer::{Handed, Imports, Machine, Subsystem, machine::Settings},
    etw::Etw,
    image::{Image, LoadError},
    kernel::{Configuration, Kernel, Version, pool::PoolKind, registry::Registry, time::ClockKind},
    kmdf::Kmdf,
    ndis::Ndis,
    referee::Watch,
    service::Services,
    wfp::Wfp,
};

/// One release of Windows: the numbers in which the parts of one release differ from those of another.
///
/// Sources: the builds are those of Microsoft's kits and of the tags of KMDF's public source; "KMDF version history" says which
/// framework is in which box; the flags are those of the kits' fwptypes.h, up to `NTDDI_WIN10_VB` and `NTDDI_WIN10_CO`. What
/// does not differ has no number here: the fields of the layers (`FWPS_FIELDS_*_MAX` of fwpsk.h) are as many in both, and so
/// are the functions of KMDF 1.31 and 1.33.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// What `RtlGetVersion` says.
    pub version: Version,
    /// The minor version of the framework that is in the box; the major one is 1.
    pub kmdf_minor: u32,
    /// The `FWP_CALLOUT_FLAG_*` that exist. (Guess: registering a callout with another one fails.)
    pub callout_flags: u32,
}

impl Release {
    /// Windows 10, version 2004: the first that flowtag runs on.
    pub const WINDOWS_10_2004: Self = Self { version: Version([10, 0, 19041]), kmdf_minor: 31, callout_flags: 0x3FF };
    /// Windows 11, version 21H2.
    pub const WINDOWS_11_21H2: Self = Self { version: Version([10, 0, 22000]), kmdf_minor: 33, callout_flags: 0x7FF };
}

impl Default for Release {
    fn default() -> Self {
        Self::WINDOWS_10_2004
    }
}

/// Makes a subsystem in the state in which a machine starts.
pub type Plug = fn() -> Box<dyn Subsystem>;

/// How a machine behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where all randomness comes from.
    pub seed: u64,
    /// The command that repeats the run, for reports.
    pub repeat: Option<String>,
    /// Where pool blocks live.
    pub pool: PoolKind,
    /// Which time it lives in.
    pub clock: ClockKind,
    /// How closely the driver is watched.
    pub watch: Watch,
    /// Which release of Windows it runs.
    pub release: Release,
    /// Subsystems beside those of Windows.
    pub also: Vec<Plug>,
}

/// What a machine was put together from: a restart does it again.
struct Installed {
    options: Options,
    /// How often it was booted before.
    boots: u64,
}

impl Subsystem for Installed {}

impl Machine {
    /// A machine that has just booted.
    #[must_use]
    pub fn new(options: Options) -> Self {
        booted(options, Registry::default(), 0)
    }

    /// The same computer after a restart: its services and its registry are there, everything else is new.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let Installed { options, boots } = self.part();
        let machine = booted(options.clone(), self.registry().copied(), boots + 1);
        for (name, config) in self.service_configs() {
            machine.create_service(&name, config).expect("names are unique");
        }
        machine
    }
}

/// What drivers can import from Windows, for who has no machine at hand.
#[must_use]
pub fn imports() -> &'static Arc<Imports> {
    a_machine().imports()
}

/// What drivers are handed by Windows, and who says so.
pub fn handed() -> impl Iterator<Item = &'static Handed> {
    a_machine().hands()
}

/// A machine that nobody uses.
fn a_machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| Machine::new(Options::default()))
}

/// The address that a driver's import of `name` from `module` is bound to, for who has no machine at hand.
#[must_use]
pub fn address(module: &str, name: &str) -> Option<u64> {
    imports().address(module, name)
}

/// Loads the driver at `path`, to look at it or to see whether it can be loaded.
///
/// # Errors
/// [`LoadError`] says what is wrong with the file.
pub fn load_image(path: &Path) -> Result<Image, LoadError> {
    Image::load(path, &address)
}

fn booted(options: Options, registry: Registry, boots: u64) -> Machine {
    let Options { seed, repeat, pool, clock, watch, release, also } = options.clone();
    let kernel = Kernel::new(Configuration {
        pool,
        clock,
        registry,
        version: release.version,
        requestor: |machine, irp| machine.kmdf().requestor(irp),
        boots,
    });
    let mut parts: Vec<Box<dyn Subsystem>> = vec![
        Box::new(kernel),
        Box::new(Wfp::new(watch, release.callout_flags)),
        Box::new(Ndis::default()),
        Box::new(Etw::default()),
        Box::new(Kmdf::new(release.kmdf_minor)),
        Box::new(Services::default()),
        Box::new(Installed { options, boots }),
    ];
    parts.extend(also.into_iter().map(|plug| plug()));
    Machine::assembled(Settings { seed, repeat, watch }, parts)
}
