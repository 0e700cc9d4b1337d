//! An image: layers, a configuration, and the manifest that names them.

use std::io;

use serde_json::{Value, json};

use super::Rng;
use crate::support::pusher::{Pusher, digest};

/// Content of one image, as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Layers, then the configuration.
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) manifest: Vec<u8>,
}

impl Image {
    /// An image with layers of these sizes.
    pub(crate) fn new(rng: &mut Rng, sizes: &[usize]) -> Self {
        let layers = sizes.iter().map(|size| rng.bytes(*size)).collect();
        Self::of(layers, rng.bytes(64))
    }

    /// An image of these layers and this configuration.
    pub(crate) fn of(layers: Vec<Vec<u8>>, config: Vec<u8>) -> Self {
        let described = |kind: &str, content: &[u8]| {
            json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"),
                "digest": digest(content),
                "size": content.len(),
            })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("config.v1+json", &config),
            "layers": layers.iter().map(|layer| described("layer.v1.tar", layer)).collect::<Vec<_>>(),
        });
        let mut blobs = layers;
        blobs.push(config);
        Self { blobs, manifest: manifest.to_string().into_bytes() }
    }

    pub(crate) fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// Pushes everything; every part must be taken.
    pub(crate) fn push(
        &self,
        pusher: &mut Pusher,
        repository: &str,
        reference: &str,
    ) -> io::Result<()> {
        for blob in &self.blobs {
            let answer = pusher.post_blob(repository, blob)?;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        let answer = pusher.push_manifest(repository, reference, &self.manifest)?;
        assert_eq!(answer.status, 201, "{answer:?}");
        Ok(())
    }
}

/// Pulls a manifest and all that it names, hashes everything, and returns the manifest's digest.
pub(crate) fn pull(
    pusher: &mut Pusher,
    repository: &str,
    reference: &str,
) -> Result<String, String> {
    let manifest = fetch(pusher, &format!("/v2/{repository}/manifests/{reference}"))?;
    let fields: Value = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
    let layers = fields["layers"].as_array().into_iter().flatten();
    for descriptor in layers.chain([&fields["config"]]) {
        let claimed = descriptor["digest"].as_str().unwrap_or_default();
        let content = fetch(pusher, &format!("/v2/{repository}/blobs/{claimed}"))?;
        if digest(&content) != claimed {
            return Err(format!("{repository}: blob {claimed} has other content"));
        }
    }
    Ok(digest(&manifest))
}

fn fetch(pusher: &mut Pusher, target: &str) -> Result<Vec<u8>, String> {
    let answer = pusher.get(target).map_err(|error| format!("{target}: {error}"))?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(format!("{target}: {status} {}", answer.text())),
    }
}
