//! A control group for the programs whose traffic is captured.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::output;

/// Lives as long as the capture. When it is dropped, what still runs in it is killed and it is removed.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Creates one, at the root of the cgroup2 tree.
    ///
    /// # Errors
    /// No such tree, or no right to write there.
    pub fn create() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("read /proc/self/mounts")?;
        let root =
            cgroup2_root(&mounts).context("no cgroup2 file system is mounted: mount -t cgroup2 none /sys/fs/cgroup")?;
        let path = Path::new(root).join(format!("flowtag-{}", process::id()));
        fs::create_dir(&path).with_context(|| format!("create the cgroup {} (this needs root)", path.display()))?;
        Ok(Self { path })
    }

    /// Where it is in the file system.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// The directory, to attach programs to.
    ///
    /// # Errors
    /// It was removed.
    pub fn open(&self) -> Result<File> {
        File::open(&self.path).with_context(|| format!("open the cgroup {}", self.path.display()))
    }

    /// Makes `command` run inside, from its first instruction on.
    ///
    /// # Errors
    /// The cgroup cannot be written.
    pub fn confine(&self, command: &mut Command) -> Result<()> {
        let path = self.path.join("cgroup.procs");
        let processes =
            OpenOptions::new().write(true).open(&path).with_context(|| format!("open {}", path.display()))?;
        let enter = move || (&processes).write_all(b"0");
        // SAFETY: between fork and exec the closure only calls write(2), which is async-signal-safe, and allocates nothing.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Before Linux 5.14 there is no cgroup.kill: should a program still run, the message below tells of the cgroup.
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            match fs::remove_dir(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(error) => {
                    let path = self.path.display();
                    output::note(format_args!("flowtag-sim: the cgroup {path} was not removed: {error}; rmdir it"));
                    return;
                }
                Ok(()) => return,
            }
        }
    }
}

/// The mount point of the cgroup2 tree in a table in the format of /proc/self/mounts.
fn cgroup2_root(mounts: &str) -> Option<&str> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (root, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then_some(root)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroup2_tree_is_found_beside_those_of_version_1() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";

        assert_eq!(cgroup2_root(mounts), Some("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn a_machine_with_version_1_alone_has_no_cgroup2_tree() {
        assert_eq!(cgroup2_root("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"), None);
    }
}
