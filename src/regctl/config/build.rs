//! From settings that have passed every check to the [`Instance`] they mean.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{
    health,
    instance::{
        Account, Auth, Cleanup, Collection, Debug, Driver, Gitlab, Http, Instance, Jwks, LogFiles,
        Logging, Notifications, Pages, Proxy, Registry, RegistryTls, Schema1, Storage, Token,
        UploadPurging, Validation,
    },
    kind::Value,
    middleware,
    notifications::Endpoint,
    policy, quota, redis, s3,
    settings::Settings,
    tables::Record,
    values::ExternalUrl,
    vhost::{Hsts, Nginx, RealIp, Tls, Vhost},
};
use crate::certificate::Pair;

const HAS_DEFAULT: &str = "the key has a default";

/// Builds the instance.
pub(super) fn instance(settings: &Settings) -> Instance {
    Instance {
        external_url: settings.url("registry_external_url"),
        registry: registry(settings),
        nginx: nginx(settings),
        logging: logging(settings),
        gitlab: settings.gitlab().map(|_| gitlab(settings)),
        collection: Collection {
            schedule: settings.text("garbage_collect.schedule"),
            mode: text(settings, "garbage_collect.mode"),
            delete_untagged: flag(settings, "garbage_collect.delete_untagged"),
            quarantine: settings.duration("garbage_collect.quarantine"),
            grace: duration(settings, "garbage_collect.grace"),
        },
        cleanup: Cleanup {
            policies: policy::policies(settings),
            schedule: text(settings, "cleanup.schedule"),
            collect: flag(settings, "cleanup.collect"),
        },
        immutable_tags: policy::immutable_tags(settings),
        quotas: quota::quotas(settings),
        manage_accounts: flag(settings, "manage_accounts.enable"),
        manage_storage_directories: flag(settings, "manage_storage_directories.enable"),
        manage_system_files: settings.flag("manage_system_files.enable"),
    }
}

/// Whether regctl runs nginx.
pub(super) fn runs_nginx(settings: &Settings) -> bool {
    let on = |path| settings.flag(path) == Some(true);
    on("registry.enable") && on("nginx.enable") && on("registry.nginx.enable")
}

fn logging(settings: &Settings) -> Logging {
    let count = |path: &str| settings.count(path);
    let nginx = LogFiles {
        size: count("logging.svlogd_size").expect(HAS_DEFAULT),
        number: count("logging.svlogd_num").expect(HAS_DEFAULT),
    };
    let registry = LogFiles {
        size: count("registry.svlogd_size").unwrap_or(nginx.size),
        number: count("registry.svlogd_num").unwrap_or(nginx.number),
    };
    Logging { registry, nginx }
}

fn flag(settings: &Settings, path: &str) -> bool {
    settings.flag(path).expect(HAS_DEFAULT)
}

fn text(settings: &Settings, path: &str) -> String {
    settings.text(path).expect(HAS_DEFAULT)
}

fn duration(settings: &Settings, path: &str) -> Duration {
    settings.duration(path).expect(HAS_DEFAULT)
}

fn registry(settings: &Settings) -> Registry {
    let fields = settings.fields("registry.log.fields").unwrap_or_default();
    Registry {
        enable: flag(settings, "registry.enable"),
        address: settings.address("registry.registry_http_addr").expect(HAS_DEFAULT),
        log_level: text(settings, "registry.log_level"),
        log_formatter: text(settings, "registry.log_formatter"),
        log_fields: fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        report_caller: flag(settings, "registry.log.reportcaller"),
        access_log: !flag(settings, "registry.log.accesslog.disabled"),
        access_format: text(settings, "registry.log.accesslog.formatter"),
        env: settings.environment("registry.env").unwrap_or_default(),
        account: account(settings),
        http: http(settings),
        auth: auth(settings),
        storage: storage(settings),
        pages: Pages {
            catalog: settings.count("registry.catalog.maxentries"),
            tags: settings.count("registry.tags.maxtags"),
        },
        schema1: Schema1 {
            enabled: flag(settings, "registry.compatibility_schema1_enabled"),
            signing_key_file: settings.path("registry.compatibility.schema1.signingkeyfile"),
        },
        validation: validation(settings),
        notifications: notifications(settings),
        proxy: proxy(settings),
        redis: redis::redis(settings),
        lease: settings.duration("registry.lease"),
        health: health::health(settings),
        middleware: middleware::middleware(settings),
    }
}

fn validation(settings: &Settings) -> Validation {
    const MANIFESTS: &str = "registry.validation.manifests";
    let count = |name| settings.count(&format!("{MANIFESTS}.{name}"));
    let list = |name| settings.list(&format!("{MANIFESTS}.{name}"));
    let platforms = settings.tables_of(&format!("{MANIFESTS}.indexes.platformlist"));
    let platforms = platforms.unwrap_or_default();
    let platform = |record: &Record| {
        let text = |name| record.text(name).expect("the key table requires it");
        (text("architecture"), text("os"))
    };
    Validation {
        disabled: flag(settings, "registry.validation.disabled"),
        references: count("referencelimit"),
        payload: count("payloadsizelimit"),
        allow: list("urls.allow"),
        deny: list("urls.deny"),
        platforms: settings.text(&format!("{MANIFESTS}.indexes.platforms")),
        platform_list: platforms.iter().map(platform).collect(),
        classes: settings.list("registry.policy.repository.classes"),
    }
}

fn notifications(settings: &Settings) -> Notifications {
    let key = |name: &str| format!("registry.events.{name}");
    let default = |name: &str| format!("registry.default_notifications_{name}");
    let retries = settings.count(&default("maxretries"));
    let retries = retries.or_else(|| settings.count(&default("threshold")));
    let headers = settings.headers(&default("headers")).unwrap_or_default();
    let complete = |mut endpoint: Endpoint| {
        endpoint.timeout = endpoint.timeout.or_else(|| settings.duration(&default("timeout")));
        endpoint.backoff = endpoint.backoff.or_else(|| settings.duration(&default("backoff")));
        endpoint.max_retries = endpoint.max_retries.or(retries);
        for (name, values) in &headers {
            let is_own = |own: &String| own.eq_ignore_ascii_case(name);
            if !endpoint.headers.0.keys().any(is_own) {
                endpoint.headers.0.insert(name.clone(), values.clone());
            }
        }
        endpoint
    };
    let endpoints = settings.notifications("registry.notifications").unwrap_or_default();
    Notifications {
        endpoints: endpoints.into_iter().map(complete).collect(),
        include_references: flag(settings, &key("includereferences")),
        format: text(settings, &key("format")),
        max_bytes: settings.count(&key("maxbytes")).expect(HAS_DEFAULT),
        max_events: settings.count(&key("maxevents")).expect(HAS_DEFAULT),
        max_age: duration(settings, &key("maxage")),
    }
}

fn proxy(settings: &Settings) -> Option<Proxy> {
    let username = settings.text("registry.proxy.username");
    Some(Proxy {
        remote: settings.web_url("registry.proxy.remoteurl")?,
        credentials: username.zip(settings.secret("registry.proxy.password")),
        ttl: duration(settings, "registry.proxy.ttl"),
        cache_write_timeout: duration(settings, "registry.proxy.cachewritetimeout"),
    })
}

fn account(settings: &Settings) -> Account {
    let id = |path| {
        settings.count(path).map(|id| u32::try_from(id).expect("the kind of the key bounds it"))
    };
    let names = ["registry.username", "registry.group", "registry.uid", "registry.gid"];
    Account {
        username: text(settings, "registry.username"),
        group: text(settings, "registry.group"),
        uid: id("registry.uid"),
        gid: id("registry.gid"),
        shell: settings.path("registry.shell").expect(HAS_DEFAULT),
        log_group: settings.text("registry.log_group"),
        is_named: names.iter().any(|name| settings.written(name).is_some()),
    }
}

fn http(settings: &Settings) -> Http {
    Http {
        secret: settings.secret("registry.http_secret"),
        relative_urls: flag(settings, "registry.http.relativeurls"),
        host: settings.url("registry.http.host"),
        prefix: settings.text("registry.http.prefix"),
        headers: settings.headers("registry.http.headers").unwrap_or_default(),
        drain_timeout: duration(settings, "registry.http_draintimeout"),
        tls: registry_tls(settings, "registry.http.tls"),
        http2: !flag(settings, "registry.http.http2.disabled"),
        h2c: flag(settings, "registry.http.h2c.enabled"),
        debug: debug(settings),
    }
}

fn debug(settings: &Settings) -> Option<Debug> {
    let has_metrics = flag(settings, "registry.http.debug.prometheus.enabled");
    Some(Debug {
        address: settings.address("registry.http.debug.addr")?,
        metrics: has_metrics.then(|| text(settings, "registry.http.debug.prometheus.path")),
        tls: registry_tls(settings, "registry.http.debug.tls"),
    })
}

fn registry_tls(settings: &Settings, table: &str) -> Option<RegistryTls> {
    let key = |name: &str| format!("{table}.{name}");
    let authorities = settings.list(&key("clientcas")).unwrap_or_default();
    Some(RegistryTls {
        certificate: settings.path(&key("certificate"))?,
        key: settings.path(&key("key"))?,
        client_authorities: authorities.into_iter().map(PathBuf::from).collect(),
        clients: settings.text(&key("clientauth")),
        minimum: settings.text(&key("minimumtls")),
        cipher_suites: settings.list(&key("ciphersuites")),
    })
}

fn storage(settings: &Settings) -> Storage {
    Storage {
        driver: driver(settings),
        delete: flag(settings, "registry.storage.delete.enabled"),
        read_only: flag(settings, "registry.storage.maintenance.readonly.enabled"),
        upload_purging: upload_purging(settings),
        no_redirect: settings.flag("registry.storage.redirect.disable"),
        redirect_holds: settings.duration("registry.storage.redirect.expirydelay"),
        tag_reads: settings.count("registry.storage.tag.concurrencylimit"),
        cache: (
            settings.text(redis::CACHE),
            settings.count("registry.storage.cache.blobdescriptorsize"),
        ),
    }
}

fn driver(settings: &Settings) -> Driver {
    if settings.has_table("registry.storage.inmemory") {
        return Driver::InMemory;
    }
    if let Some(bucket) = s3::s3(settings) {
        return Driver::S3(bucket);
    }
    let path = |name: &str| format!("registry.storage.filesystem.{name}");
    Driver::Filesystem {
        root_directory: settings.path(&path("rootdirectory")).expect(HAS_DEFAULT),
        max_threads: settings.count(&path("maxthreads")).expect(HAS_DEFAULT),
    }
}

fn upload_purging(settings: &Settings) -> UploadPurging {
    let path = |name: &str| format!("registry.storage.maintenance.uploadpurging.{name}");
    UploadPurging {
        enabled: flag(settings, &path("enabled")),
        age: duration(settings, &path("age")),
        interval: duration(settings, &path("interval")),
        dry_run: flag(settings, &path("dryrun")),
    }
}

const CHECKED: &str = "the checks ask for what a way to let users in needs";

fn auth(settings: &Settings) -> Auth {
    let text = |path| settings.text(path).expect(CHECKED);
    match () {
        () if settings.takes_tokens() => Auth::Token(token(settings)),
        () if settings.has_table("registry.auth.htpasswd") => Auth::Htpasswd {
            realm: text("registry.auth.htpasswd.realm"),
            path: settings.path("registry.auth.htpasswd.path").expect(HAS_DEFAULT),
        },
        () if settings.has_table("registry.auth.silly") => Auth::Silly {
            realm: text("registry.auth.silly.realm"),
            service: text("registry.auth.silly.service"),
        },
        () => Auth::None,
    }
}

fn token(settings: &Settings) -> Token {
    let key = |name: &str| format!("registry.auth.token.{name}");
    Token {
        realm: settings.web_url(&key("realm")).expect(CHECKED),
        service: settings.text(&key("service")).expect(CHECKED),
        issuer: settings.text(&key("issuer")).expect(CHECKED),
        root_cert_bundle: settings.path(&key("rootcertbundle")),
        jwks: jwks(settings, &key("jwks")),
        signing_algorithms: settings.list(&key("signingalgorithms")),
        autoredirect: flag(settings, &key("autoredirect")),
        autoredirect_path: settings.text(&key("autoredirectpath")),
    }
}

fn jwks(settings: &Settings, key: &str) -> Option<Jwks> {
    match settings.get(key)? {
        Value::WebUrl(url) => Some(Jwks::Url(url)),
        _ => settings.path(key).map(Jwks::File),
    }
}

fn gitlab(settings: &Settings) -> Gitlab {
    let pair = || {
        Some(Pair {
            key: settings.secret("registry.internal_key")?,
            certificate: settings.text("registry.internal_certificate")?,
        })
    };
    Gitlab {
        token_key: pair(),
        issuer: text(settings, "gitlab_rails.registry_issuer"),
        bundle: settings.path("registry.rootcertbundle"),
        key_path: settings.path("gitlab_rails.registry_key_path"),
        key_group: settings.text("gitlab_rails.registry_key_group"),
    }
}

fn nginx(settings: &Settings) -> Nginx {
    let count = |name: &str| settings.count(&format!("nginx.{name}"));
    let enable = runs_nginx(settings);
    Nginx {
        enable,
        vhost: settings
            .url("registry_external_url")
            .filter(|_| enable || !takes_the_registrys_port(settings))
            .map(|url| vhost(settings, &url)),
        worker_processes: count("worker_processes"),
        worker_connections: count("worker_connections").expect(HAS_DEFAULT),
        log_format: text(settings, "nginx.log_format"),
        keepalive_timeout: duration(settings, "nginx.keepalive_timeout"),
        keepalive_time: duration(settings, "nginx.keepalive_time"),
        server_names_hash_bucket_size: count("server_names_hash_bucket_size").expect(HAS_DEFAULT),
        custom_config: settings.text("nginx.custom_nginx_config"),
        log_directory: settings.path("nginx.log_directory").expect(HAS_DEFAULT),
    }
}

/// Whether the vhost and the registry name one port.
pub(super) fn takes_the_registrys_port(settings: &Settings) -> bool {
    let address = settings.address("registry.registry_http_addr");
    address.map(|address| address.port()) == settings.port("registry.nginx.listen_port")
}

/// Reads keys of `[registry.nginx]` by their own names.
struct Keys<'a>(&'a Settings);

impl Keys<'_> {
    fn of(name: &str) -> String {
        format!("registry.nginx.{name}")
    }

    fn flag(&self, name: &str) -> bool {
        flag(self.0, &Self::of(name))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.text(&Self::of(name))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.path(&Self::of(name))
    }

    fn count(&self, name: &str) -> u64 {
        self.0.count(&Self::of(name)).expect(HAS_DEFAULT)
    }

    fn duration(&self, name: &str) -> Duration {
        duration(self.0, &Self::of(name))
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.0.list(&Self::of(name)).unwrap_or_default()
    }

    fn is_on(&self, name: &str) -> Option<bool> {
        self.text(name).map(|word| word == "on")
    }
}

const FOLLOWS: &str = "the key follows from the URL";

fn vhost(settings: &Settings, url: &ExternalUrl) -> Vhost {
    let keys = Keys(settings);
    let tls = keys.flag("listen_https").then(|| tls(&keys));
    let port = |name: &str| settings.port(&Keys::of(name));
    let redirects = keys.flag("redirect_http_to_https") && tls.is_some();
    Vhost {
        server_name: url.host.clone(),
        scheme: url.scheme,
        public_port: url.port,
        listen_addresses: settings.hosts(&Keys::of("listen_addresses")).expect(FOLLOWS),
        listen_port: port("listen_port").expect(FOLLOWS),
        redirect_port: port("redirect_http_to_https_port").filter(|_| redirects),
        tls,
        http2: keys.flag("http2_enabled"),
        proxy_protocol: keys.flag("proxy_protocol"),
        real_ip: RealIp {
            header: keys.text("real_ip_header"),
            recursive: keys.is_on("real_ip_recursive"),
            trusted: keys.list("real_ip_trusted_addresses"),
        },
        hsts: Hsts {
            max_age: keys.count("hsts_max_age"),
            include_subdomains: keys.flag("hsts_include_subdomains"),
        },
        proxy_set_headers: request_headers(settings),
        error_log_level: keys.text("error_log_level").expect(HAS_DEFAULT),
        log_directory: keys.path("log_directory").expect(HAS_DEFAULT),
        client_max_body_size: keys.count("client_max_body_size"),
        proxy_read_timeout: keys.duration("proxy_read_timeout"),
        proxy_connect_timeout: keys.duration("proxy_connect_timeout"),
        sendfile: keys.flag("sendfile"),
        custom_config: keys.text("custom_gitlab_server_config"),
    }
}

fn request_headers(settings: &Settings) -> BTreeMap<String, String> {
    let headers = settings.headers(&Keys::of("proxy_set_headers")).unwrap_or_default();
    headers.into_iter().filter_map(|(name, values)| Some((name, values.first()?.clone()))).collect()
}

fn tls(keys: &Keys<'_>) -> Tls {
    let text = |name| keys.text(name).expect(HAS_DEFAULT);
    Tls {
        certificate: keys.path("ssl_certificate").expect(FOLLOWS),
        certificate_key: keys.path("ssl_certificate_key").expect(FOLLOWS),
        client_certificate: keys.path("ssl_client_certificate"),
        verify_client: keys.text("ssl_verify_client"),
        verify_depth: keys.count("ssl_verify_depth"),
        ciphers: text("ssl_ciphers"),
        protocols: text("ssl_protocols"),
        prefer_server_ciphers: keys.is_on("ssl_prefer_server_ciphers").expect(HAS_DEFAULT),
        session_cache: text("ssl_session_cache"),
        session_tickets: keys.is_on("ssl_session_tickets").expect(HAS_DEFAULT),
        session_timeout: keys.duration("ssl_session_timeout"),
        dhparam: keys.path("ssl_dhparam"),
        ecdh_curve: keys.text("ssl_ecdh_curve"),
        password_file: keys.path("ssl_password_file"),
        conf_commands: keys.list("ssl_conf_command"),
    }
}
