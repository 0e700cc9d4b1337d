//! The kinds of manifest, by their media types.
//!
//! A `Content-Type` may carry parameters, spaces and capitals, so reading a header tolerates them.
//! A document's `mediaType` may not: Distribution, which may serve the same storage next, compares
//! it letter by letter. Docker's schema 1 is recognised, and left to whoever can verify signatures.

use std::fmt;

/// A kind of manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManifestType {
    /// An OCI image or artifact.
    OciManifest,
    /// An OCI index: manifests by platform, or referrers.
    OciIndex,
    /// A Docker image, schema 2.
    DockerManifest,
    /// A Docker manifest list.
    DockerList,
    /// A Docker image, schema 1, without its signatures: as it is stored.
    DockerSchema1,
    /// A Docker image, schema 1, signed: as it is pushed and served.
    DockerSchema1Signed,
}

impl ManifestType {
    /// What may be pushed, as errors list it.
    pub const ACCEPTED: [Self; 4] =
        [Self::OciManifest, Self::OciIndex, Self::DockerManifest, Self::DockerList];

    const ALL: [Self; 6] = [
        Self::OciManifest,
        Self::OciIndex,
        Self::DockerManifest,
        Self::DockerList,
        Self::DockerSchema1,
        Self::DockerSchema1Signed,
    ];

    /// The media type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::DockerSchema1 => "application/vnd.docker.distribution.manifest.v1+json",
            Self::DockerSchema1Signed => {
                "application/vnd.docker.distribution.manifest.v1+prettyjws"
            }
        }
    }

    /// Reads a media type as a header has it: white space, capitals and parameters do not matter.
    pub fn from_media_type(text: &str) -> Option<Self> {
        let name = text.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }

    /// Reads a document's own `mediaType`, which has one spelling.
    pub(crate) fn from_document(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it lists manifests instead of layers.
    pub const fn is_index(self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerList)
    }

    /// Whether it is Docker's schema 1.
    pub const fn is_schema1(self) -> bool {
        matches!(self, Self::DockerSchema1 | Self::DockerSchema1Signed)
    }

    /// Whether the document must carry its `mediaType`; for OCI's it is optional.
    pub const fn needs_media_type(self) -> bool {
        matches!(self, Self::DockerManifest | Self::DockerList)
    }
}

impl fmt::Display for ManifestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_have_parameters_capitals_and_spaces() {
        for kind in ManifestType::ALL {
            let sent = format!("  {} ; charset=utf-8; x", kind.as_str().to_uppercase());
            assert_eq!(ManifestType::from_media_type(&sent), Some(kind));
            assert_eq!(ManifestType::from_document(&sent), None);
            assert_eq!(ManifestType::from_document(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn another_type_is_none() {
        for sent in ["", ";", "application/json", "application/vnd.oci.artifact.manifest.v1+json"] {
            assert_eq!(ManifestType::from_media_type(sent), None, "{sent}");
        }
    }

    #[test]
    fn no_kind_is_both_index_and_schema_1() {
        let kinds = |test: fn(ManifestType) -> bool| ManifestType::ALL.map(test);
        assert_eq!(kinds(ManifestType::is_index), [false, true, false, true, false, false]);
        assert_eq!(kinds(ManifestType::is_schema1), [false, false, false, false, true, true]);
    }
}
