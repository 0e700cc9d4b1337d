//! `regctl.sendfile`.

use super::{config, problems, with};
use crate::config::{Secret, Sendfile};

#[test]
fn nginx_is_known_by_a_secret_a_location_and_its_headers() {
    let text = with(
        "regctl: {sendfile: {secret: nobody-guesses-this, location: /=storage=/, headers: [X-Own]}}",
    );
    let expected = Sendfile {
        secret: Secret::new("nobody-guesses-this"),
        location: "/=storage=/".to_owned(),
        headers: vec!["x-own".parse().unwrap()],
    };
    assert_eq!(config(&text).sendfile, Some(expected));
    for nothing in ["regctl:", "regctl: {}", "regctl: {sendfile: }", "regctl: {sendfile: {}}"] {
        assert_eq!(config(&with(nothing)).sendfile, None, "{nothing}");
    }
}

#[test]
fn half_a_section_is_refused_with_what_is_missing() {
    let found =
        problems(&with("regctl: {sendfile: {secret: short, location: a, headers: ['a b']}}"));
    let expected = [
        "`regctl.sendfile.secret`: must have 16 visible characters at the least",
        "`regctl.sendfile.location`: must be the path of a location, with a slash at both ends",
        "`regctl.sendfile.headers`: must be names of headers",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected) && !found.contains("short"), "{found}");
    }
    let found = problems(&with("regctl: {sendfile: {headers: [a]}}"));
    assert_eq!(found.len(), 2, "{found:?}");
}
