//! Binding a driver to the framework: `WdfVersionBind` and `WdfVersionUnbind` of WDFLDR.SYS.

use super::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, WDF, inputs, life,
    objects::Client,
    verifier::{self, Verifier},
};
use crate::{
    computer::{Call, Export, Fails, Irql, lent_memory::LentMemory, memory},
    kernel::unicode_string::UnicodeString,
};

/// The major version of every framework so far.
const MAJOR: u32 = 1;
/// Drivers with more functions than KMDF 1.13 has keep a pointer to the framework's table; older ones a copy of it.
const COPIED_UP_TO: usize = 438;
/// The functions that each version has, by its minor number: a driver that claims a count of no version is refused.
#[rustfmt::skip]
const FUNCTION_COUNTS: &[(u32, u32)] = &[
    (0, 383), (1, 386), (5, 387), (7, 387), (9, 396), (11, 432), (13, 438), (15, 444), (17, 444),
    (19, 446), (21, 448), (23, 451), (25, 453), (27, 453), (29, 454), (31, 458), (33, 458),
];

const STATUS_REVISION_MISMATCH: u64 = 0xC000_0059;

/// `WDF_DRIVER_GLOBALS`: its size, and where its fields are.
const GLOBALS: usize = 56;
pub(super) const GLOBALS_DRIVER: u64 = 0;
pub(super) const GLOBALS_FLAGS: u64 = 8;
pub(super) const GLOBALS_TAG: u64 = 12;
pub(super) const GLOBALS_NAME: u64 = 16;
pub(super) const GLOBALS_DISPLACE_UNLOAD: u64 = 48;

/// The exports of the loader.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "WDFLDR.SYS",
        name: "WdfVersionBind",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[STATUS_INVALID_PARAMETER as u32]),
        run: bind,
        inputs: inputs::BIND,
    },
    Export {
        module: "WDFLDR.SYS",
        name: "WdfVersionUnbind",
        max_irql: Irql::PASSIVE,
        fails: Fails::Never,
        run: unbind,
        inputs: inputs::UNBIND,
    },
];

/// `WDF_BIND_INFO`; the longer form of newer stubs begins with the same fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct BindInfo {
    size: u32,
    padding: u32,
    component: u64,
    major: u32,
    minor: u32,
    build: u32,
    function_count: u32,
    function_table: u64,
    module: u64,
}

/// Size of the longer form, `WDF_BIND_INFO2`.
const BIND_INFO_2: usize = 88;

/// The loader's own checks, and KMDF's fxlibrarycommon.cpp, `FxLibraryCommonRegisterClient`, which answers
/// `STATUS_INVALID_PARAMETER` for all that it does not like, no memory included.
fn bind(call: &Call<'_>) -> u64 {
    let status = bind_or_refuse(call);
    if status != STATUS_SUCCESS {
        call.machine.kmdf().with(|state| state.refusals += 1);
    }
    status
}

fn bind_or_refuse(call: &Call<'_>) -> u64 {
    let (driver_object, registry_path, info_at, globals_at) = (call.arg(0), call.arg(1), call.arg(2), call.arg(3));
    let info: BindInfo = call.read(info_at);
    if ![size_of::<BindInfo>(), BIND_INFO_2].contains(&(info.size as usize)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    let component = call.accessible(memory::read_utf16(info.component, 64));
    if component != "KmdfLibrary" {
        return STATUS_INVALID_PARAMETER;
    }
    // Guess: the loader's own checks are not published.
    if info.major != MAJOR {
        return STATUS_REVISION_MISMATCH;
    }
    // Win32 error 87 is what users report of a driver that is newer than the framework (microsoft/windows-drivers-rs, issue
    // 286; microsoft/Windows-driver-samples, issue 613); the longer structure may allow it.
    let is_newer = info.minor > call.machine.kmdf().minor();
    if is_newer && info.size as usize == BIND_INFO_2 {
        call.not_modelled("drivers that are newer than the framework and made to run on it");
    }
    // The count is looked at by itself, not beside the version.
    let is_known = FUNCTION_COUNTS.iter().any(|&(_, count)| count == info.function_count);
    if is_newer || info.function_table == 0 || !is_known {
        return STATUS_INVALID_PARAMETER;
    }
    let table = call.machine.imports().function_table(WDF);
    match info.function_count as usize {
        count @ ..=COPIED_UP_TO => {
            call.accessible(memory::write_bytes(info.function_table, bytemuck::cast_slice(&table[..count])));
        }
        _ => call.write(info.function_table, table.as_ptr() as u64),
    }
    let globals = LentMemory::zeroed(GLOBALS);
    call.write(globals_at, globals.address());
    let registry_path = UnicodeString::text(call, registry_path);
    let version = [info.major, info.minor];
    let client = Client { globals, driver_object, registry_path, version, driver: None, verifier: Verifier::default() };
    call.machine.kmdf().with(|state| state.client = Some(client));
    STATUS_SUCCESS
}

/// Unbinds. When `DriverEntry` failed after `WdfDriverCreate`, the framework deletes what there is here, without
/// `EvtDriverUnload`: KMDF's fxlibrarycommon.cpp, `FxLibraryCommonUnregisterClient`. Of a `WDFDEVICE_INIT` that is left only its
/// verifier speaks (wdfpool.cpp, `FxPoolDump`).
fn unbind(call: &Call<'_>) -> u64 {
    life::delete_all(call.cpu);
    let kmdf = call.machine.kmdf();
    let left = kmdf.with(|state| std::mem::take(&mut state.inits));
    if let Some(init) = left.values().next() {
        let text = format!("the WDFDEVICE_INIT that {:#x} allocated was neither used nor freed", init.allocated_by);
        verifier::complain(call.cpu, text);
    }
    kmdf.with(|state| state.client = None);
    STATUS_SUCCESS
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_accepted_function_counts_are_those_of_the_facts() {
        let facts = facts::json();
        let accepted = facts["wdf_bind"]["accepted_func_counts"].as_object().expect("accepted_func_counts");
        assert_eq!(accepted.len(), FUNCTION_COUNTS.len());
        for (minor, count) in FUNCTION_COUNTS {
            assert_eq!(accepted[&format!("1.{minor}")], *count, "1.{minor}");
        }
    }

    #[test]
    fn the_layout_of_the_bind_info_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_BIND_INFO", field);
        assert_eq!(facts::size(&facts, "WDF_BIND_INFO"), size_of::<BindInfo>());
        assert_eq!(facts::size(&facts, "WDF_BIND_INFO2"), BIND_INFO_2);
        assert_eq!(offset("Component"), offset_of!(BindInfo, component));
        assert_eq!(offset("Version"), offset_of!(BindInfo, major));
        assert_eq!(offset("FuncCount"), offset_of!(BindInfo, function_count));
        assert_eq!(offset("FuncTable"), offset_of!(BindInfo, function_table));
    }

    #[test]
    fn the_layout_of_the_globals_is_that_of_the_facts() {
        let facts = facts::json();
        assert_eq!(facts::size(&facts, "WDF_DRIVER_GLOBALS"), GLOBALS);
        for (field, place) in [
            ("Driver", GLOBALS_DRIVER),
            ("DriverFlags", GLOBALS_FLAGS),
            ("DriverTag", GLOBALS_TAG),
            ("DriverName", GLOBALS_NAME),
            ("DisplaceDriverUnload", GLOBALS_DISPLACE_UNLOAD),
        ] {
            assert_eq!(facts::offset(&facts, "WDF_DRIVER_GLOBALS", field) as u64, place, "{field}");
        }
    }
}
