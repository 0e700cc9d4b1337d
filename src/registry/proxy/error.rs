//! Why the other registry's content could not be had.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use oci::{Digest, ManifestError};

use crate::{
    content::{self, BodyError, StorageKind},
    outbound::Fault,
};

/// Why the other registry's content could not be had. None of it names a credential or a query.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It says that there is no such thing.
    #[error("the upstream registry does not have it")]
    Missing,
    #[error("the upstream registry refuses access: {0}")]
    Denied(StatusCode),
    #[error("the upstream registry takes no more requests for now")]
    Busy { retry_after: Option<HeaderValue> },
    #[error("the upstream registry answers {0}")]
    Status(StatusCode),
    #[error("the upstream registry cannot be asked: {0}")]
    Unreachable(#[from] Fault),
    #[error("the upstream registry was not asked again so soon after it said nothing")]
    Silent,
    #[error("the upstream registry's service for tokens is not usable: {0}")]
    Login(String),
    #[error("the upstream registry's answer is not usable: {0}")]
    Unusable(&'static str),
    #[error("the upstream registry's manifest cannot be read: {0}")]
    Manifest(#[from] ManifestError),
    #[error("the upstream registry sent something of the digest `{actual}` for `{asked}`")]
    OtherContent { asked: Box<Digest>, actual: Box<Digest> },
    /// The connection broke, fell silent or was given up.
    #[error("the upstream registry's blob did not come to its end")]
    Cut(#[source] BodyError),
    /// It can only pass through.
    #[error("the blob cannot be kept: {0}")]
    NotKept(&'static str),
    /// The fetch was ended from this side.
    #[error("the blob is no longer fetched")]
    GivenUp,
    /// One fetch may have many that wait for it.
    #[error(transparent)]
    Shared(Arc<Self>),
    #[error(transparent)]
    Content(#[from] content::Error),
}

impl Error {
    /// Whether there is no such thing, and no other trouble.
    pub(crate) fn is_missing(&self) -> bool {
        match self {
            Self::Shared(error) => error.is_missing(),
            error => matches!(error, Self::Missing),
        }
    }

    /// Whether this side could not keep something; a blob that is not there is no such thing.
    pub(super) fn is_storage_failure(&self) -> bool {
        match self {
            Self::Shared(error) => error.is_storage_failure(),
            Self::NotKept(_) => true,
            Self::Content(content::Error::Storage(error)) => matches!(
                error.kind(),
                StorageKind::NoSpace | StorageKind::Denied | StorageKind::Other
            ),
            _ => false,
        }
    }

    /// Whether there was no room for something.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Content(content::Error::Storage(error)) => error.kind() == StorageKind::NoSpace,
            _ => false,
        }
    }

    /// Whether what is at hand here may stand in for what could not be had.
    pub(super) fn is_upstreams(&self) -> bool {
        match self {
            Self::Shared(error) => error.is_upstreams(),
            Self::Missing | Self::Content(_) | Self::NotKept(_) | Self::GivenUp => false,
            Self::Denied(_)
            | Self::Busy { .. }
            | Self::Status(_)
            | Self::Unreachable(_)
            | Self::Silent
            | Self::Login(_)
            | Self::Unusable(_)
            | Self::Manifest(_)
            | Self::OtherContent { .. }
            | Self::Cut(_) => true,
        }
    }
}
