//! Bad combinations in `instance.toml`: URL, nginx, certificates and the registry that do not fit.

use super::instance_toml::refused;

#[test]
fn an_open_url_needs_consent_because_it_turns_nginx_on() {
    refused(
        r#"registry_external_url = "http://registry.example.com"
"#,
        r#"1:25: `registry_external_url = "http://registry.example.com"`: anyone who reaches nginx there could read, push and delete
  hint: write [registry.auth.htpasswd] and add users with `regctl user add NAME`, or `listen_addresses = ["127.0.0.1"]` in [registry.nginx], or write `none = true` in [registry.auth] if that is meant"#,
    );
}

#[test]
fn an_https_url_is_as_open_as_any() {
    refused(
        r#"registry_external_url = "https://registry.example.com:5050"
"#,
        r#"1:25: `registry_external_url = "https://registry.example.com:5050"`: anyone who reaches nginx there could read, push and delete
  hint: write [registry.auth.htpasswd] and add users with `regctl user add NAME`, or `listen_addresses = ["127.0.0.1"]` in [registry.nginx], or write `none = true` in [registry.auth] if that is meant"#,
    );
}

#[test]
fn addresses_of_nginx_beyond_loopback_need_consent() {
    refused(
        r#"registry_external_url = "http://localhost:8080"

[registry.nginx]
enable = true
listen_addresses = ["127.0.0.1", "10.0.0.1"]
"#,
        r#"5:20: `registry.nginx.listen_addresses = ["127.0.0.1", "10.0.0.1"]`: anyone who reaches nginx there could read, push and delete
  hint: write [registry.auth.htpasswd] and add users with `regctl user add NAME`, or `listen_addresses = ["127.0.0.1"]` in [registry.nginx], or write `none = true` in [registry.auth] if that is meant"#,
    );
}

#[test]
fn nginx_cannot_have_the_registrys_port_by_the_url() {
    refused(
        r#"registry_external_url = "http://registry.example.com:5000"

[registry.auth]
none = true
"#,
        r#"1:25: `registry_external_url = "http://registry.example.com:5000"` gives nginx the registry's own port: `registry.registry_http_addr = "127.0.0.1:5000"`, the default
  hint: give one of them another port: users reach nginx, nginx reaches the registry"#,
    );
}

#[test]
fn nginx_cannot_have_the_registrys_port_by_its_own_key() {
    refused(
        r#"registry_external_url = "https://registry.example.com"

[registry]
registry_http_addr = "127.0.0.1:8443"

[registry.nginx]
listen_port = "8443"

[registry.auth]
none = true
"#,
        r#"7:15: `registry.nginx.listen_port = "8443"` gives nginx the registry's own port: `registry.registry_http_addr = "127.0.0.1:8443"`
  hint: give one of them another port: users reach nginx, nginx reaches the registry"#,
    );
}

#[test]
fn https_needs_somebody_who_ends_tls() {
    refused(
        r#"registry_external_url = "https://registry.example.com"

[registry.nginx]
enable = false
"#,
        r#"1:25: `registry_external_url = "https://registry.example.com"`: nothing ends TLS, because nginx is off
  hint: write `listen_https = false` in [registry.nginx] if another proxy ends it, write [registry.http.tls] if the registry itself does, or turn nginx on there"#,
    );
}

#[test]
fn https_needs_somebody_who_ends_tls_when_nginx_is_off_everywhere() {
    refused(
        r#"registry_external_url = "https://registry.example.com"

[nginx]
enable = false
"#,
        r#"1:25: `registry_external_url = "https://registry.example.com"`: nothing ends TLS, because nginx is off
  hint: write `listen_https = false` in [registry.nginx] if another proxy ends it, write [registry.http.tls] if the registry itself does, or turn nginx on there"#,
    );
}

#[test]
fn https_on_loopback_needs_somebody_who_ends_tls_too() {
    refused(
        r#"registry_external_url = "https://localhost"
"#,
        r#"1:25: `registry_external_url = "https://localhost"`: nothing ends TLS, because nginx is off
  hint: write `listen_https = false` in [registry.nginx] if another proxy ends it, write [registry.http.tls] if the registry itself does, or turn nginx on there"#,
    );
}

#[test]
fn nginx_needs_a_url() {
    refused(
        r#"[registry.nginx]
enable = true
"#,
        r#"2:10: `registry.nginx.enable = true`: without a URL nginx has no host to serve
  hint: set registry_external_url, above the first [table]"#,
    );
}

#[test]
fn nginx_does_not_speak_tls_where_users_type_http() {
    refused(
        r#"registry_external_url = "http://registry.example.com"

[registry.nginx]
listen_https = true

[registry.auth]
none = true
"#,
        r#"4:16: `registry.nginx.listen_https = true`: nginx would speak TLS where users type http://
  hint: write https:// in registry_external_url, or remove this"#,
    );
}

#[test]
fn a_redirect_does_not_take_the_port_it_redirects_to() {
    refused(
        r#"registry_external_url = "https://registry.example.com"

[registry.nginx]
redirect_http_to_https = true
redirect_http_to_https_port = 443

[registry.auth]
none = true
"#,
        r#"5:31: `registry.nginx.redirect_http_to_https_port = 443` redirects port 443: nginx already serves HTTPS there
  hint: redirect another port, usually 80"#,
    );
}

#[test]
fn a_redirect_does_not_take_the_registrys_port() {
    refused(
        r#"registry_external_url = "https://registry.example.com"

[registry]
registry_http_addr = "127.0.0.1:80"

[registry.nginx]
redirect_http_to_https = true

[registry.auth]
none = true
"#,
        r#"7:26: `registry.nginx.redirect_http_to_https = true` redirects port 80: the registry itself listens there
  hint: redirect another port, usually 80"#,
    );
}

#[test]
fn a_certificate_needs_its_key() {
    refused(
        r#"registry_external_url = "https://localhost"

[registry.nginx]
enable = true
ssl_certificate = "/etc/ssl/registry.pem"
"#,
        r#"5:19: `registry.nginx.ssl_certificate = "/etc/ssl/registry.pem"` is set without `registry.nginx.ssl_certificate_key`
  hint: set both, or neither for etc/regctl/ssl/HOST.crt and HOST.key"#,
    );
}

#[test]
fn a_key_needs_its_certificate() {
    refused(
        r#"registry_external_url = "https://localhost"

[registry.nginx]
enable = true
ssl_certificate_key = "/etc/ssl/registry.key"
"#,
        r#"5:23: `registry.nginx.ssl_certificate_key = "/etc/ssl/registry.key"` is set without `registry.nginx.ssl_certificate`
  hint: set both, or neither for etc/regctl/ssl/HOST.crt and HOST.key"#,
    );
}

#[test]
fn clients_are_not_verified_without_an_authority() {
    refused(
        r#"registry_external_url = "https://localhost"

[registry.nginx]
enable = true
ssl_verify_client = "on"
"#,
        r#"5:21: `registry.nginx.ssl_verify_client = "on"`: there is no authority to verify clients with
  hint: set ssl_client_certificate"#,
    );
}

#[test]
fn a_header_to_the_registry_has_one_value() {
    refused(
        r#"registry_external_url = "http://localhost:8080"

[registry.nginx]
enable = true
proxy_set_headers = { X-One = ["a", "b"] }
"#,
        r#"5:21: `registry.nginx.proxy_set_headers.X-One` has 2 values: nginx sends one
  hint: join them in one string"#,
    );
}

#[test]
fn one_key_under_both_names_of_the_vhost_is_one_too_many() {
    refused(
        r#"registry_external_url = "http://localhost:8080"

[registry.nginx]
listen_port = 8081

[registry_nginx]
listen_port = 8082
"#,
        r#"7:15: `registry_nginx.listen_port = 8082` sets what `registry.nginx.listen_port` on line 4 sets already
  hint: remove [registry_nginx], the old name"#,
    );
}

#[test]
fn tls_of_the_registry_itself_needs_both_files() {
    refused(
        r#"[registry.http.tls]
certificate = "/etc/ssl/registry.pem"
"#,
        r#"2:15: `registry.http.tls.certificate = "/etc/ssl/registry.pem"` goes with `key`
  hint: write `key` in [registry.http.tls], too"#,
    );
}

#[test]
fn tls_ends_in_one_place() {
    refused(
        r#"registry_external_url = "https://registry.example.com"

[registry.http.tls]
certificate = "/etc/ssl/registry.pem"
key = "/etc/ssl/registry.key"

[registry.auth]
none = true
"#,
        r#"4:15: `registry.http.tls.certificate = "/etc/ssl/registry.pem"`: nginx ends TLS, and asks the registry without
  hint: write `enable = false` in [registry.nginx], or ssl_certificate there instead of this"#,
    );
}

#[test]
fn the_debug_server_has_a_port_of_its_own() {
    refused(
        r#"[registry]
debug_addr = "127.0.0.1:5000"
"#,
        r#"2:14: `registry.debug_addr = "127.0.0.1:5000"`: the registry itself listens at this port
  hint: write another port, such as 5001"#,
    );
}

#[test]
fn lets_encrypt_is_not_supported_yet() {
    refused(
        r#"[letsencrypt]
enable = true
"#,
        r#"2:1: `letsencrypt.enable = true` (certificates from Let's Encrypt) is not supported yet
  hint: write `enable = false`, or remove it"#,
    );
}
