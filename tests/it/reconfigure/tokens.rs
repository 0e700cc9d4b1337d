//! Tokens: the pair of key and certificate, what GitLab is given, and the file of users that stands beside.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use serde_json::Value;

use super::{CONFIG_YML, SECRETS_JSON, edit, stages, touched};
use crate::support::{
    Peer, Ran, World,
    certificate::{Certified, date},
    program,
};

const TOKEN_CRT: &str = "var/opt/regctl/registry/token.crt";
const GITLAB_RB: &str = "var/opt/regctl/registry/gitlab.rb";
const GITLAB: &str = "registry_external_url = \"https://registry.example.com:5050\"\nexternal_url = \"https://gitlab.example.com\"\n[registry.nginx]\nenable = false\nlisten_https = false\n";

/// A world with this instance, applied.
fn applied(text: &str) -> (World, Ran) {
    let world = World::with(text);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    (world, ran)
}

/// The same with a key that is written for GitLab, outside of the instance's own files.
fn handing_over(more: &str) -> World {
    let world = World::with(&format!(
        "{GITLAB}[gitlab_rails]\nregistry_key_path = \"gitlab/registry.key\"\n{more}"
    ));
    fs::create_dir(world.path("gitlab")).unwrap();
    world
}

fn secret(world: &World, name: &str) -> String {
    let secrets: Value = serde_json::from_str(&world.read(SECRETS_JSON)).unwrap();
    secrets["registry"][name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn write_secrets(world: &World, text: &str) {
    fs::write(world.path(SECRETS_JSON), text).unwrap();
    chmod(&world.path(SECRETS_JSON), 0o600);
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn gitlabs_tokens_take_one_pair_that_is_made_once() {
    let (world, _) = applied(GITLAB);
    assert!(secret(&world, "internal_key").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(secret(&world, "internal_certificate"), world.read(TOKEN_CRT));
    assert_eq!((world.mode(TOKEN_CRT), world.mode(SECRETS_JSON)), (0o644, 0o600));
    let expected = format!(
        "auth:\n  token:\n    realm: \"https://gitlab.example.com/jwt/auth\"\n    service: \"container_registry\"\n    issuer: \"omnibus-gitlab-issuer\"\n    rootcertbundle: \"{}\"\n",
        world.path(TOKEN_CRT).display()
    );
    assert!(world.read(CONFIG_YML).ends_with(&expected), "{}", world.read(CONFIG_YML));
    let before = touched(&world);
    let ran = world.run(&["reconfigure"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "nothing to change\n"), "{}", ran.stderr);
    assert_eq!(touched(&world), before);
}

#[test]
fn nobody_pays_for_a_pair_that_signs_nothing() {
    let (world, _) = applied("[registry]\n");
    assert!(!world.read(SECRETS_JSON).contains("internal_key"));
    assert!(!world.path(TOKEN_CRT).exists() && !world.path(GITLAB_RB).exists());
}

#[test]
fn gitlabs_side_is_told_when_it_is_new_or_changed() {
    let (world, ran) = applied(GITLAB);
    let lines = world.read(GITLAB_RB);
    assert!(ran.stderr.replace("[ROOT]", world.root().to_str().unwrap()).contains(&lines));
    for line in [
        "registry_external_url 'https://registry.example.com:5050'",
        "registry['enable'] = false",
        "registry['internal_key'] = File.read('/var/opt/gitlab/gitlab-rails/etc/gitlab-registry.key')",
        "gitlab_rails['registry_key_path'] = '/var/opt/gitlab/gitlab-rails/etc/gitlab-registry.key'",
        "gitlab_rails['registry_enabled'] = true",
        "gitlab_rails['registry_host'] = 'registry.example.com'",
        "gitlab_rails['registry_port'] = \"5050\"",
        "gitlab_rails['registry_api_url'] = 'https://registry.example.com:5050'",
        "gitlab_rails['registry_issuer'] = 'omnibus-gitlab-issuer'",
    ] {
        assert!(lines.lines().any(|found| found == line), "no {line} in:\n{lines}");
    }
    assert!(!world.run(&["reconfigure"]).stderr.contains("gitlab_rails"));
    edit(&world, &format!("{GITLAB}[registry]\nlog_level = \"debug\"\n"));
    assert!(!world.run(&["reconfigure"]).stderr.contains("gitlab_rails"));
    edit(&world, &format!("{GITLAB}[gitlab_rails]\nregistry_issuer = \"us\"\n"));
    let ran = world.run(&["reconfigure"]);
    assert!(ran.stderr.contains("gitlab_rails['registry_issuer'] = 'us'"), "{}", ran.stderr);
}

#[test]
fn without_gitlab_its_files_go_and_the_pair_stays() {
    let (world, _) = applied(GITLAB);
    let secrets = world.read(SECRETS_JSON);
    edit(&world, "[registry]\n");
    let ran = world.run(&["reconfigure"]);
    assert!(ran.stdout.contains(&format!("removed [ROOT]/{TOKEN_CRT}\n")), "{}", ran.stdout);
    assert!(!world.path(GITLAB_RB).exists() && !world.read(CONFIG_YML).contains("auth:"));
    assert_eq!(world.read(SECRETS_JSON), secrets);
}

#[test]
fn secrets_of_an_older_version_are_completed_and_keep_what_others_wrote() {
    let world = World::with(GITLAB);
    write_secrets(
        &world,
        r#"{"registry": {"http_secret": "from-before-and-long", "mine": "hidden"}, "other": {"a": "hidden"}}"#,
    );
    let shown = world.run(&["reconfigure", "--dry-run"]);
    let ran = world.run(&["reconfigure", "--json"]);
    assert_eq!((shown.exit, ran.exit), (0, 0), "{}", ran.stderr);
    let secrets: Value = serde_json::from_str(&world.read(SECRETS_JSON)).unwrap();
    assert_eq!(secrets["registry"]["http_secret"], "from-before-and-long");
    assert_eq!(
        (&secrets["registry"]["mine"], &secrets["other"]["a"]),
        (&"hidden".into(), &"hidden".into())
    );
    assert_eq!(secret(&world, "internal_certificate"), world.read(TOKEN_CRT));
    for said in [&shown.stdout, &ran.stdout] {
        assert!(!said.contains("from-before") && !said.contains("hidden"), "{said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
}

#[test]
fn a_pair_in_the_file_wins_and_none_is_generated() {
    let Certified { key, certificate } = Certified::new(&[]);
    let text = format!(
        "{GITLAB}[registry]\ninternal_key = '''\n{key}'''\ninternal_certificate = '''\n{certificate}'''\n[gitlab_rails]\nregistry_key_path = \"registry.key\"\n"
    );
    let (world, _) = applied(&text);
    assert_eq!((world.read(TOKEN_CRT), world.read("registry.key")), (certificate, key));
    assert!(!world.read(SECRETS_JSON).contains("internal_key"));
}

#[test]
fn a_stored_pair_that_does_not_fit_is_refused_with_both_names() {
    let (one, other) = (Certified::new(&[]), Certified::new(&[]));
    let old = Certified::within(&[], -20..-10);
    let expired = format!("expired on {}", date(-10));
    for (key, certificate, says) in [
        (
            &one.key,
            &other.certificate,
            "`registry.internal_certificate` is not the certificate of `registry.internal_key`: their public keys differ",
        ),
        (
            &old.key,
            &old.certificate,
            &*format!("`registry.internal_certificate`, of `registry.internal_key`, {expired}"),
        ),
    ] {
        let world = World::with(GITLAB);
        let secrets = serde_json::json!({ "registry": {
            "http_secret": "known and long enough", "internal_key": key, "internal_certificate": certificate } });
        write_secrets(&world, &secrets.to_string());
        let ran = world.run(&["reconfigure"]);
        let expected = format!(
            "error: {says} in `[ROOT]/{SECRETS_JSON}`\nhint: remove both halves of the pair from the file, and `regctl reconfigure` makes a new one; GitLab needs its key then\n"
        );
        assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected.as_str()));
        assert!(!world.path("var").exists());
    }
}

#[test]
fn the_key_is_written_for_gitlab_and_put_right_when_it_differs() {
    let world = handing_over("");
    let ran = world.run(&["reconfigure"]);
    assert!(ran.stdout.contains("created [ROOT]/gitlab/registry.key\n"), "{}", ran.stdout);
    assert_eq!(world.read("gitlab/registry.key"), secret(&world, "internal_key"));
    assert_eq!(world.mode("gitlab/registry.key"), 0o640);
    assert_eq!(world.run(&["reconfigure"]).stdout, "nothing to change\n");
    fs::write(world.path("gitlab/registry.key"), Certified::new(&[]).key).unwrap();
    let ran = world.run(&["reconfigure", "--dry-run"]);
    let expected = "--- [ROOT]/gitlab/registry.key\n+++ [ROOT]/gitlab/registry.key\n@@ the private key is not shown @@\n";
    assert_eq!(ran.stdout, expected);
    assert_eq!(world.run(&["reconfigure"]).stdout, "replaced [ROOT]/gitlab/registry.key\n");
    assert_eq!(world.read("gitlab/registry.key"), secret(&world, "internal_key"));
    chmod(&world.path("gitlab/registry.key"), 0o644);
    assert_eq!(world.run(&["reconfigure"]).stdout, "replaced [ROOT]/gitlab/registry.key\n");
    assert_eq!(world.mode("gitlab/registry.key"), 0o640);
    assert!(stages(&world).is_empty());
}

#[test]
fn a_key_that_cannot_be_handed_over_changes_nothing() {
    for (more, says) in [
        (
            "registry_key_group = \"no_such_group\"\n",
            "`gitlab_rails.registry_key_group = \"no_such_group\"`: there is no such group\n",
        ),
        ("", "`gitlab_rails.registry_key_path`: the folder `[ROOT]/gitlab` does not exist\n"),
    ] {
        let world = handing_over(more);
        if more.is_empty() {
            fs::remove_dir(world.path("gitlab")).unwrap();
        }
        let before = touched(&world);
        let ran = world.run(&["reconfigure"]);
        assert_eq!((ran.exit, ran.stderr), (78, format!("error: {says}")));
        assert_eq!(touched(&world), before);
    }
}

#[test]
fn the_key_gets_the_group_that_is_asked_for_and_keeps_the_one_it_has() {
    let world = handing_over("");
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let gid = |world: &World| fs::metadata(world.path("gitlab/registry.key")).unwrap().gid();
    let own = gid(&world);
    // Only root may give a file to a group that it is not in.
    if !nix::unistd::geteuid().is_root() {
        assert_eq!(own, nix::unistd::getegid().as_raw());
        return;
    }
    let group = nix::unistd::Group::from_name("daemon").unwrap().unwrap().gid.as_raw();
    edit(
        &world,
        &format!("{}registry_key_group = \"daemon\"\n", world.read("etc/regctl/instance.toml")),
    );
    assert_eq!(world.run(&["reconfigure"]).stdout, "replaced [ROOT]/gitlab/registry.key\n");
    assert_eq!((gid(&world), world.mode("gitlab/registry.key")), (group, 0o640));
    let text = world.read("etc/regctl/instance.toml");
    edit(&world, &text.replace("registry_key_group = \"daemon\"\n", ""));
    fs::write(world.path("gitlab/registry.key"), Certified::new(&[]).key).unwrap();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert_eq!(gid(&world), group);
}

#[test]
fn the_key_replaces_nothing_but_a_key() {
    let pair = Certified::new(&["registry.example.com"]);
    for (path, found, says) in [
        ("etc/regctl/instance.toml", None, "is a file of regctl's own"),
        ("var/../etc/regctl/secrets.json", None, "is a file of regctl's own"),
        (CONFIG_YML, None, "is a file of regctl's own"),
        ("etc/regctl/users.htpasswd.key", Some("notes\n"), "holds no private key in PEM"),
        ("certificate.pem", Some(pair.certificate.as_str()), "holds a certificate"),
        (
            "tls/host.key",
            Some(pair.key.as_str()),
            "is what `registry.nginx.ssl_certificate_key` names",
        ),
        ("linked/host.key", None, "is what `registry.nginx.ssl_certificate_key` names"),
        ("secret", Some("0123456789abcdef\n"), "is what `registry.http_secret_file` names"),
        ("etc/regctl/templates/config.yml.j2", None, "is in the folder of templates"),
        ("var/opt/regctl/storage/gitlab.key", None, "is in the storage"),
    ] {
        let world = World::with(&format!(
            "{GITLAB}ssl_certificate = \"tls/host.crt\"\nssl_certificate_key = \"tls/host.key\"\n[registry]\nhttp_secret_file = \"secret\"\n[gitlab_rails]\nregistry_key_path = \"{path}\"\n"
        ));
        for folder in
            ["tls", "etc/regctl/templates", "var/opt/regctl/storage", "var/opt/regctl/registry"]
        {
            fs::create_dir_all(world.path(folder)).unwrap();
        }
        std::os::unix::fs::symlink("tls", world.path("linked")).unwrap();
        fs::write(world.path("secret"), "0123456789abcdef\n").unwrap();
        chmod(&world.path("secret"), 0o600);
        if let Some(text) = found.filter(|_| path != "secret") {
            fs::write(world.path(path), text).unwrap();
        }
        let before = touched(&world);
        let ran = world.run(&["reconfigure"]);
        assert!(ran.exit == 78 && ran.stderr.contains(says), "{path}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: name a file of its own for the key"), "{}", ran.stderr);
        assert_eq!(touched(&world), before);
    }
}

#[test]
fn a_template_may_not_listen_or_keep_images_elsewhere() {
    let (world, _) = applied("[registry]\n");
    let copy = "etc/regctl/templates/config.yml.j2";
    let text = world.run(&["reconfigure", "--print-template", "config.yml.j2"]).stdout;
    for (old, new, says) in [
        (
            "{{ address | quoted }}",
            "0.0.0.0:5000",
            "listens on 0.0.0.0:5000, and instance.toml says `registry_http_addr = \"127.0.0.1:5000\"`",
        ),
        ("{{ address | quoted }}", "/tmp/socket\n  net: unix", "listens on unix:/tmp/socket, and"),
        (
            "    {{ name }}: {{ value }}\n",
            "    rootdirectory: /srv/other\n",
            "keeps images in `/srv/other`, and instance.toml in `[ROOT]/var/opt/regctl/storage`",
        ),
        ("  {{ driver }}:\n", "  inmemory:\n", "keeps images in memory, and instance.toml in `"),
    ] {
        let mut changed = text.replacen(old, new, 1);
        if new.contains("inmemory") {
            changed = changed.replacen("    {{ name }}: {{ value }}\n", "", 1);
        }
        fs::write(world.path(copy), changed).unwrap();
        chmod(&world.path(copy), 0o644);
        let before = touched(&world);
        let ran = world.run(&["reconfigure"]);
        assert!(ran.exit == 78 && ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(touched(&world), before);
    }
}

#[test]
fn a_bundle_of_the_administrators_own_is_looked_at() {
    let bundle = "[registry]\nrootcertbundle = \"bundle.pem\"\n";
    let world = World::with(&format!("{GITLAB}{bundle}"));
    let ran = world.run(&["reconfigure"]);
    let expected = "error: `registry.rootcertbundle`: `[ROOT]/bundle.pem` does not exist\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (78, expected));
    fs::write(world.path("bundle.pem"), "nothing\n").unwrap();
    let ran = world.run(&["reconfigure"]);
    assert!(ran.exit == 78 && ran.stderr.contains("holds no certificate in PEM"), "{}", ran.stderr);
    // GitLab has a key of its own then: there is nothing to generate and nothing to hand over.
    fs::write(world.path("bundle.pem"), Certified::new(&[]).certificate).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(!world.path(TOKEN_CRT).exists() && !world.read(SECRETS_JSON).contains("internal_key"));
    assert!(!world.read(GITLAB_RB).contains("key_path"), "{}", world.read(GITLAB_RB));
    edit(
        &world,
        &format!("{GITLAB}{bundle}[gitlab_rails]\nregistry_key_path = \"registry.key\"\n"),
    );
    let ran = world.run(&["reconfigure"]);
    let says = "does not hold the certificate of the key that GitLab is given";
    assert!(ran.exit == 0 && ran.stderr.contains(says), "{}", ran.stderr);
}

#[test]
fn a_template_without_auth_opens_no_registry() {
    let (world, _) = applied("[registry]\n");
    let copy = "etc/regctl/templates/config.yml.j2";
    let text = world.run(&["reconfigure", "--print-template", "config.yml.j2"]).stdout;
    let (text, _) = text.split_once("{% if auth is not none %}").unwrap();
    fs::write(world.path(copy), text).unwrap();
    chmod(&world.path(copy), 0o644);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    edit(&world, "[registry.auth.htpasswd]\n");
    let before = touched(&world);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78);
    assert!(ran.stderr.contains("lets everybody in, and instance.toml does not"), "{}", ran.stderr);
    assert_eq!(touched(&world), before);
}

#[test]
fn a_missing_file_of_users_is_made_and_lets_nobody_in() {
    let (world, ran) = applied("[registry.auth.htpasswd]\n");
    let users = "etc/regctl/htpasswd";
    assert!(ran.stdout.contains(&format!("created [ROOT]/{users}\n")), "{}", ran.stdout);
    let says =
        format!("nobody can sign in yet: `regctl user add NAME` puts users into [ROOT]/{users}\n");
    assert!(ran.stderr.contains(&says), "{}", ran.stderr);
    let text = world.read(users);
    assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    assert_eq!(world.mode(users), 0o640);
    fs::write(world.path(users), "# mine\n").unwrap();
    chmod(&world.path(users), 0o600);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.contains("user add")),
        ("nothing to change\n", false)
    );
    assert_eq!((world.read(users).as_str(), world.mode(users)), ("# mine\n", 0o600));
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn debians_registry_starts_with_every_way_in() {
    for (text, challenge) in [
        (
            "[registry.auth.htpasswd]\nrealm = \"Ours \\\"quoted\\\"\"\n",
            "Basic realm=\"Ours \\\"quoted\\\"\"",
        ),
        (
            "[registry.auth.silly]\nrealm = \"r\"\nservice = \"s\"\n",
            "Bearer realm=\"r\",service=\"s\"",
        ),
        (
            "external_url = \"https://gitlab.example.com\"\n",
            "Bearer realm=\"https://gitlab.example.com/jwt/auth\",service=\"container_registry\"",
        ),
    ] {
        let (world, _) = applied(text);
        let peer = Peer::rendered(&world);
        let answer = crate::support::client().get(peer.url("/v2/")).send().unwrap();
        let said = answer.headers()["www-authenticate"].to_str().unwrap();
        assert_eq!((answer.status().as_u16(), said), (401, challenge));
    }
}

#[test]
#[ignore = "needs openssl: run cargo xtask test"]
fn openssl_reads_the_generated_pair() {
    let world = handing_over("");
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let [certificate, key] =
        [TOKEN_CRT, "gitlab/registry.key"].map(|path| world.path(path).display().to_string());
    let public = program::run("openssl", &["x509", "-in", &certificate, "-noout", "-pubkey"]);
    assert_eq!(program::run("openssl", &["pkey", "-in", &key, "-pubout"]), public);
    let text = program::run("openssl", &["x509", "-in", &certificate, "-noout", "-text"]);
    for line in [
        "Public-Key: (4096 bit)",
        "sha256WithRSAEncryption",
        "O = regctl, OU = Container, CN = Registry",
    ] {
        assert!(text.contains(line), "no {line} in:\n{text}");
    }
    program::run("openssl", &["verify", "-CAfile", &certificate, &certificate]);
}
