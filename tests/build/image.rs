//! What Windows and flowtag's users may rely on in flowtag.sys, read from the file that `cargo xtask build` made.

mod checksum;
mod functions;
mod hardening;
mod imports;
mod unwind;

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    path::PathBuf,
};

use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
        IMAGE_DLLCHARACTERISTICS_NX_COMPAT, IMAGE_FILE_MACHINE_AMD64, IMAGE_SUBSYSTEM_NATIVE, ImageNtHeaders64,
        ImageOptionalHeader64,
    },
    read::pe::{ImageThunkData, PeFile64},
};
use pdb_addr2line::{ContextPdbData, pdb::PDB};

/// A driver of this size loads and verifies at once.
const MOST_BYTES: usize = 64 * 1024;

/// Windows gives a kernel thread 24 KiB of stack, and WFP may call from deep in it.
const MOST_FRAME_BYTES: u32 = 1024;

#[test]
fn the_image_is_a_native_one_for_x64() {
    let bytes = image();
    let image = parse(&bytes);
    assert_eq!(image.nt_headers().file_header.machine.get(LE), IMAGE_FILE_MACHINE_AMD64);
    assert_eq!(header(&image).subsystem.get(LE), IMAGE_SUBSYSTEM_NATIVE);
}

#[test]
fn the_image_allows_the_mitigations_that_windows_offers() {
    let bytes = image();
    let image = parse(&bytes);
    let flags = header(&image).dll_characteristics.get(LE);
    for flag in [
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE,
        IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
        IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
    ] {
        assert_eq!(flags & flag, flag, "DllCharacteristics {flags:#x} lack {flag:#x}");
    }
}

#[test]
fn the_entry_point_is_fx_driver_entry() {
    let bytes = image();
    let entry = header(&parse(&bytes)).address_of_entry_point.get(LE);
    let pdb = File::open(path().with_extension("pdb")).expect("flowtag.pdb lies beside flowtag.sys");
    let symbols = ContextPdbData::try_from_pdb(PDB::open(pdb).expect("flowtag.pdb is a PDB")).expect("symbols");
    let symbols = symbols.make_context().expect("symbols");
    let function = symbols.find_function(entry).expect("symbols").expect("the entry point lies in a function");
    let name = function.name.expect("a function has a name");
    // With debug information, its parameters follow.
    assert_eq!(name.split('(').next(), Some("FxDriverEntry"), "{name}");
    assert_eq!(function.start_rva, entry);
}

#[test]
fn the_checksum_is_right() {
    let bytes = image();
    let stored = header(&parse(&bytes)).check_sum.get(LE);
    assert_eq!(stored, checksum::of(&bytes));
}

#[test]
fn the_image_imports_only_from_the_kernel_kmdf_and_wfp() {
    let modules: BTreeSet<_> = imports::of(&image()).into_iter().map(|(module, _)| module).collect();
    let known = ["ntoskrnl.exe", "WDFLDR.SYS", "fwpkclnt.sys"].map(str::to_owned);
    assert!(modules.iter().all(|module| known.contains(module)), "{modules:?}");
}

/// Of these the driver makes use; what `FxDriverEntry` and the compiler need is among them.
const OF_THE_KERNEL: [&str; 33] = [
    "DbgPrintEx",
    "DbgQueryDebugFilterState",
    "EtwRegister",
    "EtwSetInformation",
    "EtwUnregister",
    "EtwWriteTransfer",
    "ExAcquireRundownProtection",
    "ExAllocatePool2",
    "ExFreePool",
    "ExFreePoolWithTag",
    "ExInitializeRundownProtection",
    "ExReleaseRundownProtection",
    "ExWaitForRundownProtectionRelease",
    "KeDelayExecutionThread",
    "KeLowerIrql",
    "KeQueryUnbiasedInterruptTime",
    "KfRaiseIrql",
    "ObOpenObjectByPointer",
    "ObfDereferenceObject",
    "PsGetProcessCreateTimeQuadPart",
    "PsGetProcessExitStatus",
    "PsGetProcessStartKey",
    "PsLookupProcessByProcessId",
    "PsSetCreateProcessNotifyRoutineEx2",
    "RtlCopyUnicodeString",
    "RtlDowncaseUnicodeString",
    "SeLocateProcessImageName",
    "ZwClose",
    "ZwQueryInformationProcess",
    "ZwQuerySystemInformation",
    "memcmp",
    "memcpy",
    "memset",
];

#[test]
fn the_image_imports_these_functions_of_the_kernel_and_no_others() {
    let imports = imports::of(&image()).into_iter().filter(|(module, _)| module == "ntoskrnl.exe");
    let imports: BTreeSet<_> = imports.map(|(_, name)| name).collect();
    assert_eq!(imports, OF_THE_KERNEL.map(str::to_owned).into());
}

/// Where the loader puts the address of an import, relative to the image.
fn slot_of(image: &PeFile64, import: &str) -> u32 {
    let table = image.import_table().expect("a readable import table").expect("an import table");
    let mut modules = table.descriptors().expect("modules");
    while let Some(module) = modules.next().expect("a module") {
        let mut names = table.thunks(module.original_first_thunk.get(LE)).expect("names");
        let mut slot = module.first_thunk.get(LE);
        while let Some(name) = names.next::<ImageNtHeaders64>().expect("a name") {
            if table.hint_name(name.address()).expect("a name").1 == import.as_bytes() {
                return slot;
            }
            slot += 8;
        }
    }
    panic!("the image does not import {import}")
}

/// How often an import is called, and how often it is jumped to: instructions `ff 15` and `ff 25` with the distance to its slot.
fn calls_and_jumps(image: &PeFile64, import: &str) -> (usize, usize) {
    let slot = slot_of(image, import);
    let mut found = (0, 0);
    for section in image.section_table().iter() {
        let start = section.virtual_address.get(LE);
        let bytes = section.pe_data(image.data()).expect("a section lies in the file");
        for (end, instruction) in (start + 6..).zip(bytes.windows(6)) {
            let distance = i32::from_le_bytes(instruction[2..].try_into().expect("four bytes"));
            let leads_there = end.checked_add_signed(distance) == Some(slot);
            match instruction[..2] {
                [0xff, 0x15] if leads_there => found.0 += 1,
                [0xff, 0x25] if leads_there => found.1 += 1,
                _ => {}
            }
        }
    }
    found
}

#[test]
fn etw_unregister_returns_to_the_function_that_calls_it() {
    // Driver Verifier takes a driver that is not at the return address for one that has not called it (0xC4, 0xDD).
    let bytes = image();
    assert_eq!(calls_and_jumps(&parse(&bytes), "EtwUnregister"), (1, 0));
}

#[test]
fn the_image_cannot_panic() {
    // The panic handler calls KeBugCheckEx. The linker drops both where no code is left that can panic.
    let panics: Vec<_> = imports::of(&image()).into_iter().filter(|(_, name)| name == "KeBugCheckEx").collect();
    assert_eq!(panics, []);
}

#[test]
fn no_function_of_the_image_belongs_to_the_panic_machinery() {
    let names = functions::of(&path().with_extension("pdb"));
    assert!(names.iter().any(|name| name == "FxDriverEntry"), "the PDB names no functions: {names:?}");
    let machinery = ["panicking", "rust_begin_unwind", "KeBugCheckEx"];
    let found: Vec<_> = names.into_iter().filter(|name| machinery.iter().any(|part| name.contains(part))).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_image_is_small() {
    assert!(image().len() < MOST_BYTES, "{} bytes", image().len());
}

#[test]
fn no_function_has_a_large_frame() {
    let bytes = image();
    let frames = unwind::frames(&parse(&bytes));
    assert!(!frames.is_empty(), "no unwind data");
    for (function, size) in frames {
        assert!(size <= MOST_FRAME_BYTES, "the function at {function:#x} has a frame of {size} bytes");
    }
}

fn path() -> PathBuf {
    env::var_os("FLOWTAG_SYS").expect("FLOWTAG_SYS names flowtag.sys: run the tests by `cargo xtask test`").into()
}

fn image() -> Vec<u8> {
    fs::read(path()).unwrap_or_else(|error| panic!("{}: {error}", path().display()))
}

fn parse(bytes: &[u8]) -> PeFile64<'_> {
    PeFile64::parse(bytes).expect("flowtag.sys is a 64-bit PE image")
}

fn header<'a>(image: &PeFile64<'a>) -> &'a ImageOptionalHeader64 {
    let headers: &'a ImageNtHeaders64 = image.nt_headers();
    &headers.optional_header
}
