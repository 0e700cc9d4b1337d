//! Repairs of what a verification has found: each is looked at again here, under the locks of what it touches, and made only
//! if it is still needed and still proved. Nothing that can be reached goes.

use bytes::Bytes;
use oci::{Digest, Manifest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use storage::{Bulk, Collected, Disposal, Driver, Item, Key, Kind, RunId, Stat};

use super::{
    Content, Error, Writing,
    link::LINK_BYTES,
    locks::{Mode, Subject},
    manifest::MANIFEST_BYTES,
};
use crate::log::told;

/// A repair.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Mend {
    /// The folders that upstream takes for granted are made.
    Folders { repository: RepositoryName },
    /// What a tag points to becomes a part of its history.
    TagIndex { repository: RepositoryName, tag: Tag, digest: Digest },
    /// A tag's link that has more in it than a digest holds the digest.
    Tag { repository: RepositoryName, tag: Tag, digest: Digest },
    /// A manifest's link that holds no digest, or another one's, holds the digest of its path.
    Revision { repository: RepositoryName, digest: Digest },
    /// A blob's link is made, since a manifest of the repository names it.
    Layer { repository: RepositoryName, digest: Digest, manifest: Digest },
    /// A blob's link that leads to nothing goes.
    Dangling { repository: RepositoryName, digest: Digest },
    /// A quarantine is made; `index` is kept with it.
    Begin { run: String, index: String },
    /// A blob that is not what its name says is moved to a quarantine.
    Quarantine { digest: Digest, run: String },
}

/// What came of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(crate) enum Mended {
    /// It is done.
    Done,
    /// It is not needed any more, or nothing proves it any more.
    Unneeded,
    /// It could not be done.
    Failed { reason: String },
}

impl Writing {
    /// Makes a repair, if it is still right.
    pub(crate) async fn mend(&self, mend: Mend) -> Mended {
        match self.shielded(|content| async move { content.mend_now(mend).await }).await {
            Ok(true) => Mended::Done,
            Ok(false) => Mended::Unneeded,
            Err(error) => Mended::Failed { reason: told(&error) },
        }
    }

    /// No: it is not needed.
    async fn mend_now(&self, mend: Mend) -> Result<bool, Error> {
        match mend {
            Mend::Folders { repository } => self.mend_folders(&repository).await,
            Mend::TagIndex { repository, tag, digest } => {
                self.mend_history(&repository, &tag, &digest).await
            }
            Mend::Tag { repository, tag, digest } => {
                self.mend_tag(&repository, &tag, &digest).await
            }
            Mend::Revision { repository, digest } => self.mend_revision(&repository, &digest).await,
            Mend::Layer { repository, digest, manifest } => {
                self.mend_layer(&repository, &digest, &manifest).await
            }
            Mend::Dangling { repository, digest } => {
                self.remove_dangling(&repository, &digest).await
            }
            Mend::Begin { run, index } => self.begin_quarantine(&run, index).await,
            Mend::Quarantine { digest, run } => self.quarantine(&digest, &run).await,
        }
    }

    async fn mend_folders(&self, repository: &RepositoryName) -> Result<bool, Error> {
        if !self.has_repository(repository).await? {
            return Ok(false);
        }
        self.make_repository(repository).await?;
        Ok(true)
    }

    async fn mend_history(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<bool, Error> {
        let _locks = self.shared.locks.acquire_all(of_tag(repository, tag)).await;
        let key = Key::TagIndexLink(repository, tag, digest);
        let (own, current) =
            (self.read_link(key).await?, self.read_link(Key::TagLink(repository, tag)).await?);
        // One that is there and holds nothing says by its path what it is.
        let is_wanted = current == Some(*digest) || (current.is_some() && self.exists(key).await?);
        if own == Some(*digest) || !is_wanted {
            return Ok(false);
        }
        self.write_link(key, digest).await
    }

    async fn mend_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<bool, Error> {
        let subjects =
            of_tag(repository, tag).into_iter().chain([(Subject::Digest(digest), Mode::Shared)]);
        let _locks = self.shared.locks.acquire_all(subjects).await;
        let key = Key::TagLink(repository, tag);
        let bytes = match self.backend().get(key, LINK_BYTES).await {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let is_right = text.parse::<Digest>().is_ok();
        let is_meant = text.trim().parse::<Digest>().is_ok_and(|found| found == *digest);
        if is_right || !is_meant || !self.holds_manifest(repository, digest).await? {
            return Ok(false);
        }
        self.write_link(key, digest).await
    }

    async fn mend_revision(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        let _lock = self.shared.locks.acquire(Subject::Digest(digest), Mode::Exclusive).await;
        let key = Key::RevisionLink(repository, digest);
        // One that is gone was deleted.
        if !self.exists(key).await? || leads_right(digest, self.read_link(key).await?) {
            return Ok(false);
        }
        if self.whole_manifest(digest).await?.is_none() {
            return Ok(false);
        }
        self.write_link(key, digest).await
    }

    async fn mend_layer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        manifest: &Digest,
    ) -> Result<bool, Error> {
        let subjects =
            [(Subject::Digest(digest), Mode::Exclusive), (Subject::Digest(manifest), Mode::Shared)];
        let _locks = self.shared.locks.acquire_all(subjects).await;
        let link = self.read_link(Key::LayerLink(repository, digest)).await?;
        let Some(bytes) = self.size(digest).await?.filter(|_| !leads_right(digest, link)) else {
            return Ok(false);
        };
        let revision = self.read_link(Key::RevisionLink(repository, manifest)).await?;
        let Some(canonical) = revision else { return Ok(false) };
        let Some(named) = self.whole_manifest(&canonical).await? else { return Ok(false) };
        let blobs = named.config.iter().chain(&named.layers);
        let proves = |it: &oci::Descriptor| it.digest == *digest && it.urls.is_empty();
        if !blobs.into_iter().any(proves) {
            return Ok(false);
        }
        let share = self.own_share(repository, digest, bytes).await?;
        let link = self.stage_layer(repository, digest, share).await?;
        self.commit_counted(link).await?;
        self.shared.leases.promise(digest);
        Ok(true)
    }

    async fn remove_dangling(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        let alias = self.alias_of(repository, digest).await?;
        let subjects = [Some(*digest), alias];
        let subjects = subjects.iter().flatten().map(|it| (Subject::Digest(it), Mode::Exclusive));
        let _locks = self.shared.locks.acquire_all(subjects).await;
        let key = Key::LayerLink(repository, digest);
        if !self.exists(key).await? {
            return Ok(false);
        }
        if let Some(target) = self.read_link(key).await?
            && self.has_bytes(&target).await?
        {
            return Ok(false);
        }
        self.backend().delete(key).await?;
        self.forget_elsewhere(repository, digest);
        Ok(true)
    }

    async fn begin_quarantine(&self, run: &str, index: String) -> Result<bool, Error> {
        let (store, run) = (self.store_with_trash()?, self.run(run)?);
        store.begin_quarantine(&run, Bytes::from(index)).await?;
        Ok(true)
    }

    /// Reads the blob once more, before its lock is taken: pulls of what shares the lock do not wait for that. It is moved if
    /// it is the same then.
    async fn quarantine(&self, digest: &Digest, run: &str) -> Result<bool, Error> {
        let (store, run) = (self.store_with_trash()?, self.run(run)?);
        let Some(read) = self.stat_of(digest).await? else { return Ok(false) };
        match store.hash(digest, |_| std::future::ready(())).await {
            Ok(hashed) if hashed == *digest => return Ok(false),
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(false),
            // Shorter than its size: somebody is at work on it.
            Err(error) => return Err(error.into()),
        }
        let _lock = self.shared.locks.acquire(Subject::Digest(digest), Mode::Exclusive).await;
        if self.stat_of(digest).await? != Some(read) {
            return Ok(false);
        }
        let disposal = Disposal::Quarantine(run);
        for moved in store.remove(vec![Item::Blob(*digest)], disposal).await? {
            moved?;
        }
        store.sync().await?;
        // Blobs have no repository by which they could be named.
        if let Some(redis) = self.redis() {
            redis.forget_all();
        }
        Ok(true)
    }

    async fn write_link(&self, key: Key<'_>, digest: &Digest) -> Result<bool, Error> {
        let staged = self.stage_link(key, digest).await?;
        self.backend().commit(staged).await?;
        Ok(true)
    }
}

impl Content {
    /// A manifest whose bytes are what its name says, and that is understood.
    async fn whole_manifest(&self, digest: &Digest) -> Result<Option<Manifest>, Error> {
        let bytes = match self.backend().get(Key::Blob(digest), MANIFEST_BYTES).await {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::TooLarge) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let is_whole = Digest::of(digest.algorithm(), &bytes) == *digest;
        Ok(Manifest::from_stored(&bytes).ok().filter(|_| is_whole))
    }

    async fn stat_of(&self, digest: &Digest) -> Result<Option<Stat>, Error> {
        match self.backend().stat(Key::Blob(digest)).await {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn store_with_trash(&self) -> Result<Collected, Error> {
        let none = || storage::Error::new(Kind::NotFound, "quarantine", "a storage in memory");
        // What goes there, no journal has.
        self.backend().touched.give_up();
        Ok(self.backend().collected().ok_or_else(none)?)
    }

    fn run(&self, run: &str) -> Result<RunId, Error> {
        let bad = |_| storage::Error::new(Kind::NotFound, "quarantine", run);
        Ok(run.parse().map_err(bad)?)
    }
}

/// Whether a link leads to what its path says. Another algorithm's digest is upstream's form of it.
pub(crate) fn leads_right(own: &Digest, held: Option<Digest>) -> bool {
    held.is_some_and(|held| held == *own || held.algorithm() != own.algorithm())
}

fn of_tag<'a>(repository: &'a RepositoryName, tag: &'a Tag) -> [(Subject<'a>, Mode); 2] {
    [(Subject::Tags(repository), Mode::Shared), (Subject::Tag(repository, tag), Mode::Exclusive)]
}
