//! `redis`, in both forms, and the cache that asks for it.

use std::time::Duration;

use super::{config, problems};
use crate::config::Redis;

fn text(section: &str) -> String {
    format!(
        "version: 0.1\nstorage: {{inmemory: , cache: {{blobdescriptor: redis}}}}\n\
         http: {{addr: '127.0.0.1:0', secret: s3cr3t}}\n{section}\n"
    )
}

fn redis(section: &str) -> Redis {
    config(&text(section)).redis.unwrap()
}

#[test]
fn both_forms_mean_the_same() {
    let old = redis(
        "redis: {addr: 'redis.example.com:6379', password: p, db: 2, dialtimeout: 10ms, readtimeout: 20ms, \
         writetimeout: 30ms, pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}}",
    );
    let new = redis(
        "redis: {addrs: ['redis.example.com:6379'], password: p, db: 2, dialtimeout: 10ms, readtimeout: 20ms, \
         writetimeout: 30ms, poolsize: 3, maxretries: 5, clientname: x}",
    );
    assert_eq!(old, new);
    assert_eq!((old.address.as_str(), old.db), ("redis.example.com:6379", 2));
    assert_eq!(old.dial_timeout, Duration::from_millis(10));
    assert_eq!((old.username, old.tls), (None, None));
}

#[test]
fn no_wait_is_without_an_end() {
    let least = redis("redis: {addr: 'localhost:6379', readtimeout: 0s, dialtimeout: 1000h}");
    assert_eq!(least.read_timeout, Duration::from_secs(3));
    assert_eq!(least.dial_timeout, Duration::from_secs(60));
}

#[test]
fn tls_is_on_when_it_is_said_or_follows() {
    let section = |tls: &str| format!("redis: {{addr: 'localhost:6379', tls: {{{tls}}}}}");
    for (tls, is_on, roots) in [
        ("enabled: true", true, 0),
        ("enabled: false, rootcas: [/a]", false, 0),
        ("rootcas: [/a, /b]", true, 2),
        ("certificate: /c, key: /k", true, 0),
        ("", false, 0),
    ] {
        let found = redis(&section(tls)).tls;
        assert_eq!(found.is_some(), is_on, "{tls}");
        assert_eq!(found.map_or(0, |tls| tls.roots.len()), roots, "{tls}");
    }
}

#[test]
fn a_redis_that_nobody_asks_for_is_not_read() {
    let least = "version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: inmemory}}\n\
                 http: {addr: '127.0.0.1:0', secret: s}\nredis: {addr: nonsense, db: -1}\n";
    assert_eq!(config(least).redis, None);
    let old = least.replace("blobdescriptor: inmemory", "layerinfo: redis");
    assert_eq!(problems(&old).len(), 2);
}

#[test]
fn what_cannot_be_told_is_refused_by_name() {
    for (section, words) in [
        ("", "`redis.addr`: missing, although `storage.cache.blobdescriptor` is redis"),
        ("redis: {password: p}", "`redis.addr`: missing"),
        ("redis: {addr: localhost}", "`redis.addr`: must be a host and a port"),
        ("redis: {addr: 'redis://localhost:6379'}", "must be a host and a port"),
        ("redis: {addr: '::1:6379'}", "must be a host and a port"),
        ("redis: {addr: 'a:0'}", "must be a host and a port"),
        ("redis: {addrs: ['a:1', 'b:1']}", "`redis.addrs`: several addresses are a cluster"),
        ("redis: {addr: 'a:1', db: -1}", "`redis.db`"),
        ("redis: {addr: 'a:1', username: u}", "`redis.password`: missing"),
        ("redis: {addr: 'a:1', tls: {certificate: /c}}", "go together"),
        ("redis: {addr: 'a:1', tls: {insecure: true}}", "`redis.tls.insecure`"),
        ("redis: {addr: 'a:1', mastername: m}", "Sentinel is not asked"),
    ] {
        let found = problems(&text(section));
        assert_eq!(found.len(), 1, "{section}\n{found:#?}");
        assert!(found[0].contains(words), "{}\nlacks: {words}", found[0]);
    }
}
