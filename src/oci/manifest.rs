//! A manifest: the document that makes blobs an image, or manifests an index.
//!
//! It is read in two ways. [`Manifest::parse`] is the door for a push and refuses whatever two
//! readers could understand differently (CVE-2021-41190). [`Manifest::from_stored`] reads what some
//! registry accepted in the past, by the rules it is served under; there a refusal would only hide
//! references from a collector. The bytes stay the caller's: a manifest is never written back.

use std::{collections::BTreeMap, iter};

use serde::de::DeserializeOwned;

use crate::{
    Descriptor, Digest, ManifestError, ManifestType,
    document::{Document, Outline, Schema1},
    push,
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
    /// A layer that clients fetch from its URLs: the blob may be absent, and is kept when present.
    ForeignLayer,
    /// A manifest of an index.
    Child,
}

impl Manifest {
    /// Reads what is being pushed. `declared` is the request's `Content-Type`.
    ///
    /// Its length is the caller's to limit.
    pub fn parse(declared: Option<&str>, bytes: &[u8]) -> Result<Self, ManifestError> {
        let declared = push::declared(declared)?;
        let document = read(bytes)?;
        let kind = push::check(declared, &document)?;
        push::check_depth(bytes)?;
        Ok(Self::of(kind, document))
    }

    /// Reads what is in storage, with all that it refers to, even by fields that no push may mix.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, ManifestError> {
        let kind = Self::sniff(bytes)?;
        let mut manifest = Self::of(kind, read(bytes)?);
        if kind.is_schema1() {
            manifest.layers = read::<Schema1>(bytes)?.layers()?;
        }
        Ok(manifest)
    }

    /// Tells the kind of what is in storage, where nothing but the bytes is kept.
    ///
    /// Its `mediaType` decides, else an array `manifests` makes it an OCI index, else it is an OCI
    /// manifest. Nothing else in the document has to be right.
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
        [own, config].into_iter().flatten().find(|artifact_type| !artifact_type.is_empty())
    }

    /// The descriptor under which the referrers of its subject list it.
    pub fn as_referrer(&self, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            annotations: self.annotations.clone(),
            artifact_type: self.listed_artifact_type().map(str::to_owned),
            ..Descriptor::new(self.kind.as_str(), digest, size)
        }
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Algorithm,
        samples::{descriptor, image, index, with},
    };

    const OCI: ManifestType = ManifestType::OciManifest;
    const INDEX: ManifestType = ManifestType::OciIndex;

    fn parse(kind: ManifestType, document: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(Some(kind.as_str()), document.to_string().as_bytes())
    }

    fn roles(manifest: &Manifest) -> Vec<Role> {
        manifest.references().map(|(role, _)| role).collect()
    }

    #[test]
    fn depth_is_no_danger() {
        for open in ["[", "{\"a\":"] {
            let deep = format!("{{\"a\":{}", open.repeat(1 << 20));
            assert!(matches!(Manifest::sniff(deep.as_bytes()), Err(ManifestError::Json(_))));
        }
    }

    #[test]
    fn references_leave_out_the_subject() {
        let foreign = with(
            descriptor("f"),
            json!({
                "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "urls": ["https://example.com/f"],
            }),
        );
        let changes = json!({ "subject": descriptor("s"), "layers": [foreign, descriptor("a")] });
        let manifest = parse(OCI, &with(image(), changes)).unwrap();
        assert_eq!(roles(&manifest), [Role::Config, Role::ForeignLayer, Role::Layer]);
        assert_eq!(manifest.subject.unwrap().digest, Digest::of(Algorithm::Sha256, b"s"));
        assert_eq!(roles(&parse(INDEX, &index()).unwrap()), [Role::Child, Role::Child]);
    }

    #[test]
    fn an_artifact_is_listed_under_its_own_type_or_its_config_s() {
        let listed = |changes| {
            let manifest = parse(OCI, &with(image(), changes)).unwrap();
            manifest.listed_artifact_type().map(str::to_owned)
        };
        assert_eq!(listed(json!({ "artifactType": "a/b" })).as_deref(), Some("a/b"));
        assert_eq!(listed(json!({})).as_deref(), Some("text/plain"));
        assert_eq!(listed(json!({ "artifactType": "" })).as_deref(), Some("text/plain"));
        assert_eq!(parse(INDEX, &index()).unwrap().listed_artifact_type(), None);
    }

    #[test]
    fn what_is_stored_refers_to_all_that_any_reader_sees() {
        let stored = |document: &Value| Manifest::from_stored(document.to_string().as_bytes());
        let both = with(image(), json!({ "Manifests": [descriptor("b")] }));
        let manifest = stored(&both).unwrap();
        assert_eq!(manifest.kind, INDEX);
        assert_eq!(roles(&manifest), [Role::Config, Role::Layer, Role::Child]);
        let bare = stored(&json!({ "schemaVersion": 2 })).unwrap();
        assert_eq!((bare.kind, roles(&bare)), (OCI, vec![]));
        let odd = with(image(), json!({ "mediaType": "text/plain" }));
        assert_eq!(stored(&odd), Err(ManifestError::unknown_type("text/plain")));
    }

    #[test]
    fn a_stored_schema_1_image_keeps_its_layers() {
        let digest = |content: &[u8]| Digest::of(Algorithm::Sha256, content);
        let layers = json!([{ "blobSum": digest(b"top") }, { "blobSum": digest(b"base") }]);
        let document = json!({ "schemaVersion": 1, "fsLayers": layers, "signatures": [{}] });
        let manifest = Manifest::from_stored(document.to_string().as_bytes()).unwrap();
        assert_eq!(manifest.kind, ManifestType::DockerSchema1Signed);
        let digests: Vec<_> = manifest.references().map(|(_, layer)| layer.digest).collect();
        assert_eq!(digests, [digest(b"base"), digest(b"top")]);
        let broken = json!({ "schemaVersion": 1, "fsLayers": [{}] });
        assert!(Manifest::from_stored(broken.to_string().as_bytes()).is_err());
    }

    /// Values that are often nearly right.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i8>().prop_map(Value::from),
            Just(json!(2)),
            "\\PC{0,4}".prop_map(Value::from),
            Just(descriptor("a")),
            prop::sample::select(&ManifestType::ACCEPTED).prop_map(|kind| json!(kind.as_str())),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(Value::from),
                vec((any_key(), inner), 0..3).prop_map(|pairs| pairs.into_iter().collect()),
            ]
        })
    }

    fn any_key() -> impl Strategy<Value = String> {
        "(schemaVersion|mediaType|config|layers|Layers|manifests|subject|digest|size|platform)"
    }

    fn any_document() -> impl Strategy<Value = Value> {
        let known = prop::sample::select(vec![image(), index()]);
        (known, vec((any_key(), any_value()), 0..3))
            .prop_map(|(document, changes)| with(document, changes.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..64), declared in "\\PC{0,9}") {
            prop_assert!(Manifest::sniff(&bytes).is_err());
            prop_assert!(Manifest::parse(Some(&declared), &bytes).is_err());
        }

        #[test]
        fn no_json_panics(value in any_value()) {
            let bytes = value.to_string();
            if let Ok(manifest) = Manifest::from_stored(bytes.as_bytes()) {
                prop_assert_eq!(Manifest::sniff(bytes.as_bytes()), Ok(manifest.kind));
            }
        }

        #[test]
        fn what_a_push_accepts_is_read_back_as_the_same(
            document in any_document(),
            declared in prop::option::of(prop::sample::select(&ManifestType::ACCEPTED)),
        ) {
            let bytes = document.to_string();
            let declared = declared.map(ManifestType::as_str);
            if let Ok(pushed) = Manifest::parse(declared, bytes.as_bytes()) {
                prop_assert_eq!(Manifest::from_stored(bytes.as_bytes()), Ok(pushed));
            }
        }
    }
}
