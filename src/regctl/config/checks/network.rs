//! Who listens where: what users type, nginx and the registry must fit, and nobody opens a registry to the
//! network by accident.

use std::ops::Range;

use super::{
    super::{
        build::{runs_nginx, takes_the_registrys_port},
        values::{ExternalUrl, Scheme},
    },
    Findings, Settings, auth,
};

const URL: &str = "registry_external_url";
const ADDRESS: &str = "registry.registry_http_addr";
const LISTEN_PORT: &str = "registry.nginx.listen_port";
const LISTEN_ADDRESSES: &str = "registry.nginx.listen_addresses";

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    if settings.flag("registry.enable") != Some(true) {
        return;
    }
    open_registry(settings, findings);
    match (settings.written(URL), settings.url(URL)) {
        (Some(at), Some(url)) => {
            ports(settings, findings, &at);
            open_nginx(settings, findings, &at);
            nobody_ends_tls(settings, findings, &at, &url);
            nobody_listens(settings, findings, &at, &url);
        }
        _ => nginx_without_a_url(settings, findings),
    }
}

/// Whether users must prove who they are, or somebody wrote that nobody must.
fn is_fine(settings: &Settings) -> bool {
    settings.flag("registry.auth.none") == Some(true) || !auth::lets_everybody_in(settings)
}

/// How to close what is open.
fn to_close(settings: &Settings, otherwise: &str) -> String {
    match settings.has_table("registry.auth.silly") {
        true => format!(
            "[registry.auth.silly] lets everybody in who sends an Authorization header: write [registry.auth.htpasswd] instead, or {otherwise}"
        ),
        false => format!(
            "write [registry.auth.htpasswd] and add users with `regctl user add NAME`, or {otherwise}, or write `none = true` in [registry.auth] if that is meant"
        ),
    }
}

fn open_registry(settings: &Settings, findings: &mut Findings<'_>) {
    let (Some(span), Some(address)) = (settings.written(ADDRESS), settings.address(ADDRESS)) else {
        return;
    };
    if is_fine(settings) || address.is_loopback() {
        return;
    }
    let assignment = findings.assignment(ADDRESS, &span);
    findings.problem(
        &span,
        ADDRESS,
        format!("{assignment}: anyone who reaches this address could read, push and delete"),
        &to_close(settings, "listen on 127.0.0.1"),
    );
}

fn open_nginx(settings: &Settings, findings: &mut Findings<'_>, url: &Range<usize>) {
    let addresses = settings.hosts(LISTEN_ADDRESSES).unwrap_or_default();
    let is_local = addresses.iter().all(|address| address.is_loopback());
    // A wrong list is a problem of its own; the default one is not what is meant.
    let unknown = settings.is_spoiled(LISTEN_ADDRESSES);
    if !runs_nginx(settings) || is_fine(settings) || is_local || unknown {
        return;
    }
    let (key, at) = match settings.written(LISTEN_ADDRESSES) {
        Some(at) => (LISTEN_ADDRESSES, at),
        None => (URL, url.clone()),
    };
    let assignment = findings.assignment(key, &at);
    findings.problem(
        &at,
        key,
        format!("{assignment}: anyone who reaches nginx there could read, push and delete"),
        &to_close(settings, "`listen_addresses = [\"127.0.0.1\"]` in [registry.nginx]"),
    );
}

/// nginx and the registry cannot both have one port, whatever the addresses.
fn ports(settings: &Settings, findings: &mut Findings<'_>, url: &Range<usize>) {
    if !runs_nginx(settings) || settings.is_spoiled(ADDRESS) || settings.is_spoiled(LISTEN_PORT) {
        return;
    }
    if takes_the_registrys_port(settings) {
        let (key, at) = match settings.written(LISTEN_PORT) {
            Some(at) => (LISTEN_PORT, at),
            None => (URL, url.clone()),
        };
        let assignment = findings.assignment(key, &at);
        let message = format!(
            "{assignment} gives nginx the registry's own port: {}",
            the_registrys(settings)
        );
        let hint = "give one of them another port: users reach nginx, nginx reaches the registry";
        findings.problem(&at, key, message, hint);
    }
    redirect_port(settings, findings);
}

fn the_registrys(settings: &Settings) -> String {
    let address = settings.address(ADDRESS).map(|address| address.to_string()).unwrap_or_default();
    let origin = if settings.written(ADDRESS).is_some() { "" } else { ", the default" };
    format!("`{ADDRESS} = \"{address}\"`{origin}")
}

fn redirect_port(settings: &Settings, findings: &mut Findings<'_>) {
    const FLAG: &str = "registry.nginx.redirect_http_to_https";
    const PORT: &str = "registry.nginx.redirect_http_to_https_port";
    let Some(at) = settings.written(PORT).or_else(|| settings.written(FLAG)) else { return };
    let Some(port) = settings.port(PORT).filter(|_| settings.flag(FLAG) == Some(true)) else {
        return;
    };
    let registry = settings.address(ADDRESS).map(|address| address.port());
    let owner = match () {
        () if settings.port(LISTEN_PORT) == Some(port) => "nginx already serves HTTPS there",
        () if registry == Some(port) => "the registry itself listens there",
        () => return,
    };
    let key = if settings.written(PORT).is_some() { PORT } else { FLAG };
    let assignment = findings.assignment(key, &at);
    let message = format!("{assignment} redirects port {port}: {owner}");
    findings.problem(&at, key, message, "redirect another port, usually 80");
}

fn nobody_ends_tls(
    settings: &Settings,
    findings: &mut Findings<'_>,
    at: &Range<usize>,
    url: &ExternalUrl,
) {
    let expected = settings.flag("registry.nginx.listen_https") == Some(true);
    let by_the_registry = settings.written("registry.http.tls.certificate").is_some();
    if url.scheme == Scheme::Http || !expected || runs_nginx(settings) || by_the_registry {
        return;
    }
    let assignment = findings.assignment(URL, at);
    findings.problem(
        at,
        URL,
        format!("{assignment}: nothing ends TLS, because nginx is off"),
        "write `listen_https = false` in [registry.nginx] if another proxy ends it, write [registry.http.tls] if the registry itself does, or turn nginx on there",
    );
}

fn nobody_listens(
    settings: &Settings,
    findings: &mut Findings<'_>,
    at: &Range<usize>,
    url: &ExternalUrl,
) {
    let Some(address) = settings.address(ADDRESS).filter(|_| !settings.is_spoiled(ADDRESS)) else {
        return;
    };
    let by_another_proxy = url.scheme == Scheme::Https || !url.host.is_loopback();
    if runs_nginx(settings) || by_another_proxy || url.port() == address.port() {
        return;
    }
    let assignment = findings.assignment(URL, at);
    let message =
        format!("{assignment}: nginx is off, and the registry itself listens on {address}");
    let hint = "write the registry's port, or `enable = true` in [registry.nginx]";
    findings.warn(at, URL, message, hint);
}

fn nginx_without_a_url(settings: &Settings, findings: &mut Findings<'_>) {
    const ENABLE: &str = "registry.nginx.enable";
    const HINT: &str = "set registry_external_url, above the first [table]";
    if settings.is_spoiled(URL) {
        return;
    }
    for (key, at) in settings.written_below("registry.nginx.") {
        let assignment = findings.assignment(&key, &at);
        match settings.flag(ENABLE) {
            Some(true) if key == ENABLE => {
                let message = format!("{assignment}: without a URL nginx has no host to serve");
                findings.problem(&at, ENABLE, message, HINT);
            }
            _ if key == ENABLE => {}
            _ => {
                let message = format!("{assignment} does nothing: without a URL there is no vhost");
                findings.warn(&at, &key, message, HINT);
            }
        }
    }
}
