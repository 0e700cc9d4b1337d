//! `health`: which checks, how often, and what counts.

use std::time::Duration;

use super::{config, problems, with};
use crate::config::{Health, Pace};

fn health(lines: &str) -> Health {
    config(&with(&format!("health: {lines}"))).health
}

#[test]
fn without_a_section_nothing_is_checked() {
    assert_eq!(config(&with("")).health, Health::default());
    assert_eq!(health("{storagedriver: {interval: 1s}}").storage, None);
}

#[test]
fn defaults_are_those_of_distribution() {
    let usual = Pace { interval: Duration::from_secs(10), threshold: 1 };
    let found = health(
        "{storagedriver: {enabled: true}, file: [{file: /f}], http: [{uri: 'http://a/b'}], tcp: [{addr: ':1'}]}",
    );
    assert_eq!(found.storage, Some(usual));
    assert_eq!((found.files[0].path.to_str(), found.files[0].pace), (Some("/f"), usual));
    assert_eq!((found.http[0].status.as_u16(), found.http[0].pace), (200, usual));
    assert_eq!((found.tcp[0].address.as_str(), found.tcp[0].pace), ("localhost:1", usual));
    let zero = health("{storagedriver: {enabled: true, interval: 0s, threshold: 0}}");
    assert_eq!(zero.storage, Some(usual));
}

#[test]
fn each_check_has_its_own_pace() {
    let found = health(
        "{http: [{uri: 'https://a/', statuscode: 204, timeout: 2s, interval: 3s, threshold: 4, headers: {X-A: [b, c]}}]}",
    );
    let check = &found.http[0];
    assert_eq!(check.status.as_u16(), 204);
    assert_eq!(check.timeout, Duration::from_secs(2));
    assert_eq!(check.pace, Pace { interval: Duration::from_secs(3), threshold: 4 });
    assert_eq!(check.headers.get_all("x-a").iter().count(), 2);
}

#[test]
fn checks_that_cannot_be_made_are_refused() {
    for (lines, words) in [
        ("{file: [{interval: 1s}]}", "`health.file[].file`: missing"),
        ("{file: [/f]}", "a single value where a map is expected"),
        ("{http: [{uri: 'ftp://user:hidden@a'}]}", "must be a URL of http or https"),
        ("{http: [{uri: 'http://a', statuscode: 7}]}", "must be a status from 100 to 999"),
        ("{http: [{uri: 'http://a', interval: often}]}", "must be a duration"),
        ("{tcp: [{addr: localhost}]}", "the port is missing"),
        ("{tcp: {addr: 'a:1'}}", "a map where a list is expected"),
    ] {
        let found = problems(&with(&format!("health: {lines}")));
        assert!(found.len() == 1 && found[0].contains(words), "{lines}: {found:?}");
        assert!(!found[0].contains("hidden"), "{found:?}");
    }
}
