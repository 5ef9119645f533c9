//! Stopping the machine: why, and where the driver was.

use std::panic;

use super::{Cpu, native};
use crate::{
    image::{Frame, Image, unwind::Registers},
    referee::{BugCheck, Leaving, MachineDied, Stop},
};

/// Stops the machine: records why, with the driver's stack, and unwinds this CPU. The others follow at their next import.
pub(super) fn bug_check(cpu: &Cpu, code: u32, parameters: [u64; 4], reason: String) -> ! {
    stop(cpu, Stop::BugCheck { code, parameters }, reason, Vec::new(), frames_of_imports(cpu))
}

/// Stops the machine because the simulator lacks `what`.
pub(super) fn not_modelled(cpu: &Cpu, what: &str) -> ! {
    stop(cpu, Stop::NotModelled, lacks(what), Vec::new(), frames_of_imports(cpu))
}

/// Stops the machine because the driver's code at `registers` does `what`, which the simulator lacks.
pub(super) fn not_modelled_at(cpu: &Cpu, registers: Registers, what: &str) -> ! {
    stop(cpu, Stop::NotModelled, lacks(what), Vec::new(), frames_of_crash(cpu, registers))
}

/// Stops the machine for what a driver has left behind, unless it is nothing: the worst is the bug check.
pub(super) fn left_behind(cpu: &Cpu, mut left: Vec<Leaving>) {
    left.sort_by_key(|leaving| leaving.harm);
    let Some((worst, others)) = left.split_first() else { return };
    let besides = others.iter().map(|leaving| leaving.reason.clone()).collect();
    stop(cpu, worst.stop(), worst.reason.clone(), besides, frames_of_imports(cpu))
}

/// Stops the machine for a crash of the driver's code at `registers`.
pub(super) fn crash(cpu: &Cpu, registers: Registers, code: u32, parameters: [u64; 4], reason: String) -> ! {
    stop(cpu, Stop::BugCheck { code, parameters }, reason, Vec::new(), frames_of_crash(cpu, registers))
}

fn lacks(what: &str) -> String {
    format!("the simulator does not model {what}")
}

fn stop(cpu: &Cpu, why: Stop, reason: String, besides: Vec<String>, frames: Vec<Frame>) -> ! {
    let machine = cpu.machine();
    let settings = machine.settings();
    let repeat = (settings.seed, settings.repeat.clone());
    machine.referee().record(BugCheck::new(why, reason, besides, frames, repeat));
    panic::resume_unwind(Box::new(MachineDied))
}

/// The driver's frames below the imports that `cpu` serves, innermost first.
fn frames_of_imports(cpu: &Cpu) -> Vec<Frame> {
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
fn frames_of_crash(cpu: &Cpu, registers: Registers) -> Vec<Frame> {
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
            frames.push(native::name(registers.rip).map_or_else(
                || Frame::Driver { function: format!("{:#x}, which is no code", registers.rip), place: None },
                Frame::Import,
            ));
            registers.pop_return_address(|address| cpu.stack_holds(address));
        }
        returned = true;
    }
}
