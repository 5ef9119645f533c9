//! One simulated computer, and the slots of its subsystems.

use std::{
    any::{Any, TypeId, type_name},
    path::Path,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Call, Cpu, Finding, Handed, Imports, Subsystem, faults::Faults, workers::Workers};
use crate::{
    image::{Frame, Image, LoadError},
    interleave::{self, Touches},
    referee::{BugCheck, Leaving, Referee, Watch},
};

/// What a computer is told about itself.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where all randomness comes from.
    pub seed: u64,
    /// The command that repeats the run, for reports.
    pub repeat: Option<String>,
    /// How closely the driver is watched.
    pub watch: Watch,
}

/// One simulated computer, with what is plugged into it and at most one driver. Cheap to clone.
#[derive(Clone)]
pub struct Machine(Arc<Inner>);

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

type ImportHook = Arc<dyn Fn(&Call<'_>) + Send + Sync>;

struct Inner {
    settings: Settings,
    /// What is plugged in, by the types of their states.
    parts: Vec<(TypeId, Box<dyn Subsystem>)>,
    imports: Arc<Imports>,
    random: Mutex<ChaCha8Rng>,
    referee: Referee,
    faults: Faults,
    workers: Workers,
    image: RwLock<Option<Arc<Image>>>,
    /// Images unloaded before: their addresses stay reserved, so that a late call is seen for what it is.
    unloaded: Mutex<Vec<Arc<Image>>>,
    /// Start and end of the loaded image's code, for signal handlers, which may not lock.
    code: [AtomicU64; 2],
    hook: RwLock<Option<ImportHook>>,
    hooked: AtomicBool,
}

impl Machine {
    /// A computer that has just been switched on, with these subsystems.
    #[must_use]
    pub fn assembled(settings: Settings, parts: Vec<Box<dyn Subsystem>>) -> Self {
        let imports = Imports::of(&parts);
        Self(Arc::new(Inner {
            random: Mutex::new(ChaCha8Rng::seed_from_u64(settings.seed)),
            settings,
            parts: parts.into_iter().map(|part| (type_of(part.as_ref()), part)).collect(),
            faults: Faults::new(Arc::clone(&imports)),
            imports,
            referee: Referee::default(),
            workers: Workers::default(),
            image: RwLock::default(),
            unloaded: Mutex::default(),
            code: Default::default(),
            hook: RwLock::default(),
            hooked: AtomicBool::new(false),
        }))
    }

    /// The state of a subsystem.
    ///
    /// # Panics
    /// When the machine has none of that type.
    #[must_use]
    pub fn part<T: Subsystem>(&self) -> &T {
        let wanted = TypeId::of::<T>();
        let part = self.0.parts.iter().find(|(kind, _)| *kind == wanted).map(|(_, part)| part.as_ref());
        let part = part.and_then(|part| (part as &dyn Any).downcast_ref());
        part.unwrap_or_else(|| panic!("this machine has no {}: name it where it is put together", type_name::<T>()))
    }

    /// Runs `f` with the calling thread as one of the machine's CPUs.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    pub fn run<T>(&self, f: impl FnOnce(&Cpu) -> T) -> Result<T, BugCheck> {
        Cpu::attached(self, f)
    }

    /// What it was told about itself.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What drivers can import here.
    #[must_use]
    pub fn imports(&self) -> &Arc<Imports> {
        &self.0.imports
    }

    /// What its parts hand to drivers, and who says so.
    pub fn hands(&self) -> impl Iterator<Item = &'static Handed> {
        self.0.parts.iter().flat_map(|(_, part)| part.hands()).copied().flatten()
    }

    /// The judge.
    #[must_use]
    pub fn referee(&self) -> &Referee {
        &self.0.referee
    }

    /// Which imports fail, and how often they were called.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// System worker threads.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.0.workers
    }

    /// A random number below `limit`, from the machine's seed.
    ///
    /// # Panics
    /// When `limit` is 0.
    #[must_use]
    pub fn random_below(&self, limit: u64) -> u64 {
        let of_thread = interleave::random_below(limit);
        of_thread.unwrap_or_else(|| self.0.random.lock().unwrap().random_range(0..limit))
    }

    /// Maps the driver image at `path`. Nothing of it runs yet.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn map_image(&self, path: &Path) -> Result<Arc<Image>, LoadError> {
        let imports = self.imports();
        let image = Arc::new(Image::load(path, &|module, name| imports.address(module, name))?);
        self.0.code[0].store(image.code().start, Ordering::Relaxed);
        self.0.code[1].store(image.code().end, Ordering::Relaxed);
        *self.0.image.write().unwrap() = Some(Arc::clone(&image));
        Ok(image)
    }

    /// Unmaps the driver image: whoever runs its code from now on gets a bug check.
    pub fn unmap_image(&self) {
        if let Some(image) = self.0.image.write().unwrap().take() {
            image.unload();
            self.0.unloaded.lock().unwrap().push(image);
        }
    }

    /// The loaded image.
    #[must_use]
    pub fn image(&self) -> Option<Arc<Image>> {
        self.0.image.read().unwrap().clone()
    }

    /// Calls `hook` at every import call of the driver, before it is served: a place to watch, to let something else
    /// happen first, or to end a flow at the worst moment.
    pub fn on_import(&self, hook: impl Fn(&Call<'_>) + Send + Sync + 'static) {
        *self.0.hook.write().unwrap() = Some(Arc::new(hook));
        self.0.hooked.store(true, Ordering::Release);
    }

    pub(crate) fn import_hook(&self, call: &Call<'_>) {
        if self.0.hooked.load(Ordering::Acquire) {
            // Cloned, so that no lock is held while the hook calls into the machine.
            let hook = self.0.hook.read().unwrap().clone();
            if let Some(hook) = hook {
                hook(call);
            }
        }
    }

    /// Whether `address` is code of the loaded driver. Takes no lock.
    pub(crate) fn is_driver_code(&self, address: u64) -> bool {
        let [start, end] = &self.0.code;
        (start.load(Ordering::Relaxed)..end.load(Ordering::Relaxed)).contains(&address)
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn unloaded_code(&self, address: u64) -> bool {
        self.0.unloaded.lock().unwrap().iter().any(|image| image.range().contains(&address))
    }

    /// A number that says what the driver's memory holds: what it can write of its image, and its blocks of pool.
    #[must_use]
    pub fn driver_memory(&self) -> u64 {
        let image = self.0.image.read().unwrap();
        let image = image.as_ref().map_or(0, |image| image.written());
        self.parts().map(Subsystem::driver_memory).fold(image, u64::wrapping_add)
    }

    /// Where in the driver's source the call before the return address `address` is.
    pub(crate) fn place(&self, address: u64) -> String {
        let Some(image) = self.image().filter(|image| image.contains(address)) else {
            return format!("{address:#x}");
        };
        let places = image.symbolize(address - 1).into_iter().map(|frame| match frame {
            Frame::Driver { place: Some(place), .. } => place,
            Frame::Driver { function, place: None } => function,
            Frame::Import(name) => name.to_owned(),
        });
        places.collect::<Vec<_>>().join(" < ")
    }

    /// Driver code waits: what is due elsewhere is done.
    pub(crate) fn time_passes(&self, cpu: &Cpu) {
        self.parts().for_each(|part| part.time_passes(cpu));
    }

    /// What its parts know about an address at which the driver faulted.
    pub(super) fn explain_address(&self, address: u64) -> Option<Finding> {
        self.parts().find_map(|part| part.explain(self, address))
    }

    /// All that a driver that leaves has left behind, in any part: the referee wants it to be nothing.
    #[must_use]
    pub fn left(&self) -> Vec<Leaving> {
        self.parts().flat_map(|part| part.left(self)).collect()
    }

    /// What a call of the export numbered `number` touches.
    pub(super) fn touches(&self, call: &Call<'_>, number: usize) -> Option<Touches> {
        self.server_of(number).touches(call)
    }

    /// Whether a call of the export numbered `number` is looked at by the export itself when it comes above the limit.
    pub(super) fn checks_irql_itself(&self, call: &Call<'_>, number: usize) -> bool {
        self.server_of(number).checks_irql_itself(call)
    }

    /// A call of the export numbered `number` fails, since a test wants it to.
    pub(super) fn refuses(&self, call: &Call<'_>, number: usize) {
        self.server_of(number).refuses(call);
    }

    /// The subsystem that serves the export numbered `number`.
    fn server_of(&self, number: usize) -> &dyn Subsystem {
        self.0.parts[self.0.imports.owner(number)].1.as_ref()
    }

    fn parts(&self) -> impl Iterator<Item = &dyn Subsystem> {
        self.0.parts.iter().map(|(_, part)| part.as_ref())
    }
}

fn type_of(part: &dyn Subsystem) -> TypeId {
    (part as &dyn Any).type_id()
}
