//! Tags of a repository.

use oci::{Digest, Reference, RepositoryName, Tag};
use storage::{Driver, Folder, Key};

use super::{
    Content, Error,
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

    /// Takes a tag away, with its history. The manifest stays.
    pub(crate) async fn delete_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<(), Error> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.shielded(move |content| async move {
            let subjects = [
                (Subject::Tags(&repository), Mode::Shared),
                (Subject::Tag(&repository, &tag), Mode::Exclusive),
            ];
            let _locks = content.shared.locks.acquire_all(subjects).await;
            match content.backend().delete_folder(Folder::Tag(&repository, &tag)).await {
                Err(error) if error.is_not_found() => {
                    Err(Error::ManifestUnknown(Reference::Tag(tag.clone())))
                }
                result => Ok(result?),
            }
        })
        .await
    }

    /// Points a tag to a manifest that is durable. The caller holds the tag's lock.
    pub(super) async fn write_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<(), Error> {
        self.write_link(Key::TagIndexLink(repository, tag, digest), digest).await?;
        self.write_link(Key::TagLink(repository, tag), digest).await
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
