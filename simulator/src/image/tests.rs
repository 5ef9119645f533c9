//! Files that are no loadable driver, and what is said of them.

use std::{fs, path::PathBuf};

use super::LoadError;
use crate::windows::load_image as load;

/// A file with `bytes`, named for the test that asks for it.
fn file(test: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("flowtag-image-{test}-{}.sys", std::process::id()));
    fs::write(&path, bytes).unwrap();
    path
}

/// DOS and PE headers for `machine`, and nothing behind them.
fn headers(machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 0x40];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3C..0x40].copy_from_slice(&0x40u32.to_le_bytes());
    bytes.extend_from_slice(b"PE\0\0");
    bytes.extend_from_slice(&machine.to_le_bytes());
    bytes
}

fn error(test: &str, bytes: &[u8]) -> LoadError {
    let path = file(test, bytes);
    let error = load(&path).err().expect("this file must not load");
    fs::remove_file(path).unwrap();
    error
}

#[test]
fn a_missing_file_is_unreadable() {
    let error = load("/nowhere/flowtag.sys".as_ref()).err().unwrap();
    assert!(matches!(error, LoadError::Unreadable { .. }));
}

#[test]
fn a_text_file_is_named_as_such() {
    let error = error("text", b"sc create flowtag\n");
    assert!(matches!(error, LoadError::NotPe { kind: "a text file", .. }));
}

#[test]
fn an_elf_file_is_named_as_such() {
    let error = error("elf", b"\x7FELF\x02\x01\x01\0\0\0\0");
    assert!(matches!(error, LoadError::NotPe { kind: "an ELF file, a Linux program", .. }));
}

#[test]
fn an_empty_file_is_named_as_such() {
    let error = error("empty", b"");
    assert!(matches!(error, LoadError::NotPe { kind: "empty", .. }));
}

#[test]
fn a_32_bit_image_is_for_the_wrong_machine() {
    let error = error("x86", &headers(0x14C));
    assert!(matches!(error, LoadError::WrongMachine { machine, .. } if machine == "32-bit x86"));
}

#[test]
fn an_image_cut_off_after_its_header_is_damaged() {
    let error = error("cut", &headers(0x8664));
    assert!(matches!(error, LoadError::Damaged { .. }));
}

#[test]
fn every_error_says_what_to_do_next() {
    let error = error("next", b"no driver");
    assert!(error.to_string().contains("\n  name a .sys file"), "{error}");
}

#[test]
fn an_image_with_endless_imports_is_damaged() {
    let error = error("imports", &with_imports(5_000, b"DbgPrint"));
    assert!(matches!(error, LoadError::Damaged { what, .. } if what.contains("imports")));
}

#[test]
fn an_import_with_an_endless_name_is_damaged() {
    let error = error("name", &with_imports(1, &[b'n'; 2_000]));
    assert!(matches!(error, LoadError::Damaged { what, .. } if what.contains("name")));
}

/// A native image of one section, which holds `count` imports of `name` from ntoskrnl.exe.
fn with_imports(count: usize, name: &[u8]) -> Vec<u8> {
    const SECTION: usize = 0x1000;
    /// Offsets in the section.
    const MODULE: usize = 0x40;
    const NAME: usize = 0x60;
    let thunks = (NAME + 2 + name.len() + 1).next_multiple_of(8);
    let size = (thunks + 8 * (count + 1)).next_multiple_of(0x1000);
    let address = |offset: usize| u32::try_from(SECTION + offset).unwrap().to_le_bytes();

    let mut section = vec![0; size];
    section[..4].copy_from_slice(&address(thunks));
    section[12..16].copy_from_slice(&address(MODULE));
    section[16..20].copy_from_slice(&address(thunks));
    section[MODULE..MODULE + 12].copy_from_slice(b"ntoskrnl.exe");
    section[NAME + 2..NAME + 2 + name.len()].copy_from_slice(name);
    for thunk in section[thunks..].chunks_exact_mut(8).take(count) {
        thunk[..4].copy_from_slice(&address(NAME));
    }

    let mut bytes = headers(0x8664);
    bytes.resize(0x1000, 0);
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0x46, &1u16.to_le_bytes()); // sections
    put(0x54, &0xF0u16.to_le_bytes()); // size of the optional header
    put(0x58, &0x20Bu16.to_le_bytes()); // PE32+
    put(0x58 + 56, &address(size)); // size of the image
    put(0x58 + 60, &0x1000u32.to_le_bytes()); // of the headers
    put(0x58 + 68, &1u16.to_le_bytes()); // native
    put(0x58 + 108, &16u32.to_le_bytes()); // data directories
    put(0x58 + 112 + 8, &address(0)); // imports
    put(0x58 + 112 + 12, &40u32.to_le_bytes());
    let header = 0x58 + 0xF0;
    put(header, b".rdata");
    put(header + 8, &u32::try_from(size).unwrap().to_le_bytes());
    put(header + 12, &address(0));
    put(header + 16, &u32::try_from(size).unwrap().to_le_bytes());
    put(header + 20, &0x1000u32.to_le_bytes());
    put(header + 36, &0x4000_0040u32.to_le_bytes());
    bytes.extend_from_slice(&section);
    bytes
}
