//! Tags of a repository.

use bytes::Bytes;
use oci::{Digest, Reference, RepositoryName, Tag};
use storage::{Driver, Folder, Key, Staged};

use super::{
    Content, Error, Writing,
    condition::Condition,
    locks::{Mode, Subject},
};

impl Content {
    /// The tags of a repository, sorted by their bytes.
    pub(crate) async fn tags(&self, repository: &RepositoryName) -> Result<Vec<Tag>, Error> {
        match self.backend().list(Folder::Tags(repository)).await {
            // What is no folder, or has no tag's name, is nobody's tag.
            Ok(entries) => Ok(entries
                .into_iter()
                .filter(|entry| entry.is_folder)
                .filter_map(|entry| entry.name.parse().ok())
                .collect()),
            Err(error) if error.is_not_found() => {
                if self.has_repository(repository).await? {
                    Ok(Vec::new())
                } else {
                    Err(Error::NameUnknown(repository.clone()))
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Writing {
    /// Takes a tag away, with its history. The manifest stays.
    pub(crate) async fn delete_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: Condition,
    ) -> Result<(), Error> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.shielded(move |content| async move {
            let subjects = [
                (Subject::Tags(&repository), Mode::Shared),
                (Subject::Tag(&repository, &tag), Mode::Exclusive),
            ];
            let _locks = content.shared.locks.acquire_all(subjects).await;
            content.check_tag(&repository, &tag, &condition).await?;
            content.release(&repository, &tag).await?;
            match content.backend().delete_folder(Folder::Tag(&repository, &tag)).await {
                Err(error) if error.is_not_found() => {
                    Err(Error::ManifestUnknown(Reference::Tag(tag.clone())))
                }
                result => Ok(result?),
            }
        })
        .await
    }
}

impl Content {
    /// Prepares a tag. The caller holds the tag's lock.
    ///
    /// A new tag appears as one folder: whoever lists the tags meanwhile sees none without its link.
    pub(super) async fn stage_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<Vec<Staged>, Error> {
        let folder = Folder::Tag(repository, tag);
        let index = Key::TagIndexLink(repository, tag, digest);
        let current = Key::TagLink(repository, tag);
        if self.backend().folder_exists(folder).await? {
            self.release(repository, tag).await?;
            let (index, current) =
                (self.stage_link(index, digest), self.stage_link(current, digest));
            let (index, current) = tokio::try_join!(index, current)?;
            return Ok(vec![index, current]);
        }
        let link = Bytes::from(digest.to_string());
        let objects = vec![(index, link.clone()), (current, link)];
        Ok(vec![self.backend().stage_folder(folder, objects).await?])
    }

    /// Leases what a tag points to, before it points elsewhere: somebody may have read it just now.
    async fn release(&self, repository: &RepositoryName, tag: &Tag) -> Result<(), Error> {
        if let Some(digest) = self.read_link(Key::TagLink(repository, tag)).await? {
            self.shared.leases.promise(&digest);
        }
        Ok(())
    }

    /// The tags that point to a manifest. The caller holds the repository's tags.
    pub(super) async fn tags_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Tag>, Error> {
        let mut found = Vec::new();
        let tags = match self.tags(repository).await {
            Err(Error::NameUnknown(_)) => Vec::new(),
            tags => tags?,
        };
        for tag in tags {
            if self.read_link(Key::TagLink(repository, &tag)).await? == Some(*digest) {
                found.push(tag);
            }
        }
        Ok(found)
    }
}
