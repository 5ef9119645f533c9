//! From the file's bytes to a mapped, relocated and bound image.

use std::{io, ops::Range, path::Path, ptr, slice};

use object::{
    LittleEndian as LE,
    pe::{self, ImageNtHeaders64},
    read::pe::{ImageThunkData, PeFile64},
};

use super::{Image, LoadError, Mapping, Resolve, guard::GuardTable, symbols::Symbols, unwind::UnwindTable};

/// An image larger than this is damaged, not large: drivers are a few MiB at most.
const LARGEST: u32 = 256 << 20;
/// No driver has as many imports; a damaged table can seem to go on for ever.
const MOST_IMPORTS: usize = 4_096;
/// The longest name of an export is a mangled one of a few hundred bytes.
const LONGEST_NAME: usize = 1_024;

pub(super) fn load(path: &Path, bytes: &[u8], resolve: Resolve<'_>) -> Result<Image, LoadError> {
    let kind = kind(bytes);
    if let Some(kind) = kind {
        return Err(LoadError::NotPe { path: path.into(), kind });
    }
    check_machine(path, bytes)?;
    let damaged = |error: object::Error| LoadError::Damaged { path: path.into(), what: error.to_string() };
    let inconsistent = |what: &str| LoadError::Damaged { path: path.into(), what: what.into() };

    let file = PeFile64::parse(bytes).map_err(damaged)?;
    let header = &file.nt_headers().optional_header;
    let subsystem = header.subsystem.get(LE);
    if subsystem != pe::IMAGE_SUBSYSTEM_NATIVE {
        return Err(LoadError::NotDriver { path: path.into(), subsystem: subsystem.0 });
    }
    let size = header.size_of_image.get(LE);
    if size == 0 || size > LARGEST {
        return Err(inconsistent("the header gives an impossible image size"));
    }

    let mapping = map(size as usize).map_err(|cause| LoadError::NoMemory { path: path.into(), cause })?;
    // SAFETY: the mapping was just made, is writable, and nothing else refers to it yet.
    let memory = unsafe { slice::from_raw_parts_mut(mapping.base, mapping.length) };

    copy_sections(&file, bytes, memory).ok_or_else(|| inconsistent("a section lies outside the file or the image"))?;
    let delta = (mapping.base as u64).wrapping_sub(header.image_base.get(LE));
    relocate(&file, memory, delta).map_err(damaged)?.ok_or_else(|| inconsistent("a relocation lies outside"))?;
    bind(path, &file, memory, resolve).map_err(|error| match error {
        BindError::Damaged(error) => damaged(error),
        BindError::Inconsistent(what) => inconsistent(what),
        BindError::Unknown(error) => error,
    })?;
    let exception = file.data_directories().get(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION);
    let exception = exception.map_or(0..0, |entry| {
        let start = entry.virtual_address.get(LE);
        start..start.saturating_add(entry.size.get(LE))
    });
    let unwind = UnwindTable::read(memory, exception);
    let Sections { code, writable } = protect(&file, &mapping);

    let entry = header.address_of_entry_point.get(LE);
    let entry = mapping.base as u64 + u64::from(entry);
    if !code.contains(&entry) {
        return Err(inconsistent("the entry point lies outside the code"));
    }
    let name = path.file_name().map_or_else(|| "driver".into(), |name| name.to_string_lossy().into_owned());
    let guard = GuardTable::read(&file);
    let forces_integrity = header.dll_characteristics.get(LE).0 & pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY.0 != 0;
    Ok(Image { name, mapping, code, writable, entry, guard, forces_integrity, unwind, symbols: Symbols::beside(path) })
}

/// What a file is that is no PE image; `None` if it may be one.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => Some("empty"),
        [b'M', b'Z', ..] => None,
        [0x7F, b'E', b'L', b'F', ..] => Some("an ELF file, a Linux program"),
        _ if bytes.iter().take(512).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            Some("a text file")
        }
        _ => Some("of an unknown kind"),
    }
}

fn check_machine(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    let damaged = |what: &str| LoadError::Damaged { path: path.into(), what: what.into() };
    let word = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let offset = bytes.get(0x3C..0x40).ok_or_else(|| damaged("the DOS header is cut off"))?;
    let offset = u32::from_le_bytes([offset[0], offset[1], offset[2], offset[3]]) as usize;
    let signature = offset.checked_add(6).and_then(|end| bytes.get(offset..end));
    if signature.is_none_or(|bytes| bytes[..4] != *b"PE\0\0") {
        return Err(damaged("there is no PE header"));
    }
    match word(offset + 4) {
        Some(0x8664) => Ok(()),
        Some(0x014C) => Err(LoadError::WrongMachine { path: path.into(), machine: LoadError::X86.into() }),
        Some(0xAA64) => Err(LoadError::WrongMachine { path: path.into(), machine: "ARM64".into() }),
        Some(other) => Err(LoadError::WrongMachine { path: path.into(), machine: format!("machine {other:#x}") }),
        None => Err(damaged("the PE header is cut off")),
    }
}

fn map(length: usize) -> io::Result<Mapping> {
    // SAFETY: a new private mapping; nothing else refers to it.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(Mapping { base: base.cast(), length })
}

fn copy_sections(file: &PeFile64<'_>, bytes: &[u8], memory: &mut [u8]) -> Option<()> {
    let headers = file.nt_headers().optional_header.size_of_headers.get(LE) as usize;
    memory.get_mut(..headers)?.copy_from_slice(bytes.get(..headers)?);
    for section in file.section_table().iter() {
        let at = section.virtual_address.get(LE) as usize;
        let virtual_size = section.virtual_size.get(LE) as usize;
        memory.get(at..at.checked_add(virtual_size)?)?;
        let (offset, size) = section.pe_file_range();
        let (offset, size) = (offset as usize, size as usize);
        let data = bytes.get(offset..offset.checked_add(size)?)?;
        memory.get_mut(at..at.checked_add(size)?)?.copy_from_slice(data);
    }
    Some(())
}

/// Applies the base relocations; `Ok(None)` when one lies outside the image.
fn relocate(file: &PeFile64<'_>, memory: &mut [u8], delta: u64) -> object::Result<Option<()>> {
    let Some(mut blocks) = file.data_directories().relocation_blocks(file.data(), &file.section_table())? else {
        return Ok(Some(()));
    };
    while let Some(block) = blocks.next()? {
        for relocation in block {
            if relocation.typ != pe::IMAGE_REL_BASED_DIR64 {
                continue; // the other x64 kind, ABSOLUTE, is padding
            }
            let at = relocation.virtual_address as usize;
            let Some(word) = word_mut(memory, at) else { return Ok(None) };
            *word = u64::from_le_bytes(*word).wrapping_add(delta).to_le_bytes();
        }
    }
    Ok(Some(()))
}

enum BindError {
    Damaged(object::Error),
    Inconsistent(&'static str),
    Unknown(LoadError),
}

impl From<object::Error> for BindError {
    fn from(error: object::Error) -> Self {
        Self::Damaged(error)
    }
}

/// Fills the import address table.
fn bind(path: &Path, file: &PeFile64<'_>, memory: &mut [u8], resolve: Resolve<'_>) -> Result<(), BindError> {
    let Some(table) = file.import_table()? else { return Ok(()) };
    let mut unknown = Vec::new();
    let mut count = 0;
    let mut descriptors = table.descriptors()?;
    while let Some(descriptor) = descriptors.next()? {
        let module = name(table.name(descriptor.name.get(LE))?)?;
        let mut thunks = table.thunks(descriptor.original_first_thunk.get(LE))?;
        let mut slot = descriptor.first_thunk.get(LE) as usize;
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>()? {
            count += 1;
            if count > MOST_IMPORTS {
                return Err(BindError::Inconsistent("there is no end to its imports"));
            }
            let name = if thunk.is_ordinal() {
                format!("#{}", thunk.ordinal())
            } else {
                name(table.hint_name(thunk.address())?.1)?
            };
            match resolve(&module, &name) {
                Some(address) => {
                    let outside = BindError::Inconsistent("an import lies outside the image");
                    *word_mut(memory, slot).ok_or(outside)? = address.to_le_bytes();
                }
                None => unknown.push(format!("{module}!{name}")),
            }
            slot += 8;
        }
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(BindError::Unknown(LoadError::UnknownImports { path: path.into(), imports: unknown }))
    }
}

/// The name of a module or an export.
fn name(bytes: &[u8]) -> Result<String, BindError> {
    if bytes.len() > LONGEST_NAME {
        return Err(BindError::Inconsistent("there is no end to the name of an import"));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn word_mut(memory: &mut [u8], at: usize) -> Option<&mut [u8; 8]> {
    memory.get_mut(at..at.checked_add(8)?)?.try_into().ok()
}

/// Where code lies, and what can be written.
struct Sections {
    code: Range<u64>,
    writable: Vec<Range<u64>>,
}

/// Gives each section the access its header asks for.
fn protect(file: &PeFile64<'_>, mapping: &Mapping) -> Sections {
    let mut code: Option<Range<u64>> = None;
    let mut writable = Vec::new();
    for section in file.section_table().iter() {
        let characteristics = section.characteristics.get(LE);
        let start = mapping.base as u64 + u64::from(section.virtual_address.get(LE));
        let end = (start + u64::from(section.virtual_size.get(LE))).next_multiple_of(4096);
        let mut access = libc::PROT_READ;
        if characteristics.0 & pe::IMAGE_SCN_MEM_WRITE.0 != 0 {
            access |= libc::PROT_WRITE;
            writable.push(start..start + u64::from(section.virtual_size.get(LE)).next_multiple_of(8));
        }
        if characteristics.0 & pe::IMAGE_SCN_MEM_EXECUTE.0 != 0 {
            access |= libc::PROT_EXEC;
            let so_far = code.unwrap_or(start..end);
            code = Some(so_far.start.min(start)..so_far.end.max(end));
        }
        let length = (end - start) as usize;
        // SAFETY: `copy_sections` found the section inside our own mapping.
        unsafe { libc::mprotect(start as *mut _, length, access) };
    }
    Sections { code: code.unwrap_or(0..0), writable }
}
