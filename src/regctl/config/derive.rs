//! What follows: keys that nobody wrote and that others decide, and tables merged over their defaults.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    kind::Value,
    settings::{self, Settings},
    values::{ExternalUrl, Host, Scheme},
};

const URL: &str = "registry_external_url";

/// Returns the settings of a file without a line.
pub(crate) fn default_settings() -> Settings {
    let mut settings = Settings::default();
    derive(&mut settings);
    settings
}

/// Fills in everything that follows from what is written.
pub(super) fn derive(settings: &mut Settings) {
    gitlabs_names(settings);
    response_headers(settings);
    log_fields(settings);
    tokens(settings);
    if let Some(url) = settings.url(URL) {
        vhost(settings, &url);
    }
    if settings.flag("registry.nginx.proxy_protocol") == Some(true) {
        let header = Value::Text("proxy_protocol".to_owned());
        settings.derive("registry.nginx.real_ip_header", header, "registry.nginx.proxy_protocol");
    }
    request_headers(settings);
}

/// What gitlab.rb calls otherwise than Distribution.
fn gitlabs_names(settings: &mut Settings) {
    for (from, key) in [
        ("registry.storage_delete_enabled", "registry.storage.delete.enabled"),
        ("gitlab_rails.registry_path", "registry.storage.filesystem.rootdirectory"),
        ("registry.health_storagedriver_enabled", "registry.health.storagedriver.enabled"),
        ("registry.debug_addr", "registry.http.debug.addr"),
    ] {
        if let Some(value) = settings.get(from) {
            settings.derive(key, value, from);
        }
    }
}

/// What GitLab's tokens follow from; a server other than GitLab says all of it itself.
fn tokens(settings: &mut Settings) {
    const TABLE: &str = "registry.auth.token";
    let key = |name: &str| format!("{TABLE}.{name}");
    for (name, from) in
        [("rootcertbundle", "registry.rootcertbundle"), ("autoredirect", "registry.autoredirect")]
    {
        if let Some(value) = settings
            .get(from)
            .filter(|_| settings.written(from).is_some() && settings.takes_tokens())
        {
            settings.derive(&key(name), value, from);
        }
    }
    let Some((from, gitlab)) = settings.gitlab() else { return };
    let realm =
        gitlab.join(ISSUES_TOKENS).parse().expect("a path of plain letters may follow a URL");
    settings.derive(&key("realm"), Value::WebUrl(realm), from);
    settings.derive(&key("autoredirectpath"), Value::Text(ISSUES_TOKENS.to_owned()), from);
    settings.derive(&key("service"), Value::Text("container_registry".to_owned()), from);
    if let Some(issuer) = settings.get("gitlab_rails.registry_issuer") {
        settings.derive(&key("issuer"), issuer, "gitlab_rails.registry_issuer");
    }
    if settings.get(&key("rootcertbundle")).is_none() {
        settings.derive(&key("rootcertbundle"), Value::Path(PathBuf::from(TOKEN_CRT)), from);
    }
}

/// Where GitLab issues tokens, below its own URL.
pub(super) const ISSUES_TOKENS: &str = "/jwt/auth";

/// Where reconfigure writes the certificate of the key that GitLab signs with.
const TOKEN_CRT: &str = "var/opt/regctl/registry/token.crt";

/// The URL decides where nginx listens, with what certificate, and whether it is needed at all.
fn vhost(settings: &mut Settings, url: &ExternalUrl) {
    let mut from_url = |name: &str, value| settings.derive(&vhost_key(name), value, URL);
    let is_local = url.host.is_loopback();
    from_url("enable", Value::Flag(!is_local));
    from_url("https", Value::Flag(url.scheme == Scheme::Https));
    from_url("listen_port", Value::Port(url.port()));
    from_url("listen_addresses", Value::Hosts(vec![listen_address(url, is_local)]));
    let https = settings.flag(&vhost_key("https")).unwrap_or_default();
    settings.derive(&vhost_key("listen_https"), Value::Flag(https), "registry.nginx.https");
    if settings.flag(&vhost_key("listen_https")) == Some(true) {
        for (name, extension) in [("ssl_certificate", "crt"), ("ssl_certificate_key", "key")] {
            let path = format!("etc/regctl/ssl/{}.{extension}", url.host.file_stem());
            settings.derive(&vhost_key(name), Value::Path(PathBuf::from(path)), URL);
        }
    }
}

fn vhost_key(name: &str) -> String {
    format!("registry.nginx.{name}")
}

/// Nobody who names a host on loopback means to listen for others.
fn listen_address(url: &ExternalUrl, is_local: bool) -> Host {
    match is_local {
        true => url.host.loopback_address(),
        false => Host::to_listen("*").expect("nginx listens on every address as `*`"),
    }
}

fn response_headers(settings: &mut Settings) {
    const PATH: &str = "registry.http.headers";
    let written = settings.headers(PATH).unwrap_or_default();
    let merged = merge(default_headers(PATH), written);
    settings.complete(PATH, Value::Headers(merged));
}

fn default_headers(path: &str) -> BTreeMap<String, Vec<String>> {
    match settings::default(path) {
        Some(Value::Headers(headers)) => headers,
        _ => unreachable!("the key table gives `{path}` default headers"),
    }
}

/// Merges headers over default ones; a header without values is gone.
fn merge(
    mut headers: BTreeMap<String, Vec<String>>,
    over: BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<String>> {
    for (name, values) in over {
        headers.retain(|default, _| !default.eq_ignore_ascii_case(&name));
        headers.insert(name, values);
    }
    headers.retain(|_, values| !values.is_empty());
    headers
}

fn log_fields(settings: &mut Settings) {
    const PATH: &str = "registry.log.fields";
    let Some(Value::Fields(mut fields)) = settings::default(PATH) else {
        unreachable!("the key table gives `{PATH}` default fields")
    };
    fields.extend(settings.fields(PATH).unwrap_or_default());
    fields.retain(|_, value| value.is_some());
    settings.complete(PATH, Value::Fields(fields));
}

/// The headers that tell the registry what the client typed: without them `Location` would be wrong.
fn request_headers(settings: &mut Settings) {
    const PATH: &str = "registry.nginx.proxy_set_headers";
    let behind_proxy_protocol = settings.flag("registry.nginx.proxy_protocol") == Some(true);
    let (address, forwarded) = match behind_proxy_protocol {
        true => ("$proxy_protocol_addr", "$proxy_protocol_addr"),
        false => ("$remote_addr", "$proxy_add_x_forwarded_for"),
    };
    let is_https = settings.url(URL).is_some_and(|url| url.scheme == Scheme::Https);
    let mut headers = vec![
        ("Host", "$http_host"),
        ("X-Real-IP", address),
        ("X-Forwarded-For", forwarded),
        ("X-Forwarded-Proto", if is_https { "https" } else { "http" }),
    ];
    headers.extend(is_https.then_some(("X-Forwarded-Ssl", "on")));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), vec![value.to_owned()]);
    let headers = headers.into_iter().map(owned).collect();
    let merged = merge(headers, settings.headers(PATH).unwrap_or_default());
    settings.complete(PATH, Value::Headers(merged.clone()));
    settings.derive(PATH, Value::Headers(merged), URL);
}
