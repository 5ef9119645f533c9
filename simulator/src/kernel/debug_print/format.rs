//! The kernel's `printf`: integers, pointers, characters and strings; no floating point, as in the kernel.

use crate::{
    computer::{
        Irql,
        memory::{self, BadPointer},
    },
    kernel::unicode_string::UnicodeString,
};

/// The longest string argument that is looked at: no more is transmitted.
const LONGEST: usize = 1024;

/// Why nothing could be printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// An argument points nowhere.
    BadPointer(BadPointer),
    /// A Unicode conversion, which is for `PASSIVE_LEVEL` only.
    UnicodeAboveApc(String),
}

impl From<BadPointer> for Problem {
    fn from(bad: BadPointer) -> Self {
        Self::BadPointer(bad)
    }
}

/// How wide an integer argument is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Byte,
    Short,
    Long,
    LongLong,
}

/// One `%…` of a format.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag character of printf")]
struct Specification {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    size: Option<Size>,
    wide: bool,
}

/// Formats as `DbgPrintEx` does at `irql`; `argument` gives one variadic argument after the other.
pub(super) fn format(template: &[u8], irql: Irql, mut argument: impl FnMut() -> u64) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut specification = Specification::default();
        let start = rest;
        rest = specification.parse(rest, &mut argument);
        let Some((&conversion, after)) = rest.split_first() else { break };
        rest = after;
        let code = || format!("%{}", String::from_utf8_lossy(&start[..start.len() - after.len()]));
        specification.convert(conversion, irql, &code, &mut argument, &mut out)?;
    }
    Ok(out)
}

impl Specification {
    /// Reads flags, width, precision and size; returns what is left, from the conversion on.
    fn parse<'a>(&mut self, mut rest: &'a [u8], argument: &mut impl FnMut() -> u64) -> &'a [u8] {
        while let Some((flag, after)) = rest.split_first() {
            match flag {
                b'-' => self.left = true,
                b'0' => self.zero = true,
                b'+' => self.plus = true,
                b' ' => self.space = true,
                b'#' => self.alternate = true,
                _ => break,
            }
            rest = after;
        }
        let width = number(&mut rest, argument);
        // A negative width from an argument means the flag and its magnitude.
        self.left |= width.is_some_and(|width| width < 0);
        self.width = width.map_or(0, |width| width.unsigned_abs() as usize);
        if let Some(after) = rest.strip_prefix(b".") {
            rest = after;
            let precision = number(&mut rest, argument).unwrap_or(0);
            self.precision = usize::try_from(precision).ok();
        }
        for (prefix, size) in [
            (b"I64".as_slice(), Size::LongLong),
            (b"I32", Size::Long),
            (b"I", Size::LongLong),
            (b"ll", Size::LongLong),
            (b"l", Size::Long),
            (b"hh", Size::Byte),
            (b"h", Size::Short),
        ] {
            if let Some(after) = rest.strip_prefix(prefix) {
                self.size = Some(size);
                self.wide = prefix == b"l";
                return after;
            }
        }
        if let Some(after) = rest.strip_prefix(b"w") {
            self.wide = true;
            return after;
        }
        rest
    }

    fn convert(
        &self,
        conversion: u8,
        irql: Irql,
        code: &dyn Fn() -> String,
        argument: &mut impl FnMut() -> u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let narrow = matches!(self.size, Some(Size::Short));
        let unicode = match conversion {
            b's' | b'c' | b'Z' => self.wide,
            b'S' | b'C' => !narrow,
            _ => false,
        };
        if unicode && irql > Irql::PASSIVE {
            return Err(Problem::UnicodeAboveApc(code()));
        }
        match conversion {
            b'%' => out.push(b'%'),
            b'd' | b'i' => self.signed(argument(), out),
            b'u' => self.unsigned(&self.unsigned_value(argument()).to_string(), "", out),
            b'x' => self.unsigned(&format!("{:x}", self.unsigned_value(argument())), self.prefix("0x"), out),
            b'X' => self.unsigned(&format!("{:X}", self.unsigned_value(argument())), self.prefix("0X"), out),
            b'o' => self.unsigned(&format!("{:o}", self.unsigned_value(argument())), self.prefix("0"), out),
            b'p' => self.pad("", format!("{:016X}", argument()).as_bytes(), out),
            b'c' | b'C' => {
                let unit = argument();
                let character = if unicode { char::from_u32(unit as u32 & 0xFFFF) } else { None };
                let narrow = [unit as u8];
                let text = character.map_or(narrow.to_vec(), |character| character.to_string().into_bytes());
                self.pad("", &text, out);
            }
            b's' | b'S' => {
                let address = argument();
                let limit = self.precision.unwrap_or(LONGEST).min(LONGEST);
                let text = match (address, unicode) {
                    (0, _) => b"(null)".to_vec(),
                    (_, true) => memory::read_utf16(address, limit)?.into_bytes(),
                    (_, false) => memory::read_c_string(address, limit)?,
                };
                self.pad("", &text, out);
            }
            b'Z' => {
                let string: UnicodeString = memory::read(argument())?;
                let bytes = memory::read_bytes(string.buffer, usize::from(string.length))?;
                let text = if unicode {
                    let units: Vec<u16> =
                        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                    String::from_utf16_lossy(&units).into_bytes()
                } else {
                    bytes
                };
                self.pad("", &text, out);
            }
            // What the kernel does not know it prints as it stands.
            _ => out.extend_from_slice(code().as_bytes()),
        }
        Ok(())
    }

    fn prefix(&self, prefix: &'static str) -> &'static str {
        if self.alternate { prefix } else { "" }
    }

    fn unsigned_value(&self, argument: u64) -> u64 {
        match self.size {
            Some(Size::LongLong) => argument,
            Some(Size::Byte) => argument & 0xFF,
            Some(Size::Short) => argument & 0xFFFF,
            Some(Size::Long) | None => argument & 0xFFFF_FFFF,
        }
    }

    fn signed(&self, argument: u64, out: &mut Vec<u8>) {
        let value = match self.size {
            Some(Size::LongLong) => argument.cast_signed(),
            Some(Size::Byte) => (argument as u8).cast_signed().into(),
            Some(Size::Short) => (argument as u16).cast_signed().into(),
            Some(Size::Long) | None => (argument as u32).cast_signed().into(),
        };
        let sign = match value {
            ..0 => "-",
            _ if self.plus => "+",
            _ if self.space => " ",
            _ => "",
        };
        self.unsigned(&value.unsigned_abs().to_string(), sign, out);
    }

    /// Pads a number: zeros go between its prefix and its digits.
    fn unsigned(&self, digits: &str, prefix: &str, out: &mut Vec<u8>) {
        let least = match self.precision {
            Some(precision) => precision,
            None if self.zero && !self.left => self.width.saturating_sub(prefix.len()),
            None => 0,
        };
        self.pad(prefix, format!("{digits:0>least$}").as_bytes(), out);
    }

    fn pad(&self, prefix: &str, text: &[u8], out: &mut Vec<u8>) {
        let blanks = self.width.saturating_sub(prefix.len() + text.len());
        if !self.left {
            out.extend(std::iter::repeat_n(b' ', blanks));
        }
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(text);
        if self.left {
            out.extend(std::iter::repeat_n(b' ', blanks));
        }
    }
}

/// A width or precision: digits, or `*` for an argument. More than a line is as good as a line.
fn number(rest: &mut &[u8], argument: &mut impl FnMut() -> u64) -> Option<i32> {
    const LIMIT: i32 = 1024;
    if let Some(after) = rest.strip_prefix(b"*") {
        *rest = after;
        return Some((argument() as u32).cast_signed().clamp(-LIMIT, LIMIT));
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    (digits > 0).then(|| number.iter().fold(0, |value: i32, &digit| (value * 10 + i32::from(digit - b'0')).min(LIMIT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(template: &str, arguments: &[u64]) -> String {
        let mut arguments = arguments.iter();
        let bytes = format(template.as_bytes(), Irql::PASSIVE, || *arguments.next().expect("an argument"));
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().chain([0]).collect()
    }

    #[test]
    fn numbers_are_as_wide_as_their_code_says() {
        let minus_one = u64::MAX;
        assert_eq!(formatted("%d %u %x %hx %hhx", &[minus_one; 5]), "-1 4294967295 ffffffff ffff ff");
        assert_eq!(formatted("%I64x %llu %I64d", &[minus_one; 3]), "ffffffffffffffff 18446744073709551615 -1");
        assert_eq!(formatted("%lu %ld", &[minus_one; 2]), "4294967295 -1");
    }

    #[test]
    fn width_zeros_and_flags_are_honoured() {
        assert_eq!(formatted("[%5d|%-5d|%05d]", &[42, 42, 42]), "[   42|42   |00042]");
        assert_eq!(formatted("[%#x|%#06x|%+d|% d]", &[42; 4]), "[0x2a|0x002a|+42| 42]");
        assert_eq!(formatted("[%*d|%.3d|%-*d]", &[4, 7, 7, 3, 7]), "[   7|007|7  ]");
    }

    #[test]
    fn a_pointer_has_sixteen_digits() {
        assert_eq!(formatted("%p", &[0xFFFF_F780_0000_0000]), "FFFFF78000000000");
    }

    #[test]
    fn strings_end_at_nul_or_precision() {
        let text = b"flowtag\0";
        let address = text.as_ptr() as u64;
        assert_eq!(formatted("[%s|%.4s|%9s|%-9s]", &[address; 4]), "[flowtag|flow|  flowtag|flowtag  ]");
        assert_eq!(formatted("%s", &[0]), "(null)");
    }

    #[test]
    fn wide_strings_are_converted() {
        let text = wide("straße");
        let address = text.as_ptr() as u64;
        assert_eq!(formatted("%ws %S %ls", &[address; 3]), "straße straße straße");
    }

    #[test]
    fn a_unicode_string_is_as_long_as_it_says() {
        let text = wide("flowtag");
        let string = UnicodeString { length: 8, maximum_length: 14, padding: 0, buffer: text.as_ptr() as u64 };
        assert_eq!(formatted("%wZ", &[&raw const string as u64]), "flow");
    }

    #[test]
    fn unicode_codes_are_refused_above_passive_level() {
        for code in ["%ws", "%S", "%wZ", "%lc", "%C", "%wc"] {
            assert_eq!(format(code.as_bytes(), Irql::APC, || 0), Err(Problem::UnicodeAboveApc(code.into())), "{code}");
        }
    }

    #[test]
    fn an_ansi_string_is_printed_at_any_level() {
        let text = b"flow\0";
        assert_eq!(format(b"%s", Irql::DISPATCH, || text.as_ptr() as u64).unwrap(), b"flow");
    }

    #[test]
    fn a_bad_pointer_is_reported() {
        assert_eq!(format(b"%s", Irql::PASSIVE, || 16), Err(Problem::BadPointer(BadPointer(16))));
    }

    #[test]
    fn unknown_codes_and_lone_percent_signs_are_printed_as_they_stand() {
        assert_eq!(formatted("100%% %f %", &[]), "100% %f ");
    }
}
