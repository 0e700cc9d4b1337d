//! Tags of a repository.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use oci::{Digest, Reference, RepositoryName, Tag};
use storage::{Driver, Folder, Key, Staged};
use tokio::task::JoinSet;

use super::{
    Content, Error, Writing,
    condition::Condition,
    locks::{Mode, Subject},
};

impl Content {
    /// The tags of a repository, sorted by their bytes.
    pub(crate) async fn tags(&self, repository: &RepositoryName) -> Result<Arc<[Tag]>, Error> {
        match self.read_tags(repository).await {
            Ok(tags) => Ok(tags),
            Err(error) if error.is_not_found() => {
                if self.has_repository(repository).await? {
                    Ok(Arc::default())
                } else {
                    Err(Error::NameUnknown(repository.clone()))
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The tags that a repository's folder holds, now or when it last changed.
    async fn read_tags(&self, repository: &RepositoryName) -> Result<Arc<[Tag]>, storage::Error> {
        let (folder, lists) = (Folder::Tags(repository), &self.shared.lists);
        let begun = SystemTime::now();
        let changed = self.backend().changed(folder).await?;
        if let Some(tags) = changed.and_then(|changed| lists.get(repository, changed)) {
            return Ok(tags);
        }
        let entries = self.backend().list(Folder::Tags(repository)).await?;
        // What is no folder, or has no tag's name, is nobody's tag.
        let folders = entries.into_iter().filter(|entry| entry.is_folder);
        let tags: Arc<[Tag]> = folders.filter_map(|entry| entry.name.parse().ok()).collect();
        if let Some(changed) = changed {
            lists.keep(repository, changed, begun, &tags);
        }
        Ok(tags)
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
            if content.read_link(Key::TagLink(&repository, &tag)).await?.is_some() {
                content.may_delete(&repository, &tag)?;
            }
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
            Err(Error::NameUnknown(_)) => Arc::default(),
            tags => tags?,
        };
        let mut left = tags.iter().cloned();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < self.shared.tag_reads.get()
                && let Some(tag) = left.next()
            {
                let (content, repository) = (self.clone(), repository.clone());
                under_way.spawn(async move {
                    (content.read_link(Key::TagLink(&repository, &tag)).await, tag)
                });
            }
            match under_way.join_next().await {
                None => break,
                Some(Ok((link, tag))) => {
                    if link? == Some(*digest) {
                        found.push(tag);
                    }
                }
                Some(Err(_)) => return Err(Error::Panicked),
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}
