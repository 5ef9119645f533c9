//! The ARM64 image, which nothing here can run.

use std::collections::BTreeSet;

use object::{
    LittleEndian as LE,
    pe::{IMAGE_FILE_MACHINE_ARM64, IMAGE_SUBSYSTEM_NATIVE, ImageNtHeaders64},
    read::pe::PeFile64,
};

use crate::{files, imports};

#[test]
fn the_arm64_image_is_a_native_one_for_arm64() {
    let bytes = files::bytes(&files::arm64().join("flowtag.sys"));
    let image = PeFile64::parse(&*bytes).expect("a PE image");
    let headers: &ImageNtHeaders64 = image.nt_headers();
    assert_eq!(headers.file_header.machine.get(LE), IMAGE_FILE_MACHINE_ARM64);
    assert_eq!(headers.optional_header.subsystem.get(LE), IMAGE_SUBSYSTEM_NATIVE);
}

#[test]
fn the_arm64_image_imports_what_the_x64_image_imports() {
    // The headers for ARM64 make KeLowerIrql a macro over this.
    let expected: BTreeSet<_> = imports::of(&files::bytes(&files::x64().join("flowtag.sys")))
        .into_iter()
        .map(|(module, name)| (module, if name == "KeLowerIrql" { "KfLowerIrql".to_owned() } else { name }))
        .collect();
    assert!(expected.len() > 20, "{expected:?}");
    let arm64: BTreeSet<_> = imports::of(&files::bytes(&files::arm64().join("flowtag.sys"))).into_iter().collect();
    assert_eq!(arm64, expected);
}
