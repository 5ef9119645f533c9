//! A bug check as it is shown: the stop code, what happened, and where the driver was.

use std::{fmt, sync::Arc};

use super::names::bug_check_name;
use crate::{
    image::{Image, unwind::Registers},
    kernel::{Cpu, memory_functions},
    machine::Options,
};

/// A machine's last words. Cheap to clone.
#[derive(Clone)]
pub struct BugCheck(Arc<Report>);

struct Report {
    code: u32,
    parameters: [u64; 4],
    reason: String,
    frames: Vec<Frame>,
    seed: u64,
    repeat: Option<String>,
}

/// One line of the driver's stack.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A place in the driver.
    Driver {
        /// The function, or `flowtag.sys+0x…` where the PDB is missing.
        function: String,
        /// Source file and line, where known.
        place: Option<String>,
    },
    /// Below this line the driver had called this import.
    Import(&'static str),
}

impl BugCheck {
    pub(super) fn new(code: u32, parameters: [u64; 4], reason: String, frames: Vec<Frame>, options: &Options) -> Self {
        let repeat = options.repeat.clone();
        Self(Arc::new(Report { code, parameters, reason, frames, seed: options.seed, repeat }))
    }

    /// The stop code.
    #[must_use]
    pub fn code(&self) -> u32 {
        self.0.code
    }

    /// The four parameters.
    #[must_use]
    pub fn parameters(&self) -> [u64; 4] {
        self.0.parameters
    }

    /// What happened, in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The driver's stack, innermost first.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.0.frames
    }
}

impl fmt::Display for BugCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { code, parameters: [p1, p2, p3, p4], reason, frames, seed, repeat } = &*self.0;
        writeln!(f, "*** STOP {code:#010X} {} ({p1:#x}, {p2:#x}, {p3:#x}, {p4:#x})", bug_check_name(*code))?;
        writeln!(f, "    {reason}")?;
        for frame in frames {
            match frame {
                Frame::Driver { function, place: Some(place) } => writeln!(f, "    at {place} in {function}")?,
                Frame::Driver { function, place: None } => writeln!(f, "    at {function}")?,
                Frame::Import(name) => writeln!(f, "    -- {name}, called by the driver")?,
            }
        }
        write!(f, "    seed {seed}")?;
        if let Some(repeat) = repeat {
            write!(f, "\n    repeat with: {repeat}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BugCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for BugCheck {}

/// The driver's frames below the imports that `cpu` serves, innermost first.
pub(super) fn frames_of_imports(cpu: &Cpu) -> Vec<Frame> {
    let mut frames = Vec::new();
    let image = cpu.machine().image();
    for serving in cpu.serving.borrow().iter().rev() {
        frames.push(Frame::Import(serving.name));
        // A return address: the call is the instruction before it.
        walk(cpu, image.as_deref(), serving.registers(), true, &mut frames);
    }
    frames
}

/// The driver's frames from `registers` on, where it crashed, and of the imports below.
pub(super) fn frames_of_crash(cpu: &Cpu, registers: Registers) -> Vec<Frame> {
    let mut frames = Vec::new();
    walk(cpu, cpu.machine().image().as_deref(), registers, false, &mut frames);
    frames.extend(frames_of_imports(cpu));
    frames
}

fn walk(cpu: &Cpu, image: Option<&Image>, mut registers: Registers, mut returned: bool, frames: &mut Vec<Frame>) {
    /// More frames than any driver stack holds: a damaged stack must not loop.
    const LIMIT: usize = 64;
    let Some(image) = image else { return };
    for _ in 0..LIMIT {
        if image.contains(registers.rip) {
            let at = if returned { registers.rip - 1 } else { registers.rip };
            frames.extend(image.symbolize(at));
            if !image.unwind(&mut registers, |address| cpu.stack_holds(address)) {
                return;
            }
        } else if returned || !cpu.stack_holds(registers.rsp) {
            return;
        } else {
            // A C function without a frame, or a jump through a wild pointer: the caller is on top of the stack.
            frames.push(memory_functions::native_name(registers.rip).map_or_else(
                || Frame::Driver { function: format!("{:#x}, which is no code", registers.rip), place: None },
                Frame::Import,
            ));
            registers.pop_return_address();
        }
        returned = true;
    }
}
