//! A line of the access log as GitLab's registry writes it in JSON.

use std::{io::Write as _, time::Duration};

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::{
    access::{AccessLine, uri},
    json::string,
};

const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Adds one object in a line.
pub(super) fn write(out: &mut Vec<u8>, line: &AccessLine<'_>) {
    let time = OffsetDateTime::from(line.time).format(STAMP).unwrap_or_default();
    let mut masked = Vec::new();
    uri(&mut masked, line.uri, raw);
    let masked = String::from_utf8_lossy(&masked).into_owned();
    let mut referrer = Vec::new();
    uri(&mut referrer, line.referer.unwrap_or_default(), raw);
    let referrer = String::from_utf8_lossy(&referrer).into_owned();
    let texts = [
        ("content_type", line.content_type.unwrap_or_default()),
        ("correlation_id", line.correlation),
        ("host", line.host.unwrap_or_default()),
        ("level", "info"),
        ("method", line.method),
        ("msg", "access"),
        ("proto", line.version),
        ("referrer", &referrer),
        ("remote_addr", line.peer),
        ("remote_ip", line.remote),
        ("system", "http"),
        ("time", &time),
        ("uri", &masked),
        ("user", line.user.unwrap_or_default()),
        ("user_agent", line.agent.unwrap_or_default()),
    ];
    out.push(b'{');
    for (name, text) in texts {
        string(out, name);
        out.push(b':');
        string(out, text);
        out.push(b',');
    }
    let [took, first] = [line.took, line.first_byte].map(milliseconds);
    // A write into memory cannot fail.
    let _ = writeln!(
        out,
        "\"status\":{},\"written_bytes\":{},\"duration_ms\":{took},\"ttfb_ms\":{first}}}",
        line.status, line.bytes
    );
}

fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis()
}

fn raw(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::{Value, json};

    use super::*;

    fn line<'a>(uri: &'a str, agent: &'a str) -> AccessLine<'a> {
        AccessLine {
            time: UNIX_EPOCH + Duration::from_millis(1_795_360_759_042),
            remote: "127.0.0.1",
            peer: "127.0.0.1:40000",
            correlation: "01F8MECHZX3TBDSZ7XRADM79XE",
            user: Some("ann"),
            method: "GET",
            uri,
            version: "HTTP/1.1",
            status: 200,
            bytes: 2,
            referer: None,
            agent: Some(agent),
            host: Some("registry.example.com"),
            content_type: Some("application/json"),
            took: Duration::from_millis(12),
            first_byte: Duration::from_micros(1500),
        }
    }

    fn written(line: &AccessLine<'_>) -> Value {
        let mut out = Vec::new();
        write(&mut out, line);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_has_the_names_of_gitlab() {
        let expected = json!({
            "content_type": "application/json", "correlation_id": "01F8MECHZX3TBDSZ7XRADM79XE",
            "host": "registry.example.com", "level": "info",
            "method": "GET", "msg": "access", "proto": "HTTP/1.1", "referrer": "",
            "remote_addr": "127.0.0.1:40000", "remote_ip": "127.0.0.1", "system": "http", "time": "2026-11-22T15:19:19.042Z",
            "uri": "/v2/", "user": "ann", "user_agent": "curl/8.5.0", "status": 200,
            "written_bytes": 2, "duration_ms": 12, "ttfb_ms": 1,
        });
        assert_eq!(written(&line("/v2/", "curl/8.5.0")), expected);
    }

    #[test]
    fn nothing_that_a_client_sends_makes_a_second_line_or_a_second_member() {
        let nasty = "x\",\"status\":500\n\u{1b}[2J\u{2028}";
        let found = written(&line("/v2/", nasty));
        assert_eq!((&found["user_agent"], &found["status"]), (&json!(nasty), &json!(200)));
    }

    #[test]
    fn what_opens_doors_is_masked_here_too() {
        assert_eq!(written(&line("/v2/?token=abc&n=1", ""))["uri"], "/v2/?token=[redacted]&n=1");
    }
}
