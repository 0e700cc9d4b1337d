//! Manifests of a repository: what its revision links name.

use bytes::Bytes;
use oci::{Algorithm, Descriptor, Digest, Manifest, Reference, RepositoryName, Role, Tag};
use storage::{Driver, Folder, Key, Staged};

use super::{
    Content, Error, Writing,
    condition::Condition,
    locks::{Guard, Mode, Subject},
    quota::{Counted, Linked, Share},
    referrers::Listing,
};
use crate::config::Children;

/// The largest manifest that is read; more than any that is accepted, for what others have stored.
pub(super) const MANIFEST_BYTES: usize = 16 * 1024 * 1024;

/// How often a tag is read again that moves while it is followed.
const TAG_READS: usize = 4;

/// As many as anybody reads.
const REPORTED: usize = 100;

/// How many of its references a store over a network is asked for at once.
const ASKED_AT_ONCE: usize = 16;

/// A manifest as it is stored.
#[derive(Debug)]
pub(crate) struct StoredManifest {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

/// A manifest on its way in.
#[derive(Debug)]
pub(crate) struct Push {
    /// The digest that the client names; sha256 counts when it names none.
    pub(crate) digest: Option<Digest>,
    /// What shall point to it.
    pub(crate) tags: Vec<Tag>,
    pub(crate) manifest: Manifest,
    pub(crate) bytes: Bytes,
    pub(crate) needs: Needs,
    pub(crate) condition: Condition,
}

/// What of its references must be in the repository; blobs always must.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    pub(crate) children: Children,
}

/// A manifest that is there now.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) digest: Digest,
    /// What became of it as a referrer, if it is one.
    pub(crate) listing: Option<Listing>,
}

/// All that a manifest consists of, ready and not there yet.
#[derive(Debug)]
pub(super) struct StagedManifest {
    blob: Staged,
    revision: Counted,
    tags: Vec<Staged>,
}

impl Content {
    /// Reads a manifest. An answer is a promise that it is there.
    pub(crate) async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<StoredManifest, Error> {
        let unknown = || Error::ManifestUnknown(reference.clone());
        let tag = match reference {
            Reference::Digest(digest) => {
                return self.revision(repository, digest).await?.ok_or_else(unknown);
            }
            Reference::Tag(tag) => tag,
        };
        let mut last = None;
        for _ in 0..TAG_READS {
            let digest = self.read_link(Key::TagLink(repository, tag)).await?;
            let digest = digest.ok_or_else(unknown)?;
            if last == Some(digest) {
                break;
            }
            if let Some(manifest) = self.tagged(repository, &digest).await? {
                return Ok(manifest);
            }
            // The tag may have moved on, and the manifest been deleted, since the link was read.
            last = Some(digest);
        }
        Err(unknown())
    }

    /// The manifest that a tag was just found to point to, if the repository has it.
    async fn tagged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, Error> {
        let recent = self.shared.recent.as_ref();
        if let Some(bytes) = recent.and_then(|recent| recent.get(repository, digest)) {
            let _lock = self.shared.locks.acquire(Subject::Digest(digest), Mode::Shared).await;
            self.shared.leases.promise(digest);
            return Ok(Some(StoredManifest { digest: *digest, bytes }));
        }
        self.revision(repository, digest).await
    }

    /// The manifest of a digest, if the repository has it.
    pub(super) async fn revision(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, Error> {
        let _lock = self.shared.locks.acquire(Subject::Digest(digest), Mode::Shared).await;
        let link = self.read_link(Key::RevisionLink(repository, digest)).await?;
        let Some(canonical) = link else { return Ok(None) };
        match self.manifest_bytes(repository, &canonical).await {
            Ok(bytes) => {
                // A link that names another digest is looked at under its own.
                self.shared.leases.promise(digest);
                self.shared.leases.promise(&canonical);
                Ok(Some(StoredManifest { digest: canonical, bytes }))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes of a manifest that the repository has.
    async fn manifest_bytes(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Bytes, storage::Error> {
        let read = self.backend().get(Key::Blob(digest), MANIFEST_BYTES);
        let Some(recent) = &self.shared.recent else { return read.await };
        if let Some(bytes) = recent.get(repository, digest) {
            return Ok(bytes);
        }
        let bytes = read.await?;
        recent.keep(repository, digest, &bytes);
        Ok(bytes)
    }
}

impl Writing {
    /// Stores a manifest, points its tags to it, and lists it among the referrers of its subject.
    ///
    /// All that it refers to must be in the repository, and stays there until the tags are written.
    pub(crate) async fn put_manifest(
        &self,
        repository: &RepositoryName,
        push: Push,
    ) -> Result<Pushed, Error> {
        let digest = match push.digest {
            None => Digest::of(Algorithm::Sha256, &push.bytes),
            Some(claimed) => {
                let actual = Digest::of(claimed.algorithm(), &push.bytes);
                if actual != claimed {
                    return Err(Error::digest_mismatch(claimed, actual));
                }
                actual
            }
        };
        let repository = repository.clone();
        self.shielded(move |content| async move {
            content.store_manifest(&repository, &digest, &push).await?;
            let listing = match &push.manifest.subject {
                None => None,
                Some(subject) => {
                    let size = push.bytes.len() as u64;
                    let referrer = push.manifest.as_referrer(digest, size);
                    Some(content.list_referrer(&repository, &subject.digest, &referrer).await?)
                }
            };
            Ok(Pushed { digest, listing })
        })
        .await
    }

    async fn store_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        push: &Push,
    ) -> Result<(), Error> {
        let _locks = self.lock_for_push(repository, digest, push).await?;
        self.check_condition(repository, digest, push).await?;
        for tag in &push.tags {
            self.may_set(repository, tag, digest).await?;
        }
        self.check_references(repository, push).await?;
        let bytes = push.bytes.len() as u64;
        let share = self.share((repository, Linked::Manifest), digest, bytes).await?;
        let staged = self.stage_manifest((repository, digest), &push.bytes, &push.tags, share);
        self.commit_manifest(staged.await?).await?;
        self.shared.leases.promise(digest);
        Ok(())
    }

    /// Takes a manifest out of a repository, and with it the tags that point to it, which are returned.
    ///
    /// Its bytes, and those of what it refers to, stay until a collection.
    pub(crate) async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Tag>, Error> {
        let (repository, digest) = (repository.clone(), *digest);
        self.shielded(move |content| async move {
            content.may_delete_manifest(&repository, &digest).await?;
            // A referrer leaves the list first: what is listed is there.
            let subject = content.unlist_referrer(&repository, &digest).await?;
            let subjects = [
                (Subject::Tags(&repository), Mode::Exclusive),
                (Subject::Digest(&digest), Mode::Exclusive),
            ];
            let locks = content.shared.locks.acquire_all(subjects).await;
            let key = Key::RevisionLink(&repository, &digest);
            if !content.exists(key).await? {
                return Err(Error::ManifestUnknown(Reference::Digest(digest)));
            }
            content.shared.leases.promise(&digest);
            content.lease_references(&repository, &digest).await;
            let tags = content.tags_of(&repository, &digest).await?;
            if let Some(refused) =
                tags.iter().find_map(|tag| content.may_delete(&repository, tag).err())
            {
                // The tag has come meanwhile.
                drop((locks, subject));
                content.list_again(&repository, &digest).await?;
                return Err(refused);
            }
            for tag in &tags {
                content.backend().delete_folder(Folder::Tag(&repository, tag)).await?;
            }
            let deleted = content.backend().delete(key).await;
            content.forget_elsewhere(&repository, &digest);
            deleted?;
            Ok(tags)
        })
        .await
    }

    /// Puts a referrer that stays back on the list of its subject.
    async fn list_again(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), Error> {
        let Some(stored) = self.revision(repository, digest).await? else { return Ok(()) };
        let Ok(manifest) = Manifest::from_stored(&stored.bytes) else { return Ok(()) };
        let Some(subject) = &manifest.subject else { return Ok(()) };
        let referrer = manifest.as_referrer(stored.digest, stored.bytes.len() as u64);
        self.list_referrer(repository, &subject.digest, &referrer).await?;
        Ok(())
    }

    async fn lock_for_push(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        push: &Push,
    ) -> Result<Vec<Guard<'_>>, Error> {
        let own =
            [(Subject::Tags(repository), Mode::Shared), (Subject::Digest(digest), Mode::Exclusive)];
        let tags = push.tags.iter().map(|tag| (Subject::Tag(repository, tag), Mode::Exclusive));
        let mut references = Vec::new();
        for (_, descriptor) in push.manifest.references() {
            references.push(descriptor.digest);
            references.extend(self.alias_of(repository, &descriptor.digest).await?);
        }
        let references = references.iter().map(|digest| (Subject::Digest(digest), Mode::Shared));
        let subjects = own.into_iter().chain(tags).chain(references);
        Ok(self.shared.locks.acquire_all(subjects).await)
    }

    /// Prepares all that a manifest consists of.
    pub(super) async fn stage_manifest(
        &self,
        (repository, digest): (&RepositoryName, &Digest),
        bytes: &Bytes,
        tags: &[Tag],
        share: Share,
    ) -> Result<StagedManifest, Error> {
        self.make_repository(repository).await?;
        let blob = async { Ok(self.backend().stage(Key::Blob(digest), bytes.clone()).await?) };
        let revision = self.stage_counted((repository, Linked::Manifest), digest, share);
        let tags = async {
            let mut staged = Vec::new();
            for tag in tags {
                staged.extend(self.stage_tag(repository, tag, digest).await?);
            }
            Ok(staged)
        };
        let (blob, revision, tags) = tokio::try_join!(blob, revision, tags)?;
        Ok(StagedManifest { blob, revision, tags })
    }

    /// Has it appear in the order in which it may.
    pub(super) async fn commit_manifest(&self, staged: StagedManifest) -> Result<(), Error> {
        self.backend().commit(staged.blob).await?;
        self.commit_counted(staged.revision).await?;
        for tag in staged.tags {
            self.backend().commit(tag).await?;
        }
        Ok(())
    }
}

impl Content {
    /// Promises what the manifest refers to, or says what is missing. The caller holds the locks of it all.
    async fn check_references(
        &self,
        repository: &RepositoryName,
        push: &Push,
    ) -> Result<(), Error> {
        let mut asked = Vec::new();
        for (role, descriptor) in push.manifest.references() {
            // Also what is not asked for: it may be there.
            self.promise_reference(repository, &descriptor.digest).await?;
            if push.needs.ask_for(role, descriptor) {
                asked.push((role, descriptor.digest));
            }
        }
        let mut missing = Vec::new();
        for batch in asked.chunks(if self.backend().is_remote() { ASKED_AT_ONCE } else { 1 }) {
            missing.extend(self.missing(repository, batch).await?);
            if missing.len() >= REPORTED {
                missing.truncate(REPORTED);
                break;
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Error::References(missing)) }
    }

    /// Which of these the repository does not have. Where the answers come over a network they are waited for together.
    async fn missing(
        &self,
        repository: &RepositoryName,
        asked: &[(Role, Digest)],
    ) -> Result<Vec<Digest>, Error> {
        if let [(role, digest)] = asked {
            let is_there = self.holds_reference(repository, *role, digest).await?;
            return Ok(if is_there { Vec::new() } else { vec![*digest] });
        }
        let asking: Vec<_> = asked
            .iter()
            .map(|&(role, digest)| {
                let (content, repository) = (self.clone(), repository.clone());
                let asked =
                    async move { content.holds_reference(&repository, role, &digest).await };
                (digest, tokio::spawn(asked))
            })
            .collect();
        let mut missing = Vec::new();
        for (digest, answer) in asking {
            if !answer.await.map_err(|_| Error::Panicked)?? {
                missing.push(digest);
            }
        }
        Ok(missing)
    }

    async fn holds_reference(
        &self,
        repository: &RepositoryName,
        role: Role,
        digest: &Digest,
    ) -> Result<bool, Error> {
        match role {
            Role::Config | Role::Layer | Role::ForeignLayer => {
                self.holds_blob(repository, digest).await
            }
            Role::Child => self.holds_manifest(repository, digest).await,
        }
    }

    pub(super) async fn holds_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        match self.read_link(Key::RevisionLink(repository, digest)).await? {
            Some(canonical) => self.has_bytes(&canonical).await,
            None => Ok(false),
        }
    }

    /// Whether the object is there, whatever is in it.
    pub(super) async fn exists(&self, key: Key<'_>) -> Result<bool, Error> {
        match self.backend().stat(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Content {
    /// Leases what a manifest refers to that is about to go: somebody may have read it just now, and pull the rest.
    ///
    /// What cannot be read has been promised to nobody.
    async fn lease_references(&self, repository: &RepositoryName, digest: &Digest) {
        let Ok(bytes) = self.backend().get(Key::Blob(digest), MANIFEST_BYTES).await else { return };
        let Ok(manifest) = Manifest::from_stored(&bytes) else { return };
        for (_, descriptor) in manifest.references() {
            if self.promise_reference(repository, &descriptor.digest).await.is_err() {
                tracing::warn!(%repository, digest = %descriptor.digest, "link could not be read, and what it names is not promised");
            }
        }
    }

    /// Promises a digest, and the one under which its bytes are stored.
    async fn promise_reference(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        self.shared.leases.promise(digest);
        if let Some(canonical) = self.alias_of(repository, digest).await? {
            self.shared.leases.promise(&canonical);
        }
        Ok(())
    }
}

impl Needs {
    fn ask_for(&self, role: Role, descriptor: &Descriptor) -> bool {
        match role {
            Role::Config | Role::Layer => true,
            // Clients fetch it from where its URLs say.
            Role::ForeignLayer => false,
            Role::Child => self.children.include(descriptor.platform.as_ref()),
        }
    }
}
