//! logrus' JSON format: one object a line, its keys sorted.

use super::record::{Record, Value};

/// Adds the line of a record.
pub(super) fn write(out: &mut Vec<u8>, record: &Record<'_>) {
    let own = [
        ("level", Value::Text(record.level_name().to_owned())),
        ("msg", Value::Text(record.message.to_owned())),
        ("time", Value::Text(record.timestamp())),
    ];
    object(out, &own, record);
}

/// Adds one object of the format's own members and the record's fields; fields give way.
pub(super) fn object(out: &mut Vec<u8>, own: &[(&str, Value)], record: &Record<'_>) {
    let mut members: Vec<(String, &Value)> =
        own.iter().map(|(key, value)| ((*key).to_owned(), value)).collect();
    for (key, value) in record.fields {
        let taken = own.iter().any(|(own, _)| own == key);
        members.push((if taken { format!("fields.{key}") } else { key.clone() }, value));
    }
    members.sort_by(|left, right| left.0.cmp(&right.0));
    for (index, (key, value)) in members.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        string(out, key);
        out.push(b':');
        match value {
            Value::Text(text) => string(out, text),
            Value::Literal(literal) => out.extend_from_slice(literal.as_bytes()),
        }
    }
    out.extend_from_slice(b"}\n");
}

/// Adds a JSON string as Go writes it, which is safe within HTML.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    let json = serde_json::Value::from(text).to_string();
    for character in json.chars() {
        match character {
            '<' => out.extend_from_slice(b"\\u003c"),
            '>' => out.extend_from_slice(b"\\u003e"),
            '&' => out.extend_from_slice(b"\\u0026"),
            '\u{2028}' => out.extend_from_slice(b"\\u2028"),
            '\u{2029}' => out.extend_from_slice(b"\\u2029"),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
