//! A small reader of pcapng that shares nothing with the program's: written after draft-ietf-opsawg-pcapng and what Wireshark's
//! wiretap/pcapng-wireshark-custom.c says of process information. It panics at whatever is not as it should be.

/// A block, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A section begins; how long it says it is.
    Section(i64),
    /// A packet.
    Packet(Packet),
    /// A process.
    Process(Process),
    /// Anything else, with its type.
    Other(u32, Vec<u8>),
}

/// A packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    pub interface: u32,
    pub time: u64,
    pub original: u32,
    pub data: Vec<u8>,
    pub options: Vec<(u16, Vec<u8>)>,
    /// Process and thread, if it has option 8.
    pub owner: Option<(u32, u32)>,
    pub comments: Vec<String>,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    pub id: u32,
    pub name: Option<String>,
    pub path: Option<String>,
    pub parent: Option<u32>,
    pub started: Option<u64>,
}

/// A file's bytes, and in which order its numbers are.
struct Reader<'a> {
    bytes: &'a [u8],
    big: bool,
}

/// All blocks of a file.
pub fn blocks(file: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut big = false;
    let mut rest = file;
    while !rest.is_empty() {
        if rest[..4] == [0x0a, 0x0d, 0x0d, 0x0a] {
            big = match rest[8..12] {
                [0x1a, 0x2b, 0x3c, 0x4d] => true,
                [0x4d, 0x3c, 0x2b, 0x1a] => false,
                ref other => panic!("no order: {other:x?}"),
            };
        }
        let reader = Reader { bytes: rest, big };
        let (kind, length) = (reader.u32(0), reader.u32(4) as usize);
        assert_eq!(length % 4, 0, "a block of {length} bytes");
        assert_eq!(reader.u32(length - 4) as usize, length, "both lengths of a block");
        blocks.push(reader.block(kind, length));
        rest = &rest[length..];
    }
    blocks
}

impl Reader<'_> {
    fn u16(&self, at: usize) -> u16 {
        let two = [self.bytes[at], self.bytes[at + 1]];
        if self.big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) }
    }

    fn u32(&self, at: usize) -> u32 {
        let four = self.bytes[at..at + 4].try_into().unwrap();
        if self.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }

    fn block(&self, kind: u32, length: usize) -> Block {
        let whole = &self.bytes[..length];
        match kind {
            0x0a0d_0d0a => {
                let eight = whole[16..24].try_into().unwrap();
                Block::Section(if self.big { i64::from_be_bytes(eight) } else { i64::from_le_bytes(eight) })
            }
            6 => Block::Packet(self.packet(length)),
            0xbad if self.u32(8) == 32_622 && whole[12..16] == [3, 0, 0, 0] => {
                let entry = u32::from_le_bytes(whole[16..20].try_into().unwrap()) as usize;
                assert_eq!(20 + entry.next_multiple_of(4) + 4, length, "the entry fills its block");
                Block::Process(process(&whole[20..20 + entry]))
            }
            _ => Block::Other(kind, whole.to_vec()),
        }
    }

    fn packet(&self, length: usize) -> Packet {
        let captured = self.u32(20) as usize;
        let data = self.bytes[28..28 + captured].to_vec();
        let begin = 28 + captured.next_multiple_of(4);
        let options = self.options(begin, length - 4);
        let mut owners = options.iter().filter(|(code, _)| *code == 8);
        let owner = owners.next().map(|(_, value)| {
            let ids = Reader { bytes: value, big: self.big };
            assert_eq!(value.len(), 8);
            (ids.u32(0), ids.u32(4))
        });
        assert_eq!(owners.next(), None, "option 8 comes once at most");
        let comments = options.iter().filter(|(code, _)| *code == 1);
        Packet {
            interface: self.u32(8),
            time: u64::from(self.u32(12)) << 32 | u64::from(self.u32(16)),
            original: self.u32(24),
            data,
            owner,
            comments: comments.map(|(_, text)| String::from_utf8(text.clone()).unwrap()).collect(),
            options,
        }
    }

    /// The options from here on. If there are any, their list has an end, and fills the block.
    fn options(&self, mut at: usize, end: usize) -> Vec<(u16, Vec<u8>)> {
        let mut options = Vec::new();
        while at < end {
            let (code, length) = (self.u16(at), usize::from(self.u16(at + 2)));
            if code == 0 {
                assert_eq!((length, at + 4), (0, end), "the list ends where the block does");
                return options;
            }
            options.push((code, self.bytes[at + 4..at + 4 + length].to_vec()));
            at += 4 + length.next_multiple_of(4);
        }
        assert!(options.is_empty(), "a list without an end");
        options
    }
}

/// The body of a Process Information Block: little-endian, whatever the section is.
fn process(entry: &[u8]) -> Process {
    let little = Reader { bytes: entry, big: false };
    let mut process = Process { id: little.u32(0), ..Process::default() };
    for (code, value) in little.options(4, entry.len()) {
        match code {
            2 => process.name = String::from_utf8(value).ok(),
            3 => process.path = String::from_utf8(value).ok(),
            5 => process.parent = Some(u32::from_le_bytes(value.try_into().unwrap())),
            9 => process.started = Some(u64::from_le_bytes(value.try_into().unwrap())),
            other => panic!("pib option {other}"),
        }
    }
    process
}
