//! The fields' values: what the payload holds, taken apart as the metadata says.

use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use super::{
    Malformed,
    kinds::{InType, OutType},
    metadata::Field,
    reader::Reader,
    time,
    value::Value,
};

/// `AF_INET` and `AF_INET6` of ws2def.h.
const AF_INET: u16 = 2;
const AF_INET6: u16 = 23;
/// `SID_REVISION` and `SID_MAX_SUB_AUTHORITIES` of winnt.h.
const SID_REVISION: u8 = 1;
const SID_MAX_SUB_AUTHORITIES: u8 = 15;

/// The value of every field; the payload must hold them and nothing else.
pub(super) fn read(fields: &[Field], payload: &[u8]) -> Result<Vec<Value>, Malformed> {
    let mut reader = Reader::new(payload, "the payload");
    let values = fields.iter().map(|field| value(field, &mut reader)).collect::<Result<_, _>>()?;
    if !reader.is_empty() {
        return Err(Malformed(format!("the payload has {} bytes behind its last field", reader.left())));
    }
    Ok(values)
}

fn value(field: &Field, reader: &mut Reader<'_>) -> Result<Value, Malformed> {
    let name = field.name.as_str();
    Ok(match field.encoding {
        InType::Integer { bytes, signed } => integer(field.shown, reader.take(bytes.into(), name)?, signed),
        InType::Hex { bytes } => Value::Hex(little_endian(reader.take(bytes.into(), name)?)),
        InType::Float { bytes: 4 } => Value::Float(f32::from_le_bytes(reader.array(name)?).into()),
        InType::Float { .. } => Value::Float(f64::from_le_bytes(reader.array(name)?)),
        InType::Bool32 => Value::Bool(reader.array::<4>(name)? != [0; 4]),
        InType::Guid => Value::Guid(u128::from_le_bytes(reader.array(name)?)),
        InType::FileTime => Value::Time(u64::from_le_bytes(reader.array(name)?)),
        InType::SystemTime => Value::Time(system_time(reader.array(name)?, name)?),
        InType::Sid => Value::Sid(sid(reader, name)?),
        InType::Binary => binary(field, counted(reader, name)?)?,
        InType::CountedAnsi => ansi(field, counted(reader, name)?)?,
        InType::Ansi => ansi(field, reader.until_nul(name)?)?,
        InType::CountedUtf16 => utf16(counted(reader, name)?, name)?,
        InType::Utf16 => {
            let mut units = Vec::new();
            loop {
                match reader.u16(&format!("{name}, before its NUL"))? {
                    0 => break Value::Utf16(units),
                    unit => units.push(unit),
                }
            }
        }
    })
}

fn counted<'a>(reader: &mut Reader<'a>, name: &str) -> Result<&'a [u8], Malformed> {
    let count = reader.u16(name)?;
    reader.take(count.into(), name)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn integer(shown: OutType, bytes: &[u8], signed: bool) -> Value {
    let number = little_endian(bytes);
    let unused = 64 - 8 * bytes.len() as u32;
    let extended = (number << unused).cast_signed() >> unused;
    match shown {
        OutType::Boolean => Value::Bool(number != 0),
        OutType::Hex | OutType::NtStatus | OutType::HResult => Value::Hex(number),
        OutType::Port => Value::Unsigned((number as u16).swap_bytes().into()),
        OutType::IpV4 => Value::Address(IpAddr::V4((number as u32).to_le_bytes().into())),
        OutType::String if bytes.len() == 2 => Value::Utf16(vec![number as u16]),
        OutType::String => Value::Text(char::from(number as u8).into()),
        OutType::Unsigned => Value::Unsigned(number),
        OutType::Signed => Value::Signed(extended),
        _ if signed => Value::Signed(extended),
        _ => Value::Unsigned(number),
    }
}

fn binary(field: &Field, bytes: &[u8]) -> Result<Value, Malformed> {
    let wrong = |what: &str| Malformed(format!("{} has {} bytes, which are no {what}", field.name, bytes.len()));
    match field.shown {
        OutType::IpV6 | OutType::SocketAddress if bytes.is_empty() => Ok(Value::Nothing),
        OutType::IpV6 => {
            let address: [u8; 16] = bytes.try_into().map_err(|_| wrong("IPv6 address"))?;
            Ok(Value::Address(IpAddr::V6(address.into())))
        }
        OutType::SocketAddress => socket_address(bytes).map(Value::Socket).ok_or_else(|| wrong("socket address")),
        _ => Ok(Value::Binary(bytes.to_vec())),
    }
}

/// `SOCKADDR_IN` and `SOCKADDR_IN6` of ws2def.h and ws2ipdef.h; port and address are in network order.
fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match (family, bytes.len()) {
        (AF_INET, 16) => {
            let address: [u8; 4] = bytes[4..8].try_into().ok()?;
            Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(address), port)))
        }
        (AF_INET6, 28) => {
            let address: [u8; 16] = bytes[8..24].try_into().ok()?;
            let [flow, scope] =
                [&bytes[4..8], &bytes[24..28]].map(|four| u32::from_le_bytes(four.try_into().expect("four bytes")));
            Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(address), port, flow, scope)))
        }
        _ => None,
    }
}

fn ansi(field: &Field, bytes: &[u8]) -> Result<Value, Malformed> {
    match field.shown {
        OutType::Utf8 | OutType::Xml | OutType::Json => {
            let text = str::from_utf8(bytes).map_err(|_| Malformed(format!("{} is not UTF-8", field.name)))?;
            Ok(Value::Text(text.to_owned()))
        }
        // Simplification: Latin-1 for the code page of the machine.
        _ => Ok(Value::Text(bytes.iter().copied().map(char::from).collect())),
    }
}

fn utf16(bytes: &[u8], name: &str) -> Result<Value, Malformed> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Malformed(format!("{name} is UTF-16 of {} bytes, which is odd", bytes.len())));
    }
    Ok(Value::Utf16(units.iter().map(|&unit| u16::from_le_bytes(unit)).collect()))
}

fn sid(reader: &mut Reader<'_>, name: &str) -> Result<String, Malformed> {
    let [revision, count, authority @ ..] = reader.array::<8>(name)?;
    if revision != SID_REVISION || count > SID_MAX_SUB_AUTHORITIES {
        return Err(Malformed(format!("{name} is no SID: revision {revision}, {count} sub-authorities")));
    }
    let authority = authority.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    let mut text = format!("S-{revision}-{authority}");
    for _ in 0..count {
        write!(text, "-{}", u32::from_le_bytes(reader.array(name)?)).expect("a String takes all");
    }
    Ok(text)
}

/// A `SYSTEMTIME` as a `FILETIME`.
fn system_time(bytes: [u8; 16], name: &str) -> Result<u64, Malformed> {
    let mut parts = [0; 8];
    for (part, two) in parts.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *part = u16::from_le_bytes(*two);
    }
    time::from_parts(parts).ok_or_else(|| Malformed(format!("{name} is no SYSTEMTIME: {parts:?}")))
}
