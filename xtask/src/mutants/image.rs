//! What an image does, apart from where and when it was built: where two have the same code, no test can tell them apart.

use std::{fs, ops::Range, path::Path};

use anyhow::{Context, Result};
use object::{
    pe::{IMAGE_DIRECTORY_ENTRY_DEBUG, ImageDebugDirectory},
    pod,
    read::pe::PeFile64,
};

/// The image without its headers, which have a time stamp, and without what leads to its debug information.
pub fn code(image: &Path) -> Result<Vec<u8>> {
    let data = fs::read(image).with_context(|| format!("read {}", image.display()))?;
    without_build(&data).with_context(|| format!("{} is no image", image.display()))
}

fn without_build(data: &[u8]) -> Result<Vec<u8>> {
    let file = PeFile64::parse(data)?;
    let headers = file.nt_headers().optional_header.size_of_headers.get(object::LittleEndian) as usize;
    let mut blank: Vec<Range<usize>> = Vec::new();
    blank.push(0..headers);
    if let Some(directory) = file.data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG) {
        let entries = directory.data(data, &file.section_table())?;
        let start = entries.as_ptr().addr() - data.as_ptr().addr();
        blank.push(start..start + entries.len());
        let count = entries.len() / size_of::<ImageDebugDirectory>();
        let (entries, _) =
            pod::slice_from_bytes::<ImageDebugDirectory>(entries, count).ok().context("a debug directory")?;
        for entry in entries {
            let start = entry.pointer_to_raw_data.get(object::LittleEndian) as usize;
            blank.push(start..start + entry.size_of_data.get(object::LittleEndian) as usize);
        }
    }
    let mut code = data.to_vec();
    for range in blank {
        code.get_mut(range).context("something lies beyond the end")?.fill(0);
    }
    Ok(code)
}
