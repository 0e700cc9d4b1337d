//! What a registry shows to who looks at everything: its repositories, their tags, and each tag as skopeo pulls it.

use std::{collections::BTreeMap, fs};

use oci::{Algorithm, Digest};

use super::wire::Wire;
use crate::clients::skopeo;

/// A pulled image: the digest of each of its files by the name that skopeo gave it.
type Image = BTreeMap<String, Digest>;

/// Everything that a registry shows: repositories, tags, images.
pub(crate) type Seen = BTreeMap<String, BTreeMap<String, Image>>;

/// Looks at everything.
pub(crate) fn everything(wire: &Wire) -> Seen {
    let images = |repository: &str| {
        let tags = wire.tags(repository);
        let pulled = |tag: String| {
            let image = pull(&wire.image(&format!("{repository}:{tag}")));
            (tag, image)
        };
        tags.into_iter().map(pulled).collect()
    };
    wire.repositories()
        .into_iter()
        .map(|repository| {
            let images = images(&repository);
            (repository, images)
        })
        .collect()
}

/// Pulls an image with every platform, without changing a byte.
pub(crate) fn pull(image: &str) -> Image {
    let folder = tempfile::tempdir().unwrap();
    skopeo::copy(&["--all"], image, &format!("dir:{}", folder.path().display()));
    let mut files = Image::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let digest = Digest::of(Algorithm::Sha256, &fs::read(&path).unwrap());
        if name.len() == digest.to_hex().len() {
            assert_eq!(digest.to_hex(), name, "a blob of {image}");
        }
        files.insert(name, digest);
    }
    files
}

/// Returns the names of the tags, for a message that can be read.
pub(crate) fn names(seen: &Seen) -> Vec<String> {
    seen.iter()
        .flat_map(|(repository, images)| {
            images.keys().map(move |tag| format!("{repository}:{tag}"))
        })
        .collect()
}
