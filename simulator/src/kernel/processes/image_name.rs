//! `SeLocateProcessImageName`: the path of a process's image, in a block of pool that is the caller's to free.

use super::{NoImage, SUCCESS, number};
use crate::{
    computer::{Call, Export, Fails, Irql, argument, memory},
    kernel::{
        pool::{POOL_FLAG_PAGED, Tag},
        unicode_string::UnicodeString,
    },
};

const NOT_FOUND: u32 = 0xC000_0225;
const INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;

/// Whose block it is. (Guess: the tag, and that the block is paged; no page says either.)
const TAG: Tag = Tag(u32::from_le_bytes(*b"SeIn"));

pub(super) const EXPORTS: &[Export] = &[Export {
    module: "ntoskrnl.exe",
    name: "SeLocateProcessImageName",
    max_irql: Irql::PASSIVE,
    fails: Fails::Status(&[NOT_FOUND, INSUFFICIENT_RESOURCES]),
    run: locate,
    inputs: &[argument(0, "Process").used(NAMED), argument(1, "pImageFileName").used(NAMED)],
}];

const NAMED: &str = "kernel::processes::tests::the_name_of_an_image_is_the_callers_to_free";

/// DDI `SeLocateProcessImageName`: "a Unicode string followed by the image name string".
fn locate(call: &Call<'_>) -> u64 {
    let number = number(call);
    let (image, no_image) = {
        let state = call.machine.processes().state();
        (state.objects[&number].image.clone(), state.switches.no_image)
    };
    let image = match no_image {
        NoImage::NotFound if image.is_none() => return NOT_FOUND.into(),
        NoImage::Bare => Some(image.unwrap_or_else(|| String::from("Minimal"))),
        NoImage::NotFound | NoImage::Empty => image,
    };
    let text: Vec<u16> = image.iter().flat_map(|image| image.encode_utf16()).collect();
    let size = size_of::<UnicodeString>() + 2 * (text.len() + 1);
    let Some(block) = call.machine.pool().allocate(POOL_FLAG_PAGED, size, TAG, call.caller()) else {
        return INSUFFICIENT_RESOURCES.into();
    };
    let behind = block + size_of::<UnicodeString>() as u64;
    let length = 2 * text.len() as u16;
    let buffer = if image.is_some() { behind } else { 0 };
    call.write(block, UnicodeString { length, maximum_length: length + 2, padding: 0, buffer });
    call.accessible(memory::write_bytes(behind, bytemuck::cast_slice(&text)));
    call.write(call.arg(1), block);
    SUCCESS
}
