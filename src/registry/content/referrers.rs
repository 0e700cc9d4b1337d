//! The referrers of a manifest: what its referrers tag lists.
//!
//! The tag is the store, and a real one: upstream serves it, its collector keeps what it lists, and lists
//! that clients wrote before are read like our own. It changes before a push of a referrer is answered,
//! one change at a time for each subject.

use oci::{Algorithm, Descriptor, Digest, Manifest, ManifestType, Referrers, RepositoryName, Tag};
use storage::{Driver, Folder, Key, Kind};
use tokio::sync::SemaphorePermit;

use super::{
    Content, Error, Writing,
    locks::{Guard, Mode, Subject},
};

/// The largest index that clients and other registries read.
const INDEX_BYTES: usize = 4 * 1024 * 1024;

/// How many lists are in memory at once.
pub(super) const LISTS: usize = 8;

/// What became of a manifest as a referrer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Listing {
    /// Its subject's tag lists it.
    Listed,
    /// The index has no room for it.
    Full,
    /// The tag is something else than an index that can be read; it stays so.
    Blocked,
    /// Somebody deleted the manifest meanwhile.
    Gone,
}

/// What a referrers tag points to.
struct Stored {
    link: Option<Digest>,
    /// None: something else than an index that can be read.
    referrers: Option<Referrers>,
}

/// A change of an index.
enum Change<'a> {
    List(&'a Descriptor),
    Remove(Digest),
}

impl Content {
    /// Shows the referrers of a manifest, which itself need not be there; none if the list cannot be read.
    pub(crate) async fn referrers<T>(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        show: impl FnOnce(&Referrers) -> T,
    ) -> Result<Option<T>, Error> {
        let _permit = self.permit_list().await;
        let stored = self.stored_referrers(repository, &Tag::of_referrers(subject)).await?;
        Ok(stored.referrers.as_ref().map(show))
    }

    /// Read, a list takes many times its bytes: only a few are in memory at once.
    pub(crate) async fn permit_list(&self) -> SemaphorePermit<'_> {
        self.shared.referrer_lists.acquire().await.expect("nobody closes it")
    }

    async fn stored_referrers(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Stored, Error> {
        let mut link = self.read_link(Key::TagLink(repository, tag)).await?;
        while let Some(digest) = link {
            match self.revision(repository, &digest).await {
                Ok(Some(manifest)) => return Ok(Stored { link, referrers: read(&manifest.bytes) }),
                Ok(None) => {}
                Err(Error::Storage(error)) if error.kind() == Kind::TooLarge => {
                    return Ok(Stored { link, referrers: None });
                }
                Err(error) => return Err(error),
            }
            // A tag whose manifest is gone lists nothing, unless it has moved on meanwhile.
            let again = self.read_link(Key::TagLink(repository, tag)).await?;
            if again == link {
                break;
            }
            link = again;
        }
        Ok(Stored { link, referrers: Some(Referrers::default()) })
    }
}

/// Reads a list; none if it is something else.
pub(crate) fn read(bytes: &[u8]) -> Option<Referrers> {
    let kind = Manifest::sniff(bytes).ok()?;
    (kind == ManifestType::OciIndex).then(|| Referrers::from_stored(bytes).ok()).flatten()
}

impl Writing {
    /// Lists a manifest, which is there, as a referrer of its subject.
    pub(super) async fn list_referrer(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        referrer: &Descriptor,
    ) -> Result<Listing, Error> {
        let tag = Tag::of_referrers(subject);
        let _subject = self.lock_subject(repository, &tag).await;
        let listing = self.change_referrers(repository, &tag, &Change::List(referrer)).await?;
        if let Listing::Full | Listing::Blocked = listing {
            let (repository, digest) = (repository.as_str(), referrer.digest);
            tracing::warn!(repository, %digest, %tag, ?listing, "referrer is stored and not listed");
        }
        Ok(listing)
    }

    /// Takes a manifest that is a referrer off the list of its subject.
    ///
    /// While the guard is held nobody changes the list.
    pub(super) async fn unlist_referrer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Guard<'_>>, Error> {
        let stored = match self.revision(repository, digest).await {
            Ok(stored) => stored,
            Err(Error::Storage(error)) if error.kind() == Kind::TooLarge => None,
            Err(error) => return Err(error),
        };
        // What cannot be read was never listed by this registry.
        let manifest = stored.and_then(|stored| Manifest::from_stored(&stored.bytes).ok());
        let Some(subject) = manifest.and_then(|manifest| manifest.subject) else { return Ok(None) };
        let tag = Tag::of_referrers(&subject.digest);
        let guard = self.lock_subject(repository, &tag).await;
        self.change_referrers(repository, &tag, &Change::Remove(*digest)).await?;
        Ok(Some(guard))
    }

    /// Comes before all other locks of a request, and there is one of it: its stripes are their own.
    async fn lock_subject(&self, repository: &RepositoryName, tag: &Tag) -> Guard<'_> {
        self.shared.subjects.acquire(Subject::Tag(repository, tag), Mode::Exclusive).await
    }

    /// The caller holds the lock of the subject; clients that write the tag themselves hold none, and
    /// so the tag is read again under its own.
    async fn change_referrers(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        change: &Change<'_>,
    ) -> Result<Listing, Error> {
        loop {
            let (link, index) = match self.changed(repository, tag, change).await? {
                Changed::Nothing(listing) => return Ok(listing),
                Changed::To { link, index } => (link, index),
            };
            let digest = Digest::of(Algorithm::Sha256, index.as_deref().unwrap_or_default());
            let _locks = self.lock_for_change(repository, tag, &digest, change).await;
            if self.read_link(Key::TagLink(repository, tag)).await? != link {
                continue;
            }
            if let Change::List(referrer) = change
                && !self.holds_manifest(repository, &referrer.digest).await?
            {
                return Ok(Listing::Gone);
            }
            match index {
                Some(bytes) => self.store_index(repository, tag, &digest, bytes).await?,
                None => self.backend().delete_folder(Folder::Tag(repository, tag)).await?,
            }
            return Ok(Listing::Listed);
        }
    }

    /// Reads the list and makes the change, in memory.
    async fn changed(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        change: &Change<'_>,
    ) -> Result<Changed, Error> {
        let _permit = self.permit_list().await;
        let Stored { link, referrers } = self.stored_referrers(repository, tag).await?;
        let Some(mut referrers) = referrers else { return Ok(Changed::Nothing(Listing::Blocked)) };
        if !change.make(&mut referrers) {
            return Ok(Changed::Nothing(Listing::Listed));
        }
        let index = (!referrers.is_bare()).then(|| referrers.to_bytes());
        let is_full = index.as_ref().is_some_and(|bytes| bytes.len() > INDEX_BYTES);
        match change {
            Change::List(_) if is_full => Ok(Changed::Nothing(Listing::Full)),
            Change::List(_) | Change::Remove(_) => Ok(Changed::To { link, index }),
        }
    }

    async fn lock_for_change(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        index: &Digest,
        change: &Change<'_>,
    ) -> Vec<Guard<'_>> {
        let referrer = match change {
            Change::List(referrer) => &referrer.digest,
            Change::Remove(referrer) => referrer,
        };
        let subjects = [
            (Subject::Tags(repository), Mode::Shared),
            (Subject::Tag(repository, tag), Mode::Exclusive),
            (Subject::Digest(index), Mode::Exclusive),
            (Subject::Digest(referrer), Mode::Shared),
        ];
        self.shared.locks.acquire_all(subjects).await
    }

    async fn store_index(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        // It is written for a push that was taken, or for a delete.
        let share = self.own_share(repository, digest, bytes.len() as u64).await?;
        let (bytes, tags) = (bytes.into(), [tag.clone()]);
        let staged = self.stage_manifest((repository, digest), &bytes, &tags, share).await?;
        self.commit_manifest(staged).await
    }
}

/// What a change would make of an index.
enum Changed {
    Nothing(Listing),
    To {
        /// What the tag pointed to.
        link: Option<Digest>,
        /// None: nothing is left to list.
        index: Option<Vec<u8>>,
    },
}

impl Change<'_> {
    fn make(&self, referrers: &mut Referrers) -> bool {
        match self {
            Self::List(referrer) => referrers.list((*referrer).clone()),
            Self::Remove(referrer) => referrers.remove(referrer),
        }
    }
}
