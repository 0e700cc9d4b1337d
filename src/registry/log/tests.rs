//! Golden lines of the three formats, and what the layer makes of events.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing::{Level, debug, info, info_span, subscriber, warn};
use tracing_subscriber::layer::SubscriberExt;

use super::{
    Sink, json,
    layer::{Lines, set_level},
    logstash,
    record::{Record, Value},
    text,
};
use crate::config::{self, Formatter};

type Format = fn(&mut Vec<u8>, &Record<'_>);

/// 2026-11-22T15:19:19.123456789Z.
const NOW: Duration = Duration::new(1_795_360_759, 123_456_789);

/// The level belongs to the process; tests that change it take turns.
static TURN: Mutex<()> = Mutex::new(());

fn line(format: Format, time: SystemTime, message: &str, fields: &[(&str, Value)]) -> String {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut out = Vec::new();
    format(&mut out, &Record { time, level: Level::INFO, message, fields: &fields });
    String::from_utf8(out).unwrap()
}

fn written(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn each_format_has_its_golden_line() {
    let fields = [
        ("http.request.method", written("GET")),
        ("http.response.status", Value::Literal("200".to_owned())),
        ("agent", written("docker/24 <x>")),
    ];
    let golden: [(Format, &str); 3] = [
        (
            text::write,
            "time=\"2026-11-22T15:19:19.123456789Z\" level=info msg=\"listening on 127.0.0.1:5000\" agent=\"docker/24 <x>\" http.request.method=GET http.response.status=200\n",
        ),
        (
            json::write,
            "{\"agent\":\"docker/24 \\u003cx\\u003e\",\"http.request.method\":\"GET\",\"http.response.status\":200,\"level\":\"info\",\"msg\":\"listening on 127.0.0.1:5000\",\"time\":\"2026-11-22T15:19:19.123456789Z\"}\n",
        ),
        (
            logstash::write,
            "{\"@timestamp\":\"2026-11-22T15:19:19.123456789Z\",\"@version\":\"1\",\"agent\":\"docker/24 \\u003cx\\u003e\",\"http.request.method\":\"GET\",\"http.response.status\":200,\"level\":\"info\",\"message\":\"listening on 127.0.0.1:5000\"}\n",
        ),
    ];
    for (format, expected) in golden {
        let found = line(format, UNIX_EPOCH + NOW, "listening on 127.0.0.1:5000", &fields);
        assert_eq!(found, expected);
    }
}

#[test]
fn values_are_quoted_where_logrus_quotes() {
    for (value, expected) in [
        ("", ""),
        ("/v2/", "/v2/"),
        ("2.8.2+ds1", "2.8.2+ds1"),
        ("x y", "\"x y\""),
        ("a=b", "\"a=b\""),
        ("50%", "\"50%\""),
        ("é", "\"é\""),
        ("a:b", "\"a:b\""),
        ("two\nlines", "\"two\\nlines\""),
    ] {
        let found = line(text::write, UNIX_EPOCH, "m", &[("k", written(value))]);
        assert_eq!(found, format!("time=\"1970-01-01T00:00:00Z\" level=info msg=m k={expected}\n"));
    }
}

#[test]
fn a_time_has_no_zeros_at_its_end() {
    let half = UNIX_EPOCH + Duration::from_millis(500);
    assert!(line(text::write, half, "m", &[]).starts_with("time=\"1970-01-01T00:00:00.5Z\" "));
}

#[test]
fn a_field_gives_way_to_the_formats_own_member() {
    let clash = [("level", written("x")), ("msg", written("y"))];
    assert_eq!(
        line(text::write, UNIX_EPOCH, "m", &clash),
        "time=\"1970-01-01T00:00:00Z\" level=info msg=m fields.level=x fields.msg=y\n"
    );
    assert_eq!(
        line(json::write, UNIX_EPOCH, "m", &clash),
        "{\"fields.level\":\"x\",\"fields.msg\":\"y\",\"level\":\"info\",\"msg\":\"m\",\"time\":\"1970-01-01T00:00:00Z\"}\n"
    );
}

#[test]
fn json_lines_are_json() {
    let odd = "quote\" \\ \u{1} \u{2028} & é";
    for format in [json::write as Format, logstash::write] {
        let found = line(format, UNIX_EPOCH, odd, &[(odd, written(odd))]);
        let parsed: serde_json::Value = serde_json::from_str(&found).unwrap();
        assert_eq!(parsed[odd], odd);
        assert_eq!(found.lines().count(), 1);
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines of what `act` logs at a level, each without its time.
fn lines(level: config::Level, act: impl FnOnce()) -> Vec<String> {
    lines_with(level, false, act)
}

fn lines_with(level: config::Level, report_caller: bool, act: impl FnOnce()) -> Vec<String> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = Kept::default();
    let sink = Sink::new(kept.clone()).unwrap();
    let log = config::Log {
        level,
        formatter: Formatter::Text,
        output: config::LogOutput::Stderr,
        report_caller,
        fields: BTreeMap::from([("service".to_owned(), "registry".to_owned())]),
        access_log: false,
        access_format: config::AccessFormat::Combined,
    };
    let subscriber = tracing_subscriber::registry().with(Lines::new(&log, sink.clone()));
    subscriber::with_default(subscriber, || {
        set_level(level);
        act();
    });
    sink.flush();
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.split_once(" level=").unwrap().1.to_owned()).collect()
}

#[test]
fn an_event_has_the_fields_of_the_configuration_its_spans_and_its_own() {
    let found = lines(config::Level::Info, || {
        let span = info_span!(
            "request",
            http.request.method = "GET",
            vars.name = "outer",
            later = tracing::field::Empty
        );
        span.record("later", 7);
        let _entered = span.enter();
        info!(vars.name = "inner", ok = true, "served {}", "it");
    });
    assert_eq!(
        found,
        [
            "info msg=\"served it\" http.request.method=GET later=7 ok=true service=registry vars.name=inner"
        ]
    );
}

#[test]
fn a_line_names_its_place_where_that_is_wanted() {
    let found = lines_with(config::Level::Info, true, || info!("here"));
    let (words, line) = found[0].split_once("/log/tests.rs:").unwrap();
    assert!(words.starts_with("info msg=here file="), "{found:?}");
    let (line, after) = line.split_once(' ').unwrap();
    assert!(line.trim_end_matches('"').parse::<u32>().is_ok(), "{found:?}");
    assert!(after.starts_with("func=") && after.contains("registry::log::tests"), "{found:?}");
}

#[test]
fn the_level_can_be_changed_while_the_process_runs() {
    let found = lines(config::Level::Warn, || {
        for level in [config::Level::Warn, config::Level::Debug, config::Level::Error] {
            set_level(level);
            debug!("tried");
            warn!("odd");
        }
    });
    assert_eq!(
        found,
        [
            "warning msg=odd service=registry",
            "debug msg=tried service=registry",
            "warning msg=odd service=registry"
        ]
    );
}

#[test]
fn an_error_is_written_with_its_causes() {
    let found = lines(config::Level::Info, || {
        let cause = config::LoadError::Read {
            path: "/c.yml".into(),
            source: io::Error::other("the disk is gone"),
        };
        warn!(error = &cause as &(dyn std::error::Error + 'static), "not loaded");
    });
    assert_eq!(
        found,
        [
            "warning msg=\"not loaded\" error=\"failed to read `/c.yml`: the disk is gone\" service=registry"
        ]
    );
}
