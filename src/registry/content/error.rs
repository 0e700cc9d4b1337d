//! Why content could not be read or written, in the registry's own terms.

use std::time::Duration;

use oci::{Digest, ManifestError, Reference, RepositoryName, Tag};

use super::UploadId;
use crate::quota::Refused;

/// Why content could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("repository `{0}` is not known")]
    NameUnknown(RepositoryName),
    #[error("blob `{0}` is not known to this repository")]
    BlobUnknown(Digest),
    #[error("manifest `{0}` is not known to this repository")]
    ManifestUnknown(Reference),
    #[error("upload `{0}` is not known to this repository")]
    UploadUnknown(UploadId),
    #[error(transparent)]
    DigestMismatch(Box<DigestMismatch>),
    #[error("manifest refers to content that this repository does not have")]
    References(Vec<Digest>),
    /// `If-Match` or `If-None-Match` of a write.
    #[error("`{0}` is not what the request's condition says")]
    Condition(Reference),
    /// A rule says that the tag is set once.
    #[error("tag `{tag}` is immutable here, by the rule `{rule}`: it is neither moved nor deleted")]
    Immutable { tag: Tag, rule: String },
    /// There is no room, or nobody knows how much.
    #[error(transparent)]
    Quota(Box<Refused>),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A chunk that does not begin where the session ends.
    #[error("chunk begins at another offset than {current}, the end of the upload")]
    WrongOffset { current: u64 },
    /// A chunk of another length than its range.
    #[error("chunk has {received} bytes, its range {announced}")]
    WrongLength { received: u64, announced: u64 },
    /// Another request, or another process, writes to the session.
    #[error("upload `{0}` is being written to by another request")]
    UploadBusy(UploadId),
    #[error("another request has taken over the upload")]
    TakenOver,
    /// Others wait for the process to end.
    #[error("nothing came for {} seconds while the registry stops; go on with the upload in a moment", .0.as_secs())]
    SilentAtTheEnd(Duration),
    #[error("body ended early")]
    Body(#[from] BodyError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error("a task of this request panicked")]
    Panicked,
}

/// Content is other than its digest says.
#[derive(Debug, thiserror::Error)]
#[error("content has the digest `{actual}`, not `{claimed}`")]
pub(crate) struct DigestMismatch {
    pub(crate) claimed: Digest,
    pub(crate) actual: Digest,
}

/// A request's body ended before its end: the client went away, or the message is broken.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct BodyError(Box<dyn std::error::Error + Send + Sync>);

impl BodyError {
    pub(crate) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl Error {
    pub(super) fn digest_mismatch(claimed: Digest, actual: Digest) -> Self {
        Self::DigestMismatch(Box::new(DigestMismatch { claimed, actual }))
    }
}
