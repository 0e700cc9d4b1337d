//! logrus' text format: `time="…" level=info msg="…" key=value`.

use super::{quote::quote, record::Record};

/// The keys that a field must not have.
const OWN_KEYS: [&str; 3] = ["time", "level", "msg"];

/// Adds the line of a record.
pub(super) fn write(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b"time=");
    value(out, &record.timestamp());
    out.extend_from_slice(b" level=");
    value(out, record.level_name());
    if !record.message.is_empty() {
        out.extend_from_slice(b" msg=");
        value(out, record.message);
    }
    for (key, field) in record.fields {
        out.push(b' ');
        if OWN_KEYS.contains(&key.as_str()) {
            out.extend_from_slice(b"fields.");
        }
        name(out, key);
        out.push(b'=');
        value(out, field.as_str());
    }
    out.push(b'\n');
}

/// Adds a key; logrus takes them as they are, but a line is a line.
fn name(out: &mut Vec<u8>, key: &str) {
    if key.contains(char::is_control) {
        quote(out, key)
    } else {
        out.extend_from_slice(key.as_bytes())
    }
}

fn value(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(needs_no_quotes) {
        out.extend_from_slice(text.as_bytes());
    } else {
        quote(out, text);
    }
}

fn needs_no_quotes(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._/@^+".contains(&byte)
}
