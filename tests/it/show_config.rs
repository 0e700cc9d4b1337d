//! `regctl show-config`.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use super::support::World;

/// Writes a file with a mode below the root.
fn write(world: &World, relative: &str, text: &str, mode: u32) {
    let path = world.path(relative);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

const SECRET: &str = "twenty plain letters";

#[test]
fn each_value_says_where_it_came_from() {
    let text =
        "registry_external_url = \"http://127.0.0.1:5000\"\n[registry]\nlog_level = \"warn\"\n";
    let ran = World::with(text).run(&["show-config"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    for line in [
        "# [ROOT]/etc/regctl/instance.toml",
        "registry_external_url = \"http://127.0.0.1:5000\" # line 1",
        "[registry]",
        "log_level = \"warn\" # line 3",
        "log_formatter = \"text\" # default",
        "[registry.nginx]",
        "enable = false # from registry_external_url",
    ] {
        let is_line = |shown: &str| shown.split_whitespace().eq(line.split_whitespace());
        assert!(ran.stdout.lines().any(is_line), "no `{line}` in\n{}", ran.stdout);
    }
}

#[test]
fn what_is_shown_reads_as_the_same_instance() {
    let text = "registry_external_url = \"http://localhost:8080\"\n[registry.nginx]\nenable = true\nproxy_set_headers = { X-One = \"1\" }\n[registry.log]\nfields = { a = \"b\\\"c\" }\n";
    let first = World::with(text).run(&["show-config"]);
    assert_eq!(first.exit, 0, "{}", first.stderr);
    let second = World::with(&first.stdout).run(&["show-config"]);
    assert_eq!((second.exit, second.stderr.as_str()), (0, ""));
    let values = |text: &str| {
        text.lines().map(|line| line.split("  #").next().unwrap().trim().to_owned()).collect()
    };
    let (first, second): (Vec<String>, Vec<String>) =
        (values(&first.stdout), values(&second.stdout));
    assert_eq!(first, second);
}

#[test]
fn secrets_are_shown_only_when_asked_for() {
    let text = format!("[registry]\nhttp_secret = \"{SECRET}\"\nenv = {{ TOKEN = \"hidden\" }}\n");
    let world = World::with(&text);
    for arguments in [&["show-config"][..], &["show-config", "--json"], &["diff-config"]] {
        let ran = world.run(arguments);
        assert!(ran.stdout.contains("[redacted]"), "{arguments:?}: {}", ran.stdout);
        let leaks = ran.stdout.contains(SECRET) || ran.stdout.contains("hidden");
        assert!(!leaks, "{arguments:?}: {}", ran.stdout);
    }
    let ran = world.run(&["show-config", "--show-secrets"]);
    assert!(ran.stdout.contains(SECRET) && ran.stdout.contains("hidden"), "{}", ran.stdout);
}

#[test]
fn a_secret_comes_from_a_file_of_its_own() {
    let world = World::with("[registry]\nhttp_secret_file = \"etc/regctl/secret\"\n");
    write(&world, "etc/regctl/secret", &format!("{SECRET}\n"), 0o600);
    let ran = world.run(&["show-config", "--show-secrets"]);
    let line = ran.stdout.lines().find(|line| line.starts_with("http_secret =")).unwrap();
    assert!(line.contains(SECRET) && line.ends_with("# from registry.http_secret_file"), "{line}");
}

#[test]
fn a_file_of_a_secret_that_cannot_be_used_is_named() {
    for (mode, content, says) in [
        (0o604, SECRET, "everybody can reach it (mode 0604)"),
        (0o600, "short", "the file must hold one line of at least 16 characters"),
    ] {
        let world = World::with("[registry]\nhttp_secret_file = \"etc/regctl/secret\"\n");
        write(&world, "etc/regctl/secret", content, mode);
        let ran = world.run(&["check-config"]);
        let start = "[ROOT]/etc/regctl/instance.toml:2:20: `registry.http_secret_file = \"etc/regctl/secret\"`: ";
        assert!(ran.exit == 78 && ran.stdout.starts_with(start), "{}", ran.stdout);
        assert!(ran.stdout.contains(says) && !ran.stdout.contains(content), "{}", ran.stdout);
    }
    let ran = World::with("[registry]\nhttp_secret_file = \"none\"\n").run(&["check-config"]);
    assert!(ran.exit == 78 && ran.stdout.contains("the file cannot be used"), "{}", ran.stdout);
}

#[test]
fn a_secret_stands_in_one_place() {
    let text = format!("[registry]\nhttp_secret = \"{SECRET}\"\nhttp_secret_file = \"secret\"\n");
    let ran = World::with(&text).run(&["check-config"]);
    let expected = "\
[ROOT]/etc/regctl/instance.toml:3:20: `registry.http_secret_file = \"secret\"` sets what `registry.http_secret` on line 2 sets already
  hint: remove one of the two
[ROOT]/etc/regctl/instance.toml: 1 problem
";
    assert_eq!((ran.exit, ran.stdout.as_str()), (78, expected));
}

#[test]
fn the_reference_has_every_key_and_needs_no_instance() {
    let ran = World::new().run(&["show-config", "--defaults"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    for part in [
        "\n[registry.nginx]\n# the vhost\n",
        "\n# how much is logged: one of error, warn, info, debug\nlog_level = \"info\"\n",
        "\n# log_directory: the folder of logs; not supported yet\n",
        "; refused: there is no metadata database here",
    ] {
        assert!(ran.stdout.contains(part), "no `{part}` in\n{}", ran.stdout);
    }
    let ran = World::new().run(&["show-config", "--defaults", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let tables = document["tables"].as_array().unwrap();
    let keys: usize = tables.iter().map(|table| table["keys"].as_array().unwrap().len()).sum();
    assert!(document["schema"] == 1 && keys > 250, "{keys} keys");
}

#[test]
fn a_bad_file_is_not_shown() {
    let ran = World::with("[registry]\nlog_level = 7\n").run(&["show-config"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (78, ""));
    assert!(ran.stderr.contains("2:13: `registry.log_level = 7`"), "{}", ran.stderr);
}
