//! What surrounds the registry in `instance.toml`: health checks, the debug server, redirects, the access log.

use serde_json::json;

use super::{
    instance_toml::refused,
    instance_toml_good::{accepted, warned},
    support::World,
};

const CHECKS: &str = r#"[registry.health.storagedriver]
enabled = true
interval = "30s"
threshold = 5

[[registry.health.file]]
file = "maintenance"
interval = "1s"

[[registry.health.http]]
uri = "https://probe:word@status.example.com/ready"
headers = { Authorization = "Bearer word", Accept = ["text/plain", "*/*"] }
statuscode = 204
timeout = "500ms"
threshold = 2

[[registry.health.tcp]]
addr = "db.example.com:5432"
timeout = "2s"
"#;

/// Applies a file; checks that a block stands in its `config.yml`, and returns what `--dry-run` said of it.
fn rendered(instance_toml: &str, block: &str) -> String {
    let world = World::with(instance_toml);
    let told = world.run(&["reconfigure", "--dry-run"]);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let root = world.root().canonicalize().unwrap().display().to_string();
    let text = world.read("var/opt/regctl/registry/config.yml").replace(&root, "[ROOT]");
    assert!(text.contains(block), "{text}");
    told.stdout
}

#[test]
fn health_checks_of_every_kind_reach_config_yml() {
    let told = rendered(
        CHECKS,
        r#"
health:
  storagedriver:
    enabled: true
    interval: 30s
    threshold: 5
  file:
    - file: "[ROOT]/maintenance"
      interval: 1s
  http:
    - uri: "https://probe:word@status.example.com/ready"
      headers: {"Accept":["text/plain","*/*"],"Authorization":["Bearer word"]}
      statuscode: 204
      timeout: 500ms
      threshold: 2
  tcp:
    - addr: "db.example.com:5432"
      timeout: 2s
"#,
    );
    assert!(told.contains("status.example.com") && !told.contains("word@"), "{told}");
    assert!(!told.contains("Bearer word"), "{told}");
}

#[test]
fn health_checks_are_shown_without_their_secrets() {
    let world = World::with(CHECKS);
    let shown = world.run(&["show-config"]).stdout;
    assert!(shown.contains("db.example.com:5432") && shown.contains("[redacted]"), "{shown}");
    assert!(!shown.contains("Bearer word") && !shown.contains(":word@"), "{shown}");
}

#[test]
fn the_probe_of_the_storage_has_two_names() {
    let text = "[registry]\nhealth_storagedriver_enabled = true\n";
    let key = "registry.health.storagedriver.enabled";
    accepted(text).has(key, json!(true), json!("registry.health_storagedriver_enabled"));
    let twice = format!("{text}[registry.health.storagedriver]\nenabled = false\n");
    let message = "2:32: `registry.health_storagedriver_enabled = true` is ignored: line 4 sets \
        `registry.health.storagedriver.enabled`\n  hint: remove one of the two";
    warned(&twice, message);
}

#[test]
fn a_check_names_what_it_looks_at() {
    refused(
        "[[registry.health.tcp]]\ntimeout = \"1s\"\n\n[[registry.health.http]]\nuri = \"status.example.com\"\nstatuscode = 99\nintervall = \"1s\"\n",
        r#"1:1: `registry.health.tcp.addr = [[registry.health.tcp]]`: must be written: it cannot do without
5:7: `registry.health.http.uri = [redacted]`: must be a URL that begins with http:// or https://
6:14: `registry.health.http.statuscode = 99`: must be a status from 100 to 999
7:13: `registry.health.http.intervall = "1s"`: must be one of uri, headers, statuscode, timeout, interval, threshold
  hint: did you mean `interval`?"#,
    );
}

#[test]
fn the_debug_server_says_where_its_metrics_are() {
    rendered(
        "[registry.http.debug]\naddr = \"127.0.0.1:5001\"\n[registry.http.debug.prometheus]\npath = \"/numbers\"\n",
        "\n  debug:\n    addr: \"127.0.0.1:5001\"\n    prometheus:\n      enabled: true\n      path: /numbers\n",
    );
    rendered(
        "[registry]\ndebug_addr = \"127.0.0.1:5001\"\n[registry.http.debug.prometheus]\nenabled = false\n",
        "\n  debug:\n    addr: \"127.0.0.1:5001\"\n",
    );
}

#[test]
fn the_debug_server_has_whole_pairs_and_a_port_of_its_own() {
    refused(
        "[registry.http.debug]\naddr = \"127.0.0.1:5000\"\n[registry.http.debug.tls]\nkey = \"debug.key\"\n",
        r#"2:8: `registry.http.debug.addr = "127.0.0.1:5000"`: the registry itself listens at this port
  hint: write another port, such as 5001
4:7: `registry.http.debug.tls.key = "debug.key"` goes with `certificate`
  hint: write `certificate` in [registry.http.debug.tls], too"#,
    );
}

#[test]
fn clients_are_sent_elsewhere_by_one_middleware() {
    rendered(
        r#"[[registry.middleware.storage]]
name = "cloudfront"
disabled = true
options = { baseurl = "https://d1.example.com", privatekey = "cdn.pem", keypairid = "APKA1", duration = "1h" }

[[registry.middleware.storage]]
name = "redirect"
options = { baseurl = "https://mirror.example.com/registry" }

[registry.storage.redirect]
disable = false
"#,
        r#"
middleware:
  storage:
    - name: "cloudfront"
      disabled: true
      options: {"baseurl":"https://d1.example.com","duration":"1h","keypairid":"APKA1","privatekey":"[ROOT]/cdn.pem"}
    - name: "redirect"
      options: {"baseurl":"https://mirror.example.com/registry"}
"#,
    );
}

#[test]
fn a_middleware_has_what_it_needs() {
    refused(
        r#"[[registry.middleware.storage]]
name = "cloudfront"
options = { baseurl = "https://d1.example.com", keypairid = "APKA1", duration = "1ms" }

[[registry.middleware.storage]]
name = "redirect"
options = { baseurl = "https://mirror.example.com" }
"#,
        r#"3:11: `registry.middleware.storage.options.duration`: must be a second or more
  hint: remove it: 20 minutes are usual
3:11: `registry.middleware.storage.options.privatekey` is missing: `cloudfront` signs its URLs
  hint: write it, or `name = "redirect"` for URLs that are not signed
5:1: `registry.middleware.storage`: line 1 sends clients elsewhere already
  hint: write `disabled = true` in one of them"#,
    );
}

#[test]
fn a_base_has_a_plain_path_and_a_key_pair_a_plain_name() {
    refused(
        r#"[[registry.middleware.storage]]
name = "cloudfront"
options = { baseurl = "https://d1.example.com/a%20b", privatekey = "cdn.pem", keypairid = "AP-KA" }

[[registry.middleware.storage]]
name = "redirect"
disabled = true
options = { baseurl = "https://mirror.example.com/a/../b" }
"#,
        r#"3:11: `registry.middleware.storage.options.baseurl`: must be scheme, host, port and a plain path
  hint: letters, digits and `-._~` may stand between the slashes
3:11: `registry.middleware.storage.options.keypairid`: must be letters and digits
  hint: write it as CloudFront shows it
8:11: `registry.middleware.storage.options.baseurl`: must be scheme, host, port and a plain path
  hint: letters, digits and `-._~` may stand between the slashes"#,
    );
    refused(
        "[registry.proxy]\nremoteurl = \"https://registry.example.com/a:b\"\n",
        r#"2:13: `registry.proxy.remoteurl = "https://registry.example.com/a:b"`: must be scheme, host, port and a plain path
  hint: letters, digits and `-._~` may stand between the slashes"#,
    );
}

#[test]
fn metrics_are_where_nothing_else_is() {
    for path in ["/", "/debug/vars"] {
        let text = format!(
            "[registry.http.debug]\naddr = \"127.0.0.1:5001\"\n[registry.http.debug.prometheus]\npath = \"{path}\"\n"
        );
        let said = format!(
            "4:8: `registry.http.debug.prometheus.path = \"{path}\"`: something else is there\n  hint: write \"/metrics\", or remove it"
        );
        refused(&text, &said);
    }
}

#[test]
fn a_middleware_is_one_that_exists() {
    refused(
        "[[registry.middleware.storage]]\nname = \"rewrite\"\noptions = { baseurl = 1 }\n",
        r#"2:8: `registry.middleware.storage.name = "rewrite"`: must be one of "redirect", "cloudfront"
3:23: `registry.middleware.storage.options.baseurl = 1`: must be a string in quotes"#,
    );
}

#[test]
fn the_access_log_may_be_json() {
    rendered(
        "[registry.log.accesslog]\nformatter = \"json\"\n",
        "\n  accesslog:\n    formatter: \"json\"\n",
    );
    refused(
        "[registry.log.accesslog]\nformatter = \"logstash\"\n",
        "2:13: `registry.log.accesslog.formatter = \"logstash\"`: must be one of \"text\", \"json\"",
    );
}

#[test]
fn the_log_names_its_source_and_tags_are_read_side_by_side() {
    rendered("[registry.log]\nreportcaller = true\n", "\n  reportcaller: true\n");
    rendered(
        "[registry.storage.tag]\nconcurrencylimit = 8\n",
        "\n  tag:\n    concurrencylimit: 8\n",
    );
    refused(
        "[registry.storage.tag]\nconcurrencylimit = 65536\n",
        "2:20: `registry.storage.tag.concurrencylimit = 65536`: must be a whole number from 0 to 65535",
    );
}

#[test]
fn an_index_needs_the_platforms_of_a_list() {
    let table = "[registry.validation.manifests.indexes]\n";
    let list = "platformlist = [{ architecture = \"amd64\", os = \"linux\" }]\n";
    rendered(
        &format!("{table}platforms = \"list\"\n{list}"),
        "{\"indexes\":{\"platformlist\":[{\"architecture\":\"amd64\",\"os\":\"linux\"}],\"platforms\":\"list\"}}",
    );
    refused(
        &format!("{table}platforms = \"list\"\n"),
        r#"2:13: `registry.validation.manifests.indexes.platforms = "list"` needs `registry.validation.manifests.indexes.platformlist` too
  hint: write `platformlist = [{ architecture = "amd64", os = "linux" }]`, or `platforms = "none"`"#,
    );
    warned(
        &format!("{table}{list}"),
        r#"2:16: `registry.validation.manifests.indexes.platformlist` does nothing: `platforms` is not "list"
  hint: write `platforms = "list"`, or remove it"#,
    );
}
