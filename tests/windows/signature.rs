//! The Authenticode signature of the packaged images.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use object::{
    LittleEndian as LE,
    pe::{IMAGE_DIRECTORY_ENTRY_SECURITY, ImageNtHeaders64},
    read::pe::PeFile64,
};

use crate::{checksum, files};

/// A folder of a test's own, gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("flowtag-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the test");
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What osslsigncode says of an image, when only the package's certificate is trusted.
fn verify(image: &Path, package: &Path, scratch: &Scratch) -> Output {
    let certificate = scratch.0.join("certificate.pem");
    let mut convert = Command::new("openssl");
    convert.args(["x509", "-inform", "DER", "-in"]).arg(package.join("flowtag-test.cer")).arg("-out").arg(&certificate);
    assert!(convert.status().expect("openssl is installed").success(), "flowtag-test.cer is a certificate");
    let mut verify = Command::new("osslsigncode");
    verify.args(["verify", "-CAfile"]).arg(&certificate).arg("-in").arg(image);
    verify.output().expect("osslsigncode is installed")
}

#[test]
fn the_packaged_images_have_a_valid_sha_256_signature_by_the_packaged_certificate() {
    for package in [files::x64(), files::arm64()] {
        let scratch = Scratch::new("signature");
        let output = verify(&package.join("flowtag.sys"), &package, &scratch);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {said}", package.display());
        assert!(said.contains("Signature verification: ok"), "{said}");
        assert!(said.contains(": SHA256"), "{said}");
    }
}

#[test]
fn a_change_of_one_byte_breaks_the_signature() {
    let package = files::x64();
    let mut image = files::bytes(&package.join("flowtag.sys"));
    let code = 0x400; // behind the headers
    image[code] ^= 1;
    let scratch = Scratch::new("broken-signature");
    let broken = scratch.0.join("flowtag.sys");
    fs::write(&broken, image).expect("a broken copy");
    assert!(!verify(&broken, &package, &scratch).status.success());
}

#[test]
fn the_certificate_is_for_signing_code_and_nothing_else() {
    let mut show = Command::new("openssl");
    show.args(["x509", "-inform", "DER", "-noout", "-text", "-in"]).arg(files::x64().join("flowtag-test.cer"));
    let output = show.output().expect("openssl is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    let after = |heading: &str| text.split(heading).nth(1).and_then(|rest| rest.lines().nth(1)).map(str::trim);
    assert_eq!(after("X509v3 Extended Key Usage:"), Some("Code Signing"), "{text}");
    assert_eq!(after("X509v3 Basic Constraints: critical"), Some("CA:FALSE"), "{text}");
}

#[test]
fn the_signature_lies_in_the_image() {
    for package in [files::x64(), files::arm64()] {
        let bytes = files::bytes(&package.join("flowtag.sys"));
        let image = PeFile64::parse(&*bytes).expect("a PE image");
        let directory = image.data_directory(IMAGE_DIRECTORY_ENTRY_SECURITY).expect("a directory of certificates");
        let (start, length) = (directory.virtual_address.get(LE), directory.size.get(LE)); // an offset in the file
        assert_eq!((start + length) as usize, bytes.len(), "it is the file's last part");
    }
}

#[test]
fn the_checksum_of_a_signed_image_is_right() {
    for package in [files::x64(), files::arm64()] {
        let bytes = files::bytes(&package.join("flowtag.sys"));
        let image = PeFile64::parse(&*bytes).expect("a PE image");
        let headers: &ImageNtHeaders64 = image.nt_headers();
        assert_eq!(headers.optional_header.check_sum.get(LE), checksum::of(&bytes), "{}", package.display());
    }
}
