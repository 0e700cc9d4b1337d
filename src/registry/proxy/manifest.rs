//! Manifests: by tag as they are there now, by digest as they are for ever.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use oci::{Digest, Reference, RepositoryName, Tag};

use super::{Described, Error, MANIFESTS, Proxy, Wanted, record::Kind};
use crate::{
    content::{self, StoredManifest},
    log::Causes as _,
    metrics,
};

/// A manifest, or what the other registry says of it.
#[derive(Debug)]
pub(crate) enum Manifest {
    Kept(Kept),
    Described(Described),
}

/// A manifest that is here.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) manifest: StoredManifest,
    /// Whether the tag may point elsewhere by now.
    pub(crate) is_stale: bool,
}

impl Proxy {
    pub(crate) async fn manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        wanted: Wanted,
    ) -> Result<Manifest, Error> {
        let tag = match reference {
            Reference::Tag(tag) => tag,
            Reference::Digest(digest) => {
                let found = self.revision(name, digest, (None, None), wanted).await;
                return found.map_err(|error| missing(error, reference));
            }
        };
        let error = match self.current(name, tag, wanted).await {
            Err(error) if error.is_upstreams() => error,
            current => return current.map_err(|error| missing(error, reference)),
        };
        match self.content.manifest(name, reference).await {
            Ok(manifest) => {
                self.count_hit(wanted);
                tracing::warn!(repository = %name, %tag, error = error.causes(), "a tag is served as it was");
                Ok(Manifest::Kept(Kept { manifest, is_stale: true }))
            }
            Err(content::Error::ManifestUnknown(_)) => Err(error),
            Err(error) => Err(error.into()),
        }
    }

    /// What a tag points to now.
    async fn current(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        wanted: Wanted,
    ) -> Result<Manifest, Error> {
        let reference = Reference::Tag(tag.clone());
        let said = self.upstream.describe_manifest(name, &reference).await?;
        match (said.digest, wanted) {
            (Some(digest), _) => {
                self.revision(name, &digest, (Some(tag), Some(said)), wanted).await
            }
            // It does not say which one that is before it is here.
            (None, _) => {
                let (digest, bytes) = self.upstream.manifest(name, &reference).await?;
                self.keep(name, Some(tag), digest, bytes.clone()).await;
                Ok(kept(digest, bytes))
            }
        }
    }

    /// A manifest by its digest, which becomes the tag's, and of which this may have been said.
    async fn revision(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        (tag, said): (Option<&Tag>, Option<Described>),
        wanted: Wanted,
    ) -> Result<Manifest, Error> {
        if let Some(found) = self.kept(name, digest, tag).await? {
            self.count_hit(wanted);
            return Ok(found);
        }
        let by_digest = Reference::Digest(*digest);
        if wanted == Wanted::Description {
            let said = match said {
                Some(said) => said,
                None => self.upstream.describe_manifest(name, &by_digest).await?,
            };
            if said.is_whole() {
                return Ok(Manifest::Described(Described { digest: Some(*digest), ..said }));
            }
        }
        let mut hasher = DefaultHasher::new();
        (name, digest).hash(&mut hasher);
        let stripe = usize::try_from(hasher.finish() % MANIFESTS as u64).expect("it is small");
        let _turn = self.manifests[stripe].lock().await;
        // Who waited may find it fetched.
        if let Some(found) = self.kept(name, digest, tag).await? {
            self.count_hit(wanted);
            return Ok(found);
        }
        let (digest, bytes) = self.upstream.manifest(name, &by_digest).await?;
        self.keep(name, tag, digest, bytes.clone()).await;
        Ok(kept(digest, bytes))
    }

    fn count_hit(&self, wanted: Wanted) {
        if wanted == Wanted::Content {
            self.pulls.hit(metrics::Kept::Manifest);
        }
    }

    /// A manifest that is here; the tag is made to point to it.
    async fn kept(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        tag: Option<&Tag>,
    ) -> Result<Option<Manifest>, Error> {
        let StoredManifest { digest: canonical, bytes } =
            match self.content.manifest(name, &Reference::Digest(*digest)).await {
                Ok(stored) => stored,
                Err(content::Error::ManifestUnknown(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
        if let Some(tag) = tag {
            let points_to = self.content.tag(name, tag).await?;
            if points_to != Some(canonical) {
                // It was not fetched just now: what was pushed before this became a cache stays for ever.
                self.schedule.renew(name, &canonical);
                self.store(name, Some(tag), canonical, bytes.clone()).await;
            }
        }
        Ok(Some(kept(canonical, bytes)))
    }

    /// Keeps a manifest that was fetched; who asked for it gets it either way.
    pub(super) async fn keep(
        &self,
        name: &RepositoryName,
        tag: Option<&Tag>,
        digest: Digest,
        bytes: Bytes,
    ) {
        // Noted first: what is here and not in the record is never removed.
        self.schedule.note(name, &digest, Kind::Manifest);
        self.store(name, tag, digest, bytes).await;
    }

    /// Stores a manifest where that is possible.
    async fn store(&self, name: &RepositoryName, tag: Option<&Tag>, digest: Digest, bytes: Bytes) {
        let Some(writing) = self.content.begin_write() else { return };
        if let Err(error) = writing.keep_manifest(name, tag, &digest, bytes).await {
            tracing::error!(repository = %name, %digest, error = error.causes(), "manifest could not be kept");
        }
    }
}

fn kept(digest: Digest, bytes: Bytes) -> Manifest {
    Manifest::Kept(Kept { manifest: StoredManifest { digest, bytes }, is_stale: false })
}

/// What is missing is missing in the registry's own words.
fn missing(error: Error, reference: &Reference) -> Error {
    match error {
        Error::Missing => content::Error::ManifestUnknown(reference.clone()).into(),
        error => error,
    }
}
