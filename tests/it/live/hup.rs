//! HUP has config.yml read again.

use nix::sys::signal::Signal;

use crate::faults::{Registry, eventually};

/// Waits until a header of `/v2/` has this value.
fn wait_for_header(registry: &Registry, wanted: Option<&str>) {
    eventually("the header is sent", || {
        let answer = registry.pusher().get("/v2/").unwrap();
        let found = answer.header("x-test").map(str::to_owned);
        if found.as_deref() == wanted { Ok(()) } else { Err(found) }
    });
}

/// Waits until the process has said this; returns all that it has said.
fn wait_for_words(registry: &Registry, words: &str) -> String {
    eventually("it says so", || {
        let said = registry.said();
        if said.contains(words) { Ok(said) } else { Err(said) }
    })
}

#[test]
fn hup_takes_over_what_can_change_and_names_what_needs_a_restart() {
    let mut registry = Registry::start();
    let mut pusher = registry.pusher();
    pusher.get("/v2/").unwrap();
    registry.rewrite(|text| {
        text.replace(
            "http: {",
            "http: {headers: {X-Test: [one]}, relativeurls: true, prefix: /p/, ",
        )
        // The first of them: `accesslog` is another.
        .replacen("log: {", "log: {formatter: json, level: debug, ", 1)
    });
    registry.signal(Signal::SIGHUP);
    wait_for_header(&registry, Some("one"));
    // The connection was there before; its next request goes by the new settings.
    let answer = pusher.send("POST", "/v2/app/blobs/uploads/", &[], &[]).unwrap();
    assert!(answer.header("location").unwrap().starts_with("/v2/app/"), "{answer:?}");
    let ran = registry.stop(Signal::SIGTERM);
    assert_eq!(ran.exit, 0);
    let line = |words: &str| ran.stderr.lines().find(|line| line.contains(words)).unwrap_or("");
    let applied = "applied=\"log.level http.relativeurls http.headers\"";
    assert!(line("the configuration is reloaded").contains(applied), "{}", ran.stderr);
    let keys = "keys=\"log.formatter http.prefix\"";
    assert!(line("need a restart").contains(keys), "{}", ran.stderr);
}

#[test]
fn hup_with_a_broken_config_yml_changes_nothing_and_says_every_problem() {
    let mut registry = Registry::start();
    let mut good = String::new();
    registry.rewrite(|text| {
        good = text.replace("http: {", "http: {headers: {X-Test: [two]}, ");
        good.replace("http: {", "http: {relativeurls: maybe, prefix: '?', ")
    });
    registry.signal(Signal::SIGHUP);
    let said = wait_for_words(&registry, "is not reloaded; nothing has changed");
    assert!(said.contains("`http.relativeurls` is `maybe`"), "{said}");
    assert!(said.contains("`http.prefix` is `?`"), "{said}");
    registry.rewrite(|_| "\u{0}".to_owned());
    registry.signal(Signal::SIGHUP);
    wait_for_words(&registry, "not YAML");
    assert_eq!(registry.pusher().get("/v2/").unwrap().header("x-test"), None);
    registry.rewrite(|_| good);
    registry.signal(Signal::SIGHUP);
    wait_for_header(&registry, Some("two"));
    assert_eq!(registry.stop(Signal::SIGTERM).exit, 0);
}

#[test]
fn a_storm_of_hups_disturbs_nobody() {
    let mut registry = Registry::start();
    let mut pusher = registry.pusher();
    for number in 0..200 {
        registry.signal(Signal::SIGHUP);
        let content = format!("blob {number}");
        assert_eq!(pusher.post_blob("app", content.as_bytes()).unwrap().status, 201);
    }
    assert_eq!(registry.stop(Signal::SIGTERM).exit, 0);
    assert_eq!(registry.store().blobs().len(), 200);
}
