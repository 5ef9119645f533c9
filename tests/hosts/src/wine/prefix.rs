//! A Wine of our own: a fresh prefix, which goes away with everything that runs in it.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// No command takes so long; one that does hangs, as `sc stop` does when the driver's unload does not end.
const LONGEST: Duration = Duration::from_mins(1);

/// Where the files for the stand-ins are. They know this name.
const FOLDER: &str = "drive_c/flowtag";

/// Wine's files, below `target/`.
pub struct Prefix(PathBuf);

/// What a command did.
pub struct Output {
    /// Whether its exit code is 0.
    pub success: bool,
    /// What it printed, both streams.
    pub text: String,
}

impl Prefix {
    /// Whether this machine has Wine.
    pub fn is_possible() -> bool {
        let path = env::var_os("PATH").unwrap_or_default();
        ["wine", "wineserver"]
            .iter()
            .all(|program| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
    }

    /// Makes one, with the stand-ins in its folder for drivers and `image` as the driver under test.
    ///
    /// # Errors
    /// When Wine does not set it up.
    pub fn make(stand_ins: &Path, image: &Path) -> Result<Self> {
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wine");
        remove_stale(&all);
        let folder = all.join(std::process::id().to_string());
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        // From here on it is removed, whatever happens.
        let prefix = Self(folder.canonicalize()?);
        let output = prefix.run_first(&["wineboot", "--init"])?;
        ensure!(output.success, "wineboot does not set up a prefix:\n{}", output.text);
        let drivers = prefix.path("drive_c/windows/system32/drivers");
        for name in ["wdfldr", "fwpkclnt", "script"] {
            copy(&stand_ins.join(format!("{name}.dll")), &drivers.join(format!("{name}.sys")))?;
        }
        fs::create_dir_all(prefix.path(FOLDER))?;
        copy(image, &prefix.path(FOLDER).join("flowtag.sys"))?;
        Ok(prefix)
    }

    /// A file or folder of it.
    pub fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// The folder with the driver and the files for the stand-ins.
    pub fn folder(&self) -> PathBuf {
        self.path(FOLDER)
    }

    /// Ends everything that runs in it, and starts Wine's services anew by running this command. What drivers print from
    /// now on is [`printed`](Self::printed): the services keep the standard error of the process that started them.
    ///
    /// # Errors
    /// When Wine does not run.
    pub fn run_first(&self, command: &[&str]) -> Result<Output> {
        self.end()?;
        let printed = File::create(self.path("printed")).context("create a file for what drivers print")?;
        let child = self.wine(command).stderr(printed).spawn();
        let status = wait(child.context("start wine")?, command)?;
        Ok(Output { success: status.success(), text: self.printed()? })
    }

    /// Runs a command of Wine's.
    ///
    /// # Errors
    /// When it cannot be run, or does not end.
    pub fn run(&self, command: &[&str]) -> Result<Output> {
        // Not pipes: what the command starts may keep them open.
        let path = self.path("output");
        let output = File::create(&path).context("create a file for what a command prints")?;
        let errors = output.try_clone()?;
        let child = self.wine(command).stdout(output).stderr(errors).spawn();
        let status = wait(child.context("start wine")?, command)?;
        Ok(Output { success: status.success(), text: read(&path)? })
    }

    /// Runs a command of Wine's in a folder: its exit code, and what it writes to its two streams.
    ///
    /// # Errors
    /// When it cannot be run, or does not end.
    pub fn run_in(&self, folder: &Path, command: &[&str]) -> Result<(Option<i32>, [Vec<u8>; 2])> {
        let paths = ["output", "errors"].map(|name| self.path(name));
        let mut wine = self.wine(command);
        let [output, errors] = paths.each_ref().map(File::create);
        wine.current_dir(folder).stdout(output?).stderr(errors?).env("WINEDEBUG", "-all");
        let status = wait(wine.spawn().context("start wine")?, command)?;
        let [output, errors] = paths.map(fs::read);
        Ok((status.code(), [output?, errors?]))
    }

    /// What Wine's services and the drivers in them have printed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn printed(&self) -> Result<String> {
        read(&self.path("printed"))
    }

    fn wine(&self, command: &[&str]) -> Command {
        let mut wine = self.command("wine");
        wine.args(command).stdout(Stdio::null());
        wine
    }

    /// A program that works in this prefix, and writes nowhere else.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.0)
            .env("HOME", &self.0)
            .env("WINEPREFIX", &self.0)
            .env("WINEARCH", "win64")
            // DbgPrintEx, and why a command fails: `sc` says it there.
            .env("WINEDEBUG", "-all,err+all,+debugstr")
            .env("WINEDLLOVERRIDES", "mscoree=;mshtml=;winemenubuilder.exe=")
            .env_remove("WINELOADER")
            .env_remove("WINESERVER")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null());
        command
    }

    /// Ends everything that runs in it.
    fn end(&self) -> Result<()> {
        for option in ["--kill", "--wait"] {
            let mut server = self.command("wineserver");
            let child = server.arg(option).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            // --kill fails where nothing runs.
            wait(child.context("start wineserver")?, &["wineserver", option])?;
        }
        Ok(())
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        let ended = self.end();
        if let Err(error) = ended.and_then(|()| Ok(fs::remove_dir_all(&self.0)?)) {
            eprintln!("{} is left behind: {error:#}", self.0.display());
        }
    }
}

/// Removes what runs that were killed have left.
fn remove_stale(all: &Path) {
    let folders = fs::read_dir(all).into_iter().flatten().flatten();
    for folder in folders.filter(|folder| !Path::new("/proc").join(folder.file_name()).exists()) {
        drop(Prefix(folder.path()));
    }
}

fn wait(mut child: Child, command: &[&str]) -> Result<ExitStatus> {
    let deadline = Instant::now() + LONGEST;
    loop {
        if let Some(status) = child.try_wait().context("wait for wine")? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            child.kill().context("end wine")?;
            child.wait().context("wait for wine")?;
            bail!("{} did not end within {} s", command.join(" "), LONGEST.as_secs());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Copies a file.
///
/// # Errors
/// When it cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
