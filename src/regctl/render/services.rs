//! What the supervisor is to run, from an instance.

use std::{path::PathBuf, time::Duration};

use super::{
    file::{Inputs, View},
    nginx,
    sendfile::Sendfile,
};
use crate::{
    config::{Instance, instance::LogFiles, vhost::Vhost},
    secret::REDACTED,
    state::{Account, LogPolicy, Service, Services},
};

/// How much longer than the drain a service may take to end: the registry gives writes that it has cut off five
/// more seconds.
const MARGIN: Duration = Duration::from_secs(10);

/// Renders `services.json`.
pub(super) fn services_json(inputs: &Inputs<'_>, view: View) -> String {
    let mut services = Services::new(registry(inputs, view), nginx_service(inputs));
    if let Sendfile::Impossible(why) = &inputs.sendfile {
        services.no_sendfile = Some(why.clone());
    }
    services.to_json()
}

fn registry(inputs: &Inputs<'_>, view: View) -> Service {
    let Inputs { instance, layout, owners, .. } = inputs;
    let registry = &instance.registry;
    let shown = |value: &String| match view {
        View::File => value.clone(),
        // Proxies have passwords.
        View::Redacted => REDACTED.to_owned(),
    };
    let environment = registry.env.iter().map(|(name, value)| (name.clone(), shown(value)));
    Service {
        enabled: registry.enable,
        account: owners.service.as_ref().map(|service| Account {
            user: service.user.name.clone(),
            group: service.group.name.clone(),
        }),
        environment: environment.collect(),
        grace_ms: grace(instance),
        follows: vec![layout.config_yml()],
        certificate: None,
        logs: Vec::new(),
        // A line of JSON says itself when it was.
        log: log(instance.logging.registry, registry.log_formatter == "text"),
    }
}

fn nginx_service(inputs: &Inputs<'_>) -> Service {
    let Inputs { instance, layout, .. } = inputs;
    let vhost = instance.nginx.vhost.as_ref();
    let tls = vhost.and_then(|vhost| vhost.tls.as_ref());
    let files = tls.map(|tls| {
        let authority = tls.client_certificate.iter();
        [&tls.certificate, &tls.certificate_key].into_iter().chain(authority).cloned()
    });
    let files: Vec<PathBuf> =
        files.into_iter().flatten().map(|path| layout.resolve(&path)).collect();
    let mut logs = vec![layout.resolve(&instance.nginx.log_directory).join(nginx::ERROR_LOG)];
    let of_vhost = |vhost: &Vhost| {
        let folder = layout.resolve(&vhost.log_directory);
        [nginx::VHOST_ACCESS_LOG, nginx::VHOST_ERROR_LOG].map(|name| folder.join(name))
    };
    logs.extend(vhost.into_iter().flat_map(of_vhost));
    Service {
        enabled: instance.registry.enable && instance.nginx.enable && vhost.is_some(),
        account: None,
        environment: [].into(),
        grace_ms: grace(instance),
        follows: [layout.nginx_conf(), layout.registry_conf()].into_iter().chain(files).collect(),
        certificate: tls.map(|tls| layout.resolve(&tls.certificate)),
        logs,
        log: log(instance.logging.nginx, true),
    }
}

fn grace(instance: &Instance) -> u64 {
    let grace = instance.registry.http.drain_timeout.saturating_add(MARGIN);
    u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)
}

fn log(files: LogFiles, timestamps: bool) -> LogPolicy {
    LogPolicy { size: files.size, number: files.number, timestamps }
}
