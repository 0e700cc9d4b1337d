//! Where no registry runs, the command itself does it.

use super::site::{Site, push};
use crate::supervise::Instance;

pub(super) const ALL: &str =
    "[[cleanup_policy]]\nname = \"all\"\nrepositories = \"**\"\nolder_than = \"1d\"\n";

#[test]
fn a_registry_that_is_down_stays_down_and_its_tags_go_all_the_same() {
    let site = Site::with(ALL);
    push(&mut site.pusher(), "app", "old", "2020-01-02T03:04:05Z");
    push(&mut site.pusher(), "app", "latest", "2020-01-02T03:04:05Z");
    assert_eq!(site.instance.run(&["stop"]).exit, 0);
    let ran = site.good(&["run"]);
    assert!(ran.stdout.contains("1 tags went, 1 stay"), "{ran:?}");
    assert!(site.instance.registry()["pid"].is_null());
    assert_eq!(site.instance.run(&["start"]).exit, 0);
    assert_eq!(site.tags("app"), ["latest"]);
}

#[test]
fn an_instance_without_a_storage_has_nothing_to_delete() {
    let site = Site::of(Instance::configured(ALL));
    let storage = site.instance.world.path("var/opt/regctl/storage");
    std::fs::remove_dir_all(storage).unwrap();
    let ran = site.good(&["run", "--quiet"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}
