//! Control flow guard: which functions of an image others may call.

use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG, IMAGE_DLLCHARACTERISTICS_GUARD_CF, IMAGE_GUARD_CF_FUNCTION_TABLE_SIZE_MASK,
        IMAGE_GUARD_CF_FUNCTION_TABLE_SIZE_SHIFT, IMAGE_GUARD_FLAG_FID_SUPPRESSED, ImageLoadConfigDirectory64,
    },
    pod,
    read::pe::PeFile64,
};

/// An entry is the function's address, relative to the image, and bytes of flags as the load configuration says.
const ADDRESS_BYTES: usize = 4;

/// An image's guard table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardTable(Vec<u32>);

impl GuardTable {
    /// The table of `file`; `None` where the image asks for no control flow guard. One that asks for it and has no table
    /// lets nobody call it.
    #[must_use]
    pub fn read(file: &PeFile64<'_>) -> Option<Self> {
        let flags = file.nt_headers().optional_header.dll_characteristics.get(LE);
        if flags.0 & IMAGE_DLLCHARACTERISTICS_GUARD_CF.0 == 0 {
            return None;
        }
        let mut functions = functions(file).unwrap_or_default();
        functions.sort_unstable();
        Some(Self(functions))
    }

    /// Whether the function at `address`, relative to the image, is in it.
    #[must_use]
    pub fn lists(&self, address: u32) -> bool {
        self.0.binary_search(&address).is_ok()
    }

    /// The functions, by their addresses relative to the image, in their order.
    #[must_use]
    pub fn functions(&self) -> &[u32] {
        &self.0
    }
}

/// `None` where the image has no table.
fn functions(file: &PeFile64<'_>) -> Option<Vec<u32>> {
    let sections = file.section_table();
    let bytes_at = |address| sections.pe_data_at(file.data(), address);
    let directory = file.data_directories().get(IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)?;
    let (configuration, _) =
        pod::from_bytes::<ImageLoadConfigDirectory64>(bytes_at(directory.virtual_address.get(LE))?).ok()?;

    let base = file.nt_headers().optional_header.image_base.get(LE);
    let table = configuration.guard_cf_function_table.get(LE).checked_sub(base)?;
    let count = usize::try_from(configuration.guard_cf_function_count.get(LE)).ok()?;
    let flags = configuration.guard_flags.get(LE).0;
    let flag_bytes = (flags & IMAGE_GUARD_CF_FUNCTION_TABLE_SIZE_MASK) >> IMAGE_GUARD_CF_FUNCTION_TABLE_SIZE_SHIFT;

    let table = bytes_at(u32::try_from(table).ok()?)?;
    let entries = table.chunks_exact(ADDRESS_BYTES + flag_bytes as usize).take(count);
    let callable = entries.filter(|entry| {
        entry.get(ADDRESS_BYTES).is_none_or(|&flags| u16::from(flags) & IMAGE_GUARD_FLAG_FID_SUPPRESSED.0 == 0)
    });
    Some(callable.map(|entry| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]])).collect())
}
