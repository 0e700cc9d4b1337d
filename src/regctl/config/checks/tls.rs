//! TLS that the registry ends itself, and its second listener.

use super::{super::build::runs_nginx, Findings, Settings};

const CERTIFICATE: &str = "registry.http.tls.certificate";
const DEBUG: &str = "registry.http.debug.addr";
const ADDRESS: &str = "registry.registry_http_addr";

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    half_a_pair(settings, findings);
    tls_behind_nginx(settings, findings);
    debug_server(settings, findings);
    metrics(settings, findings);
}

fn half_a_pair(settings: &Settings, findings: &mut Findings<'_>) {
    for table in ["registry.http.tls", "registry.http.debug.tls"] {
        for (there, missing) in [("certificate", "key"), ("key", "certificate")] {
            let there = format!("{table}.{there}");
            let Some(at) = settings.written(&there) else { continue };
            if settings.written(&format!("{table}.{missing}")).is_none() {
                let message = format!("{} goes with `{missing}`", findings.assignment(&there, &at));
                let hint = format!("write `{missing}` in [{table}], too");
                findings.problem(&at, &there, message, &hint);
            }
        }
    }
}

/// nginx asks the registry by plain HTTP.
fn tls_behind_nginx(settings: &Settings, findings: &mut Findings<'_>) {
    let Some(at) = settings.written(CERTIFICATE).filter(|_| runs_nginx(settings)) else { return };
    let assignment = findings.assignment(CERTIFICATE, &at);
    let message = format!("{assignment}: nginx ends TLS, and asks the registry without");
    let hint =
        "write `enable = false` in [registry.nginx], or ssl_certificate there instead of this";
    findings.problem(&at, CERTIFICATE, message, hint);
}

/// Metrics have a path of their own: the debug server answers others before them.
fn metrics(settings: &Settings, findings: &mut Findings<'_>) {
    const PATH: &str = "registry.http.debug.prometheus.path";
    let (Some(at), Some(path)) = (settings.written(PATH), settings.text(PATH)) else { return };
    if path == "/" || path.starts_with("/debug/") {
        let message = format!("{}: something else is there", findings.assignment(PATH, &at));
        findings.problem(&at, PATH, message, "write \"/metrics\", or remove it");
    }
}

fn debug_server(settings: &Settings, findings: &mut Findings<'_>) {
    let written = [DEBUG, "registry.debug_addr"].into_iter();
    let written = written.filter_map(|key| Some((key, settings.written(key)?))).next();
    let (Some((key, at)), Some(address)) = (written, settings.address(DEBUG)) else { return };
    let assignment = findings.assignment(key, &at);
    if settings.address(ADDRESS).is_some_and(|own| own.port() == address.port()) {
        let message = format!("{assignment}: the registry itself listens at this port");
        return findings.problem(&at, key, message, "write another port, such as 5001");
    }
    if !address.is_loopback() {
        let message =
            format!("{assignment}: whoever reaches it may take the registry out of service");
        findings.warn(
            &at,
            key,
            message,
            "write `127.0.0.1` and the port, or see that a firewall keeps others out",
        );
    }
}
