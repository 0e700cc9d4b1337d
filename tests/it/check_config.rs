//! `regctl check-config`.

use super::support::World;

#[test]
fn a_good_file_has_no_problems() {
    let ran = World::with("[registry]\nlog_level = \"debug\"\n").run(&["check-config"]);
    assert_eq!(ran.stdout, "[ROOT]/etc/regctl/instance.toml: no problems\n");
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
}

#[test]
fn an_empty_file_is_a_good_one() {
    assert_eq!(World::with("").run(&["check-config"]).exit, 0);
}

#[test]
fn quiet_says_nothing_about_a_good_file_and_everything_about_a_bad_one() {
    let ran = World::with("").run(&["check-config", "--quiet"]);
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let ran = World::with("[registri]\n").run(&["check-config", "--quiet"]);
    assert_eq!(ran.exit, 78);
    assert!(ran.stdout.contains("unknown table [registri]"), "{}", ran.stdout);
}

#[test]
fn without_an_instance_it_says_how_to_get_one() {
    let ran = World::new().run(&["check-config"]);
    let expected = "\
error: there is no instance: `[ROOT]/etc/regctl/instance.toml` does not exist
hint: `regctl init` writes one, `regctl run` writes one and starts it
";
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (78, "", expected));
}

#[test]
fn json_has_every_problem_with_its_place() {
    let text = "[registry]\nlog_level = \"loud\"\nenabel = true\n";
    let ran = World::with(text).run(&["check-config", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = serde_json::json!({
        "schema": 1,
        "instance": "[ROOT]/etc/regctl/instance.toml",
        "warnings": [],
        "problems": [
            {
                "line": 2,
                "column": 13,
                "key": "registry.log_level",
                "message": "`registry.log_level = \"loud\"`: must be one of \"error\", \"warn\", \"info\", \"debug\"",
                "hint": null,
            },
            {
                "line": 3,
                "column": 1,
                "key": "registry.enabel",
                "message": "unknown key `registry.enabel`",
                "hint": "did you mean `enable`?",
            },
        ],
    });
    assert_eq!((ran.exit, document), (78, expected));
}

#[test]
fn a_url_that_nothing_answers_is_a_warning() {
    let text = "registry_external_url = \"http://localhost:8080\"\n";
    let ran = World::with(text).run(&["check-config"]);
    let expected = "\
[ROOT]/etc/regctl/instance.toml:warning: 1:25: `registry_external_url = \"http://localhost:8080\"`: \
nginx is off, and the registry itself listens on 127.0.0.1:5000
  hint: write the registry's port, or `enable = true` in [registry.nginx]
[ROOT]/etc/regctl/instance.toml: no problems, 1 warning
";
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, expected));
}

#[test]
fn the_newer_of_two_names_wins_with_a_warning() {
    let text =
        "[registry]\nstorage_delete_enabled = true\n[registry.storage.delete]\nenabled = false\n";
    let ran = World::with(text).run(&["check-config"]);
    assert_eq!(ran.exit, 0);
    assert!(
        ran.stdout.contains("is ignored: line 4 sets `registry.storage.delete.enabled`"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_file_that_is_no_text_is_refused_by_name() {
    let world = World::with("");
    std::fs::write(world.path("etc/regctl/instance.toml"), b"\xff\xfe").unwrap();
    let ran = world.run(&["check-config"]);
    let says = "[ROOT]/etc/regctl/instance.toml:1:1: not UTF-8: the file is UTF-16\n";
    assert!(ran.exit == 78 && ran.stdout.starts_with(says), "{}", ran.stdout);
    std::fs::write(world.path("etc/regctl/instance.toml"), b"# a\n# \xfc\n").unwrap();
    for command in ["check-config", "reconfigure"] {
        let ran = world.run(&[command]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(ran.exit == 78 && said.contains("instance.toml:2:1: not UTF-8: a byte"), "{said}");
    }
    std::fs::write(world.path("etc/regctl/instance.toml"), "#".repeat((8 << 20) + 1)).unwrap();
    let ran = world.run(&["check-config"]);
    assert!(ran.exit == 78 && ran.stdout.contains("larger than 8 MiB"), "{}", ran.stdout);
}

#[test]
fn the_registry_has_the_last_word_on_its_environment() {
    let world = World::with("[registry]\nenv = { REGISTRY_LOG_LEVEL = \"loud\" }\n");
    let ran = world.run(&["check-config"]);
    assert!(ran.stdout.contains("instance.toml:2:7: REGISTRY_LOG_LEVEL: "), "{}", ran.stdout);
    assert_eq!((ran.exit, ran.stdout.contains("loud")), (78, false));
    let ran = world.run(&["reconfigure"]);
    assert_eq!((ran.exit, ran.stderr.contains("loud")), (78, false), "{}", ran.stderr);
    let world = World::with("[registry]\nenv = { REGISTRY_HTTP_RELATIVEURL = true }\n");
    let ran = world.run(&["check-config"]);
    assert!(ran.exit == 0 && ran.stdout.contains("warning: 2:7: "), "{}", ran.stdout);
}

#[test]
fn everything_that_reconfigure_would_refuse_is_listed_at_once() {
    let world = World::with(
        "registry_external_url = \"https://registry.example.com\"\nexternal_url = \"https://gitlab.example.com\"\n[registry]\nrootcertbundle = \"bundle.pem\"\n[registry.nginx]\nssl_certificate = \"a.crt\"\nssl_certificate_key = \"a.key\"\nssl_dhparam = \"dh.pem\"\n[gitlab_rails]\nregistry_key_path = \"nowhere/registry.key\"\n",
    );
    let ran = world.run(&["check-config"]);
    let said = ran.stdout.replace("[ROOT]/etc/regctl/instance.toml:", "");
    for says in [
        "4:18: `registry.rootcertbundle`: `[ROOT]/bundle.pem` does not exist",
        "6:19: https needs a certificate: `[ROOT]/a.crt` and its key `[ROOT]/a.key` do not exist",
        "8:15: `registry.nginx.ssl_dhparam`: `[ROOT]/dh.pem` does not exist",
        "10:21: `gitlab_rails.registry_key_path`: the folder `[ROOT]/nowhere` does not exist",
    ] {
        assert!(said.contains(says), "no `{says}` in\n{said}");
    }
    assert!(said.ends_with(" 4 problems\n"), "{said}");
    assert_eq!((ran.exit, world.path("var").exists()), (78, false));
}

#[test]
fn a_file_with_a_secret_that_everybody_may_read_is_pointed_out() {
    let world = World::with("[registry]\nhttp_secret = \"0123456789abcdef\"\n");
    let path = world.path("etc/regctl/instance.toml");
    let chmod = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&path, mode).unwrap();
    };
    chmod(0o644);
    let expected = "instance.toml:warning: 2:15: `registry.http_secret` is secret, and everybody may read `[ROOT]/etc/regctl/instance.toml` (mode 0644)\n  hint: chmod 0600 [ROOT]/etc/regctl/instance.toml\n";
    let ran = world.run(&["check-config"]);
    assert!(ran.exit == 0 && ran.stdout.contains(expected), "{}", ran.stdout);
    assert!(world.run(&["reconfigure", "--dry-run"]).stderr.contains("hint: chmod 0600"));
    chmod(0o600);
    assert!(!world.run(&["check-config"]).stdout.contains("chmod"));
}

#[test]
fn a_file_of_unknown_keys_is_answered_at_once_and_in_bounds() {
    let keys: String = (0..20_000).map(|number| format!("unknown_{number} = 1\n")).collect();
    let ran = World::with(&keys).run(&["check-config"]);
    assert!(ran.exit == 78 && ran.stdout.contains("19800 more problems are not listed"));
    assert!(ran.stdout.lines().count() < 500);
}
