//! `regctl reconfigure`: what it writes, what it leaves alone, and what it refuses.

mod accounts;
mod certificates;
mod debians;
mod files;
mod killed;
mod locks;
mod nginx;
mod odd_files;
mod secrets;
mod system;
mod templates;
mod tokens;

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use walkdir::WalkDir;

use crate::support::World;

const CONFIG_YML: &str = "var/opt/regctl/registry/config.yml";
const SECRETS_JSON: &str = "etc/regctl/secrets.json";

/// A world with a small instance that has been applied.
fn applied() -> World {
    let world = World::with("[registry]\nlog_level = \"info\"\n");
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    world
}

/// Replaces the text of instance.toml.
fn edit(world: &World, text: &str) {
    fs::write(world.path("etc/regctl/instance.toml"), text).unwrap();
}

/// Everything under the root: inode, time of the last write, and time of the last change.
fn touched(world: &World) -> BTreeMap<PathBuf, (u64, i64, i64, i64)> {
    let entries = WalkDir::new(world.root()).into_iter().map(Result::unwrap);
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime_nsec());
            (entry.into_path(), (metadata.ino(), times.0, times.1, times.2))
        })
        .collect()
}

/// The staged files under the root.
fn stages(world: &World) -> Vec<PathBuf> {
    let paths = WalkDir::new(world.root()).into_iter().map(|entry| entry.unwrap().into_path());
    paths.filter(|path| path.to_str().unwrap().contains(".regctl-")).collect()
}
