//! What is accepted, and what it means.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use storage::FilesystemConfig;

use super::{config, with, with_http, with_storage};
use crate::config::{
    AccessFormat, Address, ExternalHost, Formatter, Level, LogOutput, Schema1, Secret,
    UploadPurging,
};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_is_not_written_has_distributions_default() {
    let found = config("version: 0.1\nstorage: {filesystem: }\n");
    assert_eq!(
        found.storage.driver,
        storage::Config::Filesystem(FilesystemConfig {
            root_directory: PathBuf::from("/var/lib/registry"),
            max_threads: 100,
        })
    );
    assert_eq!(
        found.storage.upload_purging,
        UploadPurging { enabled: true, age: 168 * HOUR, interval: 24 * HOUR, dry_run: false }
    );
    assert!(!found.storage.delete && !found.storage.read_only);
    assert_eq!(found.http.address, Address::Tcp("[::]:0".parse::<SocketAddr>().unwrap()));
    assert_eq!(found.http.prefix, "/");
    assert_eq!((found.http.host, found.http.secret), (None, None));
    assert_eq!(found.http.drain_timeout, Duration::ZERO);
    assert!(!found.http.relative_urls && !found.http.h2c && found.http.headers.is_empty());
    assert_eq!((found.log.level, found.log.formatter), (Level::Info, Formatter::Text));
    assert_eq!(found.log.access_format, AccessFormat::Combined);
    assert!(found.log.access_log && found.log.fields.is_empty());
    assert_eq!((found.log.output, found.log.report_caller), (LogOutput::Stderr, false));
    assert_eq!(found.storage.tag_reads, None);
    assert_eq!((found.catalog_max_entries, found.tags_max), (1000, 1000));
}

#[test]
fn every_spelling_of_a_boolean_in_yaml_1_1_enables_deletes() {
    for (spelling, meant) in [
        ("true", true),
        ("True", true),
        ("yes", true),
        ("YES", true),
        ("on", true),
        ("y", true),
        ("\"true\"", true),
        ("false", false),
        ("no", false),
        ("Off", false),
        ("n", false),
        ("~", false),
        ("", false),
    ] {
        let text = with_storage(&format!("inmemory: {{}}, delete: {{enabled: {spelling}}}"));
        assert_eq!(config(&text).storage.delete, meant, "{spelling}");
    }
}

#[test]
fn a_word_that_yaml_1_1_takes_for_a_boolean_is_text_where_text_is_meant() {
    let found = config(&with("log: {fields: {a: yes, b: on, c: 0123, d: 1.10, e: ~, f: 'no'}}"));
    let fields: Vec<&str> = found.log.fields.values().map(String::as_str).collect();
    assert_eq!(fields, ["yes", "on", "0123", "1.10", "", "no"]);
}

#[test]
fn a_secret_is_taken_as_written() {
    for (written, meant) in [("0123", "0123"), ("yes", "yes"), ("1e3", "1e3"), ("'a: b'", "a: b")] {
        let text =
            format!("version: 0.1\nstorage: inmemory\nhttp: {{addr: ':0', secret: {written}}}");
        assert_eq!(config(&text).http.secret, Some(Secret::new(meant)), "{written}");
    }
}

#[test]
fn the_levels_are_words_in_any_case() {
    for (written, meant) in [
        ("error", Level::Error),
        ("WARN", Level::Warn),
        ("Info", Level::Info),
        ("debug", Level::Debug),
        ("trace", Level::Debug),
        ("fatal", Level::Error),
        ("warning", Level::Warn),
        ("''", Level::Info),
    ] {
        assert_eq!(
            config(&with(&format!("log: {{level: {written}}}"))).log.level,
            meant,
            "{written}"
        );
    }
}

#[test]
fn the_old_name_of_the_level_counts_when_the_new_one_is_not_there() {
    assert_eq!(config(&with("loglevel: debug")).log.level, Level::Debug);
    assert_eq!(config(&with("loglevel: debug\nlog: {level: warn}")).log.level, Level::Warn);
}

#[test]
fn the_formatters_are_three() {
    for (written, meant) in
        [("text", Formatter::Text), ("json", Formatter::Json), ("logstash", Formatter::Logstash)]
    {
        let found = config(&with(&format!("log: {{formatter: {written}}}")));
        assert_eq!(found.log.formatter, meant);
    }
}

#[test]
fn a_partial_section_of_upload_purging_is_filled_with_defaults() {
    for (section, meant) in [
        ("", UploadPurging { enabled: true, age: 168 * HOUR, interval: 24 * HOUR, dry_run: false }),
        (
            "enabled: no",
            UploadPurging { enabled: false, age: 168 * HOUR, interval: 24 * HOUR, dry_run: false },
        ),
        (
            "age: 1.5h",
            UploadPurging { enabled: true, age: HOUR * 3 / 2, interval: 24 * HOUR, dry_run: false },
        ),
        (
            "interval: 1h30m, dryrun: on",
            UploadPurging { enabled: true, age: 168 * HOUR, interval: HOUR * 3 / 2, dry_run: true },
        ),
    ] {
        let text =
            with_storage(&format!("inmemory: , maintenance: {{uploadpurging: {{{section}}}}}"));
        assert_eq!(config(&text).storage.upload_purging, meant, "{section}");
    }
}

#[test]
fn fewer_threads_than_25_are_25() {
    for (written, meant) in
        [("10", 25), ("25", 25), ("'64'", 64), ("-1", 25), ("0x40", 64), ("1_000", 1000)]
    {
        let text =
            with_storage(&format!("filesystem: {{rootdirectory: /srv, maxthreads: {written}}}"));
        let expected = FilesystemConfig { root_directory: "/srv".into(), max_threads: meant };
        assert_eq!(
            config(&text).storage.driver,
            storage::Config::Filesystem(expected),
            "{written}"
        );
    }
}

#[test]
fn a_unix_socket_is_a_path() {
    let found = config(&with_http("net: unix, addr: /run/registry.sock"));
    assert_eq!(found.http.address, Address::Unix("/run/registry.sock".into()));
}

#[test]
fn a_prefix_begins_and_ends_with_a_slash() {
    for (written, meant) in
        [("/", "/"), ("/a", "/a/"), ("/a/b/", "/a/b/"), ("a/", "/a/"), ("''", "/")]
    {
        let found = config(&with_http(&format!("addr: ':0', prefix: {written}")));
        assert_eq!(found.http.prefix, meant, "{written}");
    }
}

#[test]
fn the_rest_of_http_is_read() {
    let found = config(&with_http(
        "addr: ':0', host: 'https://r.example.com:8443', relativeurls: on, draintimeout: 60s, \
         h2c: {enabled: true}, headers: {X-Content-Type-Options: [nosniff], X-Many: [a, b], X-None: []}",
    ))
    .http;
    let host = ExternalHost { scheme: "https".into(), authority: "r.example.com:8443".into() };
    assert_eq!(found.host, Some(host));
    assert!(found.relative_urls && found.h2c);
    assert_eq!(found.drain_timeout, Duration::from_secs(60));
    let headers: Vec<(&str, &str)> = found
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(headers, [("x-content-type-options", "nosniff"), ("x-many", "a"), ("x-many", "b")]);
}

#[test]
fn no_authorization_can_be_said_in_four_ways() {
    for auth in ["auth:", "auth: none", "auth: {none: {}}", "auth: {}"] {
        assert_eq!(super::problems(&with(auth)), [""; 0], "{auth}");
    }
}

#[test]
fn schema_1_is_off_until_it_is_enabled() {
    assert_eq!(config(&with("compatibility:")).schema1, Schema1::default());
    let found = config(&with("compatibility: {schema1: {enabled: on, signingkeyfile: /key.pem}}"));
    let key = Some(PathBuf::from("/key.pem"));
    assert_eq!(found.schema1, Schema1 { enabled: true, signing_key_file: key });
}

#[test]
fn where_the_log_goes_and_how_many_tags_are_read_can_be_said() {
    let text = with_storage("inmemory: , tag: {concurrencylimit: 8}");
    let found = config(&format!("{text}log: {{output: stdout, reportcaller: true}}\n"));
    assert_eq!((found.log.output, found.log.report_caller), (LogOutput::Stdout, true));
    assert_eq!(found.storage.tag_reads, NonZeroUsize::new(8));
}

#[test]
fn what_is_disabled_or_empty_is_not_refused() {
    for lines in [
        "notifications: {endpoints: []}",
        "notifications: {endpoints: [{name: a, disabled: yes, url: 'http://127.0.0.1'}]}",
        "notifications:",
        "middleware: {storage: [{name: cloudfront, disabled: true}]}",
        "middleware: {registry: []}",
        "compatibility: {schema1: {enabled: no}}",
        "compatibility: {schema1: {enabled: yes, signingkeyfile: /key.pem}}",
        "proxy: {remoteurl: '', ttl: 1h}",
        "validation: {manifests: {urls: {allow: [], deny: []}}}",
        "policy: {repository: {classes: []}}",
        "database: {enabled: false, host: h}",
    ] {
        assert_eq!(super::warnings(&with(lines)), [""; 0], "{lines}");
    }
    assert_eq!(
        super::problems(&with_http("addr: ':0', tls: {certificate: '', minimumtls: tls1.2}")),
        [""; 0]
    );
}
