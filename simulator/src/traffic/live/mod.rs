//! Live capture: probes in the kernel watch the programs of one cgroup.

mod boot;
mod cgroup;
pub mod wire;

use std::{
    fs::{self, File},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, RingBuf},
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, RawTracePoint, SockOps},
};

pub use boot::{ahead_of, booted};
pub use cgroup::Cgroup;

use super::{event::Event, tracker::Tracker};

/// `PROC_PID_INIT_INO` of the kernel.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// While more is always coming, the events must not pile up.
const RECORDS_AT_ONCE: usize = 1024;

/// A running capture.
pub struct Capture {
    records: RingBuf<MapData>,
    lost: Array<MapData, u64>,
    tracker: Tracker,
    /// Holds the programs: dropped, they are detached. Fields drop in order, and the cgroup must be the last.
    _probes: Ebpf,
    cgroup: Cgroup,
}

impl Capture {
    /// Loads the probes from the object file `probes` and attaches them to a new cgroup.
    ///
    /// # Errors
    /// Not root, no cgroup2 tree, or a kernel that refuses the probes.
    pub fn start(probes: &Path) -> Result<Self> {
        // The file first: a wrong path is the caller's mistake, whatever rights it has.
        let object = fs::read(probes).with_context(|| format!("read the eBPF probes {}", probes.display()))?;
        // The probes see the ids that processes have outside of any container; inside, they would be taken for other processes.
        let namespace = fs::read_link("/proc/self/ns/pid").context("read /proc/self/ns/pid")?;
        ensure!(
            namespace.as_os_str() == INITIAL_PID_NAMESPACE,
            "this is a container with process ids of its own: run it with --pid=host"
        );
        let cgroup = Cgroup::create()?;
        let at = cgroup.open()?;
        let watched = at.metadata().context("ask for the cgroup's id")?.ino();
        let mut probes = EbpfLoader::new()
            .override_global("watched", &watched, true)
            .load(&object)
            .context("load the eBPF probes (this needs root and Linux 5.8 or later)")?;
        for name in ["exec", "exit"] {
            let program: &mut RawTracePoint =
                probes.program_mut(&format!("process_{name}")).context(name)?.try_into()?;
            program.load().with_context(|| format!("load the probe process_{name}"))?;
            program
                .attach(&format!("sched_process_{name}"))
                .with_context(|| format!("attach the probe process_{name}"))?;
        }
        for name in ["sock_create", "sock_release"] {
            let program: &mut CgroupSock = probes.program_mut(name).context(name)?.try_into()?;
            program.load().with_context(|| format!("load the probe {name}"))?;
            program.attach(&at, CgroupAttachMode::Single).with_context(|| format!("attach the probe {name}"))?;
        }
        attach_sock_ops(&mut probes, &at)?;
        for (name, attach_type) in [("egress", CgroupSkbAttachType::Egress), ("ingress", CgroupSkbAttachType::Ingress)]
        {
            let program: &mut CgroupSkb = probes.program_mut(name).context(name)?.try_into()?;
            program.load().with_context(|| format!("load the probe {name}"))?;
            program
                .attach(&at, attach_type, CgroupAttachMode::Single)
                .with_context(|| format!("attach the probe {name}"))?;
        }
        let records = RingBuf::try_from(probes.take_map("records").context("the probes have no map \"records\"")?)?;
        let lost = Array::try_from(probes.take_map("lost").context("the probes have no map \"lost\"")?)?;
        Ok(Self { records, lost, tracker: Tracker::default(), _probes: probes, cgroup })
    }

    /// Where to run the programs.
    #[must_use]
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Waits until something happened, at most for `patience`, and appends what did to `events`, with the time at which it did, in
    /// units of 100 ns since 1601. `true`: that was all.
    pub fn poll(&mut self, patience: Duration, events: &mut Vec<(u64, Event)>) -> bool {
        let mut ring = libc::pollfd { fd: self.records.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let milliseconds = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one valid pollfd. A signal ends the wait early, which is as good as something having happened.
        unsafe { libc::poll(&raw mut ring, 1, milliseconds) };
        let mut followed = Vec::new();
        for _ in 0..RECORDS_AT_ONCE {
            let Some(record) = self.records.next() else { return true };
            if let Some((at, seen)) = wire::at(&record, booted()).zip(wire::read(&record, booted(), path_of)) {
                self.tracker.observe(seen, &mut followed);
                events.extend(followed.drain(..).map(|event| (at, event)));
            }
        }
        false
    }

    /// How many records did not fit into the ring.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn lost(&self) -> Result<u64> {
        self.lost.get(&0, 0).context("read the count of lost records")
    }
}

fn attach_sock_ops(probes: &mut Ebpf, at: &File) -> Result<()> {
    let program: &mut SockOps = probes.program_mut("sock_ops").context("sock_ops")?.try_into()?;
    program.load().context("load the probe sock_ops")?;
    program.attach(at, CgroupAttachMode::Single).context("attach the probe sock_ops")?;
    Ok(())
}

/// The program file of a process. It is asked for as soon as the process has created a socket; if it is gone by then, its path stays unknown.
fn path_of(pid: u32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(path.to_string_lossy().trim_end_matches(" (deleted)").to_owned())
}
