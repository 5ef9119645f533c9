//! A call of an import: its arguments, and what every call has in common, whatever it calls.
//!
//! The IRQL limit, fault injection, counting, the hook and the points of the interleavings are done once, in
//! [`Call::serve`].

use super::{
    Cpu, Export, Fails, Machine,
    call_stack::CallStack,
    guard, input,
    memory::{self, BadPointer},
    stop,
};
use crate::interleave::{self, Touches};

/// Bug check: pageable memory or a PASSIVE-only routine at raised IRQL.
const IRQL_NOT_LESS_OR_EQUAL: u32 = 0xA;
/// Bug check: the driver handed over an address that cannot be accessed.
const PAGE_FAULT_IN_NONPAGED_AREA: u32 = 0x50;

/// A call of an import, while it is being served.
pub struct Call<'a> {
    /// The calling CPU.
    pub cpu: &'a Cpu,
    /// Its machine.
    pub machine: &'a Machine,
    number: usize,
    arguments: *const u64,
}

impl<'a> Call<'a> {
    pub(super) fn new(cpu: &'a Cpu, number: usize, arguments: *const u64) -> Self {
        Self { cpu, machine: cpu.machine(), number, arguments }
    }

    /// The return address, in the driver.
    #[must_use]
    pub fn caller(&self) -> u64 {
        let place = self.arguments.wrapping_sub(1);
        // SAFETY: the thunk found the return address there.
        unsafe { place.read() }
    }

    /// The export's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.machine.imports().numbered(self.number).0
    }

    /// Whether the order of the calls of this import decides which of them fails.
    pub(crate) fn may_be_made_to_fail(&self) -> bool {
        self.machine.faults().counts(self.number)
    }

    /// Argument `n` as it was passed: for a narrower type the upper bits may be anything.
    #[must_use]
    pub fn arg(&self, n: usize) -> u64 {
        let place = self.arguments.wrapping_add(n);
        // SAFETY: the first four were spilled by the thunk, the others lie on the caller's stack above them; reading
        // beyond the true number of arguments stays within the driver's stack or the block behind it.
        unsafe { place.read() }
    }

    /// Argument `n` as a 32-bit value.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a ULONG leaves the upper half of its register undefined")]
    pub fn arg_u32(&self, n: usize) -> u32 {
        self.arg(n) as u32
    }

    /// Argument `n` as a 16-bit value.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a UINT16 leaves the rest of its register undefined")]
    pub fn arg_u16(&self, n: usize) -> u16 {
        self.arg(n) as u16
    }

    /// Argument `n` as an 8-bit value.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a UCHAR leaves the rest of its register undefined")]
    pub fn arg_u8(&self, n: usize) -> u8 {
        self.arg(n) as u8
    }

    /// Raises a bug check.
    pub fn bug_check(&self, code: u32, parameters: [u64; 4], reason: impl Into<String>) -> ! {
        self.cpu.bug_check(code, parameters, reason)
    }

    /// Stops the machine because the simulator lacks something: the driver has done nothing wrong.
    pub fn not_modelled(&self, what: &str) -> ! {
        stop::not_modelled(self.cpu, what)
    }

    /// The value of an access to memory that the driver pointed at; a bad pointer is a bug check.
    pub fn accessible<T>(&self, access: Result<T, BadPointer>) -> T {
        access.unwrap_or_else(|BadPointer(address)| {
            let known = self.machine.explain_address(address);
            let (code, text) = known.map_or_else(
                || (PAGE_FAULT_IN_NONPAGED_AREA, "it is not accessible".to_owned()),
                |finding| (finding.code, finding.text),
            );
            let text = format!("{} was given {address:#x}: {text}", self.name());
            self.bug_check(code, [address, 0, self.caller(), 0], text)
        })
    }

    /// Reads a value that the driver points at.
    #[must_use]
    pub fn read<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(&self, address: u64) -> T {
        self.accessible(memory::read(address))
    }

    /// Writes a value where the driver points.
    pub fn write<T: bytemuck::NoUninit>(&self, address: u64, value: T) {
        self.accessible(memory::write(address, value));
    }

    /// A function that the driver hands over to be called, or 0. Every one has to pass here: control flow guard may forbid it.
    pub(crate) fn callback(&self, function: u64, role: &str) -> u64 {
        guard::check(self.cpu, function, self.name(), role);
        function
    }

    /// Where in the driver this call comes from.
    #[must_use]
    pub fn stack(&self) -> Option<CallStack> {
        let image = self.machine.image()?;
        let serving = *self.cpu.serving.borrow().last()?;
        Some(CallStack::of(self.cpu, &image, serving))
    }

    pub(super) fn serve(&self, export: &'static Export) -> u64 {
        let irql = self.cpu.irql();
        if irql > export.max_irql && !self.machine.checks_irql_itself(self, self.number) {
            self.bug_check(
                IRQL_NOT_LESS_OR_EQUAL,
                [self.caller(), u64::from(irql.0), 8, self.caller()],
                format!("{} was called at {irql}; it is allowed up to {}", export.name, export.max_irql),
            );
        }
        let touches = if interleave::is_seated() { self.machine.touches(self, self.number) } else { None };
        interleave::point(export.name, touches.unwrap_or(Touches::DRIVER_CODE));
        self.machine.import_hook(self);
        input::check(self, export);
        let stack = || if export.fails == Fails::Never { None } else { self.stack() };
        let value = match self.machine.faults().strikes(self.number, stack) {
            Some(strike) => {
                self.machine.refuses(self, self.number);
                export.fails.value(strike.status)
            }
            None => (export.run)(self),
        };
        if touches.is_some() {
            // What it did to others comes before what its caller does next.
            interleave::point("…", Touches::DRIVER_CODE);
        }
        value
    }
}
