//! `validation` and `policy`.

use oci::Platform;

use super::{config, problems, warnings, with};
use crate::config::{Children, Class, Urls, Validation};

fn validation(text: &str) -> Validation {
    config(&with(text)).validation
}

#[test]
fn what_is_not_written_is_checked_and_needs_no_rules() {
    let found = validation("");
    assert_eq!((found.urls, found.children), (Urls::default(), Children::All));
    assert_eq!((found.reference_limit, found.payload_limit), (4096, 4 << 20));
    assert_eq!(found.classes, None);
    assert_eq!(validation("policy: {repository: {classes: []}}").classes, None);
    let zeros = "validation: {manifests: {referencelimit: 0, payloadsizelimit: 0}}";
    assert_eq!(validation(zeros), validation(""));
}

#[test]
fn disabled_takes_every_url_and_sparse_indexes() {
    let found = validation(
        "validation: {disabled: yes, manifests: {urls: {deny: [x]}, indexes: {platforms: all}}}",
    );
    assert_eq!(found.urls, Urls::default());
    assert_eq!(found.children, Children::None);
}

#[test]
fn patterns_platforms_limits_and_classes_are_read() {
    let found = validation(
        "
validation:
  manifests:
    urls: {allow: ['^https://a/', b], deny: [c]}
    indexes: {platforms: List, platformlist: [{architecture: amd64, os: linux}]}
    referencelimit: 7
    payloadsizelimit: 1000
policy: {repository: {classes: [plugin]}}",
    );
    let Urls { allow, deny } = &found.urls;
    let text: Vec<_> = allow.iter().chain(deny).map(ToString::to_string).collect();
    assert_eq!(text, ["^https://a/", "b", "c"]);
    assert!(allow[0].matches("https://a/x") && !allow[0].matches("http://a/x"));
    let platform = |architecture: &str, os: &str| Platform {
        architecture: architecture.to_owned(),
        os: os.to_owned(),
        ..Platform::default()
    };
    assert!(found.children.include(Some(&platform("amd64", "linux"))));
    assert!(!found.children.include(Some(&platform("amd64", "windows"))));
    assert!(!found.children.include(None));
    assert_eq!((found.reference_limit, found.payload_limit), (7, 1000));
    assert_eq!(found.classes, Some(vec![Class::Plugin]));
}

#[test]
fn what_cannot_be_meant_is_refused_or_remarked_upon() {
    for (text, words) in [
        ("validation: {manifests: {urls: {allow: ['(']}}}", "must be a regular expression"),
        ("validation: {manifests: {urls: {deny: [{a: b}]}}}", "must be a regular expression"),
        ("validation: {manifests: {indexes: {platforms: some}}}", "one of all, none, list"),
        ("validation: {manifests: {indexes: {platforms: list}}}", "there is no list"),
        ("validation: {manifests: {referencelimit: -1}}", "must not be negative"),
        ("policy: {repository: {classes: [chart]}}", "must be one of image, plugin"),
    ] {
        let found = problems(&with(text));
        assert!(found.iter().any(|found| found.contains(words)), "{text}: {found:?}");
    }
    let large = warnings(&with("validation: {manifests: {payloadsizelimit: 9999999}}"));
    assert!(large[0].contains("no more than 4194304 are taken"), "{large:?}");
}
