//! One simulated computer.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    image::{Image, LoadError},
    interleave,
    kernel::{
        Call, Cpu,
        debug_print::DebugPrint,
        error_log::ErrorLog,
        faults::Faults,
        pool::{Pool, PoolKind},
        processes::Processes,
        queued_spin_lock::SpinLocks,
        raise_lower::IrqlChanges,
        registry::Registry,
        time::{Clock, ClockKind},
        workers::Workers,
    },
    kmdf::Kmdf,
    ndis::Ndis,
    referee::{BugCheck, Frame, Referee, Watch, crash::Finding},
    service::Services,
    wfp::Wfp,
};

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
}

/// One simulated computer: a kernel, a WFP engine, at most one driver. Cheap to clone.
#[derive(Clone)]
pub struct Machine(Arc<Inner>);

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

type ImportHook = Arc<dyn Fn(&Call<'_>) + Send + Sync>;

struct Inner {
    options: Options,
    random: Mutex<ChaCha8Rng>,
    referee: Referee,
    faults: Faults,
    wfp: Wfp,
    image: RwLock<Option<Arc<Image>>>,
    /// Images unloaded before: their addresses stay reserved, so that a late call is seen for what it is.
    unloaded: Mutex<Vec<Arc<Image>>>,
    /// Start and end of the loaded image's code, for signal handlers, which may not lock.
    code: [AtomicU64; 2],
    hook: RwLock<Option<ImportHook>>,
    hooked: AtomicBool,
    pool: Pool,
    clock: Clock,
    registry: Registry,
    debug_print: DebugPrint,
    error_log: ErrorLog,
    processes: Processes,
    spin_locks: SpinLocks,
    workers: Workers,
    ndis: Ndis,
    irql_changes: IrqlChanges,
    kmdf: Kmdf,
    services: Services,
}

impl Machine {
    /// A machine that has just booted.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::started(options, Registry::default())
    }

    /// A machine that has just booted with this registry.
    pub(crate) fn started(options: Options, registry: Registry) -> Self {
        let random = Mutex::new(ChaCha8Rng::seed_from_u64(options.seed));
        let pool = Pool::new(options.pool);
        let clock = Clock::new(options.clock);
        let wfp = Wfp::new(options.watch);
        Self(Arc::new(Inner {
            options,
            random,
            referee: Referee::default(),
            faults: Faults::default(),
            wfp,
            image: RwLock::default(),
            unloaded: Mutex::default(),
            code: Default::default(),
            hook: RwLock::default(),
            hooked: AtomicBool::new(false),
            pool,
            clock,
            debug_print: DebugPrint::with_filter(&registry),
            error_log: ErrorLog::default(),
            processes: Processes::default(),
            spin_locks: SpinLocks::default(),
            workers: Workers::default(),
            ndis: Ndis::default(),
            registry,
            irql_changes: IrqlChanges::default(),
            kmdf: Kmdf::default(),
            services: Services::default(),
        }))
    }

    /// Runs `f` with the calling thread as one of the machine's CPUs.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    pub fn run<T>(&self, f: impl FnOnce(&Cpu) -> T) -> Result<T, BugCheck> {
        Cpu::attached(self, f)
    }

    /// How the machine behaves.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
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

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What the driver prints.
    #[must_use]
    pub fn debug_print(&self) -> &DebugPrint {
        &self.0.debug_print
    }

    /// What the driver writes to the event log.
    #[must_use]
    pub fn error_log(&self) -> &ErrorLog {
        &self.0.error_log
    }

    /// Processes, as drivers count them.
    #[must_use]
    pub fn processes(&self) -> &Processes {
        &self.0.processes
    }

    pub(crate) fn spin_locks(&self) -> &SpinLocks {
        &self.0.spin_locks
    }

    /// System worker threads.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.0.workers
    }

    /// Pools of network buffers.
    #[must_use]
    pub fn ndis(&self) -> &Ndis {
        &self.0.ndis
    }

    /// How often the driver changed the IRQL.
    #[must_use]
    pub fn irql_changes(&self) -> &IrqlChanges {
        &self.0.irql_changes
    }

    /// The driver framework.
    #[must_use]
    pub fn kmdf(&self) -> &Kmdf {
        &self.0.kmdf
    }

    /// The services.
    #[must_use]
    pub(crate) fn services(&self) -> &Services {
        &self.0.services
    }

    /// The filtering platform.
    #[must_use]
    pub fn wfp(&self) -> &Wfp {
        &self.0.wfp
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
        let image = Arc::new(Image::load(path)?);
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
        image.wrapping_add(self.pool().contents())
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

    /// What the machine's parts know about an address at which the driver faulted.
    pub(crate) fn explain_address(&self, address: u64) -> Option<Finding> {
        self.wfp().explain(address).or_else(|| self.pool().explain(address, &|address| self.place(address)))
    }
}
