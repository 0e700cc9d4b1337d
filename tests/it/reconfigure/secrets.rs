//! `regctl generate-secrets`, and the secrets of an instance.

use std::fs;

use super::{SECRETS_JSON, applied};
use crate::support::World;

#[test]
fn secrets_can_be_generated_before_the_instance_is_applied() {
    let world = World::with("[registry]\n");
    let ran = world.run(&["generate-secrets"]);
    assert_eq!((ran.exit, ran.stdout), (0, format!("wrote [ROOT]/{SECRETS_JSON}\n")));
    assert_eq!(world.mode(SECRETS_JSON), 0o600);
    let secrets = world.read(SECRETS_JSON);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert_eq!(world.read(SECRETS_JSON), secrets);
}

#[test]
fn secrets_that_are_there_are_never_overwritten() {
    let world = applied();
    let secrets = world.read(SECRETS_JSON);
    let ran = world.run(&["generate-secrets"]);
    let start = format!("error: `[ROOT]/{SECRETS_JSON}` exists and is never overwritten\n");
    assert!(ran.exit == 1 && ran.stderr.starts_with(&start), "{}", ran.stderr);
    let file = world.path("mine.json");
    fs::write(&file, "mine").unwrap();
    let ran = world.run(&["generate-secrets", "--file", file.to_str().unwrap()]);
    assert_eq!((ran.exit, world.read("mine.json").as_str()), (1, "mine"));
    assert_eq!(world.read(SECRETS_JSON), secrets);
}

#[test]
fn secrets_for_other_nodes_are_a_file_that_nobody_else_can_read() {
    let world = World::new();
    let file = world.path("node.json");
    let ran = world.run(&["generate-secrets", "--file", file.to_str().unwrap()]);
    assert_eq!((ran.exit, world.mode("node.json")), (0, 0o600), "{}", ran.stderr);
    assert!(!ran.stdout.contains(world.read("node.json").split('"').nth(5).unwrap()));
    assert!(!world.path("etc").exists());
}

#[test]
fn secrets_from_another_node_are_used_with_what_a_later_version_added() {
    let world = World::with("[registry]\n");
    let text = r#"{"registry": {"http_secret": "from-another-node", "later": 1}, "other": {}}"#;
    fs::write(world.path(SECRETS_JSON), text).unwrap();
    fs::set_permissions(
        world.path(SECRETS_JSON),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert_eq!(world.read(SECRETS_JSON), text);
    assert!(world.read(super::CONFIG_YML).contains("from-another-node"));
}
