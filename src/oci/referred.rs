//! What a stored manifest refers to, for whoever decides what may be deleted.
//!
//! It sees what any reader could see: fields of every kind of manifest, keys in any case, and every one of several
//! equal keys. What it cannot understand is an error, never a manifest that refers to nothing.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use crate::{Digest, ManifestError, ManifestType, fields::is_key};

/// OCI's artifact manifest, which 1.1 dropped again; registries have taken it.
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// What a manifest refers to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Referred {
    /// The manifests of an index.
    pub children: Vec<Digest>,
    /// The configuration first, where there is one; layers and other blobs. Some need not be there: a foreign layer, what `data` embeds.
    pub blobs: Vec<Digest>,
    /// The manifest that it is about.
    pub subject: Option<Digest>,
    /// Whether it is an index, by its type or by its looks.
    pub is_index: bool,
}

/// The document as far as it matters.
#[derive(Default)]
struct Outline {
    referred: Referred,
    schema_version: Option<i64>,
    media_type: Option<String>,
    has_manifests: bool,
}

impl Referred {
    /// Reads what is in storage.
    ///
    /// # Errors
    /// The bytes are no manifest of a kind that is known.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, ManifestError> {
        let outline: Outline =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::json(&error))?;
        let Outline { mut referred, schema_version, media_type, has_manifests } = outline;
        let claimed = media_type.as_deref().filter(|claimed| !claimed.is_empty());
        referred.is_index = match (schema_version, claimed) {
            (_, Some(ARTIFACT)) => false,
            (Some(1), _) => false,
            (_, Some(claimed)) => ManifestType::from_document(claimed)
                .ok_or_else(|| ManifestError::unknown_type(claimed))?
                .is_index(),
            (Some(2), None) => has_manifests,
            (found, None) => return Err(ManifestError::SchemaVersion { found }),
        };
        Ok(referred)
    }
}

/// A descriptor, or a layer of schema 1: whatever has a digest under this name.
struct Pointer<const SCHEMA1: bool>(Digest);

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
        let mut outline = Outline::default();
        while let Some(key) = map.next_key::<String>()? {
            outline.read(&key, &mut map)?;
        }
        Ok(outline)
    }
}

impl Outline {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let Self { referred, schema_version, media_type, has_manifests } = self;
        let blobs = &mut referred.blobs;
        if is_key(key, "config") {
            let config = map.next_value::<Option<Pointer<false>>>()?.map(|pointer| pointer.0);
            blobs.splice(..0, config);
        } else if is_key(key, "layers") || is_key(key, "blobs") {
            blobs.extend(list::<_, false>(map)?.unwrap_or_default());
        } else if is_key(key, "fsLayers") {
            blobs.extend(list::<_, true>(map)?.unwrap_or_default());
        } else if is_key(key, "manifests") {
            let manifests = list::<_, false>(map)?;
            *has_manifests |= manifests.is_some();
            referred.children.extend(manifests.unwrap_or_default());
        } else if is_key(key, "subject") {
            let subject = map.next_value::<Option<Pointer<false>>>()?;
            referred.subject = subject.map(|pointer| pointer.0).or(referred.subject);
        } else if is_key(key, "schemaVersion") {
            *schema_version = map.next_value::<Option<i64>>()?.or(*schema_version);
        } else if is_key(key, "mediaType") {
            let claimed = map.next_value::<Option<String>>()?;
            *media_type = claimed.or_else(|| media_type.take());
        } else {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

fn list<'de, A: MapAccess<'de>, const SCHEMA1: bool>(
    map: &mut A,
) -> Result<Option<Vec<Digest>>, A::Error> {
    let pointers = map.next_value::<Option<Vec<Pointer<SCHEMA1>>>>()?;
    Ok(pointers.map(|pointers| pointers.into_iter().map(|pointer| pointer.0).collect()))
}

impl<'de, const SCHEMA1: bool> Deserialize<'de> for Pointer<SCHEMA1> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PointerVisitor::<SCHEMA1>)
    }
}

struct PointerVisitor<const SCHEMA1: bool>;

impl<'de, const SCHEMA1: bool> Visitor<'de> for PointerVisitor<SCHEMA1> {
    type Value = Pointer<SCHEMA1>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a digest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let name = if SCHEMA1 { "blobSum" } else { "digest" };
        let mut digest: Option<Digest> = None;
        while let Some(key) = map.next_key::<String>()? {
            if !is_key(&key, name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let found = map.next_value::<Option<Digest>>()?;
            if let (Some(before), Some(found)) = (digest, found)
                && before != found
            {
                return Err(A::Error::custom(format_args!("`{name}` is there twice")));
            }
            digest = found.or(digest);
        }
        digest.map(Pointer).ok_or_else(|| A::Error::missing_field(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Algorithm, Manifest,
        samples::{descriptor, image, index, with},
    };

    fn digest(content: &str) -> Digest {
        Digest::of(Algorithm::Sha256, content.as_bytes())
    }

    fn read(document: &Value) -> Result<Referred, ManifestError> {
        Referred::from_stored(document.to_string().as_bytes())
    }

    #[test]
    fn an_image_refers_to_blobs_and_an_index_to_manifests() {
        let image = read(&with(image(), json!({ "subject": descriptor("s") }))).unwrap();
        assert_eq!(image.blobs, [digest("{}"), digest("a")]);
        assert_eq!((image.subject, image.is_index), (Some(digest("s")), false));
        let index = read(&index()).unwrap();
        assert_eq!((index.children, index.is_index), (vec![digest("a"), digest("b")], true));
    }

    #[test]
    fn every_field_of_every_kind_counts() {
        let document = json!({
            "schemaVersion": 2, "Layers": [descriptor("l")], "blobs": [descriptor("b")],
            "manifests": [descriptor("m")], "fsLayers": [{ "blobSum": digest("f") }],
        });
        let referred = read(&document).unwrap();
        assert_eq!(referred.blobs.len(), 3);
        assert_eq!(referred.children, [digest("m")]);
        let twice = format!(
            "{{\"schemaVersion\":2,\"layers\":[{}],\"layers\":[{}]}}",
            descriptor("a"),
            descriptor("b")
        );
        let referred = Referred::from_stored(twice.as_bytes()).unwrap();
        assert_eq!(referred.blobs, [digest("a"), digest("b")]);
    }

    #[test]
    fn an_artifact_manifest_and_schema_1_are_known() {
        let artifact = json!({ "mediaType": ARTIFACT, "blobs": [descriptor("b")] });
        assert_eq!(read(&artifact).unwrap().blobs, [digest("b")]);
        let schema1 = json!({ "schemaVersion": 1, "fsLayers": [{ "blobSum": digest("f") }] });
        assert_eq!(read(&schema1).unwrap().blobs, [digest("f")]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let pointer = json!({ "mediaType": "text/plain", "size": 1 });
        for document in [
            json!({}),
            json!([]),
            json!({ "layers": [descriptor("a")] }),
            with(image(), json!({ "mediaType": "text/plain" })),
            with(image(), json!({ "layers": [pointer] })),
            with(image(), json!({ "layers": [null] })),
            with(image(), json!({ "config": { "digest": "sha1:00" } })),
            with(image(), json!({ "subject": "x" })),
        ] {
            assert!(read(&document).is_err(), "{document}");
        }
        assert!(Referred::from_stored(b"").is_err());
    }

    proptest! {
        #[test]
        fn it_sees_no_less_than_the_reader_of_manifests(
            document in prop::sample::select(vec![image(), index()]),
            changes in prop::collection::vec(
                ("(config|layers|Layers|manifests|subject)", prop::sample::select(vec![
                    json!(null), descriptor("x"), json!([descriptor("y")]), json!([]),
                ])),
                0..3,
            ),
        ) {
            let document = with(document, changes.into_iter().collect());
            if let Ok(manifest) = Manifest::from_stored(document.to_string().as_bytes()) {
                let referred = read(&document).unwrap();
                for (_, descriptor) in manifest.references() {
                    let is_seen = referred.blobs.contains(&descriptor.digest)
                        || referred.children.contains(&descriptor.digest);
                    prop_assert!(is_seen);
                }
                prop_assert_eq!(referred.subject, manifest.subject.map(|subject| subject.digest));
            }
        }
    }
}
