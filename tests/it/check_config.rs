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
    assert_eq!(ran.exit, 1);
    assert!(
        ran.stderr.starts_with("error: failed to read `[ROOT]/etc/regctl/instance.toml`: "),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_registry_has_the_last_word_on_its_environment() {
    let world = World::with("[registry]\nenv = { REGISTRY_LOG_LEVEL = \"loud\" }\n");
    let ran = world.run(&["check-config"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (78, ""));
    assert!(ran.stderr.contains("REGISTRY_LOG_LEVEL"), "{}", ran.stderr);
}
