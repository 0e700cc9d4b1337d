//! A descriptor points at content: what it is, its digest and its size.
//!
//! Only the digest is required when reading: Distribution stores descriptors without a size or a
//! media type, and checks neither against the content, so more would refuse images that are pulled
//! every day.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, fields::object};

/// Points at a blob or a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Raw")]
pub struct Descriptor {
    /// What the content is; empty when the document does not say.
    pub media_type: String,
    /// The name of the content.
    pub digest: Digest,
    /// How many bytes it claims to have.
    pub size: u64,
    /// Where else it can be had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free-form facts about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The content itself in base64, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The kind of artifact, when it points at one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What an image runs on, in an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Makes a descriptor with the three fields that every one has.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            data: None,
            artifact_type: None,
            platform: None,
        }
    }

    /// Whether clients fetch the content from its URLs, so that no registry needs to have it.
    pub fn is_foreign(&self) -> bool {
        const FOREIGN: [&str; 4] = [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        ];
        !self.urls.is_empty() && FOREIGN.contains(&self.media_type.as_str())
    }
}

/// What an image runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawPlatform")]
pub struct Platform {
    /// The processor, by Go's names: `amd64`, `arm64`.
    pub architecture: String,
    /// The operating system, by Go's names.
    pub os: String,
    /// The version that Windows images are bound to.
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the operating system must have.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// The processor's variant: `v7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

object! {
    /// A descriptor as written.
    Raw {
        media_type: String = "mediaType",
        digest: Digest = "digest",
        size: u64 = "size",
        urls: Vec<String> = "urls",
        annotations: BTreeMap<String, String> = "annotations",
        data: String = "data",
        artifact_type: String = "artifactType",
        platform: Platform = "platform",
    }
}

impl TryFrom<Raw> for Descriptor {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        Ok(Self {
            media_type: raw.media_type.flatten().unwrap_or_default(),
            digest: raw.digest.flatten().ok_or("a descriptor needs a `digest`")?,
            size: raw.size.flatten().unwrap_or_default(),
            urls: raw.urls.flatten().unwrap_or_default(),
            annotations: raw.annotations.flatten().unwrap_or_default(),
            data: raw.data.flatten(),
            artifact_type: raw.artifact_type.flatten(),
            platform: raw.platform.flatten(),
        })
    }
}

object! {
    /// A platform as written.
    RawPlatform {
        architecture: String = "architecture",
        os: String = "os",
        os_version: String = "os.version",
        os_features: Vec<String> = "os.features",
        variant: String = "variant",
    }
}

impl From<RawPlatform> for Platform {
    fn from(raw: RawPlatform) -> Self {
        Self {
            architecture: raw.architecture.flatten().unwrap_or_default(),
            os: raw.os.flatten().unwrap_or_default(),
            os_version: raw.os_version.flatten(),
            os_features: raw.os_features.flatten().unwrap_or_default(),
            variant: raw.variant.flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    fn digest() -> Digest {
        Digest::of(Algorithm::Sha256, b"layer")
    }

    #[test]
    fn writing_leaves_out_what_is_empty() {
        let descriptor = Descriptor::new("text/plain", digest(), 5);
        assert_eq!(
            serde_json::to_string(&descriptor).unwrap(),
            format!(r#"{{"mediaType":"text/plain","digest":"{}","size":5}}"#, digest())
        );
    }

    #[test]
    fn writing_then_reading_is_identity() {
        let platform = Platform {
            architecture: "arm".into(),
            os: "windows".into(),
            os_version: Some("10.0.1".into()),
            os_features: vec!["win32k".into()],
            variant: Some("v7".into()),
        };
        let descriptor = Descriptor {
            urls: vec!["https://example.com/layer".into()],
            annotations: BTreeMap::from([("a".into(), "b".into())]),
            data: Some("e30=".into()),
            artifact_type: Some("application/x".into()),
            platform: Some(platform),
            ..Descriptor::new("text/plain", digest(), 5)
        };
        let json = serde_json::to_string(&descriptor).unwrap();
        assert!(json.contains(r#""os.version":"10.0.1""#), "{json}");
        assert_eq!(serde_json::from_str::<Descriptor>(&json).unwrap(), descriptor);
    }

    #[test]
    fn only_the_digest_is_required() {
        let json = format!(r#"{{"digest":"{}","urls":null,"other":[1]}}"#, digest());
        let descriptor: Descriptor = serde_json::from_str(&json).unwrap();
        assert_eq!(descriptor, Descriptor::new("", digest(), 0));
        let error = serde_json::from_str::<Descriptor>(r#"{"size":5}"#).unwrap_err();
        assert!(error.to_string().starts_with("a descriptor needs a `digest`"), "{error}");
    }

    #[test]
    fn a_foreign_layer_without_urls_is_not_foreign() {
        let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        let mut layer = Descriptor::new(foreign, digest(), 5);
        assert!(!layer.is_foreign());
        layer.urls.push("https://example.com/layer".into());
        assert!(layer.is_foreign());
        layer.media_type = "application/vnd.oci.image.layer.v1.tar+gzip".into();
        assert!(!layer.is_foreign());
    }
}
