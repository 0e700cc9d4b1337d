//! `[registry.nginx]` and `[nginx]`: the vhost in front of the registry, and the process that serves it.

use super::{
    Key,
    Kind::{
        Choice, Count, Directive, Directives, Duration, Flag, Headers, Hosts, Lines, Networks,
        Path, Port, Size, Table, Text,
    },
    Section,
};

pub(super) const SECTIONS: &[Section] = &[
    Section::new("registry.nginx", Some("registry['nginx']"), "the vhost", VHOST),
    Section::new("registry_nginx", Some("registry_nginx"), "the old name of registry.nginx", VHOST),
    Section::new("nginx", Some("nginx"), "the nginx process", DAEMON),
];

const ON_OFF: &[&str] = &["on", "off"];

const NOT_OF_A_REGISTRY: &str = "gitlab-ctl has never used it for the registry: remove it, or write directives in \
    custom_gitlab_server_config";

const CIPHERS: &str = "\"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
    ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:\
    ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384\"";

const VHOST: &[Key] = &[
    Key::new("enable", Flag, None, "run nginx; unset: if the URL is not on loopback").live(),
    Key::new("https", Flag, None, "TLS ended by nginx; unset: if the URL is https").live(),
    Key::new(
        "listen_https",
        Flag,
        None,
        "replaces https: false if another proxy ends TLS; unset: as https",
    )
    .live(),
    Key::new("listen_port", Port, None, "nginx's port; unset: the URL's").live(),
    Key::new(
        "listen_addresses",
        Hosts,
        None,
        "nginx's addresses, `\"[::]\"` for IPv6; unset: `[\"*\"]`, or loopback if the URL is on it",
    )
    .live(),
    Key::new("redirect_http_to_https", Flag, Some("false"), "redirect plain HTTP").live(),
    Key::new("redirect_http_to_https_port", Port, Some("80"), "the port that redirects").live(),
    Key::new("http2_enabled", Flag, Some("false"), "HTTP/2").live(),
    Key::new(
        "ssl_certificate",
        Path,
        None,
        "the certificate; unset: etc/regctl/ssl/HOST.crt, HOST being the URL's",
    )
    .live(),
    Key::new("ssl_certificate_key", Path, None, "its private key; unset: etc/regctl/ssl/HOST.key")
        .live(),
    Key::new("ssl_client_certificate", Path, None, "certificate authorities of clients").live(),
    Key::new(
        "ssl_verify_client",
        Choice(&["on", "off", "optional", "optional_no_ca"]),
        None,
        "whether clients need a certificate",
    )
    .live(),
    Key::new("ssl_verify_depth", Count(0), Some("1"), "how deep their chain may be").live(),
    Key::new("ssl_ciphers", Directive, Some(CIPHERS), "cipher suites").live(),
    Key::new("ssl_protocols", Directive, Some("\"TLSv1.2 TLSv1.3\""), "versions of TLS").live(),
    Key::new(
        "ssl_prefer_server_ciphers",
        Choice(ON_OFF),
        Some("\"off\""),
        "whether the server's order of ciphers counts",
    )
    .live(),
    Key::new("ssl_session_cache", Directive, Some("\"shared:SSL:10m\""), "the cache of sessions")
        .live(),
    Key::new("ssl_session_tickets", Choice(ON_OFF), Some("\"off\""), "session tickets").live(),
    Key::new("ssl_session_timeout", Duration, Some("\"1d\""), "how long sessions live").live(),
    Key::new("ssl_dhparam", Path, None, "Diffie-Hellman parameters").live(),
    Key::new("ssl_ecdh_curve", Directive, None, "curves").live(),
    Key::new("ssl_password_file", Path, None, "passphrases of keys").live(),
    Key::new("ssl_conf_command", Directives, Some("[]"), "commands to OpenSSL").live(),
    Key::new("proxy_protocol", Flag, Some("false"), "connections start with the PROXY protocol")
        .live(),
    Key::new(
        "real_ip_header",
        Directive,
        None,
        "the header with the client's address; unset: proxy_protocol if that is on",
    )
    .live(),
    Key::new("real_ip_recursive", Choice(ON_OFF), None, "search that header from the right").live(),
    Key::new("real_ip_trusted_addresses", Networks, Some("[]"), "proxies that are trusted").live(),
    Key::new("hsts_max_age", Count(0), Some("63072000"), "seconds of strict transport security")
        .live(),
    Key::new("hsts_include_subdomains", Flag, Some("false"), "for subdomains too").live(),
    Key::new(
        "proxy_set_headers",
        Headers,
        None,
        "sent to the registry, over Host and X-Forwarded-*; `NAME = false` removes one",
    )
    .live(),
    Key::new(
        "error_log_level",
        Choice(&["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"]),
        Some("\"error\""),
        "nginx's log level",
    )
    .live(),
    Key::new("log_directory", Path, Some("\"var/log/regctl/nginx\""), "the folder of logs").live(),
    Key::refused(
        "dir",
        "nginx's folder",
        "it is var/opt/regctl/nginx under the root: move the root with --root",
    ),
    Key::new(
        "custom_gitlab_server_config",
        Lines,
        None,
        "directives for the end of the server block",
    )
    .live(),
    Key::new("client_max_body_size", Size, Some("0"), "the largest request; 0: no limit").live(),
    Key::new("proxy_read_timeout", Duration, Some("\"15m\""), "the longest pause of an answer")
        .live(),
    Key::new("proxy_connect_timeout", Duration, Some("\"60s\""), "how long connecting may take")
        .live(),
    Key::new(
        "sendfile",
        Flag,
        Some("true"),
        "large blobs leave through the kernel; where that cannot be, `regctl status` says why",
    )
    .live(),
    Key::refused("proxy_custom_buffer_size", "the size of buffers", NOT_OF_A_REGISTRY),
    Key::refused("proxy_cache", "the cache", NOT_OF_A_REGISTRY),
    Key::refused("gzip_enabled", "compression", NOT_OF_A_REGISTRY),
    Key::refused("gzip_http_version", "compression for this version of HTTP", NOT_OF_A_REGISTRY),
    Key::refused("gzip_comp_level", "how hard to compress", NOT_OF_A_REGISTRY),
    Key::refused("gzip_proxied", "compression for proxies", NOT_OF_A_REGISTRY),
    Key::refused("gzip_types", "compressed media types", NOT_OF_A_REGISTRY),
    Key::refused("referrer_policy", "the Referrer-Policy header", NOT_OF_A_REGISTRY),
    Key::refused("request_buffering_off_path_regex", "paths without buffering", NOT_OF_A_REGISTRY),
];

/// nginx's `combined` format with the path instead of the whole request: a query can hold a token.
const LOG_FORMAT: &str = r#"'$remote_addr - $remote_user [$time_local] "$request_method $uri $server_protocol" $status $body_bytes_sent "$http_user_agent"'"#;

const DAEMON: &[Key] = &[
    Key::new(
        "enable",
        Flag,
        Some("true"),
        "false: never run nginx, whatever [registry.nginx] says",
    ),
    Key::new("worker_processes", Count(1), None, "worker processes; unset: one a processor").live(),
    Key::new("worker_connections", Count(16), Some("10240"), "connections a worker").live(),
    Key::new("log_format", Text, Some(LOG_FORMAT), "the access log's form").live(),
    Key::new("keepalive_timeout", Duration, Some("\"65s\""), "how long an idle connection stays")
        .live(),
    Key::new("keepalive_time", Duration, Some("\"1h\""), "the longest connection").live(),
    Key::new("server_names_hash_bucket_size", Count(32), Some("64"), "room for host names"),
    Key::refused(
        "hide_server_tokens",
        "hide the server's name",
        "only GitLab's own nginx knows it; the version is never sent: remove it",
    ),
    Key::new("custom_nginx_config", Lines, None, "directives for the http block").live(),
    Key::later("status", Table, "the status page"),
    Key::refused(
        "dir",
        "nginx's folder",
        "it is var/opt/regctl/nginx under the root: move the root with --root",
    ),
    Key::new("log_directory", Path, Some("\"var/log/regctl/nginx\""), "the folder of logs"),
];
