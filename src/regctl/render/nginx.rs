//! nginx's configuration: the vhost, and the process around it.
//!
//! The vhost defines everything it names, so that an administrator's own nginx can include it; and it is
//! included by a relative name, so that a copy of both files elsewhere can be checked before they are used.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::{
    engine::{self, Error},
    file::{Inputs, View},
    sendfile,
    template::Name,
};
use crate::{
    config::{
        values::Scheme,
        vhost::{Hsts, Tls, Vhost},
    },
    state::Layout,
};

/// The logs that nginx writes by itself.
pub(super) const ERROR_LOG: &str = "error.log";
pub(super) const VHOST_ACCESS_LOG: &str = "registry_access.log";
pub(super) const VHOST_ERROR_LOG: &str = "registry_error.log";

/// The version of the installed nginx.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum NginxVersion {
    Known(u32, u32, u32),
    /// Not installed, or not telling: taken for a recent one.
    Unknown,
}

impl NginxVersion {
    /// Reads what `nginx -v` says: `nginx version: nginx/1.22.1`.
    pub(crate) fn read(said: &str) -> Self {
        let version = said.split_once("nginx/").map(|(_, rest)| rest).unwrap_or_default();
        let end = version.find(|c: char| !c.is_ascii_digit() && c != '.');
        let mut numbers = version[..end.unwrap_or(version.len())].split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Self::Known(major, minor, patch),
            _ => Self::Unknown,
        }
    }

    /// Whether `http2` is a directive of its own, and no longer a word of `listen`.
    fn has_http2_directive(self) -> bool {
        self >= Self::Known(1, 25, 1)
    }
}

/// Whom nginx's workers are, where its master is root's.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Workers {
    pub(crate) user: String,
    pub(crate) group: String,
}

/// Where nginx keeps what it writes.
#[derive(Clone, Debug)]
pub(crate) struct NginxPlaces {
    pid: PathBuf,
    temporary: PathBuf,
    /// Takes the place of every folder of logs.
    logs: Option<PathBuf>,
}

impl NginxPlaces {
    /// The places of an instance.
    pub(crate) fn of(layout: &Layout) -> Self {
        Self { pid: layout.nginx_pid(), temporary: layout.nginx(), logs: None }
    }

    /// One folder for everything, so that a check leaves nothing in the instance.
    pub(crate) fn within(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { pid: folder.join("nginx.pid"), temporary: folder.clone(), logs: Some(folder) }
    }

    pub(super) fn log(&self, layout: &Layout, folder: &Path, name: &str) -> String {
        let folder = self.logs.clone().unwrap_or_else(|| layout.resolve(folder));
        text(&folder.join(name))
    }
}

/// What the template of the process can name.
#[derive(Serialize)]
struct Process<'a> {
    instance_toml: String,
    workers: Option<&'a Workers>,
    error_log: String,
    pid: String,
    /// The folder of requests and answers under way.
    temporary: String,
    worker_processes: Option<u64>,
    worker_connections: u64,
    keepalive_timeout: String,
    keepalive_time: String,
    server_names_hash_bucket_size: u64,
    custom_config: Option<&'a str>,
}

/// What the template of the vhost can name.
#[derive(Serialize)]
struct Server<'a> {
    instance_toml: String,
    log_format: &'a str,
    server_name: String,
    /// `host` or `host:port` as users type it.
    authority: String,
    /// Each with its port.
    listen: Vec<String>,
    redirect: Option<Vec<String>>,
    tls: Option<Encryption<'a>>,
    http2: bool,
    /// `http2` as a directive; else as a word of `listen`.
    http2_directive: bool,
    proxy_protocol: bool,
    real_ip_header: Option<&'a str>,
    real_ip_recursive: Option<bool>,
    real_ip_trusted: &'a [String],
    hsts: Option<String>,
    access_log: String,
    error_log: String,
    error_log_level: &'a str,
    proxy_set_headers: BTreeMap<&'a str, &'a str>,
    client_max_body_size: u64,
    proxy_read_timeout: String,
    proxy_connect_timeout: String,
    upstream: String,
    /// Those that ask the registry.
    locations: Vec<(&'static str, Option<String>)>,
    /// None: nginx sends no blob itself.
    sendfile: Option<sendfile::OfNginx>,
    custom_config: Option<&'a str>,
}

#[derive(Serialize)]
struct Encryption<'a> {
    certificate: String,
    certificate_key: String,
    client_certificate: Option<String>,
    verify_client: Option<&'a str>,
    verify_depth: u64,
    ciphers: &'a str,
    protocols: &'a str,
    prefer_server_ciphers: bool,
    session_cache: &'a str,
    session_tickets: bool,
    session_timeout: String,
    dhparam: Option<String>,
    ecdh_curve: Option<&'a str>,
    password_file: Option<String>,
    conf_commands: &'a [String],
}

/// Renders `nginx.conf`, the process.
pub(crate) fn nginx_conf(inputs: &Inputs<'_>, places: &NginxPlaces) -> Result<String, Error> {
    let Inputs { instance, layout, templates, workers, .. } = inputs;
    let nginx = &instance.nginx;
    let context = Process {
        instance_toml: text(&layout.instance_toml()),
        workers: workers.as_ref(),
        error_log: places.log(layout, &nginx.log_directory, ERROR_LOG),
        pid: text(&places.pid),
        temporary: text(&places.temporary),
        worker_processes: nginx.worker_processes,
        worker_connections: nginx.worker_connections,
        keepalive_timeout: nginx_duration(nginx.keepalive_timeout),
        keepalive_time: nginx_duration(nginx.keepalive_time),
        server_names_hash_bucket_size: nginx.server_names_hash_bucket_size,
        custom_config: nginx.custom_config.as_deref(),
    };
    let (name, template) = templates.get(Name::NginxConf);
    engine::render(name, template, context)
}

/// Renders `registry.conf`, the vhost.
pub(crate) fn registry_conf(
    inputs: &Inputs<'_>,
    vhost: &Vhost,
    places: &NginxPlaces,
    view: View,
) -> Result<String, Error> {
    let (name, template) = inputs.templates.get(Name::RegistryConf);
    engine::render(name, template, server(inputs, vhost, places, view))
}

fn server<'a>(
    inputs: &Inputs<'a>,
    vhost: &'a Vhost,
    places: &NginxPlaces,
    view: View,
) -> Server<'a> {
    let headers = vhost.proxy_set_headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), view.header(name, value)));
    let Inputs { instance, layout, nginx: ref version, .. } = *inputs;
    let listen = |port: u16| {
        vhost.listen_addresses.iter().map(|host| format!("{host}:{port}")).collect::<Vec<_>>()
    };
    Server {
        instance_toml: text(&layout.instance_toml()),
        log_format: &instance.nginx.log_format,
        server_name: vhost.server_name.to_string(),
        authority: match vhost.public_port {
            Some(port) => format!("{}:{port}", vhost.server_name),
            None => vhost.server_name.to_string(),
        },
        listen: listen(vhost.listen_port),
        redirect: vhost.redirect_port.map(listen),
        tls: vhost.tls.as_ref().map(|tls| encryption(tls, layout)),
        http2: vhost.http2,
        http2_directive: version.has_http2_directive(),
        proxy_protocol: vhost.proxy_protocol,
        real_ip_header: vhost.real_ip.header.as_deref(),
        real_ip_recursive: vhost.real_ip.recursive,
        real_ip_trusted: &vhost.real_ip.trusted,
        hsts: hsts(vhost),
        access_log: places.log(layout, &vhost.log_directory, VHOST_ACCESS_LOG),
        error_log: places.log(layout, &vhost.log_directory, VHOST_ERROR_LOG),
        error_log_level: &vhost.error_log_level,
        proxy_set_headers: headers.collect(),
        client_max_body_size: vhost.client_max_body_size,
        proxy_read_timeout: nginx_duration(vhost.proxy_read_timeout),
        proxy_connect_timeout: nginx_duration(vhost.proxy_connect_timeout),
        upstream: instance.registry.address.reachable(),
        locations: sendfile::locations(inputs, view),
        sendfile: sendfile::of_nginx(inputs),
        custom_config: vhost.custom_config.as_deref(),
    }
}

fn encryption<'a>(tls: &'a Tls, layout: &Layout) -> Encryption<'a> {
    let path = |path: &PathBuf| text(&layout.resolve(path));
    Encryption {
        certificate: path(&tls.certificate),
        certificate_key: path(&tls.certificate_key),
        client_certificate: tls.client_certificate.as_ref().map(path),
        verify_client: tls.verify_client.as_deref(),
        verify_depth: tls.verify_depth,
        ciphers: &tls.ciphers,
        protocols: &tls.protocols,
        prefer_server_ciphers: tls.prefer_server_ciphers,
        session_cache: &tls.session_cache,
        session_tickets: tls.session_tickets,
        session_timeout: nginx_duration(tls.session_timeout),
        dhparam: tls.dhparam.as_ref().map(path),
        ecdh_curve: tls.ecdh_curve.as_deref(),
        password_file: tls.password_file.as_ref().map(path),
        conf_commands: &tls.conf_commands,
    }
}

/// Returns the header's value. Browsers ignore it over plain HTTP, where it is not sent.
fn hsts(vhost: &Vhost) -> Option<String> {
    let Hsts { max_age, include_subdomains } = vhost.hsts;
    let subdomains = if include_subdomains { "; includeSubDomains" } else { "" };
    (vhost.scheme == Scheme::Https).then(|| format!("max-age={max_age}{subdomains}"))
}

/// Spells a duration for nginx.
fn nginx_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_http2_follows_the_version() {
        for (said, version, directive) in [
            ("nginx version: nginx/1.22.1\n", NginxVersion::Known(1, 22, 1), false),
            ("nginx version: nginx/1.25.0 (Ubuntu)\n", NginxVersion::Known(1, 25, 0), false),
            ("nginx version: nginx/1.25.1\n", NginxVersion::Known(1, 25, 1), true),
            ("nginx version: openresty/1.21\n", NginxVersion::Unknown, true),
            ("", NginxVersion::Unknown, true),
        ] {
            assert_eq!(NginxVersion::read(said), version, "{said}");
            assert_eq!(version.has_http2_directive(), directive, "{said}");
        }
    }
}
