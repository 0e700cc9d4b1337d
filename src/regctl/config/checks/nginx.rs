//! The vhost by itself: certificates, and settings that would do nothing.

use super::{
    super::{build, s3, values::Scheme},
    Findings, Settings,
};

const PREFIX: &str = "registry.nginx.";

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    tls_of_an_http_url(settings, findings);
    half_a_certificate(settings, findings);
    clients_without_an_authority(settings, findings);
    header_with_many_values(settings, findings);
    tls_without_tls(settings, findings);
    real_ip_without_trust(settings, findings);
    sendfile_without_files(settings, findings);
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn tls_of_an_http_url(settings: &Settings, findings: &mut Findings<'_>) {
    let is_http =
        settings.url("registry_external_url").is_some_and(|url| url.scheme == Scheme::Http);
    let ends_tls = settings.flag(&key("listen_https")) == Some(true);
    let written = ["listen_https", "https"]
        .into_iter()
        .find_map(|name| settings.written(&key(name)).map(|at| (key(name), at)));
    let Some((path, at)) = written.filter(|_| is_http && ends_tls) else { return };
    let message = format!(
        "{}: nginx would speak TLS where users type http://",
        findings.assignment(&path, &at)
    );
    findings.problem(
        &at,
        &path,
        message,
        "write https:// in registry_external_url, or remove this",
    );
}

fn half_a_certificate(settings: &Settings, findings: &mut Findings<'_>) {
    const CERTIFICATE: &str = "ssl_certificate";
    const KEY: &str = "ssl_certificate_key";
    for (half, other) in [(CERTIFICATE, KEY), (KEY, CERTIFICATE)] {
        let (path, other_path) = (key(half), key(other));
        let missing = settings.written(&other_path).is_none() && !settings.is_spoiled(&other_path);
        let Some(at) = settings.written(&path).filter(|_| missing) else { continue };
        let message = format!("{} is set without `{other_path}`", findings.assignment(&path, &at));
        let hint = "set both, or neither for etc/regctl/ssl/HOST.crt and HOST.key";
        findings.problem(&at, &path, message, hint);
    }
}

fn clients_without_an_authority(settings: &Settings, findings: &mut Findings<'_>) {
    let (path, authority) = (key("ssl_verify_client"), key("ssl_client_certificate"));
    let verifies = settings.text(&path).is_some_and(|word| word == "on" || word == "optional");
    let has_authority = settings.get(&authority).is_some() || settings.is_spoiled(&authority);
    if let Some(at) = settings.written(&path).filter(|_| verifies && !has_authority) {
        let assignment = findings.assignment(&path, &at);
        let message = format!("{assignment}: there is no authority to verify clients with");
        findings.problem(&at, &path, message, "set ssl_client_certificate");
    }
    if let Some(at) = settings.written(&authority).filter(|_| settings.get(&path).is_none()) {
        let assignment = findings.assignment(&authority, &at);
        let message = format!("{assignment} does nothing: no client is asked for a certificate");
        findings.warn(&at, &authority, message, "set ssl_verify_client");
    }
}

fn header_with_many_values(settings: &Settings, findings: &mut Findings<'_>) {
    let path = key("proxy_set_headers");
    let Some(at) = settings.written(&path) else { return };
    let headers = settings.headers(&path).unwrap_or_default();
    for (name, values) in headers.into_iter().filter(|(_, values)| values.len() > 1) {
        let message = format!("`{path}.{name}` has {} values: nginx sends one", values.len());
        findings.problem(&at, &format!("{path}.{name}"), message, "join them in one string");
    }
}

/// Settings of TLS are lost where nginx does not end it.
fn tls_without_tls(settings: &Settings, findings: &mut Findings<'_>) {
    let listens = settings.flag(&key("listen_https"));
    if listens != Some(false) {
        return;
    }
    let redirect = settings.flag(&key("redirect_http_to_https")) == Some(true);
    for (path, at) in settings.written_below(PREFIX) {
        let is_redirect = redirect && path == key("redirect_http_to_https");
        if is_redirect || path.starts_with("registry.nginx.ssl_") {
            let assignment = findings.assignment(&path, &at);
            let message = format!("{assignment} does nothing: nginx does not end TLS");
            findings.warn(&at, &path, message, "remove it, or let nginx end TLS");
        }
    }
}

fn real_ip_without_trust(settings: &Settings, findings: &mut Findings<'_>) {
    let (path, trusted) = (key("real_ip_header"), key("real_ip_trusted_addresses"));
    let nobody = settings.list(&trusted).is_none_or(|addresses| addresses.is_empty());
    let unknown = settings.is_spoiled(&trusted);
    if let Some(at) = settings.written(&path).filter(|_| nobody && !unknown) {
        let assignment = findings.assignment(&path, &at);
        let message = format!("{assignment} does nothing: no proxy is trusted to send it");
        findings.warn(&at, &path, message, "set real_ip_trusted_addresses");
    }
}

fn sendfile_without_files(settings: &Settings, findings: &mut Findings<'_>) {
    let path = key("sendfile");
    let Some(at) = settings.written(&path).filter(|_| settings.flag(&path) == Some(true)) else {
        return;
    };
    let (why, hint) = if !build::runs_nginx(settings) {
        ("regctl does not run nginx", "remove it")
    } else if settings.has_table("registry.storage.inmemory") || s3::name(settings).is_some() {
        ("the storage holds no files", "remove it, or name a filesystem storage")
    } else {
        return;
    };
    let message = format!("{} does nothing: {why}", findings.assignment(&path, &at));
    findings.warn(&at, &path, message, hint);
}
