//! Where in the driver an import was called from.

use std::{
    borrow::Cow,
    hash::{Hash, Hasher},
};

use serde::{Deserialize, Serialize};

use super::{Cpu, cpu::Serving};
use crate::image::{Image, unwind::Registers};

/// An import, and the way through the driver to its call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallStack {
    /// The import's name.
    pub import: Cow<'static, str>,
    /// The return addresses, innermost first, as offsets in the image.
    pub frames: Vec<u32>,
}

impl CallStack {
    /// A number that stands for the stack: the same in every run of the same image.
    #[must_use]
    pub fn id(&self) -> u64 {
        let mut hasher = Fnv(0xCBF2_9CE4_8422_2325);
        self.import.hash(&mut hasher);
        self.frames.hash(&mut hasher);
        hasher.finish()
    }

    /// The stack of the innermost import that `cpu` serves, back to where the driver was entered.
    pub(super) fn of(cpu: &Cpu, image: &Image, serving: Serving) -> Self {
        let base = image.range().start;
        let mut registers = serving.registers();
        let mut frames = Vec::with_capacity(8);
        while image.contains(registers.rip) {
            frames.push((registers.rip - base) as u32);
            if !image.unwind(&mut registers, |address| cpu.stack_holds(address)) {
                break;
            }
        }
        Self { import: serving.name.into(), frames }
    }
}

impl Serving {
    /// The driver's registers behind the call, as far as unwinding needs them.
    pub(crate) fn registers(self) -> Registers {
        let (rip, rbp) = (self.arguments.wrapping_sub(1), self.arguments.wrapping_sub(2));
        // SAFETY: the thunk's frame is still on the driver's stack: the return address lies below the arguments.
        let rip = unsafe { rip.read() };
        // SAFETY: as above: rbp lies below the return address.
        let rbp = unsafe { rbp.read() };
        let mut registers = Registers { rip, rsp: self.arguments as u64, ..Registers::default() };
        registers.general[Registers::RBP] = rbp;
        registers
    }
}

/// FNV-1a: unlike the standard library's hashes it is the same in every run.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
