//! `regctl diff-config`.

use super::support::World;

#[test]
fn an_empty_file_differs_in_nothing() {
    let ran = World::with("[registry]\nlog_level = \"info\"\n").run(&["diff-config"]);
    let expected = "[ROOT]/etc/regctl/instance.toml: nothing differs from the defaults\n";
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, expected, ""));
}

#[test]
fn what_differs_is_shown_with_its_default_and_its_source() {
    let text = "[registry]\nlog_level = \"debug\"\nstorage_delete_enabled = false\nuid = 1001\nhttp_draintimeout = \"30s\"\n";
    let ran = World::with(text).run(&["diff-config"]);
    let expected = "\
registry.log_level  (line 2)
  - \"info\"
  + \"debug\"
registry.storage_delete_enabled  (line 3)
  - true
  + false
registry.uid  (line 4)
  + 1001
registry.storage.delete.enabled  (from registry.storage_delete_enabled)
  - true
  + false
";
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, expected));
}

#[test]
fn json_has_the_same_differences() {
    let ran = World::with("[registry]\nuid = 1001\n").run(&["diff-config", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = serde_json::json!({
        "schema": 1,
        "instance": "[ROOT]/etc/regctl/instance.toml",
        "differences": [{
            "key": "registry.uid",
            "default": null,
            "value": 1001,
            "origin": { "kind": "file", "line": 2 },
        }],
    });
    assert_eq!((ran.exit, document), (0, expected));
}

#[test]
fn what_another_driver_takes_away_is_shown() {
    let ran = World::with("[registry.storage.inmemory]\n").run(&["diff-config"]);
    let expected = "\
registry.storage.filesystem.maxthreads
  - 100
registry.storage.filesystem.rootdirectory
  - \"var/opt/regctl/storage\"
";
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, expected));
}
