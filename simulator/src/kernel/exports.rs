//! The exports that drivers may import, and the rules that hold for all of them.
//!
//! Each family of exports is a file with a table `EXPORTS`; the rows come together here. What every call has in common
//! (the IRQL limit, fault injection, counting, the hook) is done once, in [`Call::serve`].

use std::{collections::HashMap, sync::OnceLock};

use super::{
    call_stack::CallStack,
    cpu::Cpu,
    debug_print, error_log,
    irql::Irql,
    memory::{self, BadPointer},
    memory_functions, not_modelled, pool, pool_with_tag, processes, queued_spin_lock, raise_lower, rundown, system,
    thunk, time,
};
use crate::{interleave, kmdf, machine::Machine, ndis, referee::guard, wfp};

/// Bug check: pageable memory or a PASSIVE-only routine at raised IRQL.
const IRQL_NOT_LESS_OR_EQUAL: u32 = 0xA;
/// Bug check: the driver handed over an address that cannot be accessed.
const PAGE_FAULT_IN_NONPAGED_AREA: u32 = 0x50;

/// One export.
#[derive(Debug)]
pub struct Export {
    /// The module it is imported from (`ntoskrnl.exe`), or [`WDF`] for a slot of the KMDF function table.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The highest IRQL at which it may be called.
    pub max_irql: Irql,
    /// How it fails when a test wants it to.
    pub fails: Fails,
    /// What it does.
    pub run: fn(&Call<'_>) -> u64,
}

/// The module name of the KMDF functions: reached through the bound table, not imported.
pub const WDF: &str = "WDF";

/// How an export reports failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// It cannot fail.
    Never,
    /// By returning NULL.
    Null,
    /// By returning FALSE.
    False,
    /// By an NTSTATUS; these are the documented ones, the likeliest first.
    Status(&'static [u32]),
}

impl Fails {
    /// What the driver sees when the call fails, with `status` where there is a choice.
    fn value(self, status: Option<u32>) -> u64 {
        match self {
            Self::Status(documented) => {
                let status = status.or(documented.first().copied());
                u64::from(status.expect("an export that fails by status lists one"))
            }
            Self::Null | Self::False | Self::Never => 0,
        }
    }
}

/// The tables of all families.
const FAMILIES: &[&[Export]] = &[
    debug_print::EXPORTS,
    error_log::EXPORTS,
    kmdf::bind::EXPORTS,
    kmdf::control_device::EXPORTS,
    kmdf::device::EXPORTS,
    kmdf::driver::EXPORTS,
    kmdf::object_context::EXPORTS,
    kmdf::queue::EXPORTS,
    kmdf::registry::EXPORTS,
    kmdf::request::EXPORTS,
    kmdf::request_memory::EXPORTS,
    kmdf::work_item::EXPORTS,
    memory_functions::EXPORTS,
    ndis::EXPORTS,
    not_modelled::EXPORTS,
    pool::EXPORTS,
    pool_with_tag::EXPORTS,
    processes::EXPORTS,
    queued_spin_lock::EXPORTS,
    raise_lower::EXPORTS,
    rundown::EXPORTS,
    system::EXPORTS,
    time::EXPORTS,
    wfp::context::EXPORTS,
    wfp::deletion::EXPORTS,
    wfp::injection::EXPORTS,
    wfp::management::EXPORTS,
    wfp::runtime::EXPORTS,
];

/// KMDF table slots: functions of KMDF 1.33 (1.31 has the same).
pub const WDF_FUNCTIONS: usize = 458;

fn rows() -> impl Iterator<Item = &'static Export> {
    FAMILIES.iter().copied().flatten()
}

fn row_count() -> usize {
    rows().count()
}

/// One stub for each row, then one for each KMDF slot that has no row.
pub(super) fn stub_count() -> usize {
    row_count() + WDF_FUNCTIONS
}

/// The row numbered `index`; only a name where the simulator has no such function.
pub(super) fn numbered(index: usize) -> (&'static str, Option<&'static Export>) {
    static ROWS: OnceLock<Vec<&'static Export>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| rows().collect());
    match rows.get(index) {
        Some(export) => (export.name, Some(export)),
        None => (kmdf::table::name(index - row_count()).unwrap_or("a KMDF function"), None),
    }
}

/// The number of an export, by module (in any case) and name.
#[must_use]
pub fn number(module: &str, name: &str) -> Option<usize> {
    static NUMBERS: OnceLock<HashMap<(String, &'static str), usize>> = OnceLock::new();
    let numbers = NUMBERS.get_or_init(|| {
        rows().enumerate().map(|(number, row)| ((row.module.to_ascii_lowercase(), row.name), number)).collect()
    });
    numbers.get(&(module.to_ascii_lowercase(), name)).copied()
}

/// The address that a driver's import of `name` from `module` is bound to.
#[must_use]
pub fn address(module: &str, name: &str) -> Option<u64> {
    if module.eq_ignore_ascii_case("ntoskrnl.exe") {
        let native = match name {
            "__chkstk" => Some(thunk::stack_probe as *const () as u64),
            _ => memory_functions::native_address(name),
        };
        if native.is_some() {
            return native;
        }
    }
    number(module, name).map(thunk::stub)
}

/// The address in slot `slot` of the KMDF table when the simulator has no function for it.
#[must_use]
pub fn missing_wdf_address(slot: usize) -> u64 {
    thunk::stub(row_count() + slot)
}

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
        numbered(self.number).0
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
        if irql > export.max_irql {
            self.bug_check(
                IRQL_NOT_LESS_OR_EQUAL,
                [self.caller(), u64::from(irql.0), 8, self.caller()],
                format!("{} was called at {irql}; it is allowed up to {}", export.name, export.max_irql),
            );
        }
        interleave::import_begins(self);
        self.machine.import_hook(self);
        let stack = || if export.fails == Fails::Never { None } else { self.stack() };
        let value = match self.machine.faults().strikes(self.number, stack) {
            Some(strike) => export.fails.value(strike.status),
            None => (export.run)(self),
        };
        interleave::import_ends(self);
        value
    }
}

/// All exports, for sweeps over everything that can fail.
pub fn all() -> impl Iterator<Item = &'static Export> {
    rows()
}

/// The export of this name, in whatever module.
#[must_use]
pub fn named(name: &str) -> Option<&'static Export> {
    rows().find(|export| export.name == name)
}

/// How many exports there are.
pub(super) fn count() -> usize {
    row_count()
}
