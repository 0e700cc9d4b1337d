//! Quoting as Go's `strconv.Quote` does it, for lines that Go programs wrote so far.

use std::io::Write;

/// Adds the text with quotes, backslashes and whatever cannot be printed escaped.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.push(ascii(character)),
            '\u{7}' => out.extend_from_slice(b"\\a"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{b}' => out.extend_from_slice(b"\\v"),
            other => escape_rare(out, other),
        }
    }
}

fn escape_rare(out: &mut Vec<u8>, character: char) {
    let number = u32::from(character);
    // A write into memory cannot fail.
    let _ = match number {
        0..0x80 => write!(out, "\\x{number:02x}"),
        _ if is_printable(character) => write!(out, "{character}"),
        0x80..0x1_0000 => write!(out, "\\u{number:04x}"),
        _ => write!(out, "\\U{number:08x}"),
    };
}

/// Letters, marks, numbers, punctuation and symbols; of spaces only the plain one.
fn is_printable(character: char) -> bool {
    // Rust's own idea of it, which differs from Go's in nothing that a log would show.
    !character.is_whitespace()
        && (character.is_alphanumeric() || character.escape_debug().len() == 1)
}

fn ascii(character: char) -> u8 {
    u8::try_from(character).unwrap_or(b'?')
}

/// Adds the text within quotes.
pub(super) fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn texts_are_quoted_as_go_does() {
        for (text, quoted) in [
            ("", r#""""#),
            ("plain text", r#""plain text""#),
            (r#"a "b" \c"#, r#""a \"b\" \\c""#),
            ("line\nbreak\ttab\r", r#""line\nbreak\ttab\r""#),
            ("\u{7}\u{8}\u{b}\u{c}", r#""\a\b\v\f""#),
            ("\u{1b}[31m\0\u{7f}", r#""\x1b[31m\x00\x7f""#),
            ("é漢🦀", r#""é漢🦀""#),
            ("\u{a0}\u{2028}\u{200b}", r#""\u00a0\u2028\u200b""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            let mut out = Vec::new();
            quote(&mut out, text);
            assert_eq!(String::from_utf8(out).unwrap(), quoted, "{text:?}");
        }
    }
}
