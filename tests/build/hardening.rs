//! What a driver of today is held to, in the image for either processor.
//!
//! *HVCI* is "Implement HVCI compatible code" in the Windows driver security guide: what memory integrity asks of a driver.
//! *BA…* are rules of Microsoft's `BinSkim`.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use flowtag_simulator::image::guard::GuardTable;
use object::{
    LittleEndian as LE, U32, U64,
    pe::{
        IMAGE_DEBUG_TYPE_EX_DLLCHARACTERISTICS, IMAGE_DIRECTORY_ENTRY_DEBUG, IMAGE_DIRECTORY_ENTRY_IAT,
        IMAGE_DIRECTORY_ENTRY_IMPORT, IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG, IMAGE_FILE_MACHINE_AMD64,
        IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT, IMAGE_GUARD_CF_INSTRUMENTED, IMAGE_REL_BASED_ABSOLUTE,
        IMAGE_REL_BASED_DIR64, IMAGE_SCN_MEM_DISCARDABLE, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE,
        ImageDebugDirectory, ImageLoadConfigDirectory64, ImageSectionHeader, SectionFlags,
    },
    pod,
    read::pe::PeFile64,
};

use crate::{functions, header, parse};

const PAGE: u32 = 0x1000;
/// `IMAGE_DLLCHARACTERISTICS_EX_CET_COMPAT`.
const CET_COMPAT: u32 = 1;
/// A relocated pointer.
const POINTER: u32 = 8;

/// HVCI.
#[test]
fn no_section_is_both_writable_and_executable() {
    for_each_image(|image| {
        for section in image.section_table().iter() {
            assert!(!has(section, IMAGE_SCN_MEM_WRITE) || !has(section, IMAGE_SCN_MEM_EXECUTE), "{}", name(section));
        }
    });
}

/// HVCI.
#[test]
fn sections_begin_at_pages_of_their_own() {
    for_each_image(|image| {
        assert_eq!(header(image).section_alignment.get(LE) % PAGE, 0);
        for section in image.section_table().iter() {
            assert_eq!(section.virtual_address.get(LE) % PAGE, 0, "{}", name(section));
        }
    });
}

/// HVCI: Windows writes the addresses of imports where they cannot be executed.
#[test]
fn imports_lie_in_no_executable_section() {
    for_each_image(|image| {
        for directory in [IMAGE_DIRECTORY_ENTRY_IMPORT, IMAGE_DIRECTORY_ENTRY_IAT] {
            let section = section_at(image, directory_at(image, directory)).expect("imports lie in a section");
            assert!(!has(section, IMAGE_SCN_MEM_EXECUTE), "{}", name(section));
        }
    });
}

/// HVCI, for Windows 10 1507 to 1607: a pointer on two pages cannot be relocated.
#[test]
fn no_relocation_crosses_a_page() {
    for_each_image(|image| {
        let relocations = relocations(image);
        assert!(!relocations.is_empty());
        for address in relocations {
            assert!(address % PAGE <= PAGE - POINTER, "the relocation at {address:#x}");
        }
    });
}

/// Windows frees what is discardable after the start, and gives the pages to others. HVCI leaves it open; nothing here
/// needs it.
#[test]
fn no_code_is_discardable() {
    for_each_image(|image| {
        for section in image.section_table().iter() {
            assert!(
                !has(section, IMAGE_SCN_MEM_EXECUTE) || !has(section, IMAGE_SCN_MEM_DISCARDABLE),
                "{}",
                name(section)
            );
        }
    });
}

/// BA2008.
#[test]
fn the_image_is_built_with_control_flow_guard() {
    for_each_image(|image| {
        assert!(GuardTable::read(image).is_some_and(|table| !table.functions().is_empty()), "no guard table");
        let flags = load_configuration(image).guard_flags.get(LE).0;
        for flag in [IMAGE_GUARD_CF_INSTRUMENTED, IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT] {
            assert_eq!(flags & flag.0, flag.0, "GuardFlags {flags:#x}");
        }
        for pointer in guard_pointers(image) {
            let target = word_at(image, pointer);
            let section = section_at(image, target).expect("what allows a call lies in a section");
            assert!(has(section, IMAGE_SCN_MEM_EXECUTE), "{target:#x}");
        }
    });
}

/// Windows calls no other. (What the driver hands over as it runs, the simulator's referee holds against the table.)
#[test]
fn the_guard_table_lists_every_function_that_others_call() {
    let callbacks = [
        "FxDriverEntry",
        "UnloadThenUnbind",
        "unload",
        "authorize::classify",
        "transport::classify",
        "flow_delete",
        "notify",
    ];
    for (path, bytes) in images() {
        let image = parse(&bytes);
        let table = GuardTable::read(&image).expect("control flow guard");
        let listed = functions::at(&path.with_extension("pdb"), table.functions());
        for callback in callbacks {
            assert!(
                listed.iter().any(|name| name == callback || name.ends_with(&format!("::{callback}"))),
                "{}: {callback} is not among {listed:?}",
                path.display()
            );
        }
    }
}

/// A pointer to code that is in the image from the start is there to be called.
#[test]
fn the_guard_table_lists_every_function_that_the_image_points_at() {
    for_each_image(|image| {
        let table = GuardTable::read(image).expect("control flow guard");
        // What allows a call is no function.
        let exempt: BTreeSet<_> = guard_pointers(image).into_iter().collect();
        for address in relocations(image).into_iter().filter(|address| !exempt.contains(address)) {
            let target = word_at(image, address);
            let is_code = section_at(image, target).is_some_and(|section| has(section, IMAGE_SCN_MEM_EXECUTE));
            assert!(!is_code || table.lists(target), "{address:#x} points at {target:#x}");
        }
    });
}

/// BA2025, which looks at x64 images only.
#[test]
fn the_x64_image_may_run_on_shadow_stacks() {
    for_each_image(|image| {
        if image.nt_headers().file_header.machine.get(LE) != IMAGE_FILE_MACHINE_AMD64 {
            return;
        }
        let directory = image.data_directories().get(IMAGE_DIRECTORY_ENTRY_DEBUG).expect("debug information");
        let entries = directory.data(image.data(), &image.section_table()).expect("debug information");
        let entries = pod::slice_from_all_bytes::<ImageDebugDirectory>(entries).expect("whole entries");
        let entry = entries.iter().find(|entry| entry.typ.get(LE) == IMAGE_DEBUG_TYPE_EX_DLLCHARACTERISTICS);
        let entry = entry.expect("extended characteristics");
        let flags = dword_at(image, entry.address_of_raw_data.get(LE));
        assert_eq!(flags & CET_COMPAT, CET_COMPAT, "{flags:#x}");
    });
}

/// What the kit's own projects write (`/SUBSYSTEM:NATIVE,10.00 /OSVERSION:10.0`).
#[test]
fn the_image_is_for_windows_10_and_later() {
    for_each_image(|image| {
        let header = header(image);
        let system = (header.major_operating_system_version.get(LE), header.minor_operating_system_version.get(LE));
        let subsystem = (header.major_subsystem_version.get(LE), header.minor_subsystem_version.get(LE));
        assert_eq!((system, subsystem), ((10, 0), (10, 0)));
    });
}

/// Both images with their paths; each has its PDB beside it.
fn images() -> [(PathBuf, Vec<u8>); 2] {
    let package =
        env::var_os("FLOWTAG_PACKAGE_ARM64").expect("FLOWTAG_PACKAGE_ARM64: run the tests by `cargo xtask test`");
    let arm64 = PathBuf::from(package).join("flowtag.sys");
    [crate::path(), arm64].map(|path| {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, bytes)
    })
}

fn for_each_image(check: impl Fn(&PeFile64<'_>)) {
    for (path, bytes) in images() {
        println!("{}", path.display()); // shown where the check fails
        check(&parse(&bytes));
    }
}

fn has(section: &ImageSectionHeader, flag: SectionFlags) -> bool {
    section.characteristics.get(LE) & flag == flag
}

fn name(section: &ImageSectionHeader) -> String {
    String::from_utf8_lossy(&section.name).into_owned()
}

fn section_at<'a>(image: &PeFile64<'a>, address: u32) -> Option<&'a ImageSectionHeader> {
    image.section_table().iter().find(|section| {
        let start = section.virtual_address.get(LE);
        (start..start + section.virtual_size.get(LE)).contains(&address)
    })
}

fn directory_at(image: &PeFile64<'_>, index: usize) -> u32 {
    image.data_directories().get(index).expect("the image has this directory").virtual_address.get(LE)
}

/// Where the image has pointers that are relocated.
fn relocations(image: &PeFile64<'_>) -> Vec<u32> {
    let blocks = image.data_directories().relocation_blocks(image.data(), &image.section_table());
    let mut blocks = blocks.expect("relocations").expect("relocations");
    let mut addresses = Vec::new();
    while let Some(block) = blocks.next().expect("a block of relocations") {
        addresses.extend(block.filter(|relocation| relocation.typ != IMAGE_REL_BASED_ABSOLUTE).map(|relocation| {
            assert_eq!(relocation.typ, IMAGE_REL_BASED_DIR64);
            relocation.virtual_address
        }));
    }
    addresses
}

fn load_configuration<'a>(image: &PeFile64<'a>) -> &'a ImageLoadConfigDirectory64 {
    let bytes = bytes_at(image, directory_at(image, IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG));
    pod::from_bytes(bytes).expect("a load configuration").0
}

/// Where the pointers are that guarded code calls through: on ARM64 there is one.
fn guard_pointers(image: &PeFile64<'_>) -> Vec<u32> {
    let configuration = load_configuration(image);
    let check = configuration.guard_cf_check_function_pointer.get(LE);
    let dispatch = configuration.guard_cf_dispatch_function_pointer.get(LE);
    assert_ne!(check, 0, "no check function");
    let pointers = [check, dispatch].into_iter().filter(|&pointer| pointer != 0);
    pointers.map(|pointer| relative(image, pointer)).collect()
}

/// What the pointer at `address` points at, relative to the image.
fn word_at(image: &PeFile64<'_>, address: u32) -> u32 {
    let (word, _) = pod::from_bytes::<U64<LE>>(bytes_at(image, address)).expect("eight bytes");
    relative(image, word.get(LE))
}

fn dword_at(image: &PeFile64<'_>, address: u32) -> u32 {
    pod::from_bytes::<U32<LE>>(bytes_at(image, address)).expect("four bytes").0.get(LE)
}

fn bytes_at<'a>(image: &PeFile64<'a>, address: u32) -> &'a [u8] {
    image.section_table().pe_data_at(image.data(), address).unwrap_or_else(|| panic!("no data at {address:#x}"))
}

fn relative(image: &PeFile64<'_>, address: u64) -> u32 {
    let offset = address.checked_sub(header(image).image_base.get(LE)).expect("an address in the image");
    u32::try_from(offset).expect("an address in the image")
}
