//! The text itself: what YAML allows, and what it must not be made to do.

use std::{fmt::Write, fs::File, io::Write as _};

use proptest::prelude::*;

use super::{Config, LEAST, config, parse, problems, warnings, with};
use crate::config::{LoadError, Secret};

#[test]
fn the_last_of_two_equal_keys_counts_and_is_remarked_upon() {
    let text = with("log:\n  level: info\n  level: debug");
    assert_eq!(
        warnings(&text),
        [
            "line 6, column 3: `level`: this key is given twice (before that in line 5); the last one counts"
        ]
    );
    assert_eq!(format!("{:?}", config(&text).log.level), "Debug");
}

#[test]
fn anchors_aliases_and_merge_keys_are_followed() {
    let text = "version: 0.1\nstorage: inmemory\nlog:\n  fields: &defaults {a: one, b: two}\nhttp:\n  addr: &addr 127.0.0.1:0\n  secret: *addr\nprofiling:\n";
    assert_eq!(config(text).http.secret, Some(Secret::new("127.0.0.1:0")));
    let merged = "more:\n  - &one {a: 1, b: 1}\n  - &two {b: 2, c: 2}\nlog:\n  fields:\n    <<: [*one, *two]\n    a: own";
    let fields = config(&with(merged)).log.fields;
    assert_eq!(format!("{fields:?}"), r#"{"a": "own", "b": "1", "c": "2"}"#);
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = with("a: &a0 [x, x, x, x, x, x, x, x, x, x]");
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        writeln!(bomb, "b{level}: &a{level} [{}]", vec![alias; 10].join(", ")).unwrap();
    }
    let found = problems(&bomb);
    assert!(found[0].contains("more than 10000 values"), "{found:?}");
}

#[test]
fn texts_that_are_no_configuration_are_refused_with_a_place() {
    for (text, words) in [
        ("version: 0.1\n\tstorage: inmemory\n", "found a tab; indent with spaces"),
        ("version: [0.1\n", "not YAML"),
        ("version: 0.1\nlog: *nothing\n", "line 2, column 6"),
        ("a: &a [*a]\n", "an alias stands inside what it names"),
        ("? [a]\n: b\n", "a key must be plain text"),
        ("- version: 0.1\n", "a list, where a map of keys is expected"),
        ("just text\n", "where a map of keys is expected"),
        ("<<: 5\n", "`<<` takes a map"),
        ("", "`version`: missing"),
        ("# only a comment\n", "`version`: missing"),
    ] {
        let found = problems(text).join("\n");
        assert!(found.contains(words), "{text}\n{found}");
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = with(&format!("a: {}{}", "[".repeat(100), "]".repeat(100)));
    assert!(problems(&deep)[0].contains("nested more than 32 deep"));
    let deeper = with(&format!("a: {}", "[".repeat(100_000)));
    assert_eq!(problems(&deeper).len(), 1);
}

#[test]
fn a_second_document_is_ignored_with_a_warning() {
    let found = warnings(&format!("---\n{LEAST}---\nversion: 7\n"));
    assert_eq!(found, ["line 5, column 1: a second document begins here; it is ignored"]);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_harm() {
    let text = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(warnings(&text), [""; 0]);
}

fn load(bytes: &[u8]) -> Result<(), LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    File::create(&path).unwrap().write_all(bytes).unwrap();
    Config::load(&path, &[]).map(|_| ())
}

#[test]
fn a_file_is_read_and_its_errors_name_it() {
    assert!(load(LEAST.as_bytes()).is_ok());
    let invalid = load(b"").unwrap_err().to_string();
    assert!(
        invalid.starts_with("the configuration in `/")
            && invalid.ends_with("config.yml` is invalid")
    );
    let latin1 = load(b"version: 0.1\n# caf\xe9\n").unwrap_err();
    assert!(matches!(latin1, LoadError::NotUtf8 { offset: 18, line: 2, .. }), "{latin1}");
    let long = load(&vec![b' '; 1024 * 1024 + 1]).unwrap_err();
    assert!(long.to_string().ends_with("config.yml` is longer than 1048576 bytes"), "{long}");
    let absent = Config::load("/nowhere/config.yml".as_ref(), &[]).unwrap_err();
    assert_eq!(absent.to_string(), "failed to read `/nowhere/config.yml`");
}

proptest! {
    #[test]
    fn no_text_panics(text in "(version: 0.1\n)?(storage|http|log|auth)?:? ?[-a-z0-9:{}\\[\\]&*<>!|'\", \n\t]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_variable_panics(name in "REGISTRY_(HTTP|STORAGE|LOG|AUTH|NOTIFICATIONS_ENDPOINTS|[A-Z0-9_é]{0,9})_?[A-Z0-9_]{0,12}", text in "[-a-z0-9:{}\\[\\]&*<>!|'\", \n]{0,20}") {
        let _ = Config::parse(LEAST, &[(name, text)]);
    }
}
