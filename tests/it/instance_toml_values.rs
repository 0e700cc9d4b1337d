//! Values of `instance.toml` that their key does not take, and keys that cannot be set.

use super::{instance_toml::refused, support::World};

#[test]
fn a_port_is_at_most_65535() {
    refused(
        r#"[registry.nginx]
listen_port = 65536
"#,
        r#"2:15: `registry.nginx.listen_port = 65536`: must be a port from 1 to 65535"#,
    );
}

#[test]
fn a_port_is_not_zero() {
    refused(
        r#"[registry.nginx]
listen_port = "0"
"#,
        r#"2:15: `registry.nginx.listen_port = "0"`: must be a port from 1 to 65535"#,
    );
}

#[test]
fn a_list_of_addresses_is_not_empty() {
    refused(
        r#"[registry.nginx]
listen_addresses = []
"#,
        r#"2:20: `registry.nginx.listen_addresses = []`: must be a list of addresses, such as ["*", "[::]"] or ["127.0.0.1"]"#,
    );
}

#[test]
fn an_address_of_nginx_has_no_port() {
    refused(
        r#"[registry.nginx]
listen_addresses = ["127.0.0.1:80", "*"]
"#,
        r#"2:21: `registry.nginx.listen_addresses = "127.0.0.1:80"`: must be a list of addresses, such as ["*", "[::]"] or ["127.0.0.1"]"#,
    );
}

#[test]
fn an_address_of_nginx_stands_once() {
    refused(
        r#"[registry.nginx]
listen_addresses = ["[::]", "[::]"]
"#,
        r#"2:29: `registry.nginx.listen_addresses = "[::]"`: must be listed only once"#,
    );
}

#[test]
fn an_address_of_nginx_alone_is_no_list() {
    refused(
        r#"[registry.nginx]
listen_addresses = "*"
"#,
        r#"2:20: `registry.nginx.listen_addresses = "*"`: must be a list of addresses, such as ["*", "[::]"] or ["127.0.0.1"]"#,
    );
}

#[test]
fn a_directive_cannot_end_itself() {
    refused(
        r#"[registry.nginx]
ssl_ciphers = "HIGH; root /"
"#,
        r#"2:15: `registry.nginx.ssl_ciphers = "HIGH; root /"`: must be text for nginx, without quotes, `;`, `{`, `}`, `#`, `$` and `\`"#,
    );
}

#[test]
fn a_directive_cannot_hold_a_variable() {
    refused(
        r#"[registry.nginx]
real_ip_header = "$http_x"
"#,
        r#"2:18: `registry.nginx.real_ip_header = "$http_x"`: must be text for nginx, without quotes, `;`, `{`, `}`, `#`, `$` and `\`"#,
    );
}

#[test]
fn directives_are_texts() {
    refused(
        r#"[registry.nginx]
ssl_conf_command = ["Options KTLS", 7]
"#,
        r#"2:37: `registry.nginx.ssl_conf_command = 7`: must be a string or a list of strings"#,
    );
}

#[test]
fn a_block_is_closed_where_it_was_opened() {
    refused(
        r#"[registry.nginx]
custom_gitlab_server_config = 'location / { deny all; } }'
"#,
        r#"2:31: `registry.nginx.custom_gitlab_server_config = 'location / { deny all; } }'`: must be directives for nginx, each `{` with its `}`"#,
    );
}

#[test]
fn lines_for_the_http_block_are_balanced_too() {
    refused(
        r#"[nginx]
custom_nginx_config = '} server { listen 1; '
"#,
        r#"2:23: `nginx.custom_nginx_config = '} server { listen 1; '`: must be directives for nginx, each `{` with its `}`"#,
    );
}

#[test]
fn a_trusted_proxy_is_an_address_or_a_network() {
    refused(
        r#"[registry.nginx]
real_ip_trusted_addresses = ["10.0.0.0/33", "proxy.example.com", "10.0.0.0/8"]
"#,
        r#"2:30: `registry.nginx.real_ip_trusted_addresses = "10.0.0.0/33"`: must be an address or a network, such as "10.0.0.1" or "10.0.0.0/8", or "unix:"
2:45: `registry.nginx.real_ip_trusted_addresses = "proxy.example.com"`: must be an address or a network, such as "10.0.0.1" or "10.0.0.0/8", or "unix:""#,
    );
}

#[test]
fn a_size_has_a_unit_that_exists() {
    refused(
        r#"[registry.nginx]
client_max_body_size = "250m"
"#,
        r#"2:24: `registry.nginx.client_max_body_size = "250m"`: must be a size in bytes, or with a unit, such as "25MB" or "25MiB""#,
    );
}

#[test]
fn a_size_is_not_negative() {
    refused(
        r#"[registry.nginx]
client_max_body_size = -1
"#,
        r#"2:24: `registry.nginx.client_max_body_size = -1`: must be a size in bytes, or with a unit, such as "25MB" or "25MiB""#,
    );
}

#[test]
fn seconds_of_nginx_are_durations_too() {
    refused(
        r#"[registry.nginx]
proxy_read_timeout = 900
"#,
        r#"2:22: `registry.nginx.proxy_read_timeout = 900`: must be a duration with a unit, such as "30s", "1h30m" or "7d"
  hint: for 900 seconds write "900s""#,
    );
}

#[test]
fn on_and_off_are_words() {
    refused(
        r#"[registry.nginx]
ssl_session_tickets = true
real_ip_recursive = "yes"
"#,
        r#"2:23: `registry.nginx.ssl_session_tickets = true`: must be one of "on", "off"
3:21: `registry.nginx.real_ip_recursive = "yes"`: must be one of "on", "off""#,
    );
}

#[test]
fn a_level_of_nginx_is_one_of_its_own() {
    refused(
        r#"[registry.nginx]
error_log_level = "warning"
"#,
        r#"2:19: `registry.nginx.error_log_level = "warning"`: must be one of "debug", "info", "notice", "warn", "error", "crit", "alert", "emerg""#,
    );
}

#[test]
fn a_depth_is_a_number() {
    refused(
        r#"[registry.nginx]
ssl_verify_depth = "one"
"#,
        r#"2:20: `registry.nginx.ssl_verify_depth = "one"`: must be a whole number of at least 0"#,
    );
}

#[test]
fn a_request_header_is_text() {
    refused(
        r#"[registry.nginx.proxy_set_headers]
X-One = true
"#,
        r#"2:9: `registry.nginx.proxy_set_headers.X-One = true`: must be a string or a list of strings, each on one line"#,
    );
}

#[test]
fn what_gitlab_ctl_ignores_for_the_registry_is_refused() {
    refused(
        r#"[registry.nginx]
gzip_enabled = true
"#,
        r#"2:1: `registry.nginx.gzip_enabled` (compression) is refused
  hint: gitlab-ctl has never used it for the registry: remove it, or write directives in custom_gitlab_server_config"#,
    );
}

#[test]
fn a_directive_of_gitlabs_own_nginx_is_refused() {
    refused(
        r#"[nginx]
hide_server_tokens = "on"
"#,
        r#"2:1: `nginx.hide_server_tokens` (hide the server's name) is refused
  hint: only GitLab's own nginx knows it; the version is never sent: remove it"#,
    );
}

#[test]
fn the_status_page_is_not_supported_yet() {
    refused(
        r#"[nginx]
status = { enable = true }
"#,
        r#"2:1: `nginx.status` (the status page) is not supported yet"#,
    );
}

#[test]
fn the_vhost_lies_where_it_lies() {
    refused(
        r#"[registry.nginx]
dir = "/srv/nginx"
"#,
        r#"2:1: `registry.nginx.dir` (nginx's folder) is refused
  hint: it is var/opt/regctl/nginx under the root: move the root with --root"#,
    );
}

#[test]
fn an_account_has_a_name_that_useradd_takes() {
    refused(
        r#"[registry]
username = "Registry User"
group = "-x"
"#,
        r#"2:12: `registry.username = "Registry User"`: must be a name of at most 32 lowercase letters, digits, dashes and underscores, a letter first
3:9: `registry.group = "-x"`: must be a name of at most 32 lowercase letters, digits, dashes and underscores, a letter first"#,
    );
}

#[test]
fn an_id_is_not_roots() {
    refused(
        r#"[registry]
uid = 0
gid = 4294967295
"#,
        r#"2:7: `registry.uid = 0`: must be an id from 1 to 4294967294
3:7: `registry.gid = 4294967295`: must be an id from 1 to 4294967294"#,
    );
}

#[test]
fn a_private_key_is_pem() {
    refused(
        r#"[registry]
internal_key = "hunter2hunter2hunter2"
internal_certificate = "registry.crt"
"#,
        r#"2:16: `registry.internal_key = [redacted]`: must be a private key in PEM, from -----BEGIN … PRIVATE KEY----- to its end
3:24: `registry.internal_certificate = "registry.crt"`: must be a certificate in PEM, from -----BEGIN CERTIFICATE----- to its end"#,
    );
}

#[test]
fn half_a_pair_signs_nothing() {
    refused(
        r#"[registry]
internal_key = '''-----BEGIN PRIVATE KEY-----
MIIB
-----END PRIVATE KEY-----'''
"#,
        r#"2:16: `registry.internal_key = [redacted]` is set without `registry.internal_certificate`
  hint: they are one pair: set both, or neither for a generated pair"#,
    );
}

#[test]
fn a_path_is_not_empty() {
    refused(
        r#"[registry]
shell = ""
"#,
        r#"2:9: `registry.shell = ""`: must be a path; a relative one is under the root"#,
    );
}

#[test]
fn validation_is_not_supported_yet() {
    refused(
        r#"[registry]
validation_enabled = true
"#,
        r#"2:1: `registry.validation_enabled = true` (checks of URLs in manifests) is not supported yet
  hint: write `validation_enabled = false`, or remove it"#,
    );
}

#[test]
fn schema_1_is_enabled_by_the_name_that_gitlab_rb_has() {
    refused(
        r#"[registry]
compatibility_schema1_enabled = "yes"
compatibility.schema1.enabled = true
"#,
        r#"2:33: `registry.compatibility_schema1_enabled = "yes"`: must be true or false
3:23: `registry.compatibility.schema1.enabled` (Docker's schema 1 manifests) is refused
  hint: write compatibility_schema1_enabled in [registry]"#,
    );
}

#[test]
fn a_flag_that_is_not_supported_yet_must_still_be_one() {
    refused(
        r#"[registry]
validation_enabled = "false"
"#,
        r#"2:22: `registry.validation_enabled = "false"`: must be true or false
  hint: write false without quotes"#,
    );
}

#[test]
fn an_endpoint_of_notifications_has_a_name_a_url_and_known_keys() {
    refused(
        r#"[[registry.notifications]]
name = "hook"
url = "ftp://user:hunter2@localhost/hook"
headers = { "a b" = "c" }
timeout = 5
frobnicate = 3
[[registry.notifications]]
name = "hook"
url = "http://localhost/hook"
ignore = { actions = ["sing"] }
"#,
        r#"3:7: `registry.notifications.url = [redacted]`: must be a URL that begins with http:// or https://
4:21: `registry.notifications.headers.a b = [redacted]`: must be named with letters, digits and dashes
5:11: `registry.notifications.timeout = 5`: must be a duration with a unit, such as "500ms" or "1s"
6:14: `registry.notifications.frobnicate = 3`: must be one of name, url, disabled, timeout, maxretries, threshold, backoff, headers, ignoredmediatypes, ignore
10:23: `registry.notifications.ignore = "sing"`: must be a list of "pull", "push", "mount" and "delete""#,
    );
}

#[test]
fn a_field_of_the_log_is_one_value() {
    refused(
        r#"[registry.log]
fields = { environment = ["a"] }
"#,
        r#"2:26: `registry.log.fields.environment = ["a"]`: must be a string, true, false or an integer"#,
    );
}

#[test]
fn the_host_that_gitlab_shows_follows_from_the_url() {
    refused(
        r#"[gitlab_rails]
registry_host = "registry.example.com"
registry_port = 5050
"#,
        r#"2:1: `gitlab_rails.registry_host` (the host that users see) is refused
  hint: it follows from registry_external_url: remove it
3:1: `gitlab_rails.registry_port` (the port that users see) is refused
  hint: it follows from registry_external_url: remove it"#,
    );
}

#[test]
fn what_configures_gitlab_stays_in_gitlab_rb() {
    refused(
        r#"[gitlab_rails]
registry_enabled = true
registry_api_url = "http://localhost:5000"
"#,
        r#"2:1: `gitlab_rails.registry_enabled` (whether GitLab uses the registry) is refused
  hint: it configures GitLab itself: keep it in gitlab.rb
3:1: `gitlab_rails.registry_api_url` (the address that GitLab itself uses) is refused
  hint: it configures GitLab itself: keep it in gitlab.rb"#,
    );
}

#[test]
fn text_stands_on_one_line() {
    refused(
        r#"[nginx]
log_format = "a\nb"
"#,
        r#"2:14: `nginx.log_format = "a\nb"`: must be text on one line"#,
    );
}

#[test]
fn a_secret_stands_on_one_line() {
    refused(
        r#"[registry]
http_secret = "sixteen characters\nand a line"
"#,
        r#"2:15: `registry.http_secret = [redacted]`: must be a string of at least 16 characters on one line"#,
    );
}

#[test]
fn keys_that_distribution_has_elsewhere_are_pointed_to() {
    refused(
        "[registry.http]\nsecret = \"x\"\naddr = \":5000\"\ndraintimeout = \"1s\"\n[registry.log]\nlevel = \"info\"\nformatter = \"json\"\n",
        "2:1: unknown key `registry.http.secret`
  hint: write `http_secret` in [registry], as gitlab.rb does
3:1: unknown key `registry.http.addr`
  hint: write `registry_http_addr` in [registry], as gitlab.rb does
4:1: unknown key `registry.http.draintimeout`
  hint: write `http_draintimeout` in [registry], as gitlab.rb does
6:1: unknown key `registry.log.level`
  hint: write `log_level` in [registry], as gitlab.rb does
7:1: unknown key `registry.log.formatter`
  hint: write `log_formatter` in [registry], as gitlab.rb does",
    );
}

#[test]
fn images_are_not_kept_where_others_keep_their_own() {
    for path in ["/", "/etc", "/etc/../usr", "/proc/1", "~/images", "etc/regctl", ".", "/dev"] {
        let world = World::with(&format!("[gitlab_rails]\nregistry_path = \"{path}\"\n"));
        let ran = world.run(&["check-config"]);
        assert!(ran.exit == 78 && ran.stdout.contains("images alone"), "{path}: {}", ran.stdout);
    }
}

#[test]
fn gitlabs_own_spellings_are_taken_or_explained() {
    refused(
        "registry_external_url = \"https://registry.example.com\"\nexternal_url = \"https://gitlab.example.com/jwt/auth\"\n",
        "2:16: `external_url = \"https://gitlab.example.com/jwt/auth\"`: must be GitLab's own URL; /jwt/auth is added to it
  hint: leave out /jwt/auth",
    );
    refused(
        "[registry.database]\nenabled = \"prefer\"\n",
        "2:11: `registry.database.enabled = \"prefer\"`: must be true or false
  hint: there is no metadata database here; collection works on the storage itself: remove it",
    );
    refused(
        "registry_external_url = \"https://user:hunter2@registry.example.com\"\n",
        "1:25: `registry_external_url = \"https://[redacted]@registry.example.com\"`: must be a URL such as \"https://registry.example.com\", without a path",
    );
    let world = World::with("[registry.nginx]\nssl_verify_depth = \"2\"\n");
    assert_eq!(world.run(&["check-config"]).exit, 0);
}
