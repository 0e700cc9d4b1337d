//! What requests did, told to those who want to know.
//!
//! A write that has begun ends without its client too, and is told of then: nobody may ever ask for it again.

use std::future::{Future, pending};

use oci::{Descriptor, Digest, Manifest, RepositoryName, Tag};

use super::Call;
use crate::{
    config::EventAction,
    content::{Content, Error},
    events::{Happened, ManifestFacts, What, Witness},
};

impl Call<'_> {
    /// What tells of this request; none if nobody wants to know.
    pub(super) fn witness(&self) -> Option<Witness> {
        let base = || {
            let location = self.settings.external.location(self.parts, "");
            location.to_str().map(str::to_owned).unwrap_or_default()
        };
        self.api.events.witness(self.parts, self.grant.user(), base)
    }

    /// Tells of a blob that is read, or asked after.
    pub(super) fn tell_blob_pull(&self, repository: &RepositoryName, digest: Digest, size: u64) {
        let Some(witness) = self.witness() else { return };
        witness.tell(&Happened {
            action: EventAction::Pull,
            repository: repository.clone(),
            what: What::Blob { digest, size, from: None },
        });
    }

    /// Tells of a manifest that is read, or asked after. `stored` are its bytes, where they are here.
    pub(super) fn tell_manifest_pull(
        &self,
        repository: &RepositoryName,
        (digest, tag): (Digest, Option<&Tag>),
        (media_type, size): (&'static str, u64),
        stored: Option<&[u8]>,
    ) {
        let Some(witness) = self.witness() else { return };
        // What it cannot be read for is served all the same.
        let stored = stored.filter(|_| witness.wants_references());
        let manifest = stored.and_then(|bytes| Manifest::from_stored(bytes).ok());
        let references = manifest.as_ref().map(references).unwrap_or_default();
        let tag = tag.cloned();
        let facts = ManifestFacts { digest, media_type, size, tag, references };
        let (action, repository) = (EventAction::Pull, repository.clone());
        witness.tell(&Happened { action, repository, what: What::Manifest(facts) });
    }
}

/// All that a manifest refers to, as events list it.
pub(super) fn references(manifest: &Manifest) -> Vec<Descriptor> {
    manifest.references().map(|(_, descriptor)| descriptor.clone()).collect()
}

/// Does some work that ends by telling what it did, whether or not the client is still there.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(ended) => ended,
        Err(error) if error.is_panic() => Err(Error::Panicked),
        // The process ends at once: there is no one left to be answered.
        Err(_) => pending().await,
    }
}

/// Tells of a blob that is now in a repository.
pub(super) async fn tell_blob(
    witness: &Witness,
    content: &Content,
    repository: &RepositoryName,
    digest: Digest,
    from: Option<RepositoryName>,
) {
    // Its size is not known to everybody who has it; it may be gone by now.
    let size = content.blob(repository, &digest).await.map_or(0, |blob| blob.object.size());
    let action = if from.is_some() { EventAction::Mount } else { EventAction::Push };
    let what = What::Blob { digest, size, from };
    witness.tell(&Happened { action, repository: repository.clone(), what });
}

/// Tells of something that is no longer in a repository.
pub(super) fn tell_gone(witness: &Witness, repository: &RepositoryName, what: What) {
    let (action, repository) = (EventAction::Delete, repository.clone());
    witness.tell(&Happened { action, repository, what });
}
