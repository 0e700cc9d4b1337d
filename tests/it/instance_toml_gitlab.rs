//! The examples of GitLab's guide for administrators of a registry, translated: each says what it said in gitlab.rb, is
//! rendered as `config.yml` and accepted, or is refused by name.

use std::fs;

use super::{
    instance_toml::refused,
    instance_toml_good::{accepted, warned},
    support::{World, certificate::Certified},
};

/// Renders a file of which nothing is complained, and looks for lines in what it would write.
#[track_caller]
fn rendered(instance_toml: &str, lines: &[&str]) {
    accepted(instance_toml);
    let world = World::with(instance_toml);
    for host in ["registry.gitlab.example.com", "gitlab.example.com", "wildcard"] {
        certify(&world, host);
    }
    let ran = world.run(&["reconfigure", "--dry-run"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    for line in lines {
        let line = format!("\n+{line}\n");
        assert!(ran.stdout.contains(&line), "no `{line}` in:\n{}", ran.stdout);
    }
}

fn certify(world: &World, host: &str) {
    let name = if host == "wildcard" { "*.gitlab.example.com" } else { host };
    let pair = Certified::new(&[name]);
    fs::create_dir_all(world.path("etc/regctl/ssl")).unwrap();
    for (end, text) in [("crt", pair.certificate), ("key", pair.key)] {
        fs::write(world.path(&format!("etc/regctl/ssl/{host}.{end}")), text).unwrap();
    }
}

const NONE: &str = "[registry.auth]\nnone = true\n";

#[test]
fn a_registry_under_an_existing_gitlab_domain() {
    // registry_external_url 'https://gitlab.example.com:5050'
    let text = format!("registry_external_url = \"https://gitlab.example.com:5050\"\n{NONE}");
    rendered(&text, &["  listen *:5050 ssl;", "  server_name gitlab.example.com;"]);
}

#[test]
fn a_registry_under_its_own_domain() {
    // registry_external_url 'https://registry.gitlab.example.com'
    let text = format!("registry_external_url = \"https://registry.gitlab.example.com\"\n{NONE}");
    rendered(&text, &["  listen *:443 ssl;", "  server_name registry.gitlab.example.com;"]);
}

#[test]
fn a_wildcard_certificate() {
    // registry_nginx['ssl_certificate'] = "/etc/gitlab/ssl/certificate.pem"
    let text = format!(
        r#"registry_external_url = "https://registry.gitlab.example.com"
[registry.nginx]
ssl_certificate = "etc/regctl/ssl/wildcard.crt"
ssl_certificate_key = "etc/regctl/ssl/wildcard.key"
{NONE}"#
    );
    rendered(&text, &["  listen *:443 ssl;"]);
}

#[test]
fn a_registry_that_is_disabled() {
    // registry['enable'] = false
    rendered("[registry]\nenable = false\n", &["version: 0.1"]);
}

#[test]
fn a_registry_whose_tokens_gitlab_issues() {
    // external_url 'https://gitlab.example.com'
    let text = r#"external_url = "https://gitlab.example.com"
registry_external_url = "https://registry.gitlab.example.com"
"#;
    let realm = "    realm: \"https://gitlab.example.com/jwt/auth\"";
    rendered(text, &["  token:", realm, "    service: \"container_registry\""]);
}

#[test]
fn another_folder_for_images() {
    // gitlab_rails['registry_path'] = "/path/to/registry/storage"
    let text = "[gitlab_rails]\nregistry_path = \"/path/to/registry/storage\"\n";
    rendered(text, &["    rootdirectory: \"/path/to/registry/storage\""]);
}

#[test]
fn a_registry_that_takes_no_pushes_while_garbage_is_collected() {
    // registry['storage'] = { 'filesystem' => …, 'maintenance' => { 'readonly' => { 'enabled' => true } } }
    let text = r#"[registry.storage.filesystem]
rootdirectory = "/var/lib/registry"
[registry.storage.maintenance.readonly]
enabled = true
"#;
    rendered(text, &["    rootdirectory: \"/var/lib/registry\"", "      enabled: true"]);
}

#[test]
fn uploads_that_are_given_up_are_purged_otherwise() {
    // 'maintenance' => { 'uploadpurging' => { 'enabled' => true, 'age' => "168h", 'interval' => "24h", … } }
    let text = r#"[registry.storage.maintenance.uploadpurging]
enabled = true
age = "168h"
interval = "24h"
dryrun = false
"#;
    rendered(text, &["      age: 168h", "      interval: 24h"]);
}

#[test]
fn blobs_come_through_the_registry() {
    // registry['storage'] = { …, 'redirect' => { 'disable' => true } }
    let text = r#"[registry.storage.filesystem]
rootdirectory = "/var/lib/registry"
[registry.storage.redirect]
disable = true
"#;
    rendered(
        text,
        &["    rootdirectory: \"/var/lib/registry\"", "  redirect:", "    disable: true"],
    );
}

#[test]
fn blobs_come_from_cloudfront() {
    // registry['middleware'] = { 'storage' => [{ 'name' => 'cloudfront', 'options' => { … } }] }
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("cdn.pem");
    fs::write(&key, Certified::new(&["cdn"]).key).unwrap();
    let text = format!(
        r#"[registry.middleware]
storage = [{{ name = "cloudfront", options = {{ baseurl = "https://d1.example.com", privatekey = "{}", keypairid = "APKA1" }} }}]
"#,
        key.display()
    );
    rendered(&text, &["    - name: \"cloudfront\""]);
}

#[test]
fn another_internal_port() {
    // registry['registry_http_addr'] = "localhost:5005"
    let text = "[registry]\nregistry_http_addr = \"localhost:5005\"\n";
    rendered(text, &["  addr: \"localhost:5005\""]);
}

#[test]
fn relative_urls_by_the_environment() {
    // registry['env'] = { "REGISTRY_HTTP_RELATIVEURLS" => true }
    let text = "[registry]\nenv = { REGISTRY_HTTP_RELATIVEURLS = true }\n";
    rendered(text, &["      \"REGISTRY_HTTP_RELATIVEURLS\": \"[redacted]\""]);
}

#[test]
fn tls_is_ended_by_somebody_elses_proxy() {
    // registry_nginx['listen_port'] = 80; registry_nginx['listen_https'] = false
    // registry_nginx['proxy_set_headers'] = { "X-Forwarded-Proto" => "https", "X-Forwarded-Ssl" => "on" }
    let text = format!(
        r#"registry_external_url = "https://registry.gitlab.example.com"
[registry.nginx]
listen_port = 80
listen_https = false
proxy_set_headers = {{ Host = "$http_host", X-Real-IP = "$remote_addr", X-Forwarded-For = "$proxy_add_x_forwarded_for", X-Forwarded-Proto = "https", X-Forwarded-Ssl = "on" }}
{NONE}"#
    );
    rendered(&text, &["  listen *:80;", "    proxy_set_header X-Forwarded-Proto \"https\";"]);
}

#[test]
fn a_registry_whose_secret_several_nodes_share() {
    // registry['http_secret'] = "…"; registry['log_formatter'] = "json"
    let text = "[registry]\nhttp_secret = \"0123456789abcdef0123456789abcdef\"\nlog_formatter = \"json\"\n";
    rendered(text, &["  secret: \"[redacted]\"", "  formatter: \"json\""]);
}

#[test]
fn images_in_a_bucket_of_s3() {
    // registry['storage'] = { 's3' => { 'accesskey' => …, 'secretkey' => …, 'bucket' => …, … } }
    rendered(
        r#"[registry.storage.s3]
accesskey = "s3-access-key"
secretkey = "s3-secret-key-for-access-key"
bucket = "your-s3-bucket"
region = "your-s3-region"
regionendpoint = "https://your-s3-regionendpoint"
"#,
        &[
            "  s3:",
            "    accesskey: \"s3-access-key\"",
            "    bucket: \"your-s3-bucket\"",
            "    regionendpoint: \"https://your-s3-regionendpoint\"",
            "    secretkey: \"[redacted]\"",
        ],
    );
}

#[test]
fn images_in_a_bucket_whose_tables_are_written_in_one() {
    refused(
        "[registry]\nstorage = { s3 = { bucket = \"your-s3-bucket\", encrypt = true, keyid = \"key\" } }\n",
        r#"2:18: `registry.storage.s3.region`: missing, and there is no `regionendpoint`
  hint: write the bucket's, such as `eu-central-1`, or a `regionendpoint`"#,
    );
}

#[test]
fn images_in_azure_and_in_gcs() {
    refused(
        "[registry.storage.azure]\naccountname = \"default\"\naccountkey = \"a2V5\"\ncontainer = \"registry\"\n",
        r#"2:1: `registry.storage.azure.accountname` (the account) is not supported yet
3:1: `registry.storage.azure.accountkey` (its key) is not supported yet
4:1: `registry.storage.azure.container` (the container) is not supported yet"#,
    );
    refused(
        "[registry.storage.gcs]\nbucket = \"<your_bucket_name>\"\nkeyfile = \"/etc/gcs.json\"\n",
        r#"2:1: `registry.storage.gcs.bucket` (the bucket) is not supported yet
3:1: `registry.storage.gcs.keyfile` (the service account's key) is not supported yet"#,
    );
}

#[test]
fn a_webhook_with_a_list_of_headers() {
    // registry['notifications'] = [ { 'name' => 'test_endpoint', 'headers' => { "Authorization" => [ … ] } } ]
    warned(
        r#"[registry]
default_notifications_timeout = "500ms"
default_notifications_threshold = 5
default_notifications_backoff = "1s"
default_notifications_headers = { "Authorization" = ["AUTHORIZATION_EXAMPLE_TOKEN"] }
[[registry.notifications]]
name = "test_endpoint"
url = "https://gitlab.example.com/notify2"
timeout = "500ms"
threshold = 5
backoff = "1s"
headers = { Authorization = ["AUTHORIZATION_EXAMPLE_TOKEN"], X-More = "one" }
"#,
        r#"3:35: `registry.default_notifications_threshold` is the old name of `registry.default_notifications_maxretries`
  hint: write default_notifications_maxretries
6:1: `threshold` of endpoint `test_endpoint` is the old name of `maxretries`
  hint: write maxretries"#,
    );
}

#[test]
fn schema_1_beside_the_debug_server_and_the_probe_of_the_storage() {
    // registry['debug_addr'] = "localhost:5001"; registry['compatibility_schema1_enabled'] = true
    accepted(
        r#"[registry]
debug_addr = "localhost:5001"
health_storagedriver_enabled = true
compatibility_schema1_enabled = true
"#,
    );
}

#[test]
fn authorities_of_a_redis_mean_tls_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, Certified::new(&["redis"]).certificate).unwrap();
    let authority = authority.display();
    let redis = "[registry.storage.cache]\nblobdescriptor = \"redis\"\n[registry.redis]\naddr = \"redis.example.com:6379\"\n";
    let tls = format!("{redis}[registry.redis.tls]\nrootcas = [\"{authority}\"]\n");
    rendered(&tls, &[&format!("  tls: {{\"enabled\":true,\"rootcas\":[\"{authority}\"]}}")]);
}

#[test]
fn a_redis_that_registries_share() {
    // registry['storage'] = { …, 'cache' => { 'blobdescriptor' => 'redis' } }
    let text = r#"[registry.storage.cache]
blobdescriptor = "redis"
[registry.redis]
addr = "redis.example.com:6379"
password = "short"
db = 1
readtimeout = "10ms"
"#;
    let lines = [
        "    blobdescriptor: \"redis\"",
        "  addr: \"redis.example.com:6379\"",
        "  addrs: [\"redis.example.com:6379\"]",
        "  password: \"[redacted]\"",
        "  db: 1",
        "  readtimeout: 10ms",
    ];
    rendered(text, &lines);
    refused(
        "[registry.storage.cache]\nblobdescriptor = \"redis\"\n",
        r#"2:18: `registry.storage.cache.blobdescriptor = "redis"` needs `registry.redis.addr` too
  hint: write `addr = "redis.example.com:6379"` in [registry.redis]"#,
    );
    refused(
        "[registry.redis]\naddr = \"redis.example.com\"\n",
        r#"2:8: `registry.redis.addr = "redis.example.com"`: must be a host and a port
  hint: write `addr = "redis.example.com:6379"`"#,
    );
}

#[test]
fn the_password_of_another_registry_has_any_length() {
    let text = r#"[registry.proxy]
remoteurl = "https://registry.example.com"
username = "reader"
password = "x"
"#;
    rendered(text, &["  username: \"reader\"", "  password: \"[redacted]\""]);
    refused(
        &text.replace("\"x\"", "\"\""),
        r#"4:12: `registry.proxy.password = [redacted]`: must be a string on one line, and not empty"#,
    );
}

#[test]
fn promises_and_keys_of_tokens_by_url() {
    let text = r#"[registry]
lease = "2h"
[registry.auth.token]
realm = "https://auth.example.com/token"
service = "registry"
issuer = "auth"
jwks = "https://auth.example.com/keys"
"#;
    rendered(text, &["  lease: 2h", "    jwks: \"https://auth.example.com/keys\""]);
    refused(
        "[registry]\nlease = \"0s\"\n",
        r#"2:9: `registry.lease = "0s"`: must be longer than nothing
  hint: an hour is longer than most pushes take: remove it"#,
    );
}
