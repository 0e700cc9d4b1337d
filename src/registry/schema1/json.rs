//! JSON as Go's encoder writes it: digests and ids of schema 1 are hashes of such text.

use std::{collections::BTreeMap, fmt::Write};

use serde::de::IgnoredAny;

/// Writes a string between quotes.
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\u{1f}' => escape(&mut quoted, character),
            _ => push(&mut quoted, character),
        }
    }
    quoted.push('"');
    quoted
}

/// The members of an object by their names, in the order of their bytes; the last of several wins.
///
/// Values are as they were written, but for white space and what HTML would misread. None: it is no
/// object.
pub(super) fn members(object: &[u8]) -> Option<BTreeMap<String, String>> {
    serde_json::from_slice::<IgnoredAny>(object).ok()?;
    let compact = compact(std::str::from_utf8(object).ok()?);
    let mut rest = compact.strip_prefix('{')?.strip_suffix('}')?;
    let mut members = BTreeMap::new();
    while !rest.is_empty() {
        let (key, after) = split_at(rest, b':');
        let (value, after) = split_at(after, b',');
        members.insert(serde_json::from_str(key).ok()?, value.to_owned());
        rest = after;
    }
    Some(members)
}

/// Leaves out white space. The text is known to be JSON.
fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let (mut is_string, mut is_escaped) = (false, false);
    for character in text.chars() {
        if !is_string && character.is_ascii_whitespace() {
            continue;
        }
        is_string ^= character == '"' && !is_escaped;
        is_escaped = is_string && character == '\\' && !is_escaped;
        push(&mut compact, character);
    }
    compact
}

/// What stands before and after the first such byte outside of strings, lists and objects.
fn split_at(text: &str, separator: u8) -> (&str, &str) {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        is_string ^= byte == b'"' && !is_escaped;
        is_escaped = is_string && byte == b'\\' && !is_escaped;
        match byte {
            _ if is_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if byte == separator && depth == 0 => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    (text, "")
}

/// Adds a character; those that end a script or a line of one are escaped.
fn push(text: &mut String, character: char) {
    match character {
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escape(text, character),
        _ => text.push(character),
    }
}

fn escape(text: &mut String, character: char) {
    write!(text, "\\u{:04x}", u32::from(character)).expect("a string takes all that is written");
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_string_is_escaped_as_go_does_it() {
        let escaped =
            r#""\u003ca\u003e \u0026 \u0008\u000c\n\r\t\u0001\u007f \"\\/ \u2028\u2029 é""#;
        let escaped = escaped.replace("\\u007f", "\u{7f}");
        assert_eq!(string("<a> & \u{8}\u{c}\n\r\t\u{1}\u{7f} \"\\/ \u{2028}\u{2029} é"), escaped);
    }

    #[test]
    fn members_come_sorted_and_compact_and_the_last_of_several_wins() {
        let object = r#" { "b" : [ 1.0 , { "c,:" : "} <" } ] , "a\u0041" : "\\" , "B":null, "b":{ "x" : [ ] } } "#;
        let found = members(object.as_bytes()).unwrap();
        let found: Vec<_> = found.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(found, [("B", "null"), ("aA", r#""\\""#), ("b", r#"{"x":[]}"#)]);
        let nested = members(br#"{"a": [ "\"]<", {"b": "," } ]}"#).unwrap();
        assert_eq!(nested["a"], r#"["\"]\u003c",{"b":","}]"#);
        assert!(members(b"{}").unwrap().is_empty());
        for text in ["", "[]", "null", "{", "{\"a\":}", "1 {}", "\u{feff}{}"] {
            assert_eq!(members(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_string_reads_back(text: String) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(&text)).unwrap(), text);
        }

        #[test]
        fn members_read_back(names in vec(any::<String>(), 0..4), value in vec(any::<String>(), 0..4)) {
            let object: BTreeMap<_, _> = names.into_iter().map(|name| (name, value.clone())).collect();
            let written = serde_json::to_string_pretty(&object).unwrap();
            let found = members(written.as_bytes()).unwrap();
            let found: BTreeMap<String, Vec<String>> = found
                .iter()
                .map(|(key, value)| (key.clone(), serde_json::from_str(value).unwrap()))
                .collect();
            prop_assert_eq!(found, object);
        }
    }
}
