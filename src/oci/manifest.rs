//! A manifest: the document that makes blobs an image, or manifests an index.
//!
//! It is read in two ways. [`Manifest::parse`] is the door for a push and refuses whatever two
//! readers could understand differently (CVE-2021-41190). [`Manifest::from_stored`] reads what some
//! registry accepted in the past, by the rules it is served under; there a refusal would only hide
//! references from a collector. The bytes stay the caller's: a manifest is never written back.

use std::{collections::BTreeMap, iter};

use serde::de::DeserializeOwned;

use crate::{
    Descriptor, ManifestError, ManifestType,
    document::{Document, Outline, Schema1},
    text,
};

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Which kind it is.
    pub kind: ManifestType,
    /// The configuration of an image.
    pub config: Option<Descriptor>,
    /// The layers of an image, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifests of an index.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about; it need not exist.
    pub subject: Option<Descriptor>,
    /// The kind of artifact, when it is one.
    pub artifact_type: Option<String>,
    /// Free-form facts about it.
    pub annotations: BTreeMap<String, String>,
}

/// What a descriptor is to the manifest that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The configuration of an image: a blob.
    Config,
    /// A layer of an image: a blob.
    Layer,
    /// A layer that clients fetch from its URLs: the blob may be absent, and is kept when it is there.
    ForeignLayer,
    /// A manifest of an index.
    Child,
}

impl Manifest {
    /// Reads what is being pushed. `declared` is the request's `Content-Type`.
    ///
    /// Its length is the caller's to limit; its depth is limited here.
    pub fn parse(declared: Option<&str>, bytes: &[u8]) -> Result<Self, ManifestError> {
        let declared = declared.filter(|text| !text.is_empty()).map(known_type).transpose()?;
        let document: Document = read(bytes)?;
        let kind = agreed_type(declared, document.claimed())?;
        let found = document.schema_version.flatten();
        if found != Some(2) {
            return Err(ManifestError::SchemaVersion { found });
        }
        check_fields(kind, &document)?;
        Ok(Self::of(kind, document))
    }

    /// Reads what is in storage, with all that it refers to, even by fields that a push must not mix.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, ManifestError> {
        let kind = Self::sniff(bytes)?;
        let mut manifest = Self::of(kind, read(bytes)?);
        if kind.is_schema1() {
            manifest.layers = read::<Schema1>(bytes)?.layers();
        }
        Ok(manifest)
    }

    /// Tells the kind of what is in storage, where nothing but the bytes is kept: by its `mediaType`,
    /// else an array `manifests` makes it an OCI index, else it is an OCI manifest.
    pub fn sniff(bytes: &[u8]) -> Result<ManifestType, ManifestError> {
        read::<Outline>(bytes)?.kind()
    }

    /// The content that belongs to it and must be in the repository, in the document's order.
    ///
    /// The subject is not among it.
    pub fn references(&self) -> impl Iterator<Item = (Role, &Descriptor)> {
        let layer = |descriptor: &Descriptor| match descriptor.is_foreign() {
            true => Role::ForeignLayer,
            false => Role::Layer,
        };
        iter::empty()
            .chain(self.config.iter().map(|config| (Role::Config, config)))
            .chain(self.layers.iter().map(move |descriptor| (layer(descriptor), descriptor)))
            .chain(self.manifests.iter().map(|child| (Role::Child, child)))
    }

    /// The `artifactType` under which the referrers API lists it: its own, or else the media type
    /// of an image's configuration.
    pub fn listed_artifact_type(&self) -> Option<&str> {
        let own = self.artifact_type.as_deref();
        let config = self.config.as_ref().map(|config| config.media_type.as_str());
        own.or(config).filter(|artifact_type| !artifact_type.is_empty())
    }

    fn of(kind: ManifestType, document: Document) -> Self {
        Self {
            kind,
            config: document.config.flatten(),
            layers: document.layers.flatten().unwrap_or_default(),
            manifests: document.manifests.flatten().unwrap_or_default(),
            subject: document.subject.flatten(),
            artifact_type: document.artifact_type.flatten(),
            annotations: document.annotations.flatten().unwrap_or_default(),
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ManifestError> {
    serde_json::from_slice(bytes).map_err(|error| ManifestError::json(&error))
}

fn known_type(declared: &str) -> Result<ManifestType, ManifestError> {
    ManifestType::from_media_type(declared).ok_or_else(|| ManifestError::unknown_type(declared))
}

/// The kind on which the request and the document agree.
fn agreed_type(
    declared: Option<ManifestType>,
    claimed: Option<&str>,
) -> Result<ManifestType, ManifestError> {
    let kind = match (declared, claimed) {
        (Some(declared), Some(claimed)) if declared.as_str() != claimed => {
            let claimed = text::excerpt(claimed);
            return Err(ManifestError::TypeMismatch { declared, claimed });
        }
        (Some(declared), None) if declared.needs_media_type() => {
            return Err(ManifestError::NoMediaType(declared));
        }
        (Some(declared), _) => declared,
        (None, Some(claimed)) => ManifestType::from_document(claimed)
            .ok_or_else(|| ManifestError::unknown_type(claimed))?,
        (None, None) => return Err(ManifestError::NoType),
    };
    if kind.is_schema1() {
        return Err(ManifestError::Schema1 { kind });
    }
    Ok(kind)
}

/// Checks that an image looks like an image and an index like an index, to every reader.
///
/// `null` for a list is an empty list, as Go programs write it, and makes nothing ambiguous.
fn check_fields(kind: ManifestType, document: &Document) -> Result<(), ManifestError> {
    let manifests = has(&document.manifests).then_some("manifests");
    let config = has(&document.config).then_some("config");
    let image = config.or(has(&document.layers).then_some("layers"));
    if let (Some(_), Some(field)) = (manifests, image) {
        return Err(ManifestError::Ambiguous(field));
    }
    let (misplaced, missing) = if kind.is_index() {
        (image, document.manifests.is_none().then_some("manifests"))
    } else {
        let layers = document.layers.is_none().then_some("layers");
        (manifests, if config.is_none() { Some("config") } else { layers })
    };
    match (misplaced, missing) {
        (Some(field), _) => Err(ManifestError::Misplaced { kind, field }),
        (None, Some(field)) => Err(ManifestError::Missing { kind, field }),
        (None, None) => Ok(()),
    }
}

const fn has<T>(field: &Option<Option<T>>) -> bool {
    matches!(field, Some(Some(_)))
}
