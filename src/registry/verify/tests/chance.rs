//! Damage by chance: whatever it is, what could be pulled before a repair can be pulled after it, a repair leaves nothing that a
//! second one would change, and where nothing is wrong any more every tag can be pulled.

use std::{collections::BTreeSet, fs, path::Path};

use oci::{Digest, Manifest, Role};
use walkdir::WalkDir;

use super::world::{World, write};

const ROUNDS: usize = 60;

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn link(path: &Path) -> Option<Digest> {
    fs::read_to_string(path).ok()?.parse().ok()
}

fn whole(world: &World, digest: &Digest) -> Option<Vec<u8>> {
    let bytes = fs::read(world.blob_path(digest)).ok()?;
    (Digest::of(digest.algorithm(), &bytes) == *digest).then_some(bytes)
}

/// Whether a manifest can be pulled with all that it needs, by the most simple reading of the layout.
fn is_pulled(world: &World, repository: &str, digest: &Digest) -> bool {
    let Some(held) = link(&world.revision_path(repository, digest)) else { return false };
    if held != *digest {
        return false;
    }
    let Some(bytes) = whole(world, &held) else { return false };
    let Ok(manifest) = Manifest::from_stored(&bytes) else { return false };
    manifest.references().all(|(role, it)| match role {
        Role::Child => is_pulled(world, repository, &it.digest),
        _ => {
            let hex = it.digest.to_hex();
            let path = world.repositories(&format!("{repository}/_layers/sha256/{hex}/link"));
            link(&path) == Some(it.digest) && whole(world, &it.digest).is_some()
        }
    })
}

const TAGS: [(&str, &str); 4] =
    [("group/app", "v1"), ("group/app", "latest"), ("group/app", "both"), ("other", "v1")];

fn pulled(world: &World) -> BTreeSet<(&'static str, &'static str)> {
    let is_good = |(repository, tag): &(&str, &str)| {
        let current = link(&world.tag_path(repository, tag, "current/link"));
        current.is_some_and(|digest| is_pulled(world, repository, &digest))
    };
    TAGS.into_iter().filter(is_good).collect()
}

fn damage(world: &World, chance: &mut Chance) {
    let files = WalkDir::new(world.top("")).sort_by_file_name().into_iter().map(Result::unwrap);
    let files: Vec<_> =
        files.filter(|it| it.file_type().is_file()).map(|it| it.into_path()).collect();
    for _ in 0..=chance.below(4) {
        let path = &files[chance.below(files.len())];
        let Ok(bytes) = fs::read(path) else { continue };
        match chance.below(6) {
            0 => fs::remove_file(path).unwrap(),
            1 => fs::remove_dir_all(path.parent().unwrap()).unwrap(),
            2 => write(path, b""),
            3 => write(path, &bytes[..bytes.len() / 2]),
            4 => write(path, &[bytes.as_slice(), b"\n"].concat()),
            _ => write(path, &bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()),
        }
    }
}

#[tokio::test]
async fn what_can_be_pulled_stays_so_whatever_is_repaired() {
    let mut is_healed = 0;
    for seed in 0..ROUNDS {
        let world = World::new();
        damage(&world, &mut Chance(seed as u64));
        let before = pulled(&world);
        let read = world.read().await;
        let broken: BTreeSet<(String, String)> = read
            .repositories
            .iter()
            .flat_map(|it| it.broken_tags.iter().map(|tag| (it.name.clone().unwrap(), tag.clone())))
            .collect();
        for (repository, tag) in TAGS {
            // One of which nothing is left is no tag any more.
            if world.tag_path(repository, tag, "").exists() {
                let is_broken = broken.contains(&(repository.to_owned(), tag.to_owned()));
                assert_eq!(
                    is_broken,
                    !before.contains(&(repository, tag)),
                    "{seed}: {repository}:{tag} {read:#?}"
                );
            }
        }
        let mut report = world.repair().await;
        // What is right by now may show what was behind it.
        for _ in 0..2 {
            report = world.repair().await;
        }
        let (after, files) = (pulled(&world), world.files());
        assert!(after.is_superset(&before), "{seed}: {before:?} {after:?}");
        is_healed += usize::from(!report.is_left());
        let last = world.repair().await;
        assert_eq!(world.files(), files, "{seed}: {last:#?}");
        if !last.is_left() {
            let there = TAGS
                .iter()
                .filter(|(repository, tag)| world.tag_path(repository, tag, "").exists());
            assert_eq!(after.len(), there.count(), "{seed}");
        }
    }
    // Both are looked at.
    assert!((5..ROUNDS - 5).contains(&is_healed), "{is_healed}");
}
