//! What an event is: the metadata of its provider and its own.

use super::{
    Malformed,
    kinds::{CHAIN, InType, OutType},
    reader::{Reader, sized},
};

/// More fields than this most decoders do not take (tracelogging 1.2.4, "Event Size Limits").
const MOST_FIELDS: usize = 128;

/// A provider, as its traits describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// The group that it belongs to.
    pub group: Option<u128>,
}

/// An event, as its metadata describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// A number of the provider's own.
    pub tag: u32,
    /// Its fields, in the order of the payload.
    pub fields: Vec<Field>,
}

/// A field of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// How it is encoded.
    pub encoding: InType,
    /// How it is shown.
    pub shown: OutType,
}

impl Provider {
    /// Reads the traits of a provider.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        const OF: &str = "the provider's metadata";
        let mut reader = sized(bytes, OF)?;
        let name = reader.name("the provider's name")?;
        let mut group = None;
        while !reader.is_empty() {
            let size = usize::from(reader.u16("the size of a trait")?);
            let data = size.checked_sub(3).ok_or_else(|| Malformed(format!("{OF}: a trait of {size} bytes")))?;
            let kind = reader.u8("the type of a trait")?;
            let mut data = Reader::new(reader.take(data, "a trait")?, OF);
            match kind {
                1 if group.is_some() => return Err(Malformed(format!("{OF}: two groups"))),
                1 => {
                    group = Some(u128::from_le_bytes(data.array("the provider's group")?));
                    if !data.is_empty() {
                        return Err(Malformed(format!("{OF}: {} bytes behind the group", data.left())));
                    }
                }
                // Provider Traits, "Custom Traits": types from 128 on are the provider's own.
                128.. => {}
                _ => return Err(Malformed(format!("{OF}: a trait of type {kind}, which there is not"))),
            }
        }
        Ok(Self { name, group })
    }
}

impl Schema {
    /// Reads the metadata of an event.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        const OF: &str = "the event's metadata";
        let mut reader = sized(bytes, OF)?;
        let tag = reader.tag("the event's tag")?;
        let name = reader.name("the event's name")?;
        let mut fields: Vec<Field> = Vec::new();
        while !reader.is_empty() {
            let field = Field::read(&mut reader)?;
            if fields.iter().any(|other| other.name == field.name) {
                return Err(Malformed(format!("{OF}: two fields are named {}, and consumers go by names", field.name)));
            }
            fields.push(field);
        }
        if fields.len() > MOST_FIELDS {
            return Err(Malformed(format!("{OF}: {} fields, of which decoders take {MOST_FIELDS}", fields.len())));
        }
        Ok(Self { name, tag, fields })
    }
}

impl Field {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let name = reader.name("the name of a field")?;
        let in_type = reader.u8("the InType of a field")?;
        let encoding = InType::of(in_type, &name)?;
        let mut shown = OutType::Default;
        if in_type & CHAIN != 0 {
            let out_type = reader.u8("the OutType of a field")?;
            shown = OutType::of(out_type, &name)?;
            if out_type & CHAIN != 0 {
                reader.tag("the tag of a field")?;
            }
        }
        if !shown.fits(encoding) {
            return Err(Malformed(format!("{name} is {encoding:?}, which is never shown as {shown:?}")));
        }
        Ok(Self { name, encoding, shown })
    }
}
