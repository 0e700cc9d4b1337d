//! The access log: one line for each answer, in Apache's combined format or in JSON.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::{Sink, access_json, quote::escape};
use crate::config::AccessFormat;

const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// The access log of one server.
#[derive(Debug)]
pub struct Access {
    sink: Sink,
    stamp: Mutex<Stamp>,
}

/// The text of the second in which the last request came in: most of them share it.
#[derive(Debug, Default)]
struct Stamp {
    second: u64,
    text: String,
}

/// What one line of the access log says.
#[derive(Clone, Copy, Debug)]
pub struct AccessLine<'a> {
    /// When the request came in.
    pub time: SystemTime,
    /// The address of the client, without the port.
    pub remote: &'a str,
    /// The same with the port.
    pub peer: &'a str,
    /// The id by which others know the request.
    pub correlation: &'a str,
    /// Who the client proved to be.
    pub user: Option<&'a str>,
    /// `GET`.
    pub method: &'a str,
    /// Path and query, as sent.
    pub uri: &'a str,
    /// `HTTP/1.1`.
    pub version: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body that were sent.
    pub bytes: u64,
    /// The `Referer` header.
    pub referer: Option<&'a str>,
    /// The `User-Agent` header.
    pub agent: Option<&'a str>,
    /// The `Host` header.
    pub host: Option<&'a str>,
    /// The `Content-Type` of the answer.
    pub content_type: Option<&'a str>,
    /// How long the answer took to its end.
    pub took: Duration,
    /// How long the answer took to its head.
    pub first_byte: Duration,
}

impl Access {
    /// An access log that ends in `sink`.
    pub fn new(sink: Sink) -> Self {
        Self { sink, stamp: Mutex::default() }
    }

    /// Writes one line.
    pub fn record(&self, line: &AccessLine<'_>, format: AccessFormat) {
        if format == AccessFormat::Json {
            return self.sink.append(|buffer| access_json::write(buffer, line));
        }
        let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        stamp.set(line.time);
        self.sink.append(|buffer| write(buffer, line, &stamp.text));
    }

    /// Waits until every line so far has been written.
    pub fn flush(&self) {
        self.sink.flush();
    }
}

impl Stamp {
    fn set(&mut self, time: SystemTime) {
        let second = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second != second || self.text.is_empty() {
            self.second = second;
            self.text = OffsetDateTime::from(time).format(STAMP).unwrap_or_default();
        }
    }
}

fn write(out: &mut Vec<u8>, line: &AccessLine<'_>, stamp: &str) {
    escape(out, line.remote);
    out.extend_from_slice(b" - ");
    escape(out, line.user.unwrap_or("-"));
    out.extend_from_slice(b" [");
    out.extend_from_slice(stamp.as_bytes());
    out.extend_from_slice(b"] \"");
    escape(out, line.method);
    out.push(b' ');
    uri(out, line.uri, escape);
    out.push(b' ');
    escape(out, line.version);
    // A write into memory cannot fail.
    let _ = write!(out, "\" {} {} \"", line.status, line.bytes);
    uri(out, line.referer.unwrap_or_default(), escape);
    out.extend_from_slice(b"\" \"");
    escape(out, line.agent.unwrap_or_default());
    out.extend_from_slice(b"\"\n");
}

/// Adds a URI without the values in its query that open doors, each part by `add`.
pub(super) fn uri(out: &mut Vec<u8>, uri: &str, add: fn(&mut Vec<u8>, &str)) {
    let Some((path, query)) = uri.split_once('?') else { return add(out, uri) };
    add(out, path);
    for (index, pair) in query.split('&').enumerate() {
        out.push(if index == 0 { b'?' } else { b'&' });
        match pair.split_once('=') {
            Some((name, value)) if !value.is_empty() && opens_doors(name) => {
                add(out, name);
                out.extend_from_slice(b"=[redacted]");
            }
            Some(_) | None => add(out, pair),
        }
    }
}

/// Whether a parameter's name is that of a signature, a token or a password, however it is escaped.
fn opens_doors(name: &str) -> bool {
    const WORDS: [&[u8]; 3] = [b"signature", b"token", b"password"];
    let mut decoded = [0; 64];
    let length = decode(name.as_bytes(), &mut decoded);
    let name = &decoded[..length];
    let contains =
        |word: &[u8]| name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    name.eq_ignore_ascii_case(b"sig") || WORDS.into_iter().any(contains)
}

/// Decodes `%41` as far as there is room, and returns how far that was.
fn decode(mut text: &[u8], out: &mut [u8]) -> usize {
    let mut length = 0;
    for place in out {
        let (byte, rest) = match text {
            [] => break,
            [b'%', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, rest),
                _ => (b'%', &text[1..]),
            },
            [byte, rest @ ..] => (*byte, rest),
        };
        *place = byte;
        text = rest;
        length += 1;
    }
    length
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{AccessLine, Stamp, write};

    const PING: AccessLine<'_> = AccessLine {
        time: UNIX_EPOCH,
        remote: "127.0.0.1",
        peer: "",
        correlation: "",
        user: None,
        method: "GET",
        uri: "/v2/",
        version: "HTTP/1.1",
        status: 200,
        bytes: 2,
        referer: None,
        agent: Some("curl/8.5.0"),
        host: None,
        content_type: None,
        took: Duration::ZERO,
        first_byte: Duration::ZERO,
    };

    fn text(line: &AccessLine<'_>) -> String {
        let mut out = Vec::new();
        write(&mut out, line, "22/Nov/2026:15:19:19 +0000");
        String::from_utf8(out).unwrap()
    }

    fn uri(uri: &str) -> String {
        let line = text(&AccessLine { uri, ..PING });
        line.split(['"', ' ']).nth(7).unwrap().to_owned()
    }

    #[test]
    fn a_line_is_in_combined_format() {
        assert_eq!(
            text(&PING),
            "127.0.0.1 - - [22/Nov/2026:15:19:19 +0000] \"GET /v2/ HTTP/1.1\" 200 2 \"\" \"curl/8.5.0\"\n"
        );
    }

    #[test]
    fn a_user_and_a_referer_stand_in_their_places() {
        let line =
            AccessLine { user: Some("ann"), referer: Some("http://r/"), agent: None, ..PING };
        assert_eq!(
            text(&line),
            "127.0.0.1 - ann [22/Nov/2026:15:19:19 +0000] \"GET /v2/ HTTP/1.1\" 200 2 \"http://r/\" \"\"\n"
        );
    }

    #[test]
    fn nothing_that_a_client_sends_makes_a_second_line_or_ends_a_quote() {
        let nasty = "x\" 200\n\x1b[2Jy\\";
        let line = AccessLine {
            user: Some(nasty),
            method: nasty,
            uri: nasty,
            referer: Some(nasty),
            agent: Some(nasty),
            ..PING
        };
        let text = text(&line);
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(text.matches(r#"x\" 200\n\x1b[2Jy\\"#).count(), 5);
    }

    #[test]
    fn only_values_that_open_doors_are_masked() {
        for (written, logged) in [
            ("/v2/a/blobs/uploads/u?_state=abc&digest=sha256:1", None),
            ("/v2/_catalog?n=5&last=a", None),
            ("/x?flag&empty=&token", None),
            ("/x?token=abc", Some("/x?token=[redacted]")),
            ("/x?a=1&X-Amz-Signature=ff&b=2", Some("/x?a=1&X-Amz-Signature=[redacted]&b=2")),
            ("/x?sig=ff", Some("/x?sig=[redacted]")),
            ("/x?refresh_token=a=b", Some("/x?refresh_token=[redacted]")),
            ("/x?PASSWORD=a", Some("/x?PASSWORD=[redacted]")),
            ("/x?to%6Ben=a", Some("/x?to%6Ben=[redacted]")),
            ("/x?to%6=a", None),
            ("/token=abc", None),
        ] {
            assert_eq!(uri(written), logged.unwrap_or(written));
        }
    }

    #[test]
    fn the_stamp_follows_the_time() {
        let mut stamp = Stamp::default();
        for (second, text) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (1_795_360_759, "22/Nov/2026:15:19:19 +0000"),
            (1_795_360_760, "22/Nov/2026:15:19:20 +0000"),
        ] {
            stamp.set(UNIX_EPOCH + Duration::from_millis(second * 1000 + 999));
            assert_eq!(stamp.text, text);
        }
    }
}
