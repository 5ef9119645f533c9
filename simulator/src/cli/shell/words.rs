//! Command lines as Windows splits them.

/// Splits a line at blanks; quotes keep blanks in a word, and `\"` is a quote.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quoted = false;
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' if rest.peek() == Some(&'"') => {
                rest.next();
                word.get_or_insert_with(String::new).push('"');
            }
            '"' => {
                quoted = !quoted;
                word.get_or_insert_with(String::new);
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_with(String::new).push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_separate_words() {
        assert_eq!(split("  sc  query\tflowtag "), ["sc", "query", "flowtag"]);
    }

    #[test]
    fn quotes_keep_blanks_and_may_be_empty() {
        assert_eq!(
            split(r#"binPath= "C:\my drivers\flowtag.sys" "" x"#),
            ["binPath=", r"C:\my drivers\flowtag.sys", "", "x"]
        );
    }

    #[test]
    fn a_backslash_makes_a_quote_an_ordinary_character() {
        assert_eq!(split(r#"binPath= "\"C:\my drivers\flowtag.sys\"""#)[1], r#""C:\my drivers\flowtag.sys""#);
    }
}
