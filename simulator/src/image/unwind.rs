//! Walking driver frames by the image's unwind data (`.pdata`, `.xdata`).
//!
//! Unwind codes are undone in the order they are stored, those of the prolog part that has run. Epilogs are not
//! recognised: a crash inside one gives a wrong caller, which the report survives.

use std::{iter, ops::Range};

/// The registers that unwinding needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// Instruction pointer.
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// rax, rcx, rdx, rbx, rsp (unused), rbp, rsi, rdi, r8 to r15.
    pub general: [u64; 16],
}

impl Registers {
    /// Index of rcx in [`Self::general`].
    pub const RCX: usize = 1;
    /// Index of rbp in [`Self::general`].
    pub const RBP: usize = 5;

    /// From what a signal handler is given.
    #[must_use]
    #[expect(clippy::cast_sign_loss, reason = "register numbers are small and not negative")]
    pub fn from_signal(registers: &[libc::greg_t; 23]) -> Self {
        const ORDER: [libc::c_int; 16] = [
            libc::REG_RAX,
            libc::REG_RCX,
            libc::REG_RDX,
            libc::REG_RBX,
            libc::REG_RSP,
            libc::REG_RBP,
            libc::REG_RSI,
            libc::REG_RDI,
            libc::REG_R8,
            libc::REG_R9,
            libc::REG_R10,
            libc::REG_R11,
            libc::REG_R12,
            libc::REG_R13,
            libc::REG_R14,
            libc::REG_R15,
        ];
        let value = |register: libc::c_int| registers[register as usize].cast_unsigned();
        Self { rip: value(libc::REG_RIP), rsp: value(libc::REG_RSP), general: ORDER.map(value) }
    }

    /// Steps over a call through a wild pointer: the return address is on top of the stack.
    pub(crate) fn pop_return_address(&mut self, on_stack: impl Fn(u64) -> bool) {
        self.rip = pop(&mut self.rsp, &on_stack);
    }
}

/// The unwind data of an image, copied out of it.
pub struct UnwindTable {
    functions: Vec<Function>,
}

struct Function {
    code: Range<u32>,
    prolog: u8,
    /// Frame register and its offset from rsp.
    frame: Option<(usize, u64)>,
    codes: Vec<Code>,
    /// The function that this fragment continues.
    chained: Option<u32>,
}

#[derive(Clone, Copy)]
struct Code {
    /// End of the prolog instruction that did it.
    at: u8,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Push(usize),
    Allocate(u64),
    SetFrame,
    Save(usize, u64),
    MachineFrame { error_code: bool },
    Other,
}

/// Fragments that continue each other: compilers need a few. Damaged data can go round for ever.
const LONGEST_CHAIN: usize = 32;

impl UnwindTable {
    /// Reads the table in `directory` of a mapped image. Rows are in the order of their code: one that is not, or that
    /// has no code, is damaged and passed over, so that zeros are not taken for millions of functions.
    #[must_use]
    pub fn read(image: &[u8], directory: Range<u32>) -> Self {
        const ROW: usize = 12;
        let mut functions: Vec<Function> = Vec::new();
        for row in directory.step_by(ROW) {
            let Some(function) = Function::read(image, row) else { continue };
            let last = functions.last().map_or(0, |function| function.code.end);
            if !function.code.is_empty() && function.code.start >= last {
                functions.push(function);
            }
        }
        Self { functions }
    }

    /// Steps to the caller; false when that is not on the driver's stack any more. `on_stack` says so of an address, and
    /// may do so only where a word can be read.
    pub fn step(&self, base: u64, registers: &mut Registers, on_stack: impl Fn(u64) -> bool) -> bool {
        let Ok(offset) = u32::try_from(registers.rip.wrapping_sub(base)) else { return false };
        if let Some(function) = self.find(offset) {
            self.undo_chain(function, offset - function.code.start, registers, &on_stack);
        } // else a leaf: nothing but the return address is on the stack
        if !on_stack(registers.rsp) {
            return false;
        }
        registers.rip = pop(&mut registers.rsp, &on_stack);
        true
    }

    fn find(&self, offset: u32) -> Option<&Function> {
        // The rows are in the order of their code.
        let next = self.functions.partition_point(|function| function.code.start <= offset);
        let function = self.functions.get(next.checked_sub(1)?)?;
        function.code.contains(&offset).then_some(function)
    }

    /// Undoes what a function has done so far, `progress` bytes into it, then what those that it continues have done.
    fn undo_chain(
        &self,
        function: &Function,
        progress: u32,
        registers: &mut Registers,
        on_stack: &impl Fn(u64) -> bool,
    ) {
        function.undo(Some(progress), registers, on_stack);
        let continued = |function: &&Function| function.chained.and_then(|start| self.find(start));
        for function in iter::successors(Some(function), continued).skip(1).take(LONGEST_CHAIN) {
            function.undo(None, registers, on_stack);
        }
    }
}

impl Function {
    /// Undoes the codes that lie before `progress` (`None`: all).
    fn undo(&self, progress: Option<u32>, registers: &mut Registers, on_stack: &impl Fn(u64) -> bool) {
        for code in &self.codes {
            if progress.is_some_and(|progress| progress < u32::from(self.prolog) && u32::from(code.at) > progress) {
                continue;
            }
            match code.what {
                What::Push(register) => {
                    registers.general[register] = pop(&mut registers.rsp, on_stack);
                }
                What::Allocate(size) => registers.rsp = registers.rsp.wrapping_add(size),
                What::SetFrame => {
                    if let Some((register, offset)) = self.frame {
                        registers.rsp = registers.general[register].wrapping_sub(offset);
                    }
                }
                What::Save(register, offset) => {
                    registers.general[register] = stack_word(registers.rsp.wrapping_add(offset), on_stack);
                }
                What::MachineFrame { error_code } => {
                    let at = registers.rsp.wrapping_add(if error_code { 32 } else { 24 });
                    registers.rsp = stack_word(at, on_stack);
                }
                What::Other => {}
            }
        }
    }

    fn read(image: &[u8], row: u32) -> Option<Self> {
        const CHAINED: u8 = 4;
        let code = word(image, row)?..word(image, row + 4)?;
        let info = word(image, row + 8)? as usize;
        let header = image.get(info..info + 4)?;
        let flags = header[0] >> 3;
        let count = usize::from(header[2]);
        let slots = image.get(info + 4..info + 4 + 2 * count)?;
        let slots: Vec<u16> = slots.chunks_exact(2).map(|slot| u16::from_le_bytes([slot[0], slot[1]])).collect();
        let frame_register = usize::from(header[3] & 0xF);
        let frame = (frame_register != 0).then(|| (frame_register, u64::from(header[3] >> 4) * 16));
        let chained = if flags & CHAINED != 0 {
            // The row of the continued function follows the codes, which are padded to an even number.
            Some(word(image, u32::try_from(info + 4 + 2 * count.next_multiple_of(2)).ok()?)?)
        } else {
            None
        };
        Some(Self { code, prolog: header[1], frame, codes: decode(&slots), chained })
    }
}

/// The word on top of the driver's stack, which it leaves.
fn pop(rsp: &mut u64, on_stack: &impl Fn(u64) -> bool) -> u64 {
    let word = stack_word(*rsp, on_stack);
    *rsp = rsp.wrapping_add(8);
    word
}

/// A word of the driver's stack; 0 where `address` is not on it. Read directly: a system call for each word
/// would make stacks too dear to be taken at every call.
fn stack_word(address: u64, on_stack: &impl Fn(u64) -> bool) -> u64 {
    if !on_stack(address) {
        return 0;
    }
    // SAFETY: on the calling thread's own driver stack, with the block that GS points at behind its last word.
    unsafe { (address as *const u64).read_unaligned() }
}

fn decode(slots: &[u16]) -> Vec<Code> {
    let mut codes = Vec::new();
    let mut at = 0;
    let slot = |index: usize| slots.get(index).copied().unwrap_or(0);
    while at < slots.len() {
        let [offset, operation] = slot(at).to_le_bytes();
        let info = usize::from(operation >> 4);
        let wide = u64::from(slot(at + 1)) | u64::from(slot(at + 2)) << 16;
        let narrow = u64::from(slot(at + 1));
        let (what, used) = match operation & 0xF {
            0 => (What::Push(info), 1),
            1 if info == 0 => (What::Allocate(narrow * 8), 2),
            1 => (What::Allocate(wide), 3),
            2 => (What::Allocate(info as u64 * 8 + 8), 1),
            3 => (What::SetFrame, 1),
            4 => (What::Save(info, narrow * 8), 2),
            5 => (What::Save(info, wide), 3),
            6 | 8 => (What::Other, 2), // epilog description, xmm save
            9 => (What::Other, 3),     // far xmm save
            10 => (What::MachineFrame { error_code: info == 1 }, 1),
            _ => (What::Other, 1),
        };
        codes.push(Code { at: offset, what });
        at += used;
    }
    codes
}

fn word(image: &[u8], at: u32) -> Option<u32> {
    let at = at as usize;
    Some(u32::from_le_bytes(image.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
