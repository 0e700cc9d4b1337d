//! Changes to single tags that were decided on elsewhere, a while ago: each happens only if the tag is still what it was then.

use oci::{Digest, RepositoryName, Tag};
use storage::{Alone, Bulk as _, Driver, Folder, Key};

use super::{
    Content, Error, Writing,
    locks::{Mode, Subject},
};

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TagChange {
    Done,
    /// The tag is not there.
    Vanished,
    /// The tag points elsewhere by now, or is there again.
    Moved,
    /// The repository has no such manifest any more.
    NoManifest,
}

impl Writing {
    /// Takes a tag away, with its history, if it points to this manifest. The manifest stays.
    pub(crate) async fn delete_tag_of(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: Digest,
    ) -> Result<TagChange, Error> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.shielded(move |content| async move {
            let subjects = [
                (Subject::Tags(&repository), Mode::Shared),
                (Subject::Tag(&repository, &tag), Mode::Exclusive),
            ];
            let _locks = content.shared.locks.acquire_all(subjects).await;
            match content.read_link(Key::TagLink(&repository, &tag)).await? {
                None => return Ok(TagChange::Vanished),
                Some(current) if current != digest => return Ok(TagChange::Moved),
                // Somebody may have read it just now.
                Some(current) => content.shared.leases.promise(&current),
            }
            content.may_delete(&repository, &tag)?;
            match content.backend().delete_folder(Folder::Tag(&repository, &tag)).await {
                Err(error) if error.is_not_found() => Ok(TagChange::Vanished),
                result => Ok(result.map(|()| TagChange::Done)?),
            }
        })
        .await
    }

    /// Puts a tag back that is not there, if its manifest still is.
    pub(crate) async fn restore_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: Digest,
    ) -> Result<TagChange, Error> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.shielded(move |content| async move {
            let subjects = [
                (Subject::Tags(&repository), Mode::Shared),
                (Subject::Tag(&repository, &tag), Mode::Exclusive),
                (Subject::Digest(&digest), Mode::Exclusive),
            ];
            let _locks = content.shared.locks.acquire_all(subjects).await;
            // A collection that runs beside this keeps what is promised.
            content.shared.leases.promise(&digest);
            if content.read_link(Key::TagLink(&repository, &tag)).await?.is_some() {
                return Ok(TagChange::Moved);
            }
            if !content.holds_manifest(&repository, &digest).await? {
                return Ok(TagChange::NoManifest);
            }
            for staged in content.stage_tag(&repository, &tag, &digest).await? {
                content.backend().commit(staged).await?;
            }
            Ok(TagChange::Done)
        })
        .await
    }
}

impl Content {
    /// What tells the storage from every other; none where it ends with this process.
    pub(crate) fn identity(&self) -> Option<String> {
        self.backend().collected().map(|store| store.identity())
    }

    /// Keeps other processes from using the storage for as long as what this returns; none where no other could.
    pub(crate) async fn alone(&self) -> Result<Option<Alone>, storage::Error> {
        match self.backend().collected() {
            Some(store) => Ok(Some(store.alone().await?)),
            None => Ok(None),
        }
    }
}
