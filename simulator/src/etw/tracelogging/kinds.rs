//! The types that a field can have: `TlgIn_t` and `TlgOut_t` of TraceLoggingProvider.h.

use super::Malformed;

/// How a field is encoded: how long it is, and what its bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InType {
    /// UTF-16 and a NUL.
    Utf16,
    /// 8-bit characters and a NUL.
    Ansi,
    /// A number of so many bytes, signed or not.
    Integer {
        /// 1, 2, 4 or 8.
        bytes: u8,
        /// Whether it is signed.
        signed: bool,
    },
    /// A number of 4 or 8 bytes that is shown in hexadecimal.
    Hex {
        /// 4 or 8.
        bytes: u8,
    },
    /// A floating-point number of 4 or 8 bytes.
    Float {
        /// 4 or 8.
        bytes: u8,
    },
    /// A BOOL of 4 bytes.
    Bool32,
    /// A count of bytes and the bytes.
    Binary,
    /// 16 bytes.
    Guid,
    /// 8 bytes: 100 ns since 1601.
    FileTime,
    /// 16 bytes: year, month, day of the week, day, hour, minute, second, millisecond.
    SystemTime,
    /// A security identifier.
    Sid,
    /// A count of bytes and UTF-16.
    CountedUtf16,
    /// A count of bytes and 8-bit characters.
    CountedAnsi,
}

/// How a field is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutType {
    /// As its encoding suggests.
    #[default]
    Default,
    /// Not at all.
    NoPrint,
    /// As characters.
    String,
    /// As true or false.
    Boolean,
    /// In hexadecimal.
    Hex,
    /// As a process id.
    Pid,
    /// As a thread id.
    Tid,
    /// As a port; its bytes are in network order.
    Port,
    /// As an IPv4 address; its bytes are in network order.
    IpV4,
    /// As an IPv6 address.
    IpV6,
    /// As a `SOCKADDR`.
    SocketAddress,
    /// As XML.
    Xml,
    /// As JSON.
    Json,
    /// As an error of Win32.
    Win32Error,
    /// As an NTSTATUS.
    NtStatus,
    /// As an HRESULT.
    HResult,
    /// As a time.
    DateTime,
    /// As a signed number.
    Signed,
    /// As an unsigned number.
    Unsigned,
    /// As UTF-8.
    Utf8,
    /// As PKCS #7.
    Pkcs7,
    /// As an address in code.
    CodePointer,
    /// As a time in UTC.
    DateTimeUtc,
}

/// The bit that says that an `OutType` follows an `InType`, and a tag an `OutType`.
pub(super) const CHAIN: u8 = 0x80;
/// The bits that make an array of a field.
const COUNTS: u8 = 0x60;

impl InType {
    /// What the byte in the metadata means.
    pub(super) fn of(byte: u8, field: &str) -> Result<Self, Malformed> {
        if byte & COUNTS != 0 {
            return Err(Malformed(format!("{field} is an array, which many consumers cannot read")));
        }
        Ok(match byte & !CHAIN {
            1 => Self::Utf16,
            2 => Self::Ansi,
            kind @ 3..=10 => Self::Integer { bytes: 1 << ((kind - 3) / 2), signed: kind % 2 == 1 },
            11 => Self::Float { bytes: 4 },
            12 => Self::Float { bytes: 8 },
            13 => Self::Bool32,
            14 | 25 => Self::Binary,
            15 => Self::Guid,
            17 => Self::FileTime,
            18 => Self::SystemTime,
            19 => Self::Sid,
            20 => Self::Hex { bytes: 4 },
            21 => Self::Hex { bytes: 8 },
            22 => Self::CountedUtf16,
            23 => Self::CountedAnsi,
            24 => return Err(Malformed(format!("{field} is a structure, which many consumers cannot read"))),
            other => return Err(Malformed(format!("{field} has InType {other}, which there is not"))),
        })
    }
}

impl OutType {
    /// What the byte in the metadata means.
    pub(super) fn of(byte: u8, field: &str) -> Result<Self, Malformed> {
        Ok(match byte & !CHAIN {
            0 => Self::Default,
            1 => Self::NoPrint,
            2 => Self::String,
            3 => Self::Boolean,
            4 => Self::Hex,
            5 => Self::Pid,
            6 => Self::Tid,
            7 => Self::Port,
            8 => Self::IpV4,
            9 => Self::IpV6,
            10 => Self::SocketAddress,
            11 => Self::Xml,
            12 => Self::Json,
            13 => Self::Win32Error,
            14 => Self::NtStatus,
            15 => Self::HResult,
            16 => Self::DateTime,
            17 => Self::Signed,
            18 => Self::Unsigned,
            35 => Self::Utf8,
            36 => Self::Pkcs7,
            37 => Self::CodePointer,
            38 => Self::DateTimeUtc,
            other => return Err(Malformed(format!("{field} has OutType {other}, which there is not"))),
        })
    }

    /// Whether the header has it for fields of this encoding: the comments at `TlgOut_t`.
    pub(super) fn fits(self, encoding: InType) -> bool {
        use InType::{Ansi, Binary, CountedAnsi, CountedUtf16, FileTime, Hex as HexNumber, Integer, SystemTime, Utf16};
        let unsigned = |size| encoding == Integer { bytes: size, signed: false };
        match self {
            Self::Default | Self::NoPrint => true,
            Self::String => {
                matches!(encoding, Integer { bytes: 1 | 2, .. } | Utf16 | Ansi | CountedUtf16 | CountedAnsi)
            }
            Self::Boolean => unsigned(1),
            Self::Hex => matches!(encoding, Integer { .. } | HexNumber { .. } | Binary),
            Self::Pid | Self::Tid | Self::IpV4 | Self::Win32Error | Self::NtStatus => unsigned(4),
            Self::Port => unsigned(2),
            Self::IpV6 | Self::SocketAddress | Self::Pkcs7 => encoding == Binary,
            Self::Xml | Self::Json => matches!(encoding, Utf16 | Ansi | CountedUtf16 | CountedAnsi),
            Self::HResult => encoding == Integer { bytes: 4, signed: true },
            Self::DateTime | Self::DateTimeUtc => matches!(encoding, FileTime | SystemTime),
            Self::Signed | Self::Unsigned => matches!(encoding, Integer { .. }),
            Self::Utf8 => matches!(encoding, Ansi | CountedAnsi),
            Self::CodePointer => matches!(encoding, HexNumber { .. }),
        }
    }
}
