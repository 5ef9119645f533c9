//! A tuple as it is typed: `tcp 10.0.0.5:50123 93.184.216.34:443`, `icmp 10.0.0.5 10.0.0.9 type=8 code=0`, and with an arrow between
//! the ends, as trace lines have it.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};

use crate::flows::{ICMP, ICMPV6, TCP, Tuple, UDP};

/// The words that were typed; those of one argument may be apart.
pub(super) struct Words<'a>(pub(super) &'a [String]);

const FORM: &str =
    "a packet's tuple is typed as: tcp 10.0.0.5:50123 93.184.216.34:443, or: icmp 10.0.0.5 10.0.0.9 type=8 code=0";

impl Words<'_> {
    /// The tuple that they are.
    pub(super) fn tuple(&self) -> Result<Tuple> {
        let words = self.0.iter().flat_map(|argument| argument.split_whitespace());
        let words: Vec<&str> = words.filter(|word| *word != "->").collect();
        let [protocol, source, destination, ref rest @ ..] = words[..] else { bail!(FORM) };
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => TCP,
            "udp" => UDP,
            "icmp" => ICMP,
            "icmpv6" => ICMPV6,
            number => number.parse().with_context(|| format!("{protocol} is no protocol; {FORM}"))?,
        };
        if matches!(protocol, ICMP | ICMPV6) {
            let address = |text: &str| text.parse::<IpAddr>().with_context(|| format!("{text} is no address; {FORM}"));
            let &[kind, code] = rest else { bail!(FORM) };
            let (kind, code) = (number("type", kind)?, number("code", code)?);
            return Ok(Tuple::icmp(protocol, address(source)?, address(destination)?, kind, code));
        }
        if !rest.is_empty() {
            bail!(FORM);
        }
        Ok(Tuple { protocol, source: end(source)?, destination: end(destination)? })
    }
}

fn number(name: &str, word: &str) -> Result<u8> {
    let value = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).unwrap_or(word);
    value.parse().with_context(|| format!("{word} is no {name} of ICMP; {FORM}"))
}

/// An address and a port; protocols that have none do without.
fn end(text: &str) -> Result<SocketAddr> {
    let without_port = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0));
    without_port.or_else(|_| text.parse()).with_context(|| format!("{text} is no address and port; {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Result<Tuple> {
        Words(&[text.to_owned()]).tuple()
    }

    #[test]
    fn a_tuple_is_read_with_and_without_an_arrow_and_in_words_or_in_one() {
        let tuple = typed("tcp 10.0.0.5:50123 -> 93.184.216.34:443").unwrap();
        assert_eq!(tuple.protocol, TCP);
        assert_eq!(
            (tuple.source, tuple.destination),
            ("10.0.0.5:50123".parse().unwrap(), "93.184.216.34:443".parse().unwrap())
        );
        let words = ["TCP", "10.0.0.5:50123", "93.184.216.34:443"].map(ToOwned::to_owned);
        assert_eq!(Words(&words).tuple().unwrap(), tuple);
    }

    #[test]
    fn icmp_has_type_and_code() {
        let [source, destination] = ["fe80::1", "fe80::2"].map(|text| text.parse().unwrap());
        let expected = Tuple::icmp(ICMPV6, source, destination, 128, 0);
        assert_eq!(typed("icmpv6 fe80::1 fe80::2 type=128 code=0").unwrap(), expected);
        assert_eq!(typed("icmpv6 fe80::1 fe80::2 128 0").unwrap(), expected);
    }

    #[test]
    fn what_is_no_tuple_says_how_one_is_typed() {
        for text in [
            "",
            "tcp",
            "tcp 10.0.0.5:1",
            "tcp a b",
            "what 10.0.0.5:1 10.0.0.6:2",
            "icmp 10.0.0.5 10.0.0.6",
            "tcp 10.0.0.5:1 10.0.0.6:2 x",
        ] {
            let told = format!("{:#}", typed(text).unwrap_err());
            assert!(told.contains("tcp 10.0.0.5:50123 93.184.216.34:443"), "{text}: {told}");
        }
    }
}
