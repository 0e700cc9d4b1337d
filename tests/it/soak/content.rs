//! What is pushed: layers that many images share, images of one client, and one that everybody pulls all the time.

use std::sync::Arc;

use serde_json::json;

use super::wire::{MANIFEST, Wire};
use crate::{faults::Rng, support::pusher::digest};

/// Repositories, which all clients share.
pub(crate) const REPOSITORIES: [&str; 6] =
    ["app", "group/app", "group/project/app", "group/project/sub/app", "other/app", "cache"];

/// Layers of images on the same base; the first ones are small.
const BASE_SIZES: [usize; 6] = [300, 4_096, 70_000, 300_000, 1_100_000, 3_300_000];

/// The image that is pulled and never changes.
pub(crate) const STABLE: &str = "stable";

/// Bytes with their digest.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) digest: String,
}

impl Blob {
    pub(crate) fn random(rng: &mut Rng, length: usize) -> Self {
        let bytes = rng.bytes(length);
        Self { digest: digest(&bytes), bytes: bytes.into() }
    }
}

/// A manifest with its digest, and the digests that it names.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) manifest: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) blobs: Vec<String>,
}

impl Image {
    /// An image of this configuration and these layers.
    pub(crate) fn of(config: &Blob, layers: &[Blob]) -> Self {
        let described = |kind: &str, blob: &Blob| {
            json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"),
                "digest": blob.digest,
                "size": blob.bytes.len(),
            })
        };
        let layers_described: Vec<_> =
            layers.iter().map(|layer| described("layer.v1.tar", layer)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("config.v1+json", config),
            "layers": layers_described,
        });
        let manifest = manifest.to_string().into_bytes();
        let blobs = layers.iter().chain([config]).map(|blob| blob.digest.clone()).collect();
        Self { digest: digest(&manifest), manifest, blobs }
    }
}

/// What all clients know.
pub(crate) struct Shared {
    pub(crate) bases: Vec<Blob>,
    pub(crate) stable: Image,
}

impl Shared {
    /// Makes the shared layers, and pushes the image that is stable to every repository.
    pub(crate) fn put(wire: Wire, rng: &mut Rng) -> Self {
        let bases: Vec<Blob> = BASE_SIZES.iter().map(|size| Blob::random(rng, *size)).collect();
        let stable = Image::of(&bases[0], &bases[1..4]);
        for repository in REPOSITORIES {
            for blob in &bases[..4] {
                let mut pusher = wire.pusher();
                assert_eq!(pusher.post_blob(repository, &blob.bytes).unwrap().status, 201);
            }
            wire.put(repository, STABLE, &stable.manifest).unwrap();
        }
        Self { bases, stable }
    }
}
