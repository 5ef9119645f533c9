//! lldb on the driver's own source lines, while the driver runs in a Linux process.
//!
//! Of the debuggers of Linux only lldb reads a PDB, and only for a program of Windows. So it is told to debug flowtag.sys as
//! one; gdb's server runs our program, and does not say that it is one of Linux, as lldb's own would. What lldb cannot know
//! is where the simulator maps the image: it stops where the simulator enters the driver, and each time that is the driver's
//! entry point, it moves the image there.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, IsTerminal, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{driver, llvm::Llvm, process, setup, target::Target, workspace};

/// Where Linux loads a program whose addresses it is told not to randomize, as gdbserver does.
const PROGRAM_BASE: u64 = 0x5555_5555_4000;
/// The simulator's function that jumps into the driver (simulator/src/computer/thunk.rs), with its length, as both of Rust's
/// manglings have it.
const ENTER_DRIVER: &str = "12enter_driver";

/// How many places there may be: the processor has four hardware breakpoints, and following the image and stepping over a
/// call take one each.
const MOST_BREAKPOINTS: usize = 2;

/// Runs `command`, which is what can be typed after `cargo xtask` to run the driver, until it comes to one of `breakpoints`.
pub fn run(breakpoints: &[String], command: &[OsString]) -> Result<()> {
    ensure!(
        breakpoints.len() <= MOST_BREAKPOINTS,
        "more than {MOST_BREAKPOINTS} breakpoints: the processor has no more"
    );
    let llvm = Llvm::find().context(setup::LLVM_MISSING)?;
    let lldb = llvm.program("lldb");
    setup::ensure(Target::default(), &["gdbserver", &lldb])?;
    let image = driver::build(Target::default())?;
    let mut program = program(command)?;
    program.env("FLOWTAG_SYS", &image);
    let enter = PROGRAM_BASE + address_of(&llvm, ENTER_DRIVER, Path::new(program.get_program()))?;
    let port = free_port()?;
    let commands = commands(&image, enter, port, breakpoints)?;
    let file = workspace::target_folder().join("debug.lldb");
    fs::write(&file, commands).with_context(|| format!("write {}", file.display()))?;

    let mut server = under_gdbserver(&program, port).spawn().context("start gdbserver")?;
    let debugged = debug(Command::new(lldb).arg("--source").arg(&file));
    // It ends with the program, unless lldb has left it stopped.
    let _ = server.kill();
    server.wait().context("wait for gdbserver")?;
    debugged
}

/// Runs lldb, which takes commands from the terminal, or those that are piped in.
fn debug(lldb: &mut Command) -> Result<()> {
    if io::stdin().is_terminal() {
        return process::run(lldb, "lldb failed");
    }
    let mut child = lldb.stdin(Stdio::piped()).spawn().context("start lldb")?;
    let mut input = child.stdin.take().context("lldb has no input")?;
    // Else it would take the next command while the driver still runs by the one before.
    writeln!(input, "script lldb.debugger.SetAsync(False)")?;
    io::copy(&mut io::stdin(), &mut input).context("pass commands on to lldb")?;
    drop(input);
    ensure!(child.wait().context("wait for lldb")?.success(), "lldb failed");
    Ok(())
}

/// The program of ours that `command` would run.
fn program(command: &[OsString]) -> Result<Command> {
    let words: Vec<&OsStr> = command.iter().map(OsString::as_os_str).filter(|word| *word != "--").collect();
    let (kind, arguments) =
        words.split_first().context("what is to run? `sim`, `test` or `verify`, as without `debug`")?;
    let mut program = match kind.to_str() {
        Some("sim") => Command::new(workspace::build_binary("flowtag-sim")?),
        Some("verify") => Command::new(workspace::build_binary("flowtag-verify")?),
        Some("test") => {
            let mut test = Command::new(&workspace::build_tests(&["scenarios"])?[0]);
            test.args(["--nocapture", "--test-threads", "1"]);
            test
        }
        _ => bail!("the driver can be debugged in `sim`, `test` and `verify`, not in {}", kind.display()),
    };
    program.args(arguments);
    Ok(program)
}

/// `program` run by gdb's server, which waits for a debugger at `port`.
fn under_gdbserver(program: &Command, port: u16) -> Command {
    // In a session of its own: else it makes our program the terminal's foreground, and lldb cannot read from there.
    let mut server = Command::new("setsid");
    server
        .args(["gdbserver", "--once", &format!("127.0.0.1:{port}")])
        .arg(program.get_program())
        .args(program.get_args());
    for (name, value) in program.get_envs() {
        server.env(name, value.unwrap_or_default());
    }
    // What is typed is for lldb.
    server.stdin(Stdio::null());
    server
}

/// What lldb is to do before it asks.
fn commands(image: &Path, enter: u64, port: u16, breakpoints: &[String]) -> Result<String> {
    let bytes = fs::read(image).with_context(|| format!("read {}", image.display()))?;
    let header = Header::read(&bytes).with_context(|| format!("{} has no PE header", image.display()))?;
    let Header { base, entry } = header;
    let low = entry & 0xFFF;
    let stops = breakpoints.iter().map(|place| {
        let (file, line) = place.rsplit_once(':').with_context(|| format!("{place} is no place: FILE:LINE"))?;
        Ok(format!("breakpoint set --file '{file}' --line {line}\n"))
    });
    let stops: Vec<_> = stops.collect::<Result<_>>()?;
    // gdbserver's software breakpoints leave the program counter where lldb does not look for it. And lldb does not move a
    // hardware breakpoint with its image unless it is switched off meanwhile.
    Ok(format!(
        "settings set target.require-hardware-breakpoint true\n\
         target create --arch {} '{}'\n\
         gdb-remote 127.0.0.1:{port}\n\
         breakpoint set --hardware --address {enter:#x} --auto-continue true --breakpoint-name load \
         --condition '($rdi & 0xfff) == {low:#x} && *(unsigned short *)($rdi - {entry:#x}) == 0x5a4d'\n\
         breakpoint command add load\n\
         breakpoint disable\n\
         target modules load --file flowtag.sys --slide `$rdi - {entry:#x} - {base:#x}`\n\
         breakpoint enable\n\
         DONE\n{}",
        Target::default(),
        image.display(),
        stops.concat()
    ))
}

/// What of a PE header is needed.
#[derive(Debug, PartialEq)]
struct Header {
    base: u64,
    entry: u64,
}

impl Header {
    fn read(image: &[u8]) -> Option<Self> {
        let word = |at: usize| image.get(at..at + 4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        // Behind the signature and the file header.
        let optional = word(0x3C)? as usize + 24;
        let base = image.get(optional + 24..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))?;
        Some(Self { base, entry: word(optional + 16)?.into() })
    }
}

/// Where a function lies in a program, from its beginning.
fn address_of(llvm: &Llvm, function: &str, program: &Path) -> Result<u64> {
    let output = Command::new(llvm.tool("llvm-nm")).arg(program).output().context("start llvm-nm")?;
    ensure!(output.status.success(), "llvm-nm cannot read {}", program.display());
    let symbols = String::from_utf8_lossy(&output.stdout);
    let symbol = symbols.lines().find(|symbol| symbol.contains(function));
    let address = symbol.and_then(|symbol| u64::from_str_radix(symbol.split(' ').next()?, 16).ok());
    address.with_context(|| format!("{} has no function with {function} in its name", program.display()))
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(listener.local_addr()?.port())
}
