//! Files that are no loadable driver, and what is said of them.

use std::{fs, path::PathBuf};

use super::{
    LoadError,
    sample::{headers, with_imports},
};
use crate::windows::load_image as load;

/// A file with `bytes`, named for the test that asks for it.
fn file(test: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("flowtag-image-{test}-{}.sys", std::process::id()));
    fs::write(&path, bytes).unwrap();
    path
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
    let error = error("imports", &with_imports("ntoskrnl.exe", 5_000, b"DbgPrint"));
    assert!(matches!(error, LoadError::Damaged { what, .. } if what.contains("imports")));
}

#[test]
fn an_import_with_an_endless_name_is_damaged() {
    let error = error("name", &with_imports("ntoskrnl.exe", 1, &[b'n'; 2_000]));
    assert!(matches!(error, LoadError::Damaged { what, .. } if what.contains("name")));
}
