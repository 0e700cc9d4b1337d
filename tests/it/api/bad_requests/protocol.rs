//! Requests that are hardly HTTP.

use super::row::{Peer, Row};

const FRAMING: &str = "RFC 9112, section 6.3: invalid Content-Length MUST be 400";
const HOST: &str = "RFC 9112, section 3.2: no Host, two or an invalid one MUST be 400";
const SYNTAX: &str = "RFC 9112, section 2.2: a message that does not parse SHOULD be 400";

/// A GET of the version check with these lines in its head.
fn head(lines: &str) -> String {
    format!("GET /v2/ HTTP/1.1\r\nHost: registry.test\r\n{lines}\r\n\r\n")
}

fn line(request_line: &str) -> String {
    format!("{request_line}\r\nHost: registry.test\r\n\r\n")
}

/// A POST that begins an upload, framed like this.
fn post(lines: &str, body: &str) -> String {
    let target = "/v2/library/app/blobs/uploads/";
    format!("POST {target} HTTP/1.1\r\nHost: registry.test\r\n{lines}\r\n\r\n{body}")
}

fn bad(name: &'static str, sent: String, source: &'static str) -> Row {
    Row::new(name, sent).gets(400, "", source).peer(Peer::Same)
}

pub(super) fn rows() -> Vec<Row> {
    [framing(), heads(), lines()].concat()
}

fn framing() -> Vec<Row> {
    const CODING: &str =
        "RFC 9112, section 6.1: an unknown transfer coding SHOULD be 501, or is an error";
    vec![
        bad(
            "two different lengths are no length",
            post("Content-Length: 5\r\nContent-Length: 6", "hello"),
            FRAMING,
        ),
        bad(
            "two different lengths in a list are no length",
            post("Content-Length: 5, 6", "hello"),
            FRAMING,
        ),
        bad("a negative length is no length", post("Content-Length: -1", ""), FRAMING),
        bad("a length with a sign is no length", post("Content-Length: +5", "hello"), FRAMING),
        bad("a length in hex is no length", post("Content-Length: 0x5", "hello"), FRAMING),
        bad(
            "a length of 30 digits is no length",
            post(&format!("Content-Length: {}", "9".repeat(30)), "hello"),
            FRAMING,
        ),
        bad(
            "an unknown transfer coding is refused",
            post("Transfer-Encoding: xchunked", "0\r\n\r\n"),
            CODING,
        )
        .peer(Peer::Differs(501, "")),
        bad(
            "chunked is the last transfer coding",
            post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
            CODING,
        )
        .peer(Peer::Differs(501, "")),
    ]
}

fn heads() -> Vec<Row> {
    let many = |count: usize| {
        let lines: Vec<_> = (0..count).map(|index| format!("X-Header-{index}: value")).collect();
        head(&lines.join("\r\n"))
    };
    let fine = |name, sent: String| {
        Row::new(name, sent).gets(200, "", "as Distribution 2.8.2").peer(Peer::Same)
    };
    vec![
        bad("a request without a host is none", "GET /v2/ HTTP/1.1\r\n\r\n".to_owned(), HOST),
        bad("a request with two hosts is none", head("Host: other.test"), HOST),
        bad("a host has no spaces", "GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), HOST),
        fine("a header of 32 kB is read", head(&format!("X-Long: {}", "x".repeat(32 * 1024)))),
        fine("90 headers are read", many(90)),
        Row::new("200 headers are too many", many(200))
            .gets(431, "", "RFC 6585, section 5; Go has no such limit")
            .peer(Peer::Differs(200, "")),
        Row::new("headers of 2 MB are too long", head(&format!("X-Long: {}", "x".repeat(2 << 20))))
            .gets(431, "", "RFC 6585, section 5")
            .peer(Peer::NotAsked("it ends the connection, which may overtake its 431")),
        bad("a header's value has no NUL", head("X-Bad: a\0b"), SYNTAX),
        bad("a header's value has no control byte", head("X-Bad: a\x01b"), SYNTAX),
        bad(
            "a header's name has no space before the colon",
            head("X-Bad : a"),
            "RFC 9112, section 5.1: MUST be 400",
        ),
        bad("a header's name is not empty", head(": a"), SYNTAX).peer(Peer::Differs(200, "")),
        bad("a header has a colon", head("X-Bad"), SYNTAX),
        Row::new("a folded header is refused", head("X-Bad: a\r\n  b"))
            .gets(400, "", "RFC 9112, section 5.2: obs-fold MUST be rejected or replaced")
            .peer(Peer::Differs(200, "")),
    ]
}

fn lines() -> Vec<Row> {
    let fine = |name, sent: String, peer| {
        Row::new(name, sent).gets(200, "", "RFC 9112, section 3.2 and RFC 1945").peer(peer)
    };
    let long = "a".repeat(70_000);
    vec![
        fine("HTTP/1.0 is answered", "GET /v2/ HTTP/1.0\r\n\r\n".to_owned(), Peer::Same),
        fine(
            "an absolute target is answered",
            line("GET http://registry.test/v2/ HTTP/1.1"),
            Peer::Same,
        ),
        fine(
            "an absolute target may name another host",
            line("GET http://other.test/v2/ HTTP/1.1"),
            Peer::Same,
        ),
        fine(
            "an empty line before a request is skipped",
            format!("\r\n{}", head("X: y")),
            Peer::Differs(400, ""),
        ),
        fine(
            "lines may end without a carriage return",
            "GET /v2/ HTTP/1.1\nHost: a\n\n".to_owned(),
            Peer::Same,
        ),
        Row::new("a target of 70 kB is too long", line(&format!("GET /v2/{long} HTTP/1.1")))
            .gets(414, "", "RFC 9110, section 15.5.15")
            .peer(Peer::Differs(404, "")),
        Row::new(
            "a name of 16 kB is no name",
            line(&format!("GET /v2/{}/tags/list HTTP/1.1", &long[..16_384])),
        )
        .gets(400, "NAME_INVALID", "OCI 1.1, implementers note on 255 characters; 2.8.2 fails")
        .peer(Peer::Differs(500, "UNKNOWN")),
        bad("a target has no control byte", line("GET /v2/\x01 HTTP/1.1"), SYNTAX),
        bad("a target has no NUL", line("GET /v2/library\0/tags/list HTTP/1.1"), SYNTAX),
        bad("a target has no space", line("GET /v2/my app/tags/list HTTP/1.1"), SYNTAX),
        bad("a request has a target", line("GET HTTP/1.1"), SYNTAX),
        bad("a request has a version", line("GET /v2/"), SYNTAX),
        bad("there is no HTTP/1.7", line("GET /v2/ HTTP/1.7"), SYNTAX).peer(Peer::Differs(200, "")),
        bad("a method is a token", line("G@T /v2/ HTTP/1.1"), SYNTAX),
        bad(
            "a greeting of TLS is no request",
            "\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n".to_owned(),
            SYNTAX,
        ),
        bad("another protocol is no request", "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(), SYNTAX),
    ]
}
