//! The page hashes in the signature of the packaged images.
//!
//! The images are linked with /INTEGRITYCHECK. Windows then checks them page by page, and its audit event 6281 names a
//! signature “without page hashes” as one reason why an image is refused; a wrong hash is another.

use object::{
    LittleEndian as LE,
    pe::{IMAGE_DIRECTORY_ENTRY_SECURITY, ImageNtHeaders64},
    read::pe::PeFile64,
};
use sha2::{Digest, Sha256};

use crate::files;

/// `SpcPeImagePageHashes2`, 1.3.6.1.4.1.311.2.3.2, as DER: the list has SHA-256 hashes.
const PAGE_HASHES: [u8; 12] = [0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x03, 0x02];
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;

const PAGE: usize = 4096;

/// Where a page begins in the file, and its hash.
type PageHash = (usize, Vec<u8>);

#[test]
fn the_signature_has_the_hash_of_each_page() {
    for package in [files::x64(), files::arm64()] {
        let bytes = files::bytes(&package.join("flowtag.sys"));
        let found = in_signature(&bytes).unwrap_or_else(|| panic!("{}: no page hashes", package.display()));
        assert_eq!(found, of_image(&bytes), "{}", package.display());
    }
}

/// The list in the signature.
fn in_signature(bytes: &[u8]) -> Option<Vec<PageHash>> {
    let image = PeFile64::parse(bytes).expect("a PE image");
    let directory = image.data_directory(IMAGE_DIRECTORY_ENTRY_SECURITY)?;
    let signature = bytes.get(directory.virtual_address.get(LE) as usize..)?; // an offset in the file
    let at = signature.windows(PAGE_HASHES.len()).position(|window| window == PAGE_HASHES)?;
    let list = der(der(&signature[at + PAGE_HASHES.len()..], SET)?, OCTET_STRING)?;
    let (entries, rest) = list.as_chunks::<36>();
    assert!(rest.is_empty(), "entries of four and 32 bytes");
    let entry = |entry: &[u8; 36]| {
        let (offset, hash) = entry.split_first_chunk().expect("four bytes");
        (u32::from_le_bytes(*offset) as usize, hash.to_vec())
    };
    Some(entries.iter().map(entry).collect())
}

/// The content of the DER value that begins here, if it has this tag.
fn der(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (&[found, length], rest) = bytes.split_first_chunk()?;
    let long = usize::from(length & 0x7f);
    let (length, rest) = if length < 0x80 {
        (long, rest)
    } else {
        let (digits, rest) = rest.split_at_checked(long)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    if found == tag { rest.get(..length) } else { None }
}

/// The list as it should be: the headers, each page of each section, and the end of the last section without a hash.
/// What signing changes in the headers is left out; a page is filled up with zeros.
fn of_image(bytes: &[u8]) -> Vec<PageHash> {
    let image = PeFile64::parse(bytes).expect("a PE image");
    let nt_headers: &ImageNtHeaders64 = image.nt_headers();
    let size_of_headers = nt_headers.optional_header.size_of_headers.get(LE) as usize;
    let new_header = image.dos_header().nt_headers_offset() as usize;
    let (checksum, security) = (new_header + 0x58, new_header + 0xa8);
    let headers = [&bytes[..checksum], &bytes[checksum + 4..security], &bytes[security + 8..size_of_headers]].concat();
    let mut list = vec![(0, hash_of(&headers, PAGE - 12))];
    let mut end = size_of_headers;
    for section in image.section_table().iter() {
        let start = section.pointer_to_raw_data.get(LE) as usize;
        let size = section.size_of_raw_data.get(LE) as usize;
        for (index, page) in bytes[start..start + size].chunks(PAGE).enumerate() {
            list.push((start + index * PAGE, hash_of(page, PAGE)));
        }
        if size != 0 {
            end = start + size;
        }
    }
    list.push((end, vec![0; 32]));
    list
}

/// The hash of `data`, filled up to `length`.
fn hash_of(data: &[u8], length: usize) -> Vec<u8> {
    let mut padded = data.to_vec();
    padded.resize(length, 0);
    Sha256::digest(padded).to_vec()
}
