//! `Warning`: what a client should show its user, though the request succeeded.
//!
//! The distribution specification wants the code 299, no agent and no date, and at most 4096 bytes.

use http::{HeaderValue, Response, header::WARNING};

use super::Body;

/// More would be a story.
const TEXT_BYTES: usize = 1024;

/// Adds a warning to an answer.
pub(super) fn warn(response: &mut Response<Body>, text: &str) {
    response.headers_mut().append(WARNING, value(text));
}

fn value(text: &str) -> HeaderValue {
    let mut quoted = String::from("299 - \"");
    for character in text.chars().filter(|character| matches!(character, ' '..='~')) {
        if quoted.len() > TEXT_BYTES {
            break;
        }
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    HeaderValue::try_from(quoted).expect("visible ASCII and spaces")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_one_line_of_visible_ascii() {
        assert_eq!(value("it is \"full\"\r\nX: é"), "299 - \"it is \\\"full\\\"X: \"");
        assert!(value(&"\\".repeat(9_999)).len() < 4096);
    }
}
