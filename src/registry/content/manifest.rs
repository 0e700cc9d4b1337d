//! Manifests of a repository: what its revision links name.

use bytes::Bytes;
use oci::{Algorithm, Digest, Manifest, Reference, RepositoryName, Role};
use storage::{Driver, Folder, Key, Staged};

use super::{
    Content, Error, Writing,
    locks::{Guard, Mode, Subject},
};

/// The largest manifest that is read; more than any that is accepted, for what others have stored.
const MANIFEST_BYTES: usize = 16 * 1024 * 1024;

/// How often a tag is read again that moves while it is followed.
const TAG_READS: usize = 4;

/// More than any image or index has; each is looked up while others wait for its lock.
const REFERENCES: usize = 4096;

/// As many as anybody reads.
const REPORTED: usize = 100;

/// A manifest as it is stored.
#[derive(Debug)]
pub(crate) struct StoredManifest {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
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
            if let Some(manifest) = self.revision(repository, &digest).await? {
                return Ok(manifest);
            }
            // The tag may have moved on, and the manifest been deleted, since the link was read.
            last = Some(digest);
        }
        Err(unknown())
    }

    /// The manifest of a digest, if the repository has it.
    async fn revision(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, Error> {
        let _lock = self.shared.locks.acquire(Subject::Digest(digest), Mode::Shared).await;
        let link = self.read_link(Key::RevisionLink(repository, digest)).await?;
        let Some(canonical) = link else { return Ok(None) };
        match self.backend().get(Key::Blob(&canonical), MANIFEST_BYTES).await {
            Ok(bytes) => Ok(Some(StoredManifest { digest: canonical, bytes })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Writing {
    /// Stores a manifest, and points the tag to it where the reference is one.
    ///
    /// All that it refers to must be in the repository, and stays there until the tag is written.
    pub(crate) async fn put_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        manifest: Manifest,
        bytes: Bytes,
    ) -> Result<Digest, Error> {
        let count = manifest.references().count();
        if count > REFERENCES {
            return Err(Error::TooManyReferences { count, most: REFERENCES });
        }
        let digest = match reference {
            Reference::Tag(_) => Digest::of(Algorithm::Sha256, &bytes),
            Reference::Digest(claimed) => {
                let actual = Digest::of(claimed.algorithm(), &bytes);
                if actual != *claimed {
                    return Err(Error::digest_mismatch(*claimed, actual));
                }
                actual
            }
        };
        let (repository, reference) = (repository.clone(), reference.clone());
        self.shielded(move |content| async move {
            let _locks = content.lock_for_push(&repository, &reference, &digest, &manifest).await;
            content.check_references(&repository, &manifest).await?;
            for staged in content.stage_manifest(&repository, &reference, &digest, bytes).await? {
                content.backend().commit(staged).await?;
            }
            Ok(digest)
        })
        .await
    }

    /// Takes a manifest out of a repository, and with it the tags that point to it.
    ///
    /// Its bytes, and those of what it refers to, stay until a collection.
    pub(crate) async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let (repository, digest) = (repository.clone(), *digest);
        self.shielded(move |content| async move {
            let subjects = [
                (Subject::Tags(&repository), Mode::Exclusive),
                (Subject::Digest(&digest), Mode::Exclusive),
            ];
            let _locks = content.shared.locks.acquire_all(subjects).await;
            let key = Key::RevisionLink(&repository, &digest);
            if !content.exists(key).await? {
                return Err(Error::ManifestUnknown(Reference::Digest(digest)));
            }
            for tag in content.tags_of(&repository, &digest).await? {
                content.backend().delete_folder(Folder::Tag(&repository, &tag)).await?;
            }
            content.backend().delete(key).await?;
            Ok(())
        })
        .await
    }

    async fn lock_for_push(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Vec<Guard<'_>> {
        let tag = match reference {
            Reference::Tag(tag) => Some((Subject::Tag(repository, tag), Mode::Exclusive)),
            Reference::Digest(_) => None,
        };
        let own =
            [(Subject::Tags(repository), Mode::Shared), (Subject::Digest(digest), Mode::Exclusive)];
        let references = manifest
            .references()
            .map(|(_, descriptor)| (Subject::Digest(&descriptor.digest), Mode::Shared));
        self.shared.locks.acquire_all(own.into_iter().chain(tag).chain(references)).await
    }

    /// Prepares all that a manifest consists of, in the order in which it may appear.
    pub(super) async fn stage_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Vec<Staged>, Error> {
        self.make_repository(repository).await?;
        let blob = async { Ok(self.backend().stage(Key::Blob(digest), bytes).await?) };
        let revision = self.stage_link(Key::RevisionLink(repository, digest), digest);
        let tag = async {
            match reference {
                Reference::Tag(tag) => self.stage_tag(repository, tag, digest).await,
                Reference::Digest(_) => Ok(Vec::new()),
            }
        };
        let (blob, revision, tag) = tokio::try_join!(blob, revision, tag)?;
        Ok([blob, revision].into_iter().chain(tag).collect())
    }
}

impl Content {
    /// Says what is missing. The caller holds the locks of what the manifest refers to.
    async fn check_references(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let mut missing = Vec::new();
        for (role, descriptor) in manifest.references() {
            let digest = &descriptor.digest;
            let there = match role {
                Role::Config | Role::Layer | Role::ForeignLayer => {
                    self.holds_blob(repository, digest).await?
                }
                Role::Child => self.holds_manifest(repository, digest).await?,
            };
            match role {
                _ if there => {}
                Role::ForeignLayer => return Err(Error::ForeignLayer(*digest)),
                Role::Config | Role::Layer | Role::Child if missing.len() == REPORTED => break,
                Role::Config | Role::Layer | Role::Child => missing.push(*digest),
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Error::References(missing)) }
    }

    async fn holds_manifest(
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
