//! What links take of quotas: no link to a blob or a manifest is made without a [`Share`].

use oci::{Digest, RepositoryName};
use storage::{Driver, Key, Staged};
use tokio::task::spawn_blocking;

use super::{Content, Error};
use crate::{
    config,
    quota::{Fill, Limit, Refused, Reserved},
};

/// What the link of a digest in a repository takes. Dropped before the link is made, it is given back.
#[derive(Debug, Default)]
pub(super) struct Share(Reserved);

/// A link that is ready, and counts already.
#[derive(Debug)]
pub(super) struct Counted {
    staged: Staged,
    share: Share,
}

/// What a link leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Linked {
    Blob,
    Manifest,
}

impl Content {
    /// Has other quotas from now on.
    pub(crate) fn set_quotas(&self, quotas: Option<&config::Quotas>) {
        self.shared.quotas.set(quotas);
    }

    /// How far the quotas are used.
    pub(crate) fn quotas(&self) -> Vec<Fill> {
        self.shared.quotas.fills()
    }

    /// Writes down that a repository is to get a link, or says which quota has no room for it. What it has a link to already is
    /// never refused.
    pub(super) async fn share(
        &self,
        (repository, linked): (&RepositoryName, Linked),
        digest: &Digest,
        bytes: u64,
    ) -> Result<Share, Error> {
        let share = self.reserve(repository, digest, bytes, Limit::Kept).await;
        let key = match linked {
            Linked::Blob => Key::LayerLink(repository, digest),
            Linked::Manifest => Key::RevisionLink(repository, digest),
        };
        match share {
            Err(Error::Quota(refused))
                if matches!(*refused, Refused::Full(_)) && self.exists(key).await? =>
            {
                self.own_share(repository, digest, bytes).await
            }
            share => share,
        }
    }

    /// The same for what the registry writes by itself: it counts, and has room.
    pub(super) async fn own_share(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: u64,
    ) -> Result<Share, Error> {
        self.reserve(repository, digest, bytes, Limit::Passed).await
    }

    async fn reserve(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: u64,
        limit: Limit,
    ) -> Result<Share, Error> {
        let applying = self.shared.quotas.of(repository.as_str());
        if applying.is_empty() {
            return Ok(Share::default());
        }
        let digest = *digest;
        let reserved = spawn_blocking(move || applying.reserve(&digest, bytes, limit)).await;
        match reserved.map_err(|_| Error::Panicked)? {
            Ok(reserved) => Ok(Share(reserved)),
            Err(refused) => Err(Error::Quota(Box::new(refused))),
        }
    }

    /// Prepares a link that counts.
    pub(super) async fn stage_counted(
        &self,
        (repository, linked): (&RepositoryName, Linked),
        digest: &Digest,
        share: Share,
    ) -> Result<Counted, Error> {
        let key = match linked {
            Linked::Blob => Key::LayerLink(repository, digest),
            Linked::Manifest => Key::RevisionLink(repository, digest),
        };
        Ok(Counted { staged: self.stage_link(key, digest).await?, share })
    }

    /// Makes a link that counts. One that failed may be there all the same, and counts too.
    pub(super) async fn commit_counted(&self, counted: Counted) -> Result<(), Error> {
        let Counted { staged, share: Share(reserved) } = counted;
        let committed = self.backend().commit(staged).await;
        if !reserved.is_empty() {
            spawn_blocking(move || reserved.settle()).await.map_err(|_| Error::Panicked)?;
        }
        Ok(committed?)
    }
}
