//! The fields' values: what the payload holds, as the metadata says.

use std::{
    fmt::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use super::{
    Malformed,
    bytes::Bytes,
    metadata::{Field, Schema},
    value::Value,
};

const OF: &str = "the payload";
/// `TlgOutSOCKETADDRESS`.
const SOCKET_ADDRESS: u8 = 10;
/// `AF_INET` and `AF_INET6` of ws2def.h.
const AF_INET: u16 = 2;
const AF_INET6: u16 = 23;
/// `SID_MAX_SUB_AUTHORITIES` of winnt.h.
const MOST_SUB_AUTHORITIES: u8 = 15;

/// The value of each field. The payload holds them and nothing else.
pub(super) fn read(schema: &Schema, payload: &[u8]) -> Result<Vec<Value>, Malformed> {
    let mut bytes = Bytes::new(payload, OF);
    let values = schema.fields.iter().map(|field| value(field, &mut bytes)).collect::<Result<_, _>>()?;
    match bytes.left() {
        0 => Ok(values),
        left => Err(Malformed::Rest { event: schema.name.clone(), bytes: left }),
    }
}

/// The numbers are those of `TlgIn_t`.
fn value(field: &Field, bytes: &mut Bytes<'_>) -> Result<Value, Malformed> {
    let name = field.name.as_str();
    Ok(match field.encoding {
        1 => utf16(bytes.until_zero(2, name)?),
        2 => text(bytes.until_zero(1, name)?),
        3 => signed(bytes.number(1, name)?, 1),
        4 => Value::Number(bytes.number(1, name)?),
        5 => signed(bytes.number(2, name)?, 2),
        6 => Value::Number(bytes.number(2, name)?),
        7 => signed(bytes.number(4, name)?, 4),
        // TlgInUINT32, TlgInBOOL32, TlgInHEXINT32.
        8 | 13 | 20 => Value::Number(bytes.number(4, name)?),
        9 => signed(bytes.number(8, name)?, 8),
        // TlgInUINT64, TlgInFILETIME, TlgInHEXINT64.
        10 | 17 | 21 => Value::Number(bytes.number(8, name)?),
        11 => Value::Float(f32::from_bits(u32::try_from(bytes.number(4, name)?).unwrap_or_default()).into()),
        12 => Value::Float(f64::from_bits(bytes.number(8, name)?)),
        // TlgInBINARY, TlgInCOUNTEDBINARY.
        14 | 25 => binary(field, bytes.counted(name)?)?,
        // TlgInGUID, TlgInSYSTEMTIME.
        15 | 18 => Value::Binary(bytes.take(16, name)?.to_vec()),
        19 => sid(field, bytes)?,
        22 => utf16(bytes.counted(name)?),
        23 => text(bytes.counted(name)?),
        kind => return Err(Malformed::Kind { field: name.to_owned(), kind }),
    })
}

/// A signed number of so many bytes.
fn signed(number: u64, bytes: u32) -> Value {
    let unused = 64 - 8 * bytes;
    Value::Signed((number << unused).cast_signed() >> unused)
}

/// UTF-16; an odd byte at its end is no character.
fn utf16(bytes: &[u8]) -> Value {
    let units: Vec<u16> = bytes.as_chunks().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
    Value::Text(String::from_utf16_lossy(&units))
}

/// Characters of 8 bits, which the driver only has of ASCII.
fn text(bytes: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(bytes).into_owned())
}

fn binary(field: &Field, bytes: &[u8]) -> Result<Value, Malformed> {
    match field.shown {
        SOCKET_ADDRESS if bytes.is_empty() => Ok(Value::Nothing),
        SOCKET_ADDRESS => socket_address(bytes)
            .map(Value::Socket)
            .ok_or_else(|| Malformed::Content { field: field.name.clone(), what: "socket address" }),
        _ => Ok(Value::Binary(bytes.to_vec())),
    }
}

/// `SOCKADDR_IN` of ws2def.h and `SOCKADDR_IN6` of ws2ipdef.h: family, port and address, of which the last two are in network
/// order; of IPv6 the flow information before, and the scope behind the address.
fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = bytes.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    match (u16::from_le_bytes(*family), bytes.len()) {
        (AF_INET, 16) => {
            let address = Ipv4Addr::from(*rest.first_chunk::<4>()?);
            Some(SocketAddrV4::new(address, port).into())
        }
        (AF_INET6, 28) => {
            let (flow_information, rest) = rest.split_first_chunk()?;
            let (address, rest) = rest.split_first_chunk::<16>()?;
            let scope = u32::from_le_bytes(*rest.first_chunk()?);
            let flow_information = u32::from_le_bytes(*flow_information);
            Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, flow_information, scope).into())
        }
        _ => None,
    }
}

/// A SID of winnt.h: revision, count, six bytes of authority with the highest first, and sub-authorities.
fn sid(field: &Field, bytes: &mut Bytes<'_>) -> Result<Value, Malformed> {
    let revision = bytes.byte(&field.name)?;
    let count = bytes.byte(&field.name)?;
    if revision != 1 || count > MOST_SUB_AUTHORITIES {
        return Err(Malformed::Content { field: field.name.clone(), what: "security identifier" });
    }
    let authority = bytes.take(6, &field.name)?.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    let mut text = format!("S-1-{authority}");
    for _ in 0..count {
        let _ = write!(text, "-{}", bytes.number(4, &field.name)?);
    }
    Ok(Value::Text(text))
}
