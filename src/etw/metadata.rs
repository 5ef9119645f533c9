//! How an event describes itself: the metadata of `TraceLogging`, made when the driver is compiled.
//!
//! The format is that of the comment on its encoding format in Microsoft's TraceLoggingProvider.h: a size of two bytes
//! that counts itself; tags, of which we have none; the event's name with a NUL; and for each field its name with a NUL and
//! its type. A test holds the bytes against those of Microsoft's crate `tracelogging`.

/// A field's type: how it lies in the event (`TlgIn_t`), and how it is shown (`TlgOut_t`).
#[derive(Clone, Copy)]
pub struct Type {
    input: u8,
    /// 0 for what is usual for `input`.
    output: u8,
}

const fn of(input: u8, output: u8) -> Type {
    Type { input, output }
}

/// A number of one byte.
pub const U8: Type = of(4, 0);
/// A number of four.
pub const U32: Type = of(8, 0);
/// A number of eight.
pub const U64: Type = of(10, 0);
/// A number of eight, shown in hexadecimal.
pub const HEX64: Type = of(21, 0);
/// A process id, in four bytes.
pub const PID: Type = of(8, 5);
/// An `NTSTATUS`.
pub const NTSTATUS: Type = of(8, 14);
/// A time in units of 100 ns since 1601, UTC.
pub const FILETIME: Type = of(17, 0);
/// A security identifier, as long as it says.
pub const SID: Type = of(19, 0);
/// A `SOCKADDR`, behind its size in two bytes.
pub const SOCKET_ADDRESS: Type = of(14, 10);
/// UTF-16 behind its size in bytes, in two of them.
pub const UTF16: Type = of(22, 0);
/// ASCII behind its size, in two bytes.
pub const ASCII: Type = of(23, 0);

/// A field: its name and its type.
pub type Field = (&'static str, Type);

/// Bit of an input type: a byte with the output type follows (`_TlgInChain`).
const HAS_OUTPUT: u8 = 0x80;

/// Bytes of the provider's metadata.
pub const fn provider_length(name: &str) -> usize {
    2 + name.len() + 1
}

/// A provider's metadata: a size that counts itself, the name, and a NUL; no traits.
pub const fn provider<const LENGTH: usize>(name: &str) -> [u8; LENGTH] {
    let mut metadata = Bytes::<LENGTH>::sized();
    metadata.text(name);
    metadata.all()
}

/// Bytes of an event's metadata.
pub const fn event_length(name: &str, groups: &[&[Field]]) -> usize {
    let mut length = 2 + 1 + name.len() + 1;
    let mut group = 0;
    while group < groups.len() {
        let mut field = 0;
        while field < groups[group].len() {
            let (name, r#type) = groups[group][field];
            length += name.len() + 1 + 1 + (r#type.output != 0) as usize;
            field += 1;
        }
        group += 1;
    }
    length
}

/// An event's metadata; its fields are those of all groups.
pub const fn event<const LENGTH: usize>(name: &str, groups: &[&[Field]]) -> [u8; LENGTH] {
    let mut metadata = Bytes::<LENGTH>::sized();
    metadata.byte(0); // no tags
    metadata.text(name);
    let mut group = 0;
    while group < groups.len() {
        let mut field = 0;
        while field < groups[group].len() {
            let (name, r#type) = groups[group][field];
            metadata.text(name);
            if r#type.output == 0 {
                metadata.byte(r#type.input);
            } else {
                metadata.byte(r#type.input | HAS_OUTPUT);
                metadata.byte(r#type.output);
            }
            field += 1;
        }
        group += 1;
    }
    metadata.all()
}

/// Metadata under construction, at compile time: what does not fit stops the compiler.
struct Bytes<const LENGTH: usize> {
    bytes: [u8; LENGTH],
    written: usize,
}

impl<const LENGTH: usize> Bytes<LENGTH> {
    /// Begins with the size of it all.
    const fn sized() -> Self {
        assert!(LENGTH <= u16::MAX as usize);
        let mut metadata = Self { bytes: [0; LENGTH], written: 0 };
        #[expect(clippy::cast_possible_truncation, reason = "each half by itself")]
        {
            metadata.byte(LENGTH as u8);
            metadata.byte((LENGTH >> 8) as u8);
        }
        metadata
    }

    const fn byte(&mut self, byte: u8) {
        self.bytes[self.written] = byte;
        self.written += 1;
    }

    const fn text(&mut self, text: &str) {
        assert!(text.is_ascii());
        let mut index = 0;
        while index < text.len() {
            self.byte(text.as_bytes()[index]);
            index += 1;
        }
        self.byte(0);
    }

    const fn all(self) -> [u8; LENGTH] {
        assert!(self.written == LENGTH);
        self.bytes
    }
}
