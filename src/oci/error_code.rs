//! The codes that a registry's JSON errors carry, each with its HTTP status and its message.
//!
//! Codes are the OCI specification's and those Distribution adds; statuses and messages are
//! Distribution's own, since clients have matched on them for years.

use std::fmt;

/// A code of the distribution API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// The repository has no such blob.
    BlobUnknown,
    /// The upload session's state is wrong or forged.
    BlobUploadInvalid,
    /// There is no such upload session.
    BlobUploadUnknown,
    /// A digest is malformed, or is not that of what was sent.
    DigestInvalid,
    /// A manifest refers to a blob that the repository does not have.
    ManifestBlobUnknown,
    /// A manifest cannot be accepted as it is.
    ManifestInvalid,
    /// The repository has no such manifest.
    ManifestUnknown,
    /// A schema 1 signature is wrong.
    ManifestUnverified,
    /// A repository name breaks the grammar.
    NameInvalid,
    /// There is no such repository.
    NameUnknown,
    /// A page size is no number, or too large.
    PaginationNumberInvalid,
    /// A chunk does not begin where the upload ends.
    RangeInvalid,
    /// A length is not that of what was sent.
    SizeInvalid,
    /// A tag breaks the grammar, or is not that of the URL.
    TagInvalid,
    /// The client has not said who it is, or not credibly.
    Unauthorized,
    /// The client may not do this.
    Denied,
    /// The registry does not do this, or not now.
    Unsupported,
    /// The registry cannot do anything at present.
    Unavailable,
    /// The client asks too often.
    TooManyRequests,
    /// Something else went wrong.
    Unknown,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 20] = [
        Self::BlobUnknown,
        Self::BlobUploadInvalid,
        Self::BlobUploadUnknown,
        Self::DigestInvalid,
        Self::ManifestBlobUnknown,
        Self::ManifestInvalid,
        Self::ManifestUnknown,
        Self::ManifestUnverified,
        Self::NameInvalid,
        Self::NameUnknown,
        Self::PaginationNumberInvalid,
        Self::RangeInvalid,
        Self::SizeInvalid,
        Self::TagInvalid,
        Self::Unauthorized,
        Self::Denied,
        Self::Unsupported,
        Self::Unavailable,
        Self::TooManyRequests,
        Self::Unknown,
    ];

    /// The code as JSON has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::ManifestUnverified => "MANIFEST_UNVERIFIED",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The HTTP status of a response whose first error this is.
    pub const fn status(self) -> u16 {
        match self {
            Self::DigestInvalid
            | Self::ManifestBlobUnknown
            | Self::ManifestInvalid
            | Self::ManifestUnverified
            | Self::NameInvalid
            | Self::PaginationNumberInvalid
            | Self::SizeInvalid
            | Self::TagInvalid => 400,
            Self::Unauthorized => 401,
            Self::Denied => 403,
            // An upload whose state cannot be trusted is answered like one that does not exist.
            Self::BlobUnknown
            | Self::BlobUploadInvalid
            | Self::BlobUploadUnknown
            | Self::ManifestUnknown
            | Self::NameUnknown => 404,
            Self::Unsupported => 405,
            Self::RangeInvalid => 416,
            Self::TooManyRequests => 429,
            Self::Unknown => 500,
            Self::Unavailable => 503,
        }
    }

    /// The message that stands beside the code, in Distribution's words.
    pub const fn message(self) -> &'static str {
        match self {
            Self::BlobUnknown | Self::ManifestBlobUnknown => "blob unknown to registry",
            Self::BlobUploadInvalid => "blob upload invalid",
            Self::BlobUploadUnknown => "blob upload unknown to registry",
            Self::DigestInvalid => "provided digest did not match uploaded content",
            Self::ManifestInvalid => "manifest invalid",
            Self::ManifestUnknown => "manifest unknown",
            Self::ManifestUnverified => "manifest failed signature verification",
            Self::NameInvalid => "invalid repository name",
            Self::NameUnknown => "repository name not known to registry",
            Self::PaginationNumberInvalid => "invalid number of results requested",
            Self::RangeInvalid => "invalid content range",
            Self::SizeInvalid => "provided length did not match content length",
            Self::TagInvalid => "manifest tag did not match URI",
            Self::Unauthorized => "authentication required",
            Self::Denied => "requested access to the resource is denied",
            Self::Unsupported => "The operation is unsupported.",
            Self::Unavailable => "service unavailable",
            Self::TooManyRequests => "too many requests",
            Self::Unknown => "unknown error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_codes_share_a_name() {
        let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn statuses_and_messages_are_distribution_s() {
        let cases = [
            (ErrorCode::BlobUploadInvalid, 404, "blob upload invalid"),
            (ErrorCode::ManifestBlobUnknown, 400, "blob unknown to registry"),
            (ErrorCode::NameUnknown, 404, "repository name not known to registry"),
            (ErrorCode::Unsupported, 405, "The operation is unsupported."),
            (ErrorCode::Unauthorized, 401, "authentication required"),
            (ErrorCode::RangeInvalid, 416, "invalid content range"),
            (ErrorCode::Unknown, 500, "unknown error"),
        ];
        for (code, status, message) in cases {
            assert_eq!((code.status(), code.message()), (status, message), "{code}");
        }
    }
}
