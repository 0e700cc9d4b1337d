//! A manifest as written: every field of every kind, and what its own words say it is.

use std::collections::BTreeMap;

use crate::{Descriptor, Digest, ManifestError, ManifestType, fields::object};

/// What schema 1 calls a layer has no type and no size.
const SCHEMA1_LAYER: &str = "application/vnd.docker.container.image.rootfs.diff+x-gtar";

object! {
    /// All that the kinds of manifest have between them.
    Document {
        schema_version: i64 = "schemaVersion",
        media_type: String = "mediaType",
        config: Descriptor = "config",
        layers: Vec<Descriptor> = "layers",
        manifests: Vec<Descriptor> = "manifests",
        subject: Descriptor = "subject",
        artifact_type: String = "artifactType",
        annotations: BTreeMap<String, String> = "annotations",
    }
}

object! {
    /// Only what tells the kind, for reading one from storage on every pull.
    Outline {
        schema_version: i64 = "schemaVersion",
        media_type: String = "mediaType",
        manifests: Vec<serde::de::IgnoredAny> = "manifests",
        signatures: serde::de::IgnoredAny = "signatures",
    }
}

object! {
    /// A Docker image of schema 1.
    Schema1 {
        layers: Vec<Schema1Layer> = "fsLayers",
    }
}

object! {
    /// One of its layers.
    Schema1Layer {
        digest: Digest = "blobSum",
    }
}

impl Document {
    /// The type that the document claims; an empty one claims nothing.
    pub(crate) fn claimed(&self) -> Option<&str> {
        claim(&self.media_type)
    }
}

impl Outline {
    /// The kind under which the document is served: its own word, or else its looks.
    pub(crate) fn kind(&self) -> Result<ManifestType, ManifestError> {
        match (self.schema_version.flatten(), claim(&self.media_type)) {
            (Some(1), _) if self.signatures.flatten().is_some() => {
                Ok(ManifestType::DockerSchema1Signed)
            }
            (Some(1), _) => Ok(ManifestType::DockerSchema1),
            (Some(2), Some(claimed)) => ManifestType::from_document(claimed)
                .filter(|kind| !kind.is_schema1())
                .ok_or_else(|| ManifestError::unknown_type(claimed)),
            (Some(2), None) if matches!(self.manifests, Some(Some(_))) => {
                Ok(ManifestType::OciIndex)
            }
            (Some(2), None) => Ok(ManifestType::OciManifest),
            (found, _) => Err(ManifestError::SchemaVersion { found }),
        }
    }
}

impl Schema1 {
    /// The layers, lowest first; the document has them the other way round.
    pub(crate) fn layers(self) -> Result<Vec<Descriptor>, ManifestError> {
        let kind = ManifestType::DockerSchema1;
        let missing = ManifestError::Missing { kind, field: "blobSum" };
        let layers = self.layers.flatten().into_iter().flatten().rev();
        let digests = layers.map(|layer| layer.digest.flatten().ok_or_else(|| missing.clone()));
        digests
            .map(|digest| digest.map(|digest| Descriptor::new(SCHEMA1_LAYER, digest, 0)))
            .collect()
    }
}

fn claim(media_type: &Option<Option<String>>) -> Option<&str> {
    media_type.as_ref()?.as_deref().filter(|claimed| !claimed.is_empty())
}
