//! The vhost in front of the registry, and the nginx process that serves it.
//!
//! Texts are fit to stand in nginx's configuration: those that are directives hold no `;`, brace or quote.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub(crate) use super::values::{Host, Scheme};

/// nginx: the vhost, and `[nginx]`, what concerns the process.
#[derive(Clone, Debug)]
pub(crate) struct Nginx {
    /// Whether regctl runs nginx. If not, the vhost is for an admin's own nginx to include.
    pub(crate) enable: bool,
    /// None: there is no URL, or the vhost would listen on the registry's own port.
    pub(crate) vhost: Option<Vhost>,
    /// None: one for each processor.
    pub(crate) worker_processes: Option<u64>,
    pub(crate) worker_connections: u64,
    /// The access log's format; the vhost names it `regctl`.
    pub(crate) log_format: String,
    pub(crate) keepalive_timeout: Duration,
    pub(crate) keepalive_time: Duration,
    pub(crate) server_names_hash_bucket_size: u64,
    /// Lines for the `http` block.
    pub(crate) custom_config: Option<String>,
    pub(crate) log_directory: PathBuf,
}

/// `[registry.nginx]`: one server, and perhaps one that redirects to it.
#[derive(Clone, Debug)]
pub(crate) struct Vhost {
    pub(crate) server_name: Host,
    /// The scheme that users type, whoever ends TLS: the registry's `X-Forwarded-Proto`.
    pub(crate) scheme: Scheme,
    /// The port that users type; None: the scheme's own.
    pub(crate) public_port: Option<u16>,
    /// Never empty; `*` is every IPv4 address, `[::]` every IPv6 one.
    pub(crate) listen_addresses: Vec<Host>,
    pub(crate) listen_port: u16,
    /// None: nginx speaks plain HTTP.
    pub(crate) tls: Option<Tls>,
    /// The port whose requests are redirected to HTTPS.
    pub(crate) redirect_port: Option<u16>,
    pub(crate) http2: bool,
    pub(crate) proxy_protocol: bool,
    pub(crate) real_ip: RealIp,
    pub(crate) hsts: Hsts,
    /// Headers of requests to the registry, the default ones included.
    pub(crate) proxy_set_headers: BTreeMap<String, String>,
    pub(crate) error_log_level: String,
    pub(crate) log_directory: PathBuf,
    /// In bytes; 0 is no limit.
    pub(crate) client_max_body_size: u64,
    pub(crate) proxy_read_timeout: Duration,
    pub(crate) proxy_connect_timeout: Duration,
    /// Whether nginx is to send blobs by itself, where it can.
    pub(crate) sendfile: bool,
    /// Lines for the end of the server block.
    pub(crate) custom_config: Option<String>,
}

/// TLS ended by nginx.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) certificate_key: PathBuf,
    /// Certificate authorities of clients.
    pub(crate) client_certificate: Option<PathBuf>,
    /// `on`, `off`, `optional` or `optional_no_ca`.
    pub(crate) verify_client: Option<String>,
    pub(crate) verify_depth: u64,
    pub(crate) ciphers: String,
    pub(crate) protocols: String,
    pub(crate) prefer_server_ciphers: bool,
    pub(crate) session_cache: String,
    pub(crate) session_tickets: bool,
    pub(crate) session_timeout: Duration,
    pub(crate) dhparam: Option<PathBuf>,
    pub(crate) ecdh_curve: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    /// Commands to OpenSSL, one `ssl_conf_command` each.
    pub(crate) conf_commands: Vec<String>,
}

/// Where the client's address comes from behind a load balancer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct RealIp {
    pub(crate) header: Option<String>,
    pub(crate) recursive: Option<bool>,
    /// Addresses and networks, one `set_real_ip_from` each.
    pub(crate) trusted: Vec<String>,
}

/// Strict transport security; a `max_age` of 0 tells browsers to forget it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Hsts {
    pub(crate) max_age: u64,
    pub(crate) include_subdomains: bool,
}
