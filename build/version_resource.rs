//! The version resource of flowtag.sys: what Explorer, `Get-Item … VersionInfo` and crash reports show of the file.
//!
//! It is written as a `.res` file, which Microsoft's linker and LLVM's both take, so that no resource compiler is
//! needed. The formats are `RESOURCEHEADER`, `VS_VERSIONINFO` and `VS_FIXEDFILEINFO` of the Windows SDK.

const LANGUAGE: u16 = 0x0409; // English (United States)
const CODE_PAGE: u16 = 0x04b0; // UTF-16
const RT_VERSION: u16 = 16;
const VS_VERSION_INFO: u16 = 1;
const SIGNATURE: u32 = 0xfeef_04bd;
const STRUCTURE_VERSION: u32 = 0x0001_0000;
const ALL_FLAGS: u32 = 0x3f;
const VOS_NT_WINDOWS32: u32 = 0x0004_0004;
const VFT_DRV: u32 = 3;
const VFT2_DRV_NETWORK: u32 = 6;

/// The content of a `.res` file for the version `major.minor.patch` and the strings given by name.
pub fn res_file(version: [u16; 3], strings: &[(&str, &str)]) -> Vec<u8> {
    // A first entry without type, name and data tells this format from its 16-bit predecessor.
    let mut file = entry(0, 0, 0, &[]);
    file.extend(entry(RT_VERSION, VS_VERSION_INFO, LANGUAGE, &version_info(version, strings)));
    file
}

fn entry(kind: u16, name: u16, language: u16, data: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 32;
    let length = u32::try_from(data.len()).expect("a small resource");
    let mut bytes = Vec::new();
    dwords(&mut bytes, &[length, HEADER]);
    words(&mut bytes, &[0xffff, kind, 0xffff, name]); // numbers, not strings
    dwords(&mut bytes, &[0]);
    words(&mut bytes, &[0, language]); // memory flags have no meaning any more
    dwords(&mut bytes, &[0, 0]);
    bytes.extend(data);
    align(&mut bytes);
    bytes
}

fn version_info([major, minor, patch]: [u16; 3], strings: &[(&str, &str)]) -> Vec<u8> {
    let high = u32::from(major) << 16 | u32::from(minor);
    let low = u32::from(patch) << 16;
    let mut fixed = Vec::new();
    dwords(&mut fixed, &[SIGNATURE, STRUCTURE_VERSION, high, low, high, low, ALL_FLAGS, 0]);
    dwords(&mut fixed, &[VOS_NT_WINDOWS32, VFT_DRV, VFT2_DRV_NETWORK, 0, 0]);

    let strings: Vec<_> = strings.iter().map(|(name, value)| text(name, value)).collect();
    let table = block(&format!("{LANGUAGE:04x}{CODE_PAGE:04x}"), &[], &strings);
    let mut translation = Vec::new();
    words(&mut translation, &[LANGUAGE, CODE_PAGE]);
    let children =
        [block("StringFileInfo", &[], &[table]), block("VarFileInfo", &[], &[block("Translation", &translation, &[])])];
    block("VS_VERSION_INFO", &fixed, &children)
}

/// A block whose value is binary, or empty.
fn block(key: &str, value: &[u8], children: &[Vec<u8>]) -> Vec<u8> {
    node(key, value, value.len(), 0, children)
}

/// A block whose value is a string. Its length counts characters, with the closing NUL.
fn text(key: &str, value: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    utf16(&mut bytes, value);
    node(key, &bytes, bytes.len() / 2, 1, &[])
}

fn node(key: &str, value: &[u8], value_length: usize, kind: u16, children: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    words(&mut bytes, &[0, u16::try_from(value_length).expect("a short value"), kind]);
    utf16(&mut bytes, key);
    if !value.is_empty() {
        align(&mut bytes);
        bytes.extend(value);
    }
    for child in children {
        align(&mut bytes);
        bytes.extend(child);
    }
    let length = u16::try_from(bytes.len()).expect("a small block");
    bytes[..2].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn words(bytes: &mut Vec<u8>, words: &[u16]) {
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

fn dwords(bytes: &mut Vec<u8>, dwords: &[u32]) {
    bytes.extend(dwords.iter().flat_map(|dword| dword.to_le_bytes()));
}

fn utf16(bytes: &mut Vec<u8>, text: &str) {
    words(bytes, &text.encode_utf16().chain([0]).collect::<Vec<_>>());
}

/// Everything begins at a multiple of four bytes.
fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
