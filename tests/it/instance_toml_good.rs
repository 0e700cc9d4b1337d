//! Good `instance.toml` files: accepted without a word, and meaning what they say.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use serde_json::{Value, json};

use super::support::World;

/// Accepts a file without warnings and returns its settings in effect.
pub(crate) fn accepted(instance_toml: &str) -> Settings {
    let world = World::with(instance_toml);
    assert_eq!(checked(&world), "");
    shown(&world)
}

/// Accepts a file with exactly these warnings.
pub(crate) fn warned(instance_toml: &str, expected: &str) {
    assert_eq!(checked(&World::with(instance_toml)), expected);
}

/// Returns the warnings about a file in which nothing is wrong, whether or not the files that it names are there.
fn checked(world: &World) -> String {
    let file = world.path("etc/regctl/instance.toml");
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    let ran = world.run(&["check-config", "--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let problems = document["problems"].as_array().unwrap();
    let is_elsewhere =
        |problem: &&Value| problem["message"].as_str().unwrap().contains(" not exist");
    let problems: Vec<_> = problems.iter().filter(|problem| !is_elsewhere(problem)).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let line = |warning: &Value| {
        let (place, message) = (&warning["line"], warning["message"].as_str().unwrap());
        let hint = warning["hint"].as_str().map(|hint| format!("\n  hint: {hint}"));
        format!("{place}:{}: {message}{}", warning["column"], hint.unwrap_or_default())
    };
    document["warnings"].as_array().unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
}

fn shown(world: &World) -> Settings {
    let ran = world.run(&["show-config", "--json"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    Settings(serde_json::from_str(&ran.stdout).unwrap())
}

/// What `show-config --json` says.
pub(crate) struct Settings(Value);

impl Settings {
    fn row(&self, key: &str) -> Option<&Value> {
        self.0["settings"].as_array().unwrap().iter().find(|row| row["key"] == key)
    }

    /// Checks a value and where it came from: a line, a key, or the default.
    #[track_caller]
    pub(crate) fn has(&self, key: &str, value: Value, origin: Value) -> &Self {
        let row = self.row(key).unwrap_or_else(|| panic!("{key} is not shown"));
        let found = &row["origin"];
        let short = match found["kind"].as_str().unwrap() {
            "file" => &found["line"],
            "derived" => &found["from"],
            _ => &Value::Null,
        };
        assert_eq!((&row["value"], short), (&value, &origin), "{key}");
        self
    }

    #[track_caller]
    pub(crate) fn lacks(&self, key: &str) -> &Self {
        assert_eq!(self.row(key), None);
        self
    }
}

const URL: &str = "registry_external_url";
const OPEN: &str = "[registry.auth]\nnone = true\n";

#[test]
fn without_a_line_the_registry_is_on_loopback_and_nginx_is_off() {
    accepted("")
        .has("registry.registry_http_addr", json!("127.0.0.1:5000"), Value::Null)
        .has("registry.http_draintimeout", json!("30s"), Value::Null)
        .lacks("registry.nginx.enable")
        .lacks(URL);
}

#[test]
fn a_url_beyond_loopback_turns_nginx_on() {
    let text = format!("{URL} = \"http://registry.example.com\"\n{OPEN}");
    accepted(&text)
        .has("registry.nginx.enable", json!(true), json!(URL))
        .has("registry.nginx.listen_port", json!(80), json!(URL))
        .has("registry.nginx.listen_addresses", json!(["*"]), json!(URL))
        .has("registry.nginx.listen_https", json!(false), json!("registry.nginx.https"))
        .lacks("registry.nginx.ssl_certificate");
}

#[test]
fn an_own_domain_has_its_own_certificate() {
    let text = format!("{URL} = \"https://registry.gitlab.example.com\"\n{OPEN}");
    accepted(&text)
        .has("registry.nginx.https", json!(true), json!(URL))
        .has("registry.nginx.listen_port", json!(443), json!(URL))
        .has(
            "registry.nginx.ssl_certificate",
            json!("etc/regctl/ssl/registry.gitlab.example.com.crt"),
            json!(URL),
        )
        .has(
            "registry.nginx.ssl_certificate_key",
            json!("etc/regctl/ssl/registry.gitlab.example.com.key"),
            json!(URL),
        );
}

#[test]
fn a_shared_domain_has_a_port_and_perhaps_another_certificate() {
    let text = format!(
        r#"{URL} = "https://gitlab.example.com:5050"
[registry.nginx]
ssl_certificate = "/etc/ssl/gitlab.pem"
ssl_certificate_key = "/etc/ssl/gitlab.key"
{OPEN}"#
    );
    accepted(&text).has("registry.nginx.listen_port", json!(5050), json!(URL)).has(
        "registry.nginx.ssl_certificate",
        json!("/etc/ssl/gitlab.pem"),
        json!(3),
    );
}

#[test]
fn a_local_url_with_nginx_listens_on_loopback() {
    let text = format!("{URL} = \"http://localhost:8080\"\n[registry.nginx]\nenable = true\n");
    accepted(&text).has("registry.nginx.enable", json!(true), json!(3)).has(
        "registry.nginx.listen_addresses",
        json!(["127.0.0.1"]),
        json!(URL),
    );
}

#[test]
fn a_local_url_of_ipv6_listens_there() {
    let text = format!("{URL} = \"http://[::1]:8080\"\n[registry.nginx]\nenable = true\n");
    accepted(&text).has("registry.nginx.listen_addresses", json!(["[::1]"]), json!(URL));
}

#[test]
fn a_local_url_is_that_of_the_registry_itself() {
    let text = format!("{URL} = \"http://127.0.0.1:5000\"\n");
    accepted(&text).has("registry.nginx.enable", json!(false), json!(URL));
}

#[test]
fn nginx_behind_a_local_address_needs_no_consent() {
    let text = format!(
        "{URL} = \"https://registry.example.com\"\n[registry.nginx]\nlisten_addresses = [\"127.0.0.1\", \"[::1]\"]\n"
    );
    accepted(&text).has("registry.nginx.listen_addresses", json!(["127.0.0.1", "[::1]"]), json!(3));
}

#[test]
fn tls_can_be_ended_by_a_proxy_in_front_of_nginx() {
    let text = format!(
        "{URL} = \"https://registry.example.com\"\n[registry.nginx]\nlisten_https = false\nlisten_port = \"8080\"\n{OPEN}"
    );
    let headers = json!({
        "Host": ["$http_host"],
        "X-Real-IP": ["$remote_addr"],
        "X-Forwarded-For": ["$proxy_add_x_forwarded_for"],
        "X-Forwarded-Proto": ["https"],
        "X-Forwarded-Ssl": ["on"],
    });
    accepted(&text)
        .has("registry.nginx.listen_port", json!(8080), json!(4))
        .has("registry.nginx.proxy_set_headers", headers, json!(URL))
        .lacks("registry.nginx.ssl_certificate");
}

#[test]
fn tls_can_be_ended_by_a_proxy_in_front_of_the_registry() {
    let text = format!(
        r#"{URL} = "https://registry.example.com"
[registry]
env = {{ REGISTRY_HTTP_RELATIVEURLS = true }}
[registry.nginx]
enable = false
listen_https = false
"#
    );
    let variables = json!({ "REGISTRY_HTTP_RELATIVEURLS": "[redacted]" });
    accepted(&text).has("registry.env", variables, json!(3));
}

#[test]
fn a_request_header_is_merged_over_the_default_ones_and_false_removes_one() {
    let text = format!(
        r#"{URL} = "http://registry.example.com"
[registry.nginx]
proxy_set_headers = {{ x-real-ip = "10.0.0.1", X-Forwarded-For = false, X-Own = "$host" }}
{OPEN}"#
    );
    let headers = json!({
        "Host": ["$http_host"],
        "x-real-ip": ["10.0.0.1"],
        "X-Forwarded-Proto": ["http"],
        "X-Own": ["$host"],
    });
    accepted(&text).has("registry.nginx.proxy_set_headers", headers, json!(3));
}

#[test]
fn the_proxy_protocol_names_the_client() {
    let text = format!(
        r#"{URL} = "https://registry.example.com"
[registry.nginx]
proxy_protocol = true
real_ip_trusted_addresses = ["10.0.0.0/8", "fd00::/8", "unix:"]
real_ip_recursive = "on"
{OPEN}"#
    );
    let from = json!("registry.nginx.proxy_protocol");
    let settings = accepted(&text);
    settings.has("registry.nginx.real_ip_header", json!("proxy_protocol"), from);
    let headers = &settings.row("registry.nginx.proxy_set_headers").unwrap()["value"];
    assert_eq!(headers["X-Real-IP"], json!(["$proxy_protocol_addr"]));
}

#[test]
fn every_key_of_tls_is_taken() {
    let text = format!(
        r#"{URL} = "https://registry.example.com"
[registry.nginx]
redirect_http_to_https = true
redirect_http_to_https_port = 8080
http2_enabled = true
ssl_client_certificate = "/etc/ssl/clients.pem"
ssl_verify_client = "optional"
ssl_verify_depth = 2
ssl_ciphers = "HIGH:!aNULL"
ssl_protocols = "TLSv1.3"
ssl_prefer_server_ciphers = "on"
ssl_session_cache = "shared:SSL:1m"
ssl_session_tickets = "on"
ssl_session_timeout = "1h"
ssl_dhparam = "ssl/dhparam.pem"
ssl_ecdh_curve = "X25519:prime256v1"
ssl_password_file = "/etc/ssl/pass"
ssl_conf_command = ["Options KTLS", "Ciphersuites TLS_AES_128_GCM_SHA256"]
hsts_max_age = 0
hsts_include_subdomains = true
error_log_level = "warn"
client_max_body_size = "10GiB"
proxy_read_timeout = "1h"
proxy_connect_timeout = "5s"
custom_gitlab_server_config = '''
location /v1/ {{ return 404; }}
'''
{OPEN}"#
    );
    accepted(&text)
        .has("registry.nginx.client_max_body_size", json!(10_737_418_240_u64), json!(22))
        .has("registry.nginx.ssl_session_timeout", json!("1h"), json!(14))
        .has("registry.nginx.ssl_verify_depth", json!(2), json!(8));
}

#[test]
fn one_openssl_command_needs_no_list() {
    let text = format!(
        "{URL} = \"https://registry.example.com\"\n[registry.nginx]\nssl_conf_command = \"Options KTLS\"\n{OPEN}"
    );
    accepted(&text).has("registry.nginx.ssl_conf_command", json!(["Options KTLS"]), json!(3));
}

#[test]
fn the_nginx_process_has_its_own_table() {
    let text = "[nginx]\nworker_processes = 4\nworker_connections = 1024\nkeepalive_timeout = \"30s\"\nkeepalive_time = \"2h\"\nserver_names_hash_bucket_size = 128\ncustom_nginx_config = \"tcp_nopush on;\"\nlog_directory = \"/var/log/nginx\"\n";
    accepted(text).has("nginx.worker_processes", json!(4), json!(2)).has(
        "nginx.keepalive_time",
        json!("2h"),
        json!(5),
    );
}

#[test]
fn a_registry_that_is_off_needs_nothing_around_it() {
    let text = "registry_external_url = \"https://registry.example.com\"\n[registry]\nenable = false\nregistry_http_addr = \":5000\"\n";
    accepted(text).has("registry.enable", json!(false), json!(3));
}

#[test]
fn read_only_keeps_the_driver() {
    let text = "[registry.storage.maintenance.readonly]\nenabled = true\n";
    accepted(text).has("registry.storage.maintenance.readonly.enabled", json!(true), json!(2)).has(
        "registry.storage.filesystem.rootdirectory",
        json!("var/opt/regctl/storage"),
        Value::Null,
    );
}

#[test]
fn registry_path_moves_the_folder_as_gitlab_rb_does() {
    let text = "[gitlab_rails]\nregistry_path = \"/mnt/registry\"\n";
    let from = json!("gitlab_rails.registry_path");
    accepted(text).has("registry.storage.filesystem.rootdirectory", json!("/mnt/registry"), from);
}

#[test]
fn another_driver_replaces_the_default_one() {
    accepted("[registry.storage.inmemory]\n").lacks("registry.storage.filesystem.rootdirectory");
}

#[test]
fn deletes_are_allowed_under_either_name() {
    accepted("[registry]\nstorage_delete_enabled = false\n").has(
        "registry.storage.delete.enabled",
        json!(false),
        json!("registry.storage_delete_enabled"),
    );
    accepted("[registry.storage.delete]\nenabled = false\n").has(
        "registry.storage.delete.enabled",
        json!(false),
        json!(2),
    );
}

#[test]
fn an_account_has_names_and_ids() {
    let text = "[registry]\nusername = \"docker\"\ngroup = \"_docker-1\"\nuid = 1001\ngid = 1002\nshell = \"/bin/false\"\n\n[manage_accounts]\nenable = false\n\n[manage_storage_directories]\nenable = false\n";
    shown(&World::with(text)).has("registry.uid", json!(1001), json!(4)).has(
        "manage_accounts.enable",
        json!(false),
        json!(9),
    );
}

#[test]
fn what_is_off_anyway_can_be_said() {
    let text = "[registry]\nhealth_storagedriver_enabled = false\nvalidation_enabled = false\ncompatibility_schema1_enabled = false\n\n[registry.database]\nenabled = false\n\n[letsencrypt]\nenable = false\n";
    accepted(text).has("letsencrypt.enable", json!(false), json!(10));
}

#[test]
fn schema_1_is_switched_on_with_a_key_of_its_own() {
    let text = "[registry]\ncompatibility_schema1_enabled = true\n\n[registry.compatibility.schema1]\nsigningkeyfile = \"etc/regctl/schema1.pem\"\n";
    accepted(text).has("registry.compatibility_schema1_enabled", json!(true), json!(2)).has(
        "registry.compatibility.schema1.signingkeyfile",
        json!("etc/regctl/schema1.pem"),
        json!(5),
    );
}

#[test]
fn fields_of_the_log_are_merged_and_false_removes_one() {
    let text = "[registry.log]\nfields = { environment = false, site = \"berlin\", rack = 7 }\n\n[registry.log.accesslog]\ndisabled = true\n";
    let fields = json!({ "service": "registry", "site": "berlin", "rack": "7" });
    accepted(text).has("registry.log.fields", fields, json!(2)).has(
        "registry.log.accesslog.disabled",
        json!(true),
        json!(5),
    );
}

#[test]
fn answers_have_headers_of_their_own() {
    let text = "[registry.http]\nheaders = { X-One = [\"a\", \"b\"], x-content-type-options = false }\n\n[registry.http.h2c]\nenabled = true\n";
    accepted(text).has("registry.http.headers", json!({ "X-One": ["a", "b"] }), json!(2)).has(
        "registry.http.h2c.enabled",
        json!(true),
        json!(5),
    );
}

#[test]
fn the_old_name_of_the_vhost_is_taken_with_a_warning() {
    warned(
        "registry_external_url = \"http://localhost:8080\"\n[registry_nginx]\nenable = true\n",
        "2:1: [registry_nginx] is the old name of [registry.nginx]\n  hint: write [registry.nginx]",
    );
}

#[test]
fn settings_of_tls_without_tls_are_pointed_out() {
    warned(
        "registry_external_url = \"http://localhost:8080\"\n[registry.nginx]\nenable = true\nredirect_http_to_https = true\nssl_protocols = \"TLSv1.3\"\n",
        "4:26: `registry.nginx.redirect_http_to_https = true` does nothing: nginx does not end TLS\n  hint: remove it, or let nginx end TLS\n5:17: `registry.nginx.ssl_protocols = \"TLSv1.3\"` does nothing: nginx does not end TLS\n  hint: remove it, or let nginx end TLS",
    );
}

#[test]
fn a_vhost_without_a_url_is_pointed_out() {
    warned(
        "[registry.nginx]\nlisten_port = 80\n",
        "2:15: `registry.nginx.listen_port = 80` does nothing: without a URL there is no vhost\n  hint: set registry_external_url, above the first [table]",
    );
}

#[test]
fn a_header_that_nobody_may_send_is_pointed_out() {
    warned(
        "registry_external_url = \"http://localhost:8080\"\n[registry.nginx]\nenable = true\nreal_ip_header = \"X-Real-IP\"\n",
        "4:18: `registry.nginx.real_ip_header = \"X-Real-IP\"` does nothing: no proxy is trusted to send it\n  hint: set real_ip_trusted_addresses",
    );
}

#[test]
fn authorities_that_verify_nobody_are_pointed_out() {
    warned(
        "registry_external_url = \"https://localhost\"\n[registry.nginx]\nenable = true\nssl_client_certificate = \"/etc/ssl/clients.pem\"\n",
        "4:26: `registry.nginx.ssl_client_certificate = \"/etc/ssl/clients.pem\"` does nothing: no client is asked for a certificate\n  hint: set ssl_verify_client",
    );
}
