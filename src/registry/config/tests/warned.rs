//! What is accepted with a remark.

use super::{config, warnings, with, with_http, with_storage};

/// Each text has exactly one warning, which contains these words.
fn each_is_warned_of(rows: &[(String, &str)]) {
    for (text, words) in rows {
        let found = warnings(text);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        assert!(found[0].contains(words), "{}\nlacks: {words}", found[0]);
    }
}

#[test]
fn a_switch_for_what_never_happens_is_no_remark() {
    let redirect = with_storage("filesystem: , redirect: {disable: true}");
    let http2 = with_http("addr: ':0', http2: {disabled: true}");
    let cache =
        with_storage("filesystem: , cache: {blobdescriptor: inmemory, blobdescriptorsize: 5}");
    let redis = with("redis: {addr: 'localhost:6379', pool: {maxidle: 16}}");
    let hooks = with("log: {hooks: [{type: mail, disabled: true}]}");
    let pprof = with_http("addr: ':0', debug: {addr: ':5001', pprof: {enabled: false}}");
    for text in [redirect, http2, cache, redis, hooks, pprof] {
        assert_eq!(warnings(&text), [""; 0], "{text}");
    }
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    each_is_warned_of(&[
        (
            with("storge: {}"),
            "line 4, column 1: `storge`: unknown key, ignored; did you mean `storage`?",
        ),
        (
            with("log: {levle: info}"),
            "`log.levle`: unknown key, ignored; did you mean `log.level`?",
        ),
        (with("secret: abc"), "`secret`: unknown key, ignored; `http.secret` is a key"),
        (with("zzzzzzz: abc"), "`zzzzzzz`: unknown key, ignored"),
        (
            with_storage("filesystem: {root_directory: /srv}"),
            "did you mean `storage.filesystem.rootdirectory`?",
        ),
        (with_http("addr: ':0', h2c: {enable: true}"), "did you mean `http.h2c.enabled`?"),
        (
            with("middleware: {storage: [{name: a, disabled: true, option: {}}]}"),
            "`middleware.storage[].option`",
        ),
    ]);
}

#[test]
fn odd_values_are_remarked_upon() {
    each_is_warned_of(&[
        (
            with_http("addr: ':0', draintimeout: 60"),
            "60ns; write `60s` or `60ms` if that was meant",
        ),
        (with_http("addr: ':0', headers: {X-A: b}"), "taken as a list of one"),
        (with_http("addr: ':0', prefix: a"), "as if it began with a slash"),
        (
            with_http("net: tcp"),
            "`http.addr`: not set: listening on every interface, on a random port",
        ),
        (
            with_storage("inmemory: , delete: {enabled: 'true'}"),
            "taken as true; Distribution refuses or ignores",
        ),
        (
            with_storage("filesystem: , cache: {blobdescriptor: memcached}"),
            "no cache of Distribution, which ignores it; there are inmemory and redis",
        ),
        (with("loglevel: info"), "`loglevel`: deprecated: use `log.level`"),
        (with("log: {level: trace}"), "not a level of Distribution; taken as debug"),
        (
            with("catalog: {maxentries: -5}"),
            "`catalog.maxentries`: less than 1 is the default, 1000",
        ),
        (with("tags: {maxtags: 0}"), "less than 1 is the default, 1000"),
    ]);
}

#[test]
fn a_missing_secret_is_a_warning_that_says_what_follows() {
    let found = warnings("version: 0.1\nstorage: inmemory\nhttp: {addr: ':0'}\n");
    assert_eq!(
        found,
        [
            "`http.secret`: not set: a random one is used, so uploads cannot be resumed after a restart or on another node"
        ]
    );
}

#[test]
fn a_lease_is_as_long_as_signed_urls_hold() {
    let signed = |more: &str| {
        with(&format!(
            "middleware: {{storage: [{{name: cloudfront, options: {{baseurl: a.example.com, privatekey: /k, keypairid: K, duration: 24h}}}}]}}{more}"
        ))
    };
    let day = std::time::Duration::from_secs(24 * 3600);
    assert_eq!(config(&signed("")).lease, day);
    assert_eq!(config(&signed("\nregctl: {lease: 2h}")).lease, day);
    each_is_warned_of(&[(signed("\nregctl: {lease: 2h}"), "shorter than the URLs")]);
}

#[test]
fn options_of_middleware_that_do_nothing_are_named() {
    let middleware = |name: &str, options: &str| {
        let fine = "baseurl: a.example.com, privatekey: /k, keypairid: K";
        let fine = if name == "redirect" { "baseurl: 'https://a.example.com'" } else { fine };
        with(&format!(
            "middleware: {{storage: [{{name: {name}, options: {{{fine}, {options}}}}}]}}"
        ))
    };
    let options = "`middleware.storage[].options";
    each_is_warned_of(&[
        (
            middleware("redirect", "base_url: x"),
            &format!(
                "{options}.base_url`: unknown option of `redirect`, ignored; did you mean `baseurl`?"
            ),
        ),
        (middleware("redirect", "duration: 1m"), &format!("{options}.duration`: unknown option")),
        (middleware("cloudfront", "awsregion: x"), "no effect without `ipfilteredby`"),
    ]);
}
