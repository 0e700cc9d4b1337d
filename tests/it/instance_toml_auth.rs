//! Who may do what, in `instance.toml`: good files, bad ones, and settings that would do nothing.

use std::fs;

use serde_json::json;

use super::{
    instance_toml::refused,
    instance_toml_good::{accepted, warned},
    support::{
        World,
        certificate::{Certified, date},
    },
};

#[test]
fn gitlab_needs_no_more_than_its_url() {
    let settings = accepted("external_url = \"https://gitlab.example.com\"\n");
    let token = |name: &str| format!("registry.auth.token.{name}");
    settings
        .has(&token("realm"), json!("https://gitlab.example.com/jwt/auth"), json!("external_url"))
        .has(&token("service"), json!("container_registry"), json!("external_url"))
        .has(
            &token("issuer"),
            json!("omnibus-gitlab-issuer"),
            json!("gitlab_rails.registry_issuer"),
        )
        .has(
            &token("rootcertbundle"),
            json!("var/opt/regctl/registry/token.crt"),
            json!("external_url"),
        )
        .lacks("registry.auth.htpasswd.path");
}

#[test]
fn a_realm_of_its_own_wins_over_the_url_of_gitlab() {
    accepted(
        "external_url = \"https://gitlab.example.com\"\n[registry]\ntoken_realm = \"https://example.com/gitlab/\"\nautoredirect = true\nrootcertbundle = \"/etc/ssl/gitlab.crt\"\n[gitlab_rails]\nregistry_issuer = \"us\"\n",
    )
    .has(
        "registry.auth.token.realm",
        json!("https://example.com/gitlab/jwt/auth"),
        json!("registry.token_realm"),
    )
    .has("registry.auth.token.autoredirect", json!(true), json!("registry.autoredirect"))
    .has("registry.auth.token.autoredirectpath", json!("/jwt/auth"), json!("registry.token_realm"))
    .has(
        "registry.auth.token.rootcertbundle",
        json!("/etc/ssl/gitlab.crt"),
        json!("registry.rootcertbundle"),
    )
    .has("registry.auth.token.issuer", json!("us"), json!("gitlab_rails.registry_issuer"));
}

#[test]
fn users_in_a_file_open_a_url_to_the_network() {
    accepted(
        "registry_external_url = \"https://registry.example.com\"\n[registry.auth.htpasswd]\n",
    )
    .has("registry.auth.htpasswd.realm", json!("Registry"), json!(null))
    .has("registry.auth.htpasswd.path", json!("etc/regctl/htpasswd"), json!(null))
    .lacks("registry.auth.token.autoredirect");
}

#[test]
fn another_server_issues_tokens_by_its_own_table() {
    accepted(
        "[registry]\nregistry_http_addr = \":5000\"\n[registry.auth.token]\nrealm = \"https://auth.example.com/token/\"\nservice = \"registry\"\nissuer = \"auth\"\njwks = \"etc/regctl/keys.json\"\nsigningalgorithms = [\"ES256\", \"EdDSA\"]\n",
    )
    .has("registry.auth.token.realm", json!("https://auth.example.com/token/"), json!(4))
    .has("registry.auth.token.signingalgorithms", json!(["ES256", "EdDSA"]), json!(8))
    .lacks("registry.auth.token.rootcertbundle");
}

#[test]
fn a_test_double_serves_loopback() {
    accepted("[registry.auth.silly]\nrealm = \"r\"\nservice = \"s\"\n").has(
        "registry.auth.silly.realm",
        json!("r"),
        json!(2),
    );
}

#[test]
fn a_test_double_is_no_door_to_the_network() {
    refused(
        r#"[registry]
registry_http_addr = "0.0.0.0:5000"

[registry.auth.silly]
realm = "r"
service = "s"
"#,
        r#"2:22: `registry.registry_http_addr = "0.0.0.0:5000"`: anyone who reaches this address could read, push and delete
  hint: [registry.auth.silly] lets everybody in who sends an Authorization header: write [registry.auth.htpasswd] instead, or listen on 127.0.0.1"#,
    );
}

#[test]
fn users_come_in_one_way() {
    refused(
        r#"external_url = "https://gitlab.example.com"

[registry.auth.htpasswd]
realm = "Registry"
"#,
        r#"3:1: [registry.auth.htpasswd] is a second way to let users in: line 1 already has `external_url = "https://gitlab.example.com"`
  hint: there is one: GitLab's tokens (external_url, token_realm) or one table of [registry.auth]; remove the others"#,
    );
}

#[test]
fn every_way_but_the_first_is_one_too_many() {
    refused(
        r#"[registry]
token_realm = "https://gitlab.example.com"

[registry.auth]
none = true

[registry.auth.silly]
realm = "r"
service = "s"
"#,
        r#"5:8: `registry.auth.none = true` is a second way to let users in: line 2 already has `registry.token_realm = "https://gitlab.example.com"`
  hint: there is one: GitLab's tokens (external_url, token_realm) or one table of [registry.auth]; remove the others
7:1: [registry.auth.silly] is a second way to let users in: line 2 already has `registry.token_realm = "https://gitlab.example.com"`
  hint: there is one: GitLab's tokens (external_url, token_realm) or one table of [registry.auth]; remove the others"#,
    );
}

#[test]
fn a_table_of_tokens_says_everything() {
    refused(
        r#"[registry.auth.token]
realm = "https://auth.example.com/token"
"#,
        r#"1:1: [registry.auth.token] needs `issuer`
  hint: it has no default
1:1: [registry.auth.token] needs `rootcertbundle`
  hint: nothing verifies tokens: name the issuer's certificate, or its keys as `jwks`
1:1: [registry.auth.token] needs `service`
  hint: it has no default"#,
    );
}

#[test]
fn a_url_of_gitlab_has_a_scheme_and_no_query() {
    refused(
        r#"external_url = "gitlab.example.com"

[registry]
token_realm = "https://gitlab.example.com/?from=registry"
"#,
        r#"1:16: `external_url = "gitlab.example.com"`: must be a URL that starts with http:// or https://
4:15: `registry.token_realm = "https://gitlab.example.com/?from=registry"`: must be a URL such as "https://gitlab.example.com" or "https://example.com/gitlab", without a query"#,
    );
}

#[test]
fn tokens_are_signed_as_the_registry_can_verify() {
    refused(
        r#"[registry.auth.token]
realm = "https://auth.example.com/token"
service = "registry"
issuer = "auth"
jwks = "keys.json"
signingalgorithms = ["HS256", "ES256", "ES256"]
"#,
        r#"6:22: `registry.auth.token.signingalgorithms = "HS256"`: must be one of "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"
6:40: `registry.auth.token.signingalgorithms = "ES256"`: must be listed only once"#,
    );
}

#[test]
fn a_realm_can_stand_in_a_header() {
    refused(
        "[registry.auth.htpasswd]\nrealm = \"Bücher\"\n",
        r#"2:9: `registry.auth.htpasswd.realm = "Bücher"`: must be visible ASCII on one line, and not empty"#,
    );
}

#[test]
fn one_setting_has_one_name() {
    refused(
        r#"[registry]
rootcertbundle = "a.crt"

[registry.auth.token]
realm = "https://auth.example.com/token"
service = "registry"
issuer = "auth"
rootcertbundle = "b.crt"
"#,
        r#"2:18: `registry.rootcertbundle = "a.crt"` sets what `registry.auth.token.rootcertbundle` on line 8 sets already
  hint: remove one of the two"#,
    );
}

#[test]
fn half_a_pair_is_completed_by_nobody() {
    let Certified { certificate, .. } = Certified::new(&[]);
    let text = format!(
        "external_url = \"https://gitlab.example.com\"\n[registry]\ninternal_certificate = '''\n{certificate}'''\n"
    );
    let ran = World::with(&text).run(&["check-config"]);
    assert_eq!(ran.exit, 78);
    let says = "` is set without `registry.internal_key`\n  hint: they are one pair: set both, or neither for a generated pair\n";
    assert!(ran.stdout.contains(says), "{}", ran.stdout);
}

/// A file with a pair in it, whose certificate begins on line 10.
fn with_pair(pair: &Certified) -> String {
    let Certified { key, certificate } = pair;
    format!(
        "external_url = \"https://gitlab.example.com\"\n[registry]\ninternal_key = '''\n{key}'''\ninternal_certificate = '''\n{certificate}'''\n"
    )
}

/// Where the certificate stands in such a file.
const AT: &str = "10:24";

#[test]
fn a_good_pair_is_taken_from_the_file() {
    accepted(&with_pair(&Certified::new(&[]))).has(
        "registry.internal_key",
        json!("[redacted]"),
        json!(3),
    );
}

#[test]
fn a_certificate_of_another_key_is_refused_with_both_names() {
    let strangers =
        Certified { key: Certified::new(&[]).key, certificate: Certified::new(&[]).certificate };
    refused(
        &with_pair(&strangers),
        &format!(
            "{AT}: `registry.internal_certificate` is not the certificate of `registry.internal_key`: their public keys differ\n  hint: set both halves of one pair, or neither for a generated one"
        ),
    );
}

#[test]
fn a_certificate_outside_of_its_dates_is_refused_with_both_names() {
    for (days, says) in [
        (-20..-10, format!("expired on {}", date(-10))),
        (10..20, format!("is not valid before {}", date(10))),
    ] {
        refused(
            &with_pair(&Certified::within(&[], days)),
            &format!(
                "{AT}: `registry.internal_certificate`, of `registry.internal_key`, {says}\n  hint: set both halves of one pair, or neither for a generated one"
            ),
        );
    }
}

#[test]
fn a_certificate_near_its_end_is_pointed_out() {
    warned(
        &with_pair(&Certified::within(&[], -1..10)),
        &format!(
            "{AT}: `registry.internal_certificate` expires on {}\n  hint: make a new pair, and give GitLab its key",
            date(10)
        ),
    );
}

#[test]
fn what_only_looks_like_a_pair_is_refused_with_both_names() {
    let pair = Certified::new(&[]);
    let damaged = |text: &str| text.replace("MI", "!!");
    let certificate = damaged(&pair.certificate);
    refused(
        &with_pair(&Certified { key: pair.key.clone(), certificate }),
        &format!(
            "{AT}: `registry.internal_certificate`, for `registry.internal_key`, is no certificate in PEM\n  hint: set both halves of one pair, or neither for a generated one"
        ),
    );
    refused(
        &with_pair(&Certified { key: damaged(&pair.key), certificate: pair.certificate }),
        &format!(
            "{AT}: `registry.internal_key`, for `registry.internal_certificate`, is no private key in PEM\n  hint: set both halves of one pair, or neither for a generated one"
        ),
    );
}

#[test]
fn a_pair_in_files_is_named_by_them() {
    let world = World::with(
        "external_url = \"https://gitlab.example.com\"\n[registry]\ninternal_key_file = \"etc/regctl/token.key\"\ninternal_certificate_file = \"etc/regctl/token.crt\"\n",
    );
    fs::write(world.path("etc/regctl/token.crt"), Certified::new(&[]).certificate).unwrap();
    let key = world.path("etc/regctl/token.key");
    fs::write(&key, Certified::new(&[]).key).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let ran = world.run(&["check-config"]);
    let says = "4:29: `registry.internal_certificate_file = \"etc/regctl/token.crt\"` is not the certificate of `registry.internal_key_file = \"etc/regctl/token.key\"`: their public keys differ\n";
    assert!(ran.exit == 78 && ran.stdout.contains(says), "{}", ran.stdout);
}

#[test]
fn settings_of_tokens_without_tokens_are_pointed_out() {
    warned(
        "[registry]\nautoredirect = true\n\n[gitlab_rails]\nregistry_issuer = \"us\"\nregistry_key_path = \"/srv/key\"\n",
        r#"2:16: `registry.autoredirect = true` does nothing: GitLab issues no tokens for this registry
  hint: set external_url, above the first [table]
5:19: `gitlab_rails.registry_issuer = "us"` does nothing: GitLab issues no tokens for this registry
  hint: set external_url, above the first [table]
6:21: `gitlab_rails.registry_key_path = "/srv/key"` does nothing: GitLab issues no tokens for this registry
  hint: set external_url, above the first [table]"#,
    );
}

#[test]
fn a_group_of_no_file_is_pointed_out() {
    warned(
        "external_url = \"https://gitlab.example.com\"\n[gitlab_rails]\nregistry_key_group = \"git\"\n",
        "3:22: `gitlab_rails.registry_key_group = \"git\"` does nothing: no key is written\n  hint: set registry_key_path",
    );
}
