//! `UNICODE_STRING`, `RtlCopyUnicodeString` and `RtlDowncaseUnicodeString`.

use crate::computer::{Call, Export, Fails, Irql, argument, field, memory};

const BUFFER_OVERFLOW: u32 = 0x8000_0005;

/// The string functions.
pub const EXPORTS: &[Export] = &[COPY, DOWNCASE];

const COPY: Export = Export {
    module: "ntoskrnl.exe",
    name: "RtlCopyUnicodeString",
    max_irql: Irql::DISPATCH,
    fails: Fails::Never,
    run: copy_unicode_string,
    inputs: &[
        field(0, 0, "DestinationString.Length").ignored("DDI RtlCopyUnicodeString: written, not read"),
        field(0, 2, "DestinationString.MaximumLength").used(COPIED),
        field(0, 8, "DestinationString.Buffer").used(COPIED),
        field(1, 0, "SourceString.Length").used(COPIED),
        field(1, 2, "SourceString.MaximumLength").ignored("DDI RtlCopyUnicodeString: only Length is copied"),
        field(1, 8, "SourceString.Buffer").used(COPIED),
    ],
};

/// That it needs `PASSIVE_LEVEL` is the annotation of ntifs.h; its page has "< `DISPATCH_LEVEL`".
const DOWNCASE: Export = Export {
    module: "ntoskrnl.exe",
    name: "RtlDowncaseUnicodeString",
    max_irql: Irql::PASSIVE,
    fails: Fails::Status(&[BUFFER_OVERFLOW]),
    run: downcase_unicode_string,
    inputs: &[
        field(0, 0, "DestinationString.Length").ignored("DDI RtlDowncaseUnicodeString: written, not read"),
        field(0, 2, "DestinationString.MaximumLength").used(DOWNCASED),
        field(0, 8, "DestinationString.Buffer").used(DOWNCASED),
        field(1, 0, "SourceString.Length").used(DOWNCASED),
        field(1, 2, "SourceString.MaximumLength").ignored("DDI RtlDowncaseUnicodeString: only Length is converted"),
        field(1, 8, "SourceString.Buffer").used(DOWNCASED),
        argument(2, "AllocateDestinationString").values(
            1,
            &[0],
            "DDI RtlDowncaseUnicodeString: FALSE; the caller has the buffer",
        ),
    ],
};

const DOWNCASED: &str = "kernel::tests::a_unicode_string_is_converted_to_lower_case_where_it_lies";

const COPIED: &str = "kernel::tests::a_unicode_string_is_copied_as_far_as_it_fits";

/// `UNICODE_STRING`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct UnicodeString {
    /// Bytes in use.
    pub(crate) length: u16,
    /// Bytes that the buffer has.
    pub(crate) maximum_length: u16,
    pub(crate) padding: u32,
    pub(crate) buffer: u64,
}

impl UnicodeString {
    /// The text of the string at `address`.
    pub(crate) fn text(call: &Call<'_>, address: u64) -> String {
        let string: Self = call.read(address);
        let bytes = call.accessible(memory::read_bytes(string.buffer, usize::from(string.length) & !1));
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    }
}

/// Copies as much as fits; a NULL source empties the destination.
fn copy_unicode_string(call: &Call<'_>) -> u64 {
    let (destination_at, source_at) = (call.arg(0), call.arg(1));
    let mut destination: UnicodeString = call.read(destination_at);
    destination.length = 0;
    if source_at != 0 {
        let source: UnicodeString = call.read(source_at);
        let length = source.length.min(destination.maximum_length);
        let bytes = call.accessible(memory::read_bytes(source.buffer, length.into()));
        call.accessible(memory::write_bytes(destination.buffer, &bytes));
        destination.length = length;
        if usize::from(length) + 2 <= usize::from(destination.maximum_length) {
            call.write(destination.buffer + u64::from(length), 0u16);
        }
    }
    call.write(destination_at, destination);
    0
}

/// Converts each code unit for itself, by the one letter that is its lower case. (Guess: for which letters Windows has one, and the
/// status of a buffer that is too short.)
fn downcase_unicode_string(call: &Call<'_>) -> u64 {
    let (destination_at, source_at) = (call.arg(0), call.arg(1));
    let source: UnicodeString = call.read(source_at);
    let mut destination: UnicodeString = call.read(destination_at);
    let length = source.length & !1;
    if destination.maximum_length < length {
        return BUFFER_OVERFLOW.into();
    }
    let bytes = call.accessible(memory::read_bytes(source.buffer, length.into()));
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| lower(u16::from_le_bytes([pair[0], pair[1]]))).collect();
    call.accessible(memory::write_bytes(destination.buffer, bytemuck::cast_slice(&units)));
    destination.length = length;
    call.write(destination_at, destination);
    0
}

fn lower(unit: u16) -> u16 {
    let Some(letter) = char::from_u32(unit.into()) else { return unit };
    let mut lower = letter.to_lowercase();
    let (Some(only), None) = (lower.next(), lower.next()) else { return unit };
    u16::try_from(u32::from(only)).unwrap_or(unit)
}
