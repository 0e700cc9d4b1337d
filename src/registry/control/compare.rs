//! A new configuration held against the one that runs, key by key.

use crate::config::{
    Address, Config, Credentials, Health, Http, Log, Notifications, Proxy, Queue, Schema1, Storage,
    Tls, UploadPurging, Validation,
};

/// What came of a reload: the keys of `config.yml` that differ from what ran.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct Reloaded {
    /// They are as the new configuration says.
    pub applied: Vec<&'static str>,
    /// They are as they were, until the process is started again.
    pub needs_restart: Vec<&'static str>,
}

impl Reloaded {
    pub(super) fn has_applied(&self, key: &str) -> bool {
        self.applied.contains(&key)
    }

    fn live<T: Clone + PartialEq>(&mut self, key: &'static str, running: &mut T, new: &T) {
        if running != new {
            running.clone_from(new);
            self.applied.push(key);
        }
    }

    fn fixed<T: PartialEq>(&mut self, key: &'static str, running: &T, new: &T) {
        if running != new {
            self.needs_restart.push(key);
        }
    }
}

/// Puts the values that can change now into `running`.
///
/// The new configuration is taken apart completely: a setting that is added does not compile until its place here
/// is decided.
pub(super) fn take_over(running: &mut Config, new: &Config) -> Reloaded {
    let Config {
        log,
        storage,
        http,
        auth,
        notifications,
        health,
        catalog_max_entries,
        tags_max,
        quotas,
        immutable_tags,
        schema1,
        lease,
        validation,
        sendfile,
        proxy,
        redis,
    } = new;
    let mut found = Reloaded::default();
    take_log(&mut found, &mut running.log, log);
    take_storage(&mut found, &mut running.storage, storage);
    take_http(&mut found, &mut running.http, http);
    // Users and keys are read again when their files change; what is said of them here is not.
    found.fixed("auth", &running.auth, auth);
    take_notifications(&mut found, &mut running.notifications, notifications);
    take_health(&mut found, &mut running.health, health);
    found.live("catalog.maxentries", &mut running.catalog_max_entries, catalog_max_entries);
    found.live("tags.maxtags", &mut running.tags_max, tags_max);
    take_schema1(&mut found, &mut running.schema1, schema1);
    take_proxy(&mut found, running.proxy.as_ref(), proxy.as_ref());
    found.fixed("regctl.lease", &running.lease, lease);
    take_validation(&mut found, &mut running.validation, validation);
    // With a queue of what it does not know yet.
    found.fixed("redis", &running.redis, redis);
    found.live("regctl.quotas", &mut running.quotas, quotas);
    found.live("regctl.immutabletags", &mut running.immutable_tags, immutable_tags);
    found.live("regctl.sendfile", &mut running.sendfile, sendfile);
    found
}

fn take_schema1(found: &mut Reloaded, running: &mut Schema1, new: &Schema1) {
    let Schema1 { enabled, signing_key_file } = new;
    found.live("compatibility.schema1.enabled", &mut running.enabled, enabled);
    let file = "compatibility.schema1.signingkeyfile";
    found.fixed(file, &running.signing_key_file, signing_key_file);
}

fn take_proxy(found: &mut Reloaded, running: Option<&Proxy>, new: Option<&Proxy>) {
    let (Some(running), Some(new)) = (running, new) else {
        found.fixed("proxy.remoteurl", &running.is_some(), &new.is_some());
        return;
    };
    let Proxy { remote, credentials, ttl, cache_write_timeout } = new;
    found.fixed("proxy.remoteurl", &running.remote, remote);
    let name = |found: &Option<Credentials>| found.as_ref().map(|found| found.username.clone());
    found.fixed("proxy.username", &name(&running.credentials), &name(credentials));
    let password = |found: &Option<Credentials>| found.as_ref().map(|found| found.password.clone());
    found.fixed("proxy.password", &password(&running.credentials), &password(credentials));
    found.fixed("proxy.ttl", &running.ttl, ttl);
    found.fixed("proxy.cachewritetimeout", &running.cache_write_timeout, cache_write_timeout);
}

fn take_log(found: &mut Reloaded, running: &mut Log, new: &Log) {
    let Log { level, formatter, output, report_caller, fields, access_log, access_format } = new;
    found.live("log.level", &mut running.level, level);
    found.fixed("log.formatter", &running.formatter, formatter);
    found.fixed("log.output", &running.output, output);
    found.fixed("log.reportcaller", &running.report_caller, report_caller);
    found.fixed("log.fields", &running.fields, fields);
    found.live("log.accesslog.disabled", &mut running.access_log, access_log);
    found.live("log.accesslog.formatter", &mut running.access_format, access_format);
}

fn take_storage(found: &mut Reloaded, running: &mut Storage, new: &Storage) {
    let Storage { driver, delete, tag_reads, read_only, upload_purging, redirect, bucket_urls } =
        new;
    take_driver(found, &running.driver, driver);
    found.live("storage.delete.enabled", &mut running.delete, delete);
    found.fixed("storage.tag.concurrencylimit", &running.tag_reads, tag_reads);
    found.live("storage.maintenance.readonly.enabled", &mut running.read_only, read_only);
    let UploadPurging { enabled, age, interval, dry_run } = upload_purging;
    let purging = &mut running.upload_purging;
    found.live("storage.maintenance.uploadpurging.enabled", &mut purging.enabled, enabled);
    found.live("storage.maintenance.uploadpurging.age", &mut purging.age, age);
    found.live("storage.maintenance.uploadpurging.interval", &mut purging.interval, interval);
    found.live("storage.maintenance.uploadpurging.dryrun", &mut purging.dry_run, dry_run);
    found.fixed("middleware.storage", &running.redirect, redirect);
    found.fixed("storage.redirect", &running.bucket_urls, bucket_urls);
}

fn take_driver(found: &mut Reloaded, running: &storage::Config, new: &storage::Config) {
    use storage::Config::{Filesystem, InMemory, S3};
    match (running, new) {
        (Filesystem(running), Filesystem(new)) => {
            let storage::FilesystemConfig { root_directory, max_threads } = new;
            let root = "storage.filesystem.rootdirectory";
            found.fixed(root, &running.root_directory, root_directory);
            found.fixed("storage.filesystem.maxthreads", &running.max_threads, max_threads);
        }
        (InMemory, InMemory) => {}
        (S3(running), S3(new)) => found.fixed("storage.s3", running, new),
        (_, Filesystem(_)) => found.needs_restart.push("storage.filesystem"),
        (_, InMemory) => found.needs_restart.push("storage.inmemory"),
        (_, S3(_)) => found.needs_restart.push("storage.s3"),
    }
}

fn take_health(found: &mut Reloaded, running: &mut Health, new: &Health) {
    let Health { storage, files, http, tcp } = new;
    found.live("health.storagedriver", &mut running.storage, storage);
    found.live("health.file", &mut running.files, files);
    found.live("health.http", &mut running.http, http);
    found.live("health.tcp", &mut running.tcp, tcp);
}

fn take_http(found: &mut Reloaded, running: &mut Http, new: &Http) {
    let Http {
        address,
        prefix,
        host,
        secret,
        relative_urls,
        drain_timeout,
        headers,
        debug,
        connections,
        tls,
        http2,
        h2c,
    } = new;
    take_address(found, &running.address, address);
    found.fixed("http.prefix", &running.prefix, prefix);
    found.live("http.host", &mut running.host, host);
    found.fixed("http.secret", &running.secret, secret);
    found.live("http.relativeurls", &mut running.relative_urls, relative_urls);
    found.live("http.draintimeout", &mut running.drain_timeout, drain_timeout);
    found.live("http.headers", &mut running.headers, headers);
    found.fixed("http.debug", &running.debug, debug);
    found.fixed("regctl.http.maxconnections", &running.connections, connections);
    take_tls(found, running.tls.as_ref(), tls.as_ref());
    found.fixed("http.http2.disabled", &running.http2, http2);
    found.fixed("http.h2c.enabled", &running.h2c, h2c);
}

fn take_notifications(found: &mut Reloaded, running: &mut Notifications, new: &Notifications) {
    let Notifications { include_references, format, endpoints, queue } = new;
    let include = "notifications.events.includereferences";
    found.live(include, &mut running.include_references, include_references);
    found.live("notifications.endpoints", &mut running.endpoints, endpoints);
    let Queue { folder, max_bytes, max_events, max_age } = queue;
    let running_queue = &mut running.queue;
    found.fixed("regctl.notifications.folder", &running_queue.folder, folder);
    found.fixed("regctl.notifications.maxbytes", &running_queue.max_bytes, max_bytes);
    found.fixed("regctl.notifications.maxevents", &running_queue.max_events, max_events);
    found.live("regctl.notifications.maxage", &mut running_queue.max_age, max_age);
    found.live("regctl.notifications.format", &mut running.format, format);
}

/// The files are read again when they change; which files, and what is asked of clients, is not.
fn take_tls(found: &mut Reloaded, running: Option<&Tls>, new: Option<&Tls>) {
    let (running, new) = match (running, new) {
        (Some(running), Some(new)) => (running, new),
        (None, None) => return,
        (Some(_), None) | (None, Some(_)) => return found.needs_restart.push("http.tls"),
    };
    let Tls { certificate, key, clients, minimum, cipher_suites } = new;
    found.fixed("http.tls.certificate", &running.certificate, certificate);
    found.fixed("http.tls.key", &running.key, key);
    found.fixed("http.tls.clientauth", &running.clients, clients);
    found.fixed("http.tls.minimumtls", &running.minimum, minimum);
    found.fixed("http.tls.ciphersuites", &running.cipher_suites, cipher_suites);
}

fn take_validation(found: &mut Reloaded, running: &mut Validation, new: &Validation) {
    let Validation { urls, children, reference_limit, payload_limit, classes } = new;
    found.live("validation.manifests.urls", &mut running.urls, urls);
    found.live("validation.manifests.indexes", &mut running.children, children);
    let references = &mut running.reference_limit;
    found.live("validation.manifests.referencelimit", references, reference_limit);
    let payload = &mut running.payload_limit;
    found.live("validation.manifests.payloadsizelimit", payload, payload_limit);
    found.live("policy.repository.classes", &mut running.classes, classes);
}

fn take_address(found: &mut Reloaded, running: &Address, new: &Address) {
    match (running, new) {
        (Address::Tcp(_), Address::Tcp(_)) | (Address::Unix(_), Address::Unix(_)) => {
            found.fixed("http.addr", running, new);
        }
        (Address::Tcp(_), Address::Unix(_)) | (Address::Unix(_), Address::Tcp(_)) => {
            found.needs_restart.extend(["http.addr", "http.net"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    const RUNNING: &str = "
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: /srv/a}}
http: {addr: '127.0.0.1:5000', secret: one}
regctl: {quotas: {folder: /srv/quotas, limits: [{repositories: [a], maxsize: 5}]}}
";

    const OTHER: &str = "
version: 0.1
log: {level: debug, formatter: json, fields: {a: b}, accesslog: {disabled: true, formatter: json}}
storage:
  filesystem: {rootdirectory: /srv/b, maxthreads: 50}
  delete: {enabled: true}
  cache: {blobdescriptor: redis}
  maintenance:
    readonly: {enabled: true}
    uploadpurging: {enabled: false, age: 1h, interval: 2h, dryrun: true}
http:
  addr: 127.0.0.1:5001
  prefix: /a/
  host: https://registry.example.com
  secret: two
  relativeurls: true
  draintimeout: 5s
  headers: {X-A: [b]}
  tls: {certificate: /c, key: /k}
  debug: {addr: '127.0.0.1:5002'}
  http2: {disabled: true}
  h2c: {enabled: true}
redis: {addr: 'localhost:6379'}
health:
  storagedriver: {enabled: true}
  file: [{file: /a}]
  http: [{uri: 'http://127.0.0.1/'}]
  tcp: [{addr: '127.0.0.1:1'}]
notifications:
  events: {includereferences: true}
  endpoints: [{name: a, url: 'http://127.0.0.1/'}]
catalog: {maxentries: 5}
tags: {maxtags: 6}
compatibility: {schema1: {enabled: true, signingkeyfile: /k.pem}}
proxy: {remoteurl: https://registry.example.com}
middleware: {storage: [{name: redirect, options: {baseurl: https://cdn.example.com}}]}
validation: {manifests: {urls: {allow: [a]}, indexes: {platforms: none}, referencelimit: 1, payloadsizelimit: 2}}
policy: {repository: {classes: [image]}}
regctl:
  http: {maxconnections: 7}
  sendfile: {secret: sixteen-letters-x, location: /a/}
  immutabletags: [{repositories: [a], tags: [b]}]
  notifications: {folder: /srv/events, maxbytes: 5, maxevents: 6, maxage: 7s, format: v2}
";

    fn config(text: &str) -> Config {
        Config::parse(text, &[]).unwrap().config
    }

    #[test]
    fn every_key_that_differs_is_applied_or_listed() {
        let mut running = config(RUNNING);
        let reloaded = take_over(&mut running, &config(OTHER));
        assert_eq!(
            reloaded.applied,
            [
                "log.level",
                "log.accesslog.disabled",
                "log.accesslog.formatter",
                "storage.delete.enabled",
                "storage.maintenance.readonly.enabled",
                "storage.maintenance.uploadpurging.enabled",
                "storage.maintenance.uploadpurging.age",
                "storage.maintenance.uploadpurging.interval",
                "storage.maintenance.uploadpurging.dryrun",
                "http.host",
                "http.relativeurls",
                "http.draintimeout",
                "http.headers",
                "notifications.events.includereferences",
                "notifications.endpoints",
                "regctl.notifications.maxage",
                "regctl.notifications.format",
                "health.storagedriver",
                "health.file",
                "health.http",
                "health.tcp",
                "catalog.maxentries",
                "tags.maxtags",
                "compatibility.schema1.enabled",
                "validation.manifests.urls",
                "validation.manifests.indexes",
                "validation.manifests.referencelimit",
                "validation.manifests.payloadsizelimit",
                "policy.repository.classes",
                "regctl.quotas",
                "regctl.immutabletags",
                "regctl.sendfile",
            ]
        );
        let fixed = [
            "log.formatter",
            "log.fields",
            "storage.filesystem.rootdirectory",
            "storage.filesystem.maxthreads",
            "middleware.storage",
            "http.addr",
            "http.prefix",
            "http.secret",
            "http.debug",
            "regctl.http.maxconnections",
            "http.tls",
            "http.http2.disabled",
            "http.h2c.enabled",
            "regctl.notifications.folder",
            "regctl.notifications.maxbytes",
            "regctl.notifications.maxevents",
            "compatibility.schema1.signingkeyfile",
            "proxy.remoteurl",
            "redis",
        ];
        assert_eq!(reloaded.needs_restart, fixed);
        for key in reloaded.applied.iter().chain(&fixed) {
            let is_known = |path: &str| path == *key || path.starts_with(&format!("{key}."));
            assert!(KEYS.iter().any(|known| is_known(known.path)), "{key}");
        }
        // What needs a restart still does; the rest is done.
        let again = take_over(&mut running, &config(OTHER));
        assert_eq!(again, Reloaded { applied: vec![], needs_restart: fixed.to_vec() });
    }

    #[test]
    fn a_configuration_that_is_the_same_changes_nothing() {
        let mut running = config(OTHER);
        assert_eq!(take_over(&mut running, &config(OTHER)), Reloaded::default());
    }

    #[test]
    fn another_registry_behind_needs_a_restart() {
        let with = |proxy: &str| config(&format!("{RUNNING}proxy: {{{proxy}}}"));
        let running = "remoteurl: https://a.example.com, username: a, password: b, ttl: 1h";
        let other =
            "remoteurl: https://b.example.com, username: c, password: d, cachewritetimeout: 1s";
        let reloaded = take_over(&mut with(running), &with(other));
        let names = ["remoteurl", "username", "password", "ttl", "cachewritetimeout"];
        assert_eq!(reloaded.needs_restart, names.map(|name| format!("proxy.{name}")));
    }

    #[test]
    fn another_driver_or_another_kind_of_socket_needs_a_restart() {
        let text = "
version: 0.1
storage: {inmemory: {}}
http: {net: unix, addr: /run/registry.sock, secret: one}
regctl: {quotas: {folder: /srv/quotas, limits: [{repositories: [a], maxsize: 5}]}}
";
        let reloaded = take_over(&mut config(RUNNING), &config(text));
        assert_eq!(reloaded.needs_restart, ["storage.inmemory", "http.addr", "http.net"]);
        assert!(reloaded.applied.is_empty());
        let reloaded = take_over(&mut config(text), &config(RUNNING));
        assert_eq!(reloaded.needs_restart, ["storage.filesystem", "http.addr", "http.net"]);
    }
}
