//! TLS that the registry ends itself, and its second listener.

use super::{super::build::runs_nginx, Findings, Settings};

const CERTIFICATE: &str = "registry.http.tls.certificate";
const KEY: &str = "registry.http.tls.key";
const DEBUG: &str = "registry.debug_addr";
const ADDRESS: &str = "registry.registry_http_addr";

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    half_a_pair(settings, findings);
    tls_behind_nginx(settings, findings);
    debug_server(settings, findings);
}

fn half_a_pair(settings: &Settings, findings: &mut Findings<'_>) {
    for (there, missing) in [(CERTIFICATE, "key"), (KEY, "certificate")] {
        let Some(at) = settings.written(there) else { continue };
        if settings.written(&format!("registry.http.tls.{missing}")).is_none() {
            let message = format!("{} goes with `{missing}`", findings.assignment(there, &at));
            let hint = format!("write `{missing}` in [registry.http.tls], too");
            findings.problem(&at, there, message, &hint);
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

fn debug_server(settings: &Settings, findings: &mut Findings<'_>) {
    let (Some(at), Some(address)) = (settings.written(DEBUG), settings.address(DEBUG)) else {
        return;
    };
    let assignment = findings.assignment(DEBUG, &at);
    if settings.address(ADDRESS).is_some_and(|own| own.port() == address.port()) {
        let message = format!("{assignment}: the registry itself listens at this port");
        return findings.problem(&at, DEBUG, message, "write another port, such as 5001");
    }
    if !address.is_loopback() {
        let message =
            format!("{assignment}: whoever reaches it may take the registry out of service");
        findings.warn(
            &at,
            DEBUG,
            message,
            "write `127.0.0.1` and the port, or see that a firewall keeps others out",
        );
    }
}
