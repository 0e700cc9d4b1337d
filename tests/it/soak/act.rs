//! What clients do that stay until they are answered.

use std::sync::Arc;

use super::{
    client::Client,
    content::{Blob, Image, STABLE},
    ledger::{self, Place},
    wire::MANIFEST,
};

/// How often a slow client begins a push again.
const TRIES: usize = 50;

/// Layers of a client's own have up to this many bytes.
const OWN_BYTES: u32 = 15;

impl Client {
    /// Pushes an image and a tag.
    pub(crate) fn push(&mut self) -> Result<(), String> {
        let place = self.place();
        self.push_to(place)
    }

    pub(crate) fn push_to(&mut self, place: Place) -> Result<(), String> {
        for _ in 0..TRIES {
            let image = self.push_untagged(place.0)?;
            match self.wire.put(place.0, &place.1, &image.manifest) {
                Err(reason) if self.is_slow && reason.contains("MANIFEST_BLOB_UNKNOWN") => {}
                put => {
                    put?;
                    self.ledger.points(place, image);
                    return Ok(());
                }
            }
        }
        Err(format!("{place:?}: after {TRIES} pushes a blob is still missing"))
    }

    /// Pushes all that an image needs before its manifest.
    pub(crate) fn push_untagged(&mut self, repository: &'static str) -> Result<Arc<Image>, String> {
        let shared = Arc::clone(&self.shared);
        let config = Blob::random(&mut self.rng, 64);
        let length = self.rng.size(4, OWN_BYTES);
        let mut layers = vec![Blob::random(&mut self.rng, length)];
        for _ in 0..self.rng.between(0, 2) {
            layers.push(shared.bases[self.rng.between(0, shared.bases.len() - 1)].clone());
        }
        for blob in layers.iter().chain([&config]) {
            self.push_blob(repository, blob)?;
        }
        Ok(Arc::new(Image::of(&config, &layers)))
    }

    /// Pulls an image of its own, by tag or by digest.
    pub(crate) fn pull(&mut self) -> Result<(), String> {
        let Some(place) = self.tagged() else { return self.push() };
        let image = Arc::clone(&self.ledger.tags[&place]);
        let reference = if self.rng.between(0, 1) == 0 { &place.1 } else { &image.digest };
        ledger::pull(self.wire, place.0, reference, &image)
    }

    /// Pulls what everybody pulls, a part of a layer and nothing new included.
    pub(crate) fn pull_stable(&mut self) -> Result<(), String> {
        let (shared, repository) = (Arc::clone(&self.shared), self.repository());
        ledger::pull(self.wire, repository, STABLE, &shared.stable)?;
        let layer = &shared.bases[3];
        let target = format!("/v2/{repository}/blobs/{}", layer.digest);
        let last = self.rng.between(0, layer.bytes.len() - 1);
        let first = self.rng.between(0, last);
        let range = format!("bytes={first}-{last}");
        let answer = self.wire.ask(("GET", &target), &[("Range", &range)], &[], &[206])?;
        if answer.body != layer.bytes[first..=last] {
            return Err(format!("{target}: {range} has other bytes"));
        }
        let known = format!("\"{}\"", shared.stable.digest);
        let target = format!("/v2/{repository}/manifests/{STABLE}");
        let headers = [("Accept", MANIFEST), ("If-None-Match", known.as_str())];
        self.wire.ask(("GET", &target), &headers, &[], &[304]).map(drop)
    }

    /// Gives an image another tag.
    pub(crate) fn retag(&mut self) -> Result<(), String> {
        let Some(from) = self.tagged() else { return self.push() };
        let image = Arc::clone(&self.ledger.tags[&from]);
        let place = (from.0, self.place().1);
        self.wire.put(place.0, &place.1, &image.manifest)?;
        self.ledger.points(place, image);
        Ok(())
    }

    pub(crate) fn delete_tag(&mut self) -> Result<(), String> {
        let Some(place) = self.tagged() else { return self.push() };
        let target = format!("/v2/{}/manifests/{}", place.0, place.1);
        self.wire.delete(&target, &[202])?;
        self.wire.get(&target, &[404])?;
        self.ledger.tags.remove(&place);
        self.ledger.gone.insert(place);
        Ok(())
    }

    /// Deletes a manifest, with every tag that points to it.
    pub(crate) fn delete_manifest(&mut self) -> Result<(), String> {
        let Some(place) = self.tagged() else { return self.push() };
        let digest = self.ledger.tags[&place].digest.clone();
        let target = format!("/v2/{}/manifests/{digest}", place.0);
        self.wire.delete(&target, &[202])?;
        self.wire.get(&target, &[404])?;
        self.ledger.deleted(place.0, &digest);
        Ok(())
    }

    /// Pushes a blob that nothing refers to, and deletes it.
    pub(crate) fn push_and_delete_blob(&mut self) -> Result<(), String> {
        let (repository, length) = (self.repository(), self.rng.size(4, OWN_BYTES));
        let blob = Blob::random(&mut self.rng, length);
        self.push_blob(repository, &blob)?;
        let target = format!("/v2/{repository}/blobs/{}", blob.digest);
        self.wire.delete(&target, &[202])?;
        self.wire.get(&target, &[404]).map(drop)
    }

    /// Looks for its tags in the list.
    pub(crate) fn list(&mut self) -> Result<(), String> {
        let repository = self.repository();
        let answer = self.wire.get(&format!("/v2/{repository}/tags/list"), &[200])?;
        let listed = answer.json();
        let listed: Vec<&str> = listed["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| tag.as_str())
            .collect();
        for (_, tag) in self.ledger.tags.keys().filter(|(name, _)| *name == repository) {
            if !listed.contains(&tag.as_str()) {
                return Err(format!("{repository}: `{tag}` is not listed"));
            }
        }
        self.wire.get("/v2/_catalog?n=3", &[200])?;
        self.wire.get(&format!("/v2/{repository}/tags/list?n=5&last=c1"), &[200]).map(drop)
    }

    pub(crate) fn cancel_upload(&mut self) -> Result<(), String> {
        let session = self.wire.session(self.repository())?;
        self.wire.delete(&session.location, &[204])?;
        self.wire.get(&session.location, &[404]).map(drop)
    }
}
