//! Blobs of a repository: what its layer links name.

use std::{iter, time::Duration};

use bytes::Bytes;
use oci::{Algorithm, Digest, RepositoryName};
use storage::{Driver, Key, Kind, Object};

use super::{
    Content, Error, Writing,
    locks::{Mode, Subject},
    quota::{Counted, Linked, Share},
};
use crate::log::Causes as _;

/// How many repositories are asked for a blob that is mounted from anywhere.
const ASKED_FOR_MOUNT: usize = 1000;

/// How long they are asked. A bucket takes its time, and what changes the registry waits for who writes.
const TIME_FOR_MOUNT: Duration = Duration::from_secs(2);

/// Where a blob may be mounted from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Sources {
    /// Whichever repository has it.
    Any,
    /// One of these, if it has it.
    These(Vec<RepositoryName>),
}

/// Where a blob's bytes are, below the storage's root.
pub(crate) fn blob_path(digest: &Digest) -> String {
    Key::Blob(digest).to_string()
}

/// A blob that a repository serves.
#[derive(Debug)]
pub(crate) struct Blob {
    /// The digest under which it is stored: another than asked for where an alias link says so.
    pub(crate) digest: Digest,
    pub(crate) object: Object,
}

impl Content {
    /// Opens a blob. An answer is a promise that the blob is there.
    pub(crate) async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Blob, Error> {
        let alias_of = self.alias_of(repository, digest).await?;
        let subjects = iter::once(digest).chain(&alias_of);
        let subjects = subjects.map(|digest| (Subject::Digest(digest), Mode::Shared));
        let _locks = self.shared.locks.acquire_all(subjects).await;
        let link = self.read_link(Key::LayerLink(repository, digest)).await?;
        let canonical = link.ok_or(Error::BlobUnknown(*digest))?;
        match self.backend().open(Key::Blob(&canonical)).await {
            Ok(object) => {
                // An alias is looked at under its own digest.
                self.shared.leases.promise(digest);
                self.shared.leases.promise(&canonical);
                Ok(Blob { digest: canonical, object })
            }
            Err(error) if error.is_not_found() => Err(Error::BlobUnknown(*digest)),
            Err(error) => Err(error.into()),
        }
    }

    /// A URL by which a client gets a blob from the bucket, that it was just told of; none where there is no bucket, or
    /// no URL of it can be made.
    pub(crate) async fn bucket_url(
        &self,
        digest: &Digest,
        head: bool,
        lasting: Duration,
    ) -> Option<String> {
        match self.backend().presigned(digest, head, lasting).await {
            Ok(url) => url,
            Err(error) => {
                tracing::warn!(
                    error = error.causes(),
                    "blob is served here, since no URL of it can be signed"
                );
                None
            }
        }
    }

    /// The digest under which a blob is stored that upstream links under another one: that one's lock is needed too.
    ///
    /// Upstream writes such links for sha512 only, and nobody changes them.
    pub(super) async fn alias_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Digest>, Error> {
        if digest.algorithm() != Algorithm::Sha512 {
            return Ok(None);
        }
        let link = self.read_link(Key::LayerLink(repository, digest)).await?;
        Ok(link.filter(|canonical| canonical != digest))
    }

    /// Reads a whole blob; none, if the repository has none that is so small.
    pub(crate) async fn small_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        most: usize,
    ) -> Result<Option<Bytes>, Error> {
        let link = self.read_link(Key::LayerLink(repository, digest)).await?;
        let Some(canonical) = link else { return Ok(None) };
        match self.backend().get(Key::Blob(&canonical), most).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::TooLarge) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Writing {
    /// Stores a few bytes, whose digest is known, as a blob of a repository, whatever its quota says.
    pub(crate) async fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let (repository, digest) = (repository.clone(), *digest);
        self.shielded(move |content| async move {
            let subject = Subject::Digest(&digest);
            let _lock = content.shared.locks.acquire(subject, Mode::Exclusive).await;
            let share = content.own_share(&repository, &digest, bytes.len() as u64).await?;
            if !content.has_bytes(&digest).await? {
                let blob = content.backend().stage(Key::Blob(&digest), bytes).await?;
                content.backend().commit(blob).await?;
            }
            let link = content.stage_layer(&repository, &digest, share).await?;
            content.commit_counted(link).await?;
            content.shared.leases.promise(&digest);
            Ok(())
        })
        .await
    }

    /// Makes a blob of another repository one of this one, and says which that was. None: there is no such blob.
    pub(crate) async fn mount(
        &self,
        sources: Sources,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<RepositoryName>, Error> {
        let Some(from) = self.holder(sources, digest).await? else { return Ok(None) };
        let (repository, digest) = (repository.clone(), *digest);
        self.shielded(move |content| async move {
            let subject = Subject::Digest(&digest);
            let _lock = content.shared.locks.acquire(subject, Mode::Shared).await;
            // An alias of another digest is not copied: upstream's collector reads it as that one.
            let link = content.read_link(Key::LayerLink(&from, &digest)).await?;
            if link != Some(digest) {
                return Ok(None);
            }
            let Some(bytes) = content.size(&digest).await? else { return Ok(None) };
            let share = content.share((&repository, Linked::Blob), &digest, bytes).await?;
            let link = content.stage_layer(&repository, &digest, share).await?;
            content.commit_counted(link).await?;
            content.shared.leases.promise(&digest);
            Ok(Some(from))
        })
        .await
    }

    /// A repository that has the blob, if one of the first does: a client that names none saves itself
    /// an upload, and must not cost the registry a walk through everything.
    async fn holder(
        &self,
        sources: Sources,
        digest: &Digest,
    ) -> Result<Option<RepositoryName>, Error> {
        if !self.has_bytes(digest).await? {
            return Ok(None);
        }
        match sources {
            Sources::These(repositories) => self.first_with(repositories, digest).await,
            Sources::Any => {
                let search = async {
                    let repositories = self.repositories(None, ASKED_FOR_MOUNT).await?;
                    self.first_with(repositories, digest).await
                };
                in_time(search).await
            }
        }
    }

    async fn first_with(
        &self,
        repositories: Vec<RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<RepositoryName>, Error> {
        for repository in repositories.into_iter().take(ASKED_FOR_MOUNT) {
            if self.exists(Key::LayerLink(&repository, digest)).await? {
                return Ok(Some(repository));
            }
        }
        Ok(None)
    }

    /// Takes a blob out of a repository. Its bytes stay until a collection.
    pub(crate) async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let (repository, digest) = (repository.clone(), *digest);
        self.shielded(move |content| async move {
            let subject = Subject::Digest(&digest);
            let _lock = content.shared.locks.acquire(subject, Mode::Exclusive).await;
            let deleted = content.backend().delete(Key::LayerLink(&repository, &digest)).await;
            content.forget_elsewhere(&repository, &digest);
            match deleted {
                Err(error) if error.is_not_found() => Err(Error::BlobUnknown(digest)),
                result => Ok(result?),
            }
        })
        .await
    }
}

/// What is found in [`TIME_FOR_MOUNT`]; nothing, if that takes longer.
async fn in_time<T>(
    search: impl Future<Output = Result<Option<T>, Error>>,
) -> Result<Option<T>, Error> {
    tokio::time::timeout(TIME_FOR_MOUNT, search).await.unwrap_or(Ok(None))
}

impl Content {
    /// Whether the repository has the blob, link and bytes. The caller holds the digest's lock.
    pub(super) async fn holds_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        match self.read_link(Key::LayerLink(repository, digest)).await? {
            Some(canonical) => self.has_bytes(&canonical).await,
            None => Ok(false),
        }
    }

    /// Whether the bytes are there, in whatever repository.
    pub(super) async fn has_bytes(&self, digest: &Digest) -> Result<bool, Error> {
        self.exists(Key::Blob(digest)).await
    }

    /// How many bytes a blob has, if it is there.
    pub(super) async fn size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        match self.backend().stat(Key::Blob(digest)).await {
            Ok(stat) => Ok(Some(stat.size)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Prepares the link of a blob in a repository, and the repository where it is new.
    pub(super) async fn stage_layer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        share: Share,
    ) -> Result<Counted, Error> {
        self.make_repository(repository).await?;
        self.stage_counted((repository, Linked::Blob), digest, share).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_searches_for_long() {
        let after = |time| async move {
            tokio::time::sleep(time).await;
            Ok(Some(()))
        };
        assert_eq!(in_time(after(TIME_FOR_MOUNT / 2)).await.unwrap(), Some(()));
        assert_eq!(in_time(after(TIME_FOR_MOUNT * 2)).await.unwrap(), None);
    }
}
