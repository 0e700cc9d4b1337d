//! What a proxy keeps of another registry: manifests without what they refer to, and sessions that are read
//! while they are written. What has been kept for long enough goes again.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use oci::{Algorithm, Digest, RepositoryName, Tag};
use storage::{Driver, Folder, Key, Object};

use super::{
    Content, Error, UploadId, Writing,
    locks::{Mode, Subject},
};

/// A question that is asked while something is locked.
pub(crate) type Question = Box<dyn FnOnce() -> bool + Send>;

/// The record of what was fetched: more than a million entries.
const SCHEDULE_BYTES: usize = 512 * 1024 * 1024;

impl Content {
    /// What a session holds now; none once it is a blob, or where a session cannot be read.
    pub(crate) async fn arrived(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<Option<Object>, Error> {
        match self.backend().open(Key::UploadData(repository, &id)).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How many bytes there is still room for, where that is known.
    pub(crate) async fn room(&self) -> Result<Option<u64>, Error> {
        Ok(self.backend().room().await?)
    }

    /// The digest that a tag points to, whether or not it is here.
    pub(crate) async fn tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<Digest>, Error> {
        self.read_link(Key::TagLink(repository, tag)).await
    }

    /// Whether a repository has a link to a manifest.
    pub(crate) async fn has_revision(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        self.exists(Key::RevisionLink(repository, digest)).await
    }

    /// The tags of a repository, by what each points to as it is read.
    pub(crate) async fn tags_by_target(
        &self,
        repository: &RepositoryName,
    ) -> Result<HashMap<Digest, Vec<Tag>>, Error> {
        let tags = match self.tags(repository).await {
            Err(Error::NameUnknown(_)) => Arc::default(),
            tags => tags?,
        };
        let mut by_target: HashMap<Digest, Vec<Tag>> = HashMap::new();
        for tag in tags.iter() {
            if let Some(target) = self.tag(repository, tag).await? {
                by_target.entry(target).or_default().push(tag.clone());
            }
        }
        Ok(by_target)
    }

    /// All blobs and manifests that a repository has links to.
    pub(crate) async fn held(&self, repository: &RepositoryName) -> Result<Vec<Digest>, Error> {
        let mut held = Vec::new();
        for algorithm in Algorithm::ALL {
            let layers = Folder::LayersOf(repository, algorithm);
            for folder in [layers, Folder::RevisionsOf(repository, algorithm)] {
                let entries = match self.backend().list(folder).await {
                    Err(error) if error.is_not_found() => continue,
                    entries => entries?,
                };
                let digests = entries.iter().map(|entry| format!("{algorithm}:{}", entry.name));
                held.extend(digests.filter_map(|digest| digest.parse::<Digest>().ok()));
            }
        }
        Ok(held)
    }

    /// The record of what was fetched, and until when it is kept.
    pub(crate) async fn fetched(&self) -> Result<Option<Bytes>, Error> {
        match self.backend().get(Key::Fetched, SCHEDULE_BYTES).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Writing {
    pub(crate) async fn record_fetched(&self, bytes: Bytes) -> Result<(), Error> {
        self.shielded(move |content| async move {
            Ok(content.backend().put(Key::Fetched, bytes).await?)
        })
        .await
    }

    /// Stores a manifest whose blobs may not be here, and points a tag to it where one is named.
    pub(crate) async fn keep_manifest(
        &self,
        repository: &RepositoryName,
        tag: Option<&Tag>,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let (repository, digest) = (repository.clone(), *digest);
        let tag: Vec<Tag> = tag.into_iter().cloned().collect();
        self.shielded(move |content| async move {
            let own = [
                (Subject::Tags(&repository), Mode::Shared),
                (Subject::Digest(&digest), Mode::Exclusive),
            ];
            let tags = tag.iter().map(|tag| (Subject::Tag(&repository, tag), Mode::Exclusive));
            let locks = &content.shared.locks;
            let _locks = locks.acquire_all(own.into_iter().chain(tags)).await;
            content.shared.leases.promise(&digest);
            let share = content.own_share(&repository, &digest, bytes.len() as u64).await?;
            let staged = content.stage_manifest((&repository, &digest), &bytes, &tag, share);
            content.commit_manifest(staged.await?).await
        })
        .await
    }

    /// Takes content out of a repository, whatever it is there, with those of some tags that still point to it; its bytes
    /// go when no other repository has it. Both questions are asked under its lock: whether its time has come, since it
    /// may have been fetched again meanwhile, and whether others hold it.
    ///
    /// What was promised of it still holds: it can be had again from where it was fetched.
    pub(crate) async fn expire(
        &self,
        (repository, digest): (&RepositoryName, &Digest),
        tags: Vec<Tag>,
        (is_due, is_held_elsewhere): (Question, Question),
    ) -> Result<(), Error> {
        let (repository, digest) = (repository.clone(), *digest);
        self.shielded(move |content| async move {
            let subjects = [
                (Subject::Tags(&repository), Mode::Exclusive),
                (Subject::Digest(&digest), Mode::Exclusive),
            ];
            let _locks = content.shared.locks.acquire_all(subjects).await;
            if !is_due() {
                return Ok(());
            }
            for tag in &tags {
                if content.tag(&repository, tag).await? == Some(digest) {
                    content.backend().delete_folder(Folder::Tag(&repository, tag)).await?;
                }
            }
            let mut deleted = Ok(());
            let links =
                [Key::RevisionLink(&repository, &digest), Key::LayerLink(&repository, &digest)];
            for key in links {
                deleted = deleted.and(content.delete_if_there(key).await);
            }
            content.forget_elsewhere(&repository, &digest);
            deleted?;
            if is_held_elsewhere() {
                return Ok(());
            }
            let deleted = content.delete_if_there(Key::Blob(&digest)).await;
            content.forget_elsewhere(&repository, &digest);
            deleted
        })
        .await
    }

    async fn delete_if_there(&self, key: Key<'_>) -> Result<(), Error> {
        match self.backend().delete(key).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }
}
