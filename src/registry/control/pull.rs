//! The registry pulls a tag from its own storage, as a client would: whoever has moved that storage sees that it serves from there.

use std::{collections::HashSet, future::poll_fn};

use oci::{Digest, Digester, Manifest, ManifestError, Reference, RepositoryName, Role, Tag};

use crate::content::{Content, Error};

/// A tag that is there with all that it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulled {
    /// What the tag points to.
    pub(crate) digest: Digest,
    /// How many blobs, manifests among them.
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
}

/// Why a tag cannot be pulled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPulled {
    #[error(transparent)]
    Content(#[from] Error),
    #[error("blob {digest} cannot be read")]
    Unread { digest: Digest, source: storage::Error },
    #[error("the bytes of {0} are others than its name says")]
    Damaged(Digest),
    #[error("manifest {digest} cannot be understood: {source}")]
    Strange { digest: Digest, source: ManifestError },
}

/// Looks at a tag and at all that it names; with `read` every byte is read and hashed.
pub(super) async fn pull(
    content: &Content,
    repository: &RepositoryName,
    tag: &Tag,
    read: bool,
) -> Result<Pulled, NotPulled> {
    let mut found: Option<Pulled> = None;
    let mut seen = HashSet::new();
    let mut left = vec![Reference::Tag(tag.clone())];
    while let Some(reference) = left.pop() {
        let stored = content.manifest(repository, &reference).await?;
        let (digest, bytes) = (stored.digest, stored.bytes);
        if Digest::of(digest.algorithm(), &bytes) != digest {
            return Err(NotPulled::Damaged(digest));
        }
        let pulled = found.get_or_insert(Pulled { digest, blobs: 0, bytes: 0 });
        pulled.blobs += 1;
        pulled.bytes += bytes.len() as u64;
        let manifest = Manifest::from_stored(&bytes);
        let manifest = manifest.map_err(|source| NotPulled::Strange { digest, source })?;
        for (role, descriptor) in manifest.references() {
            if !seen.insert(descriptor.digest) || !descriptor.urls.is_empty() {
                continue;
            }
            match role {
                Role::Child => left.push(Reference::Digest(descriptor.digest)),
                _ => {
                    pulled.bytes += blob(content, repository, &descriptor.digest, read).await?;
                    pulled.blobs += 1;
                }
            }
        }
    }
    Ok(found.expect("a tag's manifest was read before anything else"))
}

/// Looks at a blob; returns its length.
async fn blob(
    content: &Content,
    repository: &RepositoryName,
    digest: &Digest,
    read: bool,
) -> Result<u64, NotPulled> {
    let blob = content.blob(repository, digest).await?;
    let size = blob.object.size();
    if !read {
        return Ok(size);
    }
    let mut hasher = Digester::new(blob.digest.algorithm());
    let mut chunks = blob.object.chunks(0..size);
    while let Some(piece) = poll_fn(|context| chunks.poll_next(context)).await {
        let piece = piece.map_err(|source| NotPulled::Unread { digest: *digest, source })?;
        hasher.update(&piece);
    }
    if hasher.finish() == blob.digest { Ok(size) } else { Err(NotPulled::Damaged(*digest)) }
}
