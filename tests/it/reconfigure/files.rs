//! The files that come of an instance, and the diffs that announce them.

use std::{fs, os::unix::fs::PermissionsExt as _};

use nix::sys::signal::Signal;

use super::{CONFIG_YML, SECRETS_JSON, applied, edit, stages, touched};
use crate::support::World;

const NOTHING_RUNS: &str = "nothing is running: start with 'regctl run'\n";

#[test]
fn headers_with_secrets_are_shown_to_nobody() {
    let world = World::with(
        "registry_external_url = \"http://registry.example.com\"\n[registry]\n[registry.auth.htpasswd]\n[registry.http]\nheaders = { X-Api-Key = [\"hunter2\"], X-Plain = [\"plain\"] }\n[registry.nginx]\nproxy_set_headers = { Authorization = \"Basic hunter2\" }\n[nginx]\nenable = false\n",
    );
    for arguments in [
        &["reconfigure", "--dry-run"][..],
        &["reconfigure", "--dry-run", "--json"],
        &["show-config"],
        &["show-config", "--json"],
        &["diff-config"],
        &["check-config"],
    ] {
        let ran = world.run(arguments);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(ran.exit == 0 && !said.contains("hunter2"), "{arguments:?}: {said}");
    }
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    const VHOST: &str = "var/opt/regctl/nginx/conf/registry.conf";
    assert!(
        world.read(VHOST).contains("Basic hunter2") && world.read(CONFIG_YML).contains("hunter2")
    );
    assert_eq!(world.mode(VHOST), 0o640);
    let text = world.read("etc/regctl/instance.toml").replace("hunter2", "hunter3");
    edit(&world, &text);
    let ran = world.run(&["reconfigure", "--dry-run"]);
    assert!(ran.stdout.contains("plain") && !ran.stdout.contains("hunter"), "{}", ran.stdout);
}

#[test]
fn a_storage_that_becomes_another_one_leaves_its_images_behind_with_a_word() {
    let world = applied();
    let repository = "var/opt/regctl/storage/docker/registry/v2/repositories/team";
    fs::create_dir_all(world.path(repository)).unwrap();
    edit(&world, "[registry.storage.filesystem]\nrootdirectory = \"images\"\n");
    let ran = world.run(&["reconfigure", "--dry-run"]);
    let says = "warning: the storage becomes `[ROOT]/images`, which has 0 repositories at its top: the images in `[ROOT]/var/opt/regctl/storage` stay there";
    assert!(ran.exit == 0 && ran.stderr.contains(says), "{}", ran.stderr);
}

#[test]
fn long_lists_are_as_long_as_the_file_says() {
    let world = World::with("[registry.catalog]\nmaxentries = 7\n[registry.tags]\nmaxtags = 8\n");
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let text = world.read(CONFIG_YML);
    assert!(text.ends_with("catalog:\n  maxentries: 7\ntags:\n  maxtags: 8\n"), "{text}");
}

#[test]
fn which_manifests_are_taken_is_what_the_file_says() {
    let world = World::with(
        "[registry.validation.manifests]\nreferencelimit = 9\npayloadsizelimit = \"1MiB\"\n\
         [registry.validation.manifests.urls]\nallow = ['^https://mirror\\.example\\.com/']\n\
         [registry.validation.manifests.indexes]\nplatforms = \"none\"\n\
         [registry.policy.repository]\nclasses = [\"image\"]\n",
    );
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let text = world.read(CONFIG_YML);
    let validation = r#"validation: {"manifests":{"indexes":{"platforms":"none"},"payloadsizelimit":1048576,"referencelimit":9,"urls":{"allow":["^https://mirror\\.example\\.com/"]}}}"#;
    let policy = "policy:\n  repository:\n    classes: [\"image\"]\n";
    assert!(text.ends_with(&format!("{validation}\n{policy}")), "{text}");
}

#[test]
fn a_pattern_that_is_none_changes_nothing() {
    let world = World::with("[registry.validation.manifests.urls]\ndeny = ['(']\n");
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("must be a regular expression"), "{}", ran.stderr);
    assert!(!world.path(CONFIG_YML).exists());
}

#[test]
fn a_proxy_is_written_as_distribution_reads_it_and_its_password_shows_nowhere() {
    let world = World::with(
        "[registry.proxy]\nremoteurl = \"https://registry.example.com/mirror\"\nusername = \"reader\"\npassword_file = \"etc/regctl/upstream\"\nttl = \"0s\"\n",
    );
    fs::write(world.path("etc/regctl/upstream"), "of the reader\n").unwrap();
    let permissions = fs::Permissions::from_mode(0o600);
    fs::set_permissions(world.path("etc/regctl/upstream"), permissions).unwrap();
    let dry = world.run(&["reconfigure", "--dry-run"]);
    assert!(dry.exit == 0 && !dry.stdout.contains("of the reader"), "{}", dry.stdout);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let text = world.read(CONFIG_YML);
    let proxy = "proxy:\n  remoteurl: \"https://registry.example.com/mirror\"\n  username: \"reader\"\n  password: \"of the reader\"\n  ttl: 0s\n  cachewritetimeout: 5m\n";
    assert!(text.contains(proxy), "{text}");
    // What stands behind must be named, and a name needs its password.
    for (lines, says) in [
        (
            "username = \"a\"",
            "2:12: `registry.proxy.username = \"a\"` needs `registry.proxy.password` too",
        ),
        ("password = \"a\"", "needs `registry.proxy.username` too"),
        ("username = \"a\"\npassword = \"b\"", "needs `registry.proxy.remoteurl` too"),
        ("exec = { command = \"a\" }", "the registry runs no programs"),
    ] {
        let ran = World::with(&format!("[registry.proxy]\n{lines}\n")).run(&["check-config"]);
        assert!(ran.exit == 78 && (ran.stdout + &ran.stderr).contains(says), "{lines}");
    }
}

#[test]
fn reconfigure_writes_the_files_of_a_new_instance() {
    let world = World::with("[registry]\n");
    let ran = world.run(&["reconfigure"]);
    let expected = format!("created [ROOT]/{SECRETS_JSON}\ncreated [ROOT]/{CONFIG_YML}\n");
    assert!(ran.stdout.starts_with(&expected), "{}", ran.stdout);
    assert!(ran.stdout.contains("created [ROOT]/var/opt/regctl/storage/\n"), "{}", ran.stdout);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, NOTHING_RUNS));
    assert_eq!((world.mode(SECRETS_JSON), world.mode(CONFIG_YML)), (0o600, 0o640));
    assert!(stages(&world).is_empty(), "{:?}", stages(&world));
    assert!(!world.path("var/opt/regctl/state/reconfigure.json").exists());
}

#[test]
fn a_run_without_changes_touches_no_file() {
    let world = applied();
    let before = touched(&world);
    for arguments in [["reconfigure", "--wait", "1s"], ["reconfigure", "--dry-run", "--exit-code"]]
    {
        let ran = world.run(&arguments);
        assert_eq!((ran.exit, ran.stdout.as_str()), (0, "nothing to change\n"), "{}", ran.stderr);
    }
    assert_eq!(touched(&world), before);
}

#[test]
fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let world = applied();
    edit(&world, "[registry]\nlog_level = \"debug\"\n");
    let before = touched(&world);
    let ran = world.run(&["reconfigure", "--dry-run"]);
    let expected = format!(
        "\
--- [ROOT]/{CONFIG_YML}
+++ [ROOT]/{CONFIG_YML}
@@ -1,7 +1,7 @@
 # Written by regctl from \"[ROOT]/etc/regctl/instance.toml\": edit that file instead.
 version: 0.1
 log:
-  level: \"info\"
+  level: \"debug\"
   formatter: \"text\"
   fields:
     \"environment\": \"production\"
"
    );
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, &*expected, ""));
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 5);
    assert_eq!(touched(&world), before);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.stdout, format!("replaced [ROOT]/{CONFIG_YML}\n"));
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
}

#[test]
fn a_dry_run_of_a_new_instance_writes_nothing() {
    let world = World::with("[registry]\n");
    let before = touched(&world);
    let ran = world.run(&["reconfigure", "--dry-run", "--exit-code"]);
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    assert!(ran.stdout.contains("+    \"http_secret\": \"[redacted]\"\n"), "{}", ran.stdout);
    assert_eq!(touched(&world), before);
}

#[test]
fn no_diff_shows_a_secret_old_or_new() {
    let world = applied();
    let generated: serde_json::Value = serde_json::from_str(&world.read(SECRETS_JSON)).unwrap();
    let old = generated["registry"]["http_secret"].as_str().unwrap();
    edit(&world, "[registry]\nhttp_secret = \"chosen by a person\"\n");
    for arguments in [&["reconfigure", "--dry-run"][..], &["reconfigure", "--json"][..]] {
        let ran = world.run(arguments);
        assert!(ran.stdout.contains("secret: [redacted]"), "{}", ran.stdout);
        for secret in [old, "chosen by a person"] {
            assert!(!ran.stdout.contains(secret), "{arguments:?} shows a secret:\n{}", ran.stdout);
            assert!(!ran.stderr.contains(secret), "{arguments:?} shows a secret:\n{}", ran.stderr);
        }
    }
    assert!(world.read(CONFIG_YML).contains("chosen by a person"));
}

#[test]
fn json_has_every_change_with_its_diff() {
    let world = applied();
    edit(&world, "[registry]\nlog_level = \"debug\"\n");
    let ran = world.run(&["reconfigure", "--dry-run", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&document["schema"], &document["dry_run"]), (&1.into(), &true.into()));
    let change = &document["changes"][0];
    assert_eq!(
        (&change["change"], &change["path"]),
        (&"replaced".into(), &format!("[ROOT]/{CONFIG_YML}").into())
    );
    assert!(change["diff"].as_str().unwrap().contains("+  level: \"debug\"\n"), "{change}");
}

#[test]
fn a_bad_instance_changes_nothing() {
    let world = applied();
    edit(&world, "[registry]\nlog_level = \"loud\"\n");
    let before = touched(&world);
    for arguments in [&["reconfigure"][..], &["reconfigure", "--dry-run"]] {
        let ran = world.run(arguments);
        assert_eq!((ran.exit, ran.stdout.as_str()), (78, ""));
        assert!(ran.stderr.contains("`registry.log_level = \"loud\"`"), "{}", ran.stderr);
    }
    assert_eq!(touched(&world), before);
}

#[test]
fn what_the_registry_would_refuse_replaces_nothing() {
    let world = applied();
    edit(&world, "[registry]\nenv = { REGISTRY_HTTP_DRAINTIMEOUT = \"soon\" }\n");
    let before = touched(&world);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("the registry would refuse the config.yml"), "{}", ran.stderr);
    assert_eq!(touched(&world), before);
}

#[test]
fn a_file_edited_by_hand_or_with_another_mode_is_put_right() {
    let world = applied();
    let config = world.read(CONFIG_YML);
    fs::write(world.path(CONFIG_YML), config.replace("info", "warn")).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.stdout, format!("replaced [ROOT]/{CONFIG_YML}\n"));
    let mut permissions = fs::metadata(world.path(CONFIG_YML)).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(world.path(CONFIG_YML), permissions).unwrap();
    let ran = world.run(&["reconfigure", "--dry-run"]);
    let expected =
        format!("--- [ROOT]/{CONFIG_YML} (mode 0644)\n+++ [ROOT]/{CONFIG_YML} (mode 0640)\n");
    assert_eq!(ran.stdout, expected);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.stdout, format!("changed the mode of [ROOT]/{CONFIG_YML}\n"));
    assert_eq!((world.read(CONFIG_YML), world.mode(CONFIG_YML)), (config, 0o640));
}

#[test]
fn run_finds_nothing_to_change_after_reconfigure() {
    let (world, _) = World::on_free_port();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let config = fs::metadata(world.path(CONFIG_YML)).unwrap().modified().unwrap();
    assert_eq!(world.serve(&["run"]).stop(Signal::SIGTERM).exit, 0);
    assert_eq!(fs::metadata(world.path(CONFIG_YML)).unwrap().modified().unwrap(), config);
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
}
