//! The version resource, read by a reader that shares nothing with its writer.

use pelite::{FileMap, PeFile, resources::version_info::Language};

use crate::files;

const ENGLISH: Language = Language { lang_id: 0x0409, charset_id: 0x04b0 };

/// The packages' images.
fn images() -> [FileMap; 2] {
    [files::x64(), files::arm64()].map(|package| FileMap::open(&package.join("flowtag.sys")).expect("flowtag.sys"))
}

/// A string of the version resource.
fn string(image: &FileMap, name: &str) -> Option<String> {
    let resources = PeFile::from_bytes(image).expect("a PE image").resources().expect("resources");
    resources.version_info().expect("a version resource").value(ENGLISH, name)
}

#[test]
fn the_version_resource_has_the_version_of_the_package() {
    for image in images() {
        let resources = PeFile::from_bytes(&image).expect("a PE image").resources().expect("resources");
        let fixed = *resources.version_info().expect("a version resource").fixed().expect("a fixed part");
        let version = fixed.dwFileVersion;
        let numbers = format!("{}.{}.{}", version.Major, version.Minor, version.Patch);
        assert_eq!(numbers, env!("CARGO_PKG_VERSION"));
        assert_eq!(fixed.dwFileVersion, fixed.dwProductVersion);
        assert_eq!(string(&image, "FileVersion").as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(string(&image, "ProductVersion").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn the_version_resource_says_that_it_is_a_network_driver() {
    const VFT_DRV: u32 = 3;
    const VFT2_DRV_NETWORK: u32 = 6;
    for image in images() {
        let resources = PeFile::from_bytes(&image).expect("a PE image").resources().expect("resources");
        let fixed = *resources.version_info().expect("a version resource").fixed().expect("a fixed part");
        assert_eq!((fixed.dwFileType, fixed.dwFileSubtype), (VFT_DRV, VFT2_DRV_NETWORK));
    }
}

#[test]
fn the_version_resource_names_the_file_the_product_and_the_licence() {
    for image in images() {
        assert_eq!(string(&image, "OriginalFilename").as_deref(), Some("flowtag.sys"));
        assert_eq!(string(&image, "ProductName").as_deref(), Some("flowtag"));
        assert!(string(&image, "LegalCopyright").expect("a copyright").ends_with("MIT OR Apache-2.0"));
        assert!(string(&image, "FileDescription").expect("a description").contains("callout driver"));
    }
}
