//! What one client was told, and what it may therefore expect. A tag has one owner, so the owner knows its state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{content::Image, wire::Wire};
use crate::support::pusher::digest;

/// A tag, or a digest, of a repository.
pub(crate) type Place = (&'static str, String);

/// What should be where.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) tags: BTreeMap<Place, Arc<Image>>,
    /// Tags and digests whose deletion was acknowledged.
    pub(crate) gone: BTreeSet<Place>,
    /// Tags that were changed by a request whose answer nobody heard: one of these images, or no tag, if that is allowed.
    pub(crate) doubtful: BTreeMap<Place, Doubt>,
}

/// The states that a tag may be in.
pub(crate) struct Doubt {
    pub(crate) images: Vec<Arc<Image>>,
    pub(crate) may_be_gone: bool,
}

impl Ledger {
    /// Notes that a tag points to an image.
    pub(crate) fn points(&mut self, place: Place, image: Arc<Image>) {
        self.gone.remove(&place);
        // A digest that was deleted is there again with the image.
        self.gone.remove(&(place.0, image.digest.clone()));
        self.tags.insert(place, image);
    }

    /// Notes that a manifest was deleted, and with it the tags that pointed to it.
    pub(crate) fn deleted(&mut self, repository: &'static str, digest: &str) {
        let is_there =
            |(place, image): (&Place, &Arc<Image>)| place.0 == repository && image.digest == digest;
        let tags = self.tags.iter().filter(|entry| is_there(*entry));
        let tags: Vec<Place> = tags.map(|(place, _)| place.clone()).collect();
        for place in tags {
            self.tags.remove(&place);
            self.gone.insert(place);
        }
        self.gone.insert((repository, digest.to_owned()));
    }

    /// Holds every entry against the registry; returns how many there are.
    pub(crate) fn check(&self, wire: Wire) -> Result<usize, String> {
        for ((repository, tag), image) in &self.tags {
            pull(wire, repository, tag, image)?;
        }
        for (repository, reference) in &self.gone {
            wire.get(&format!("/v2/{repository}/manifests/{reference}"), &[404])?;
        }
        for ((repository, tag), doubt) in &self.doubtful {
            let answer = wire.get(&format!("/v2/{repository}/manifests/{tag}"), &[200, 404])?;
            let found = digest(&answer.body);
            match doubt.images.iter().find(|image| image.digest == found) {
                Some(image) => pull(wire, repository, tag, image)?,
                None if answer.status == 404 && doubt.may_be_gone => {}
                None => return Err(format!("{repository}:{tag} is {}, {found}", answer.status)),
            }
        }
        Ok(self.tags.len() + self.gone.len() + self.doubtful.len())
    }
}

/// Pulls an image, and compares every byte by its digest.
pub(crate) fn pull(
    wire: Wire,
    repository: &str,
    reference: &str,
    image: &Image,
) -> Result<(), String> {
    let answer = wire.get(&format!("/v2/{repository}/manifests/{reference}"), &[200])?;
    let named = answer.header("docker-content-digest");
    if answer.body != image.manifest || named != Some(&image.digest) {
        return Err(format!("{repository}:{reference} is {named:?}, not {}", image.digest));
    }
    for blob in &image.blobs {
        let answer = wire.get(&format!("/v2/{repository}/blobs/{blob}"), &[200])?;
        if digest(&answer.body) != *blob {
            return Err(format!("{repository}: {blob} came with {} bytes", answer.body.len()));
        }
    }
    Ok(())
}
