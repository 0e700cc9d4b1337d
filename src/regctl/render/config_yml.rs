//! The registry's `config.yml`, as Docker Distribution reads it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use registry::{
    Glob,
    config::{ImmutableTags, Quota},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    engine::{self, Error},
    file::{Inputs, View},
    outside, sendfile,
    template::Name,
};
use crate::{
    config::{
        instance::{
            self, Auth, Debug, Driver, Jwks, Proxy, RegistryTls, Token, UploadPurging, Validation,
        },
        notifications::Endpoint,
        redis::Redis,
        s3::Setting,
    },
    state::Layout,
};

/// What the template can name.
#[derive(Serialize)]
struct Context<'a> {
    instance_toml: String,
    log_level: &'a str,
    log_formatter: &'a str,
    log_fields: &'a BTreeMap<String, String>,
    report_caller: bool,
    access_log: bool,
    access_format: &'a str,
    /// The driver's name.
    driver: &'static str,
    /// The driver's options.
    options: BTreeMap<&'static str, String>,
    delete: bool,
    read_only: bool,
    upload_purging: Purging,
    address: String,
    secret: &'a str,
    relative_urls: bool,
    /// Its options as JSON, which is YAML. None: without TLS.
    tls: Option<Vec<(&'static str, String)>>,
    http2: bool,
    h2c: bool,
    debug: Option<DebugContext<'a>>,
    health: outside::Health,
    /// Each as its options in JSON.
    middleware: Vec<Vec<(&'static str, String)>>,
    no_redirect: Option<bool>,
    redirect_holds: Option<String>,
    tag_reads: Option<u64>,
    host: Option<String>,
    prefix: Option<&'a str>,
    drain_timeout: String,
    headers: BTreeMap<&'a str, Vec<&'a str>>,
    /// None: everybody may do everything.
    auth: Option<AuthContext>,
    /// None: the registry's own.
    catalog_max_entries: Option<u64>,
    tags_max: Option<u64>,
    schema1: bool,
    signing_key_file: Option<String>,
    /// None: a registry that is pushed to.
    proxy: Option<ProxyContext<'a>>,
    /// None: the registry sends every blob itself.
    sendfile: Option<sendfile::OfRegistry<'a>>,
    /// Each as JSON.
    immutable_tags: Vec<String>,
    /// None: there are none.
    quotas: Option<QuotasContext>,
    /// Each option of `validation` under its path, as JSON.
    validation: Option<String>,
    classes: Option<String>,
    /// None: nobody is told.
    notifications: Option<Notifications>,
    /// `storage.cache`, its options as JSON.
    cache: Vec<(&'static str, String)>,
    /// `redis`, likewise.
    redis: Vec<(&'static str, String)>,
    lease: Option<String>,
}

/// Who is told, each endpoint as its options in JSON.
#[derive(Serialize)]
struct Notifications {
    include_references: bool,
    endpoints: Vec<Vec<(&'static str, String)>>,
    folder: String,
    format: String,
    max_bytes: u64,
    max_events: u64,
    max_age: String,
}

/// The registry behind this one.
#[derive(Serialize)]
struct ProxyContext<'a> {
    remote: String,
    username: Option<&'a str>,
    password: Option<&'a str>,
    ttl: String,
    cache_write_timeout: String,
}

/// The second listener.
#[derive(Serialize)]
struct DebugContext<'a> {
    address: String,
    metrics: Option<&'a str>,
    tls: Option<Vec<(&'static str, String)>>,
}

/// The one way in, and its options as JSON, which is YAML.
#[derive(Serialize)]
struct AuthContext {
    kind: &'static str,
    options: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Purging {
    enabled: bool,
    age: String,
    interval: String,
    dry_run: bool,
}

/// A rule as YAML on one line.
fn immutable(rule: &ImmutableTags) -> String {
    let texts = |globs: &[Glob]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({ "repositories": texts(&rule.repositories), "tags": texts(&rule.tags) }).to_string()
}

/// `regctl.quotas`, each limit as JSON.
#[derive(Serialize)]
struct QuotasContext {
    folder: String,
    limits: Vec<String>,
}

fn quotas(quotas: &[Quota], layout: &Layout) -> Option<QuotasContext> {
    let limit = |quota: &Quota| {
        let repositories: Vec<_> = quota.repositories.iter().map(ToString::to_string).collect();
        json!({ "repositories": repositories, "maxsize": quota.max_size }).to_string()
    };
    (!quotas.is_empty()).then(|| QuotasContext {
        folder: json(layout.quotas().to_string_lossy()),
        limits: quotas.iter().map(limit).collect(),
    })
}

/// Renders `config.yml`.
pub(crate) fn config_yml(inputs: &Inputs<'_>, view: View) -> Result<String, Error> {
    let Inputs { instance, secrets, layout, templates, is_held_read_only, .. } = inputs;
    let registry = &instance.registry;
    let (driver, options) = driver(&registry.storage.driver, layout, view);
    let signing_key = registry.schema1.signing_key_file.as_deref();
    let context = Context {
        instance_toml: layout.instance_toml().display().to_string(),
        log_level: &registry.log_level,
        log_formatter: &registry.log_formatter,
        log_fields: &registry.log_fields,
        report_caller: registry.report_caller,
        access_log: registry.access_log,
        access_format: &registry.access_format,
        driver,
        options,
        delete: registry.storage.delete,
        read_only: registry.storage.read_only || *is_held_read_only,
        upload_purging: purging(registry.storage.upload_purging),
        address: registry.address.to_string(),
        secret: view.reveal(registry.http.secret.as_ref().unwrap_or(&secrets.http_secret)),
        relative_urls: registry.http.relative_urls,
        tls: registry.http.tls.as_ref().map(|tls| tls_options(tls, layout)),
        http2: registry.http.http2,
        h2c: registry.http.h2c,
        debug: registry.http.debug.as_ref().map(|found| debug(found, layout)),
        health: outside::health(&registry.health, layout, view),
        middleware: registry
            .middleware
            .iter()
            .map(|found| outside::middleware(found, layout))
            .collect(),
        no_redirect: registry.storage.no_redirect,
        tag_reads: registry.storage.tag_reads,
        redirect_holds: registry.storage.redirect_holds.map(go_duration),
        host: registry.http.host.as_ref().map(ToString::to_string),
        prefix: registry.http.prefix.as_deref(),
        drain_timeout: go_duration(registry.http.drain_timeout),
        headers: headers(&registry.http.headers, view),
        auth: auth(&registry.auth, layout),
        catalog_max_entries: registry.pages.catalog,
        tags_max: registry.pages.tags,
        schema1: registry.schema1.enabled,
        signing_key_file: signing_key.map(|path| layout.resolve(path).display().to_string()),
        notifications: notifications(&registry.notifications, layout, view),
        proxy: registry.proxy.as_ref().map(|found| proxy(found, view)),
        cache: cache(&registry.storage.cache),
        redis: registry.redis.as_ref().map(|found| redis(found, layout, view)).unwrap_or_default(),
        lease: registry.lease.map(go_duration),
        sendfile: sendfile::of_registry(inputs, view),
        immutable_tags: instance.immutable_tags.iter().map(immutable).collect(),
        quotas: quotas(&instance.quotas, layout),
        validation: validation(&registry.validation),
        classes: registry.validation.classes.as_ref().map(|classes| json!(classes).to_string()),
    };
    let (name, text) = templates.get(Name::ConfigYml);
    engine::render(name, text, context)
}

fn debug<'a>(debug: &'a Debug, layout: &Layout) -> DebugContext<'a> {
    DebugContext {
        address: debug.address.to_string(),
        metrics: debug.metrics.as_deref(),
        tls: debug.tls.as_ref().map(|tls| tls_options(tls, layout)),
    }
}

fn cache((kind, size): &(Option<String>, Option<u64>)) -> Vec<(&'static str, String)> {
    let kind = kind.iter().map(|kind| ("blobdescriptor", json(kind)));
    kind.chain(size.iter().map(|size| ("blobdescriptorsize", size.to_string()))).collect()
}

/// In the form of 2.8 and in that of 3: each reads its own.
fn redis(redis: &Redis, layout: &Layout, view: View) -> Vec<(&'static str, String)> {
    let mut options = vec![("addr", json(&redis.address)), ("addrs", json([&redis.address]))];
    options.extend(redis.username.iter().map(|name| ("username", json(name))));
    options.extend(redis.password.iter().map(|word| ("password", json(view.reveal(word)))));
    options.extend(redis.db.map(|db| ("db", db.to_string())));
    for (name, span) in [
        ("dialtimeout", redis.dial_timeout),
        ("readtimeout", redis.read_timeout),
        ("writetimeout", redis.write_timeout),
    ] {
        options.extend(span.map(|span| (name, go_duration(span))));
    }
    if redis.tls {
        let path = |path: &PathBuf| layout.resolve(path).to_string_lossy().into_owned();
        let roots: Vec<_> = redis.roots.iter().map(path).collect();
        options.push(("tls", json!({ "enabled": true, "rootcas": roots }).to_string()));
    }
    options
}

fn proxy(proxy: &Proxy, view: View) -> ProxyContext<'_> {
    let credentials = proxy.credentials.as_ref();
    ProxyContext {
        remote: proxy.remote.to_string(),
        username: credentials.map(|(name, _)| name.as_str()),
        password: credentials.map(|(_, password)| view.reveal(password)),
        ttl: go_duration(proxy.ttl),
        cache_write_timeout: go_duration(proxy.cache_write_timeout),
    }
}

/// Returns what is sent with every answer, as the view shows it.
pub(super) fn headers(
    headers: &BTreeMap<String, Vec<String>>,
    view: View,
) -> BTreeMap<&str, Vec<&str>> {
    headers
        .iter()
        .map(|(name, values)| {
            let values = values.iter().map(|value| view.header(name, value));
            (name.as_str(), values.collect())
        })
        .collect()
}

/// The section as JSON, which is YAML, with what was set and nothing else.
fn validation(validation: &Validation) -> Option<String> {
    let Validation {
        disabled,
        references,
        payload,
        allow,
        deny,
        platforms,
        platform_list,
        classes: _,
    } = validation;
    let set = |fields: &[(&str, Option<Value>)]| {
        let set =
            fields.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)));
        let set: Map<String, Value> = set.collect();
        (!set.is_empty()).then_some(Value::Object(set))
    };
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| json!(list));
    let urls = set(&[("allow", list(allow)), ("deny", list(deny))]);
    let platforms = platforms.as_ref().map(|platforms| json!(platforms));
    let each = platform_list.iter().map(|(of, os)| json!({ "architecture": of, "os": os }));
    let platform_list = (!platform_list.is_empty()).then(|| each.collect());
    let manifests = set(&[
        ("urls", urls),
        ("indexes", set(&[("platforms", platforms), ("platformlist", platform_list)])),
        ("referencelimit", references.map(Value::from)),
        ("payloadsizelimit", payload.map(Value::from)),
    ]);
    let disabled = disabled.then_some(Value::Bool(true));
    set(&[("disabled", disabled), ("manifests", manifests)]).map(|section| section.to_string())
}

fn notifications(
    told: &instance::Notifications,
    layout: &Layout,
    view: View,
) -> Option<Notifications> {
    (!told.endpoints.is_empty()).then(|| Notifications {
        include_references: told.include_references,
        endpoints: told.endpoints.iter().map(|endpoint| endpoint_options(endpoint, view)).collect(),
        folder: json(layout.events().to_string_lossy()),
        format: told.format.clone(),
        max_bytes: told.max_bytes,
        max_events: told.max_events,
        max_age: go_duration(told.max_age),
    })
}

fn endpoint_options(endpoint: &Endpoint, view: View) -> Vec<(&'static str, String)> {
    let url = outside::url(&endpoint.url, view);
    let mut options = vec![("name", json(&endpoint.name)), ("url", json(url))];
    if endpoint.is_disabled {
        options.push(("disabled", json(true)));
    }
    options.extend(endpoint.timeout.map(|timeout| ("timeout", go_duration(timeout))));
    options.extend(endpoint.max_retries.map(|retries| ("maxretries", retries.to_string())));
    options.extend(endpoint.backoff.map(|backoff| ("backoff", go_duration(backoff))));
    if !endpoint.headers.0.is_empty() {
        options.push(("headers", json(headers(&endpoint.headers.0, view))));
    }
    if !endpoint.ignored_media_types.is_empty() {
        options.push(("ignoredmediatypes", json(&endpoint.ignored_media_types)));
    }
    if !endpoint.ignored_actions.is_empty() {
        let ignore = BTreeMap::from([("actions", &endpoint.ignored_actions)]);
        options.push(("ignore", json(ignore)));
    }
    options
}

fn driver(
    driver: &Driver,
    layout: &Layout,
    view: View,
) -> (&'static str, BTreeMap<&'static str, String>) {
    match driver {
        Driver::Filesystem { root_directory, max_threads } => {
            let root_directory = layout.resolve(root_directory).to_string_lossy().into_owned();
            let options =
                [("rootdirectory", json(root_directory)), ("maxthreads", max_threads.to_string())];
            ("filesystem", options.into())
        }
        Driver::InMemory => ("inmemory", BTreeMap::new()),
        Driver::S3(bucket) => (
            bucket.name,
            bucket.options.iter().map(|(name, set)| (*name, option(set, view))).collect(),
        ),
    }
}

fn option(setting: &Setting, view: View) -> String {
    match setting {
        Setting::Text(text) => json(text),
        Setting::Secret(secret) => json(view.reveal(secret)),
        Setting::Flag(flag) => json(flag),
        Setting::Number(number) => json(number),
    }
}

fn auth(auth: &Auth, layout: &Layout) -> Option<AuthContext> {
    let path = |path: &Path| json(layout.resolve(path).to_string_lossy());
    let (kind, options) = match auth {
        Auth::None => return None,
        Auth::Htpasswd { realm, path: users } => {
            ("htpasswd", vec![("realm", json(realm)), ("path", path(users))])
        }
        Auth::Token(token) => ("token", token_options(token, &path)),
        Auth::Silly { realm, service } => {
            ("silly", vec![("realm", json(realm)), ("service", json(service))])
        }
    };
    Some(AuthContext { kind, options })
}

fn tls_options(tls: &RegistryTls, layout: &Layout) -> Vec<(&'static str, String)> {
    let path = |path: &PathBuf| layout.resolve(path).to_string_lossy().into_owned();
    let mut options =
        vec![("certificate", json(path(&tls.certificate))), ("key", json(path(&tls.key)))];
    if !tls.client_authorities.is_empty() {
        let files: Vec<_> = tls.client_authorities.iter().map(path).collect();
        options.push(("clientcas", json(files)));
    }
    options.extend(tls.clients.iter().map(|clients| ("clientauth", json(clients))));
    options.extend(tls.minimum.iter().map(|minimum| ("minimumtls", json(minimum))));
    options.extend(tls.cipher_suites.iter().map(|suites| ("ciphersuites", json(suites))));
    options
}

fn token_options(token: &Token, path: &dyn Fn(&Path) -> String) -> Vec<(&'static str, String)> {
    let mut options = vec![
        ("realm", json(token.realm.to_string())),
        ("service", json(&token.service)),
        ("issuer", json(&token.issuer)),
    ];
    options.extend(token.root_cert_bundle.iter().map(|file| ("rootcertbundle", path(file))));
    options.extend(token.jwks.iter().map(|jwks| match jwks {
        Jwks::File(file) => ("jwks", path(file)),
        Jwks::Url(url) => ("jwks", json(url.to_string())),
    }));
    let algorithms = token.signing_algorithms.as_ref();
    options.extend(algorithms.map(|names| ("signingalgorithms", json(names))));
    if token.autoredirect {
        options.push(("autoredirect", json(true)));
        options.extend(token.autoredirect_path.iter().map(|path| ("autoredirectpath", json(path))));
    }
    options
}

/// JSON values are YAML values.
pub(super) fn json(value: impl Serialize) -> String {
    serde_json::to_string(&value).expect("texts, lists of texts and flags are always JSON")
}

fn purging(purging: UploadPurging) -> Purging {
    Purging {
        enabled: purging.enabled,
        age: go_duration(purging.age),
        interval: go_duration(purging.interval),
        dry_run: purging.dry_run,
    }
}

/// Spells a duration for Go, which knows no days.
pub(super) fn go_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        ms if ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        ms if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_reads_every_duration() {
        for (milliseconds, text) in
            [(0, "0s"), (1, "1ms"), (30_000, "30s"), (90_000, "90s"), (604_800_000, "168h")]
        {
            assert_eq!(go_duration(Duration::from_millis(milliseconds)), text);
        }
    }
}
