//! The referrers of a manifest: an index of the manifests that name it as their subject.
//!
//! It is what stands behind the referrers tag, which clients keep themselves where a registry has no
//! referrers API. So others write it too, and whatever they put there stays: descriptors are added
//! and removed, and nothing else changes.

use serde_json::{Map, Value, json};

use crate::{Descriptor, Digest, ManifestError, ManifestType, fields::is_key};

const MANIFESTS: &str = "manifests";

/// An index of referrers.
#[derive(Clone, Debug, PartialEq)]
pub struct Referrers {
    /// All of the index but its descriptors.
    rest: Map<String, Value>,
    listed: Vec<Referrer>,
}

/// An entry of the index, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Referrer {
    document: Value,
    /// None in an entry that is no descriptor; it is kept all the same.
    descriptor: Option<Descriptor>,
}

impl Default for Referrers {
    fn default() -> Self {
        Self { rest: bare(), listed: Vec::new() }
    }
}

impl Referrers {
    /// Reads an index from storage.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut rest: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::json(&error))?;
        let mut kept = Map::new();
        let mut listed = Vec::new();
        for (key, value) in std::mem::take(&mut rest) {
            match value {
                Value::Array(entries) if is_key(&key, MANIFESTS) => listed = entries,
                // Something else under that name is nothing that an index could have.
                _ if is_key(&key, MANIFESTS) => {}
                value => drop(kept.insert(key, value)),
            }
        }
        let listed = listed.into_iter().map(Referrer::read).collect();
        Ok(Self { rest: kept, listed })
    }

    /// Adds a referrer, or to one that is listed what its entry lacks. No: there is nothing to add.
    pub fn list(&mut self, descriptor: Descriptor) -> bool {
        let found = self.listed.iter_mut().find(|listed| listed.is(&descriptor.digest));
        match found {
            Some(listed) => listed.complete(descriptor),
            None => {
                self.listed.push(Referrer::of(descriptor));
                true
            }
        }
    }

    /// Adds what another page of the list has.
    pub fn append(&mut self, mut page: Self) {
        self.listed.append(&mut page.listed);
    }

    /// Removes a referrer. No: it was not listed.
    pub fn remove(&mut self, digest: &Digest) -> bool {
        let before = self.listed.len();
        self.listed.retain(|listed| !listed.is(digest));
        self.listed.len() < before
    }

    /// Whether nothing is lost with it.
    pub fn is_bare(&self) -> bool {
        self.listed.is_empty() && self.rest == bare()
    }

    /// The referrers by digest, each once.
    pub fn by_digest(&self) -> Vec<(&Digest, &Referrer)> {
        let mut found: Vec<_> = self
            .listed
            .iter()
            .filter_map(|listed| Some((&listed.descriptor.as_ref()?.digest, listed)))
            .collect();
        found.sort_by_key(|(digest, _)| *digest);
        found.dedup_by_key(|(digest, _)| *digest);
        found
    }

    /// The index as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut document = self.rest.clone();
        let listed = self.listed.iter().map(|listed| listed.document.clone()).collect();
        document.insert(MANIFESTS.to_owned(), Value::Array(listed));
        Value::Object(document).to_string().into_bytes()
    }
}

impl Referrer {
    /// The entry as it was written.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The kind of artifact.
    pub fn artifact_type(&self) -> Option<&str> {
        self.descriptor.as_ref()?.artifact_type.as_deref()
    }

    fn of(descriptor: Descriptor) -> Self {
        let document =
            serde_json::to_value(&descriptor).expect("a descriptor is text, numbers and maps");
        Self { document, descriptor: Some(descriptor) }
    }

    fn read(document: Value) -> Self {
        let descriptor = serde_json::from_value(document.clone()).ok();
        Self { document, descriptor }
    }

    fn is(&self, digest: &Digest) -> bool {
        self.descriptor.as_ref().is_some_and(|descriptor| descriptor.digest == *digest)
    }

    /// Old clients leave out what the API has to say of a referrer.
    fn complete(&mut self, from: Descriptor) -> bool {
        let (Some(own), Value::Object(_)) = (&self.descriptor, &self.document) else {
            return false;
        };
        let mut completed = own.clone();
        completed.artifact_type = completed.artifact_type.or(from.artifact_type);
        if completed.annotations.is_empty() {
            completed.annotations = from.annotations;
        }
        if completed == *own {
            return false;
        }
        if let Some(artifact_type) = &completed.artifact_type {
            self.document["artifactType"] = json!(artifact_type);
        }
        if !completed.annotations.is_empty() {
            self.document["annotations"] = json!(completed.annotations);
        }
        self.descriptor = Some(completed);
        true
    }
}

/// An index without descriptors.
fn bare() -> Map<String, Value> {
    let media_type = json!(ManifestType::OciIndex.as_str());
    Map::from_iter([("mediaType".to_owned(), media_type), ("schemaVersion".to_owned(), json!(2))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Manifest};

    fn descriptor(content: &str) -> Descriptor {
        let digest = Digest::of(Algorithm::Sha256, content.as_bytes());
        let artifact_type = Some("text/x".to_owned());
        Descriptor { artifact_type, ..Descriptor::new("text/plain", digest, 1) }
    }

    fn read(document: &Value) -> Referrers {
        Referrers::from_stored(document.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_read_is_written_again() {
        for odd in [
            r#"{"schemaVersion":2,"manifests":"x","Manifests":[{"size":1}]}"#,
            r#"{"schemaVersion":2,"manifests":[{"size":1}],"MANIFESTS":null}"#,
            r#"{"schemaVersion":2,"manifests":{"a":"b"}}"#,
            r#"{"schemaVersion":222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222,"manifests":[]}"#,
        ] {
            let referrers = Referrers::from_stored(odd.as_bytes()).unwrap();
            assert_eq!(Referrers::from_stored(&referrers.to_bytes()).unwrap(), referrers, "{odd}");
        }
    }

    #[test]
    fn what_is_listed_is_read_back_and_is_an_index() {
        let mut referrers = Referrers::default();
        assert!(referrers.is_bare());
        assert!(referrers.list(descriptor("a")));
        assert!(referrers.list(descriptor("b")));
        assert!(!referrers.list(descriptor("a")), "it is listed");
        let bytes = referrers.to_bytes();
        assert_eq!(Referrers::from_stored(&bytes).unwrap(), referrers);
        let index = Manifest::parse(Some(ManifestType::OciIndex.as_str()), &bytes).unwrap();
        assert_eq!(index.manifests, [descriptor("a"), descriptor("b")]);
        assert!(referrers.remove(&descriptor("a").digest));
        assert!(!referrers.remove(&descriptor("a").digest));
        assert!(referrers.remove(&descriptor("b").digest) && referrers.is_bare());
    }

    #[test]
    fn what_others_wrote_stays() {
        let entry = json!({ "digest": descriptor("a").digest, "size": 1, "x-own": [1] });
        let document = json!({
            "schemaVersion": 2,
            "annotations": { "by": "a client" },
            "Manifests": [entry, { "digest": "sha384:00" }, 7],
        });
        let mut referrers = read(&document);
        assert!(referrers.list(descriptor("a")), "its type is added");
        assert!(referrers.list(descriptor("b")));
        let written: Value = serde_json::from_slice(&referrers.to_bytes()).unwrap();
        assert_eq!(written["annotations"], document["annotations"]);
        assert_eq!(written["manifests"][0]["x-own"], json!([1]));
        assert_eq!(written["manifests"][0]["artifactType"], "text/x");
        assert_eq!(written["manifests"][1], json!({ "digest": "sha384:00" }));
        assert_eq!(written["manifests"][2], 7);
        assert_eq!(referrers.by_digest().len(), 2, "what is no descriptor is not shown");
        referrers.remove(&descriptor("a").digest);
        referrers.remove(&descriptor("b").digest);
        assert!(!referrers.is_bare());
    }

    #[test]
    fn an_entry_that_says_something_else_keeps_it() {
        let own = json!({ "digest": descriptor("a").digest, "artifactType": "own/type" });
        let mut referrers = read(&json!({ "schemaVersion": 2, "manifests": [own, own] }));
        assert!(!referrers.list(descriptor("a")));
        let [(_, listed)] = referrers.by_digest()[..] else { panic!("each is shown once") };
        assert_eq!(listed.artifact_type(), Some("own/type"));
        assert!(Referrers::from_stored(b"[]").is_err());
    }
}
