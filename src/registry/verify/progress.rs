//! How far a verification is.

/// A piece of news.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// A phase begins; how many objects and bytes there are to do, where that is known.
    Begun(Phase, Option<(u64, u64)>),
    /// So many more objects and bytes of it are done.
    Advanced {
        /// Objects.
        objects: u64,
        /// Bytes.
        bytes: u64,
    },
}

/// What is being done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Listing the storage.
    Listing,
    /// Reading links.
    Links,
    /// Reading manifests.
    Manifests,
    /// Reading blobs.
    Blobs,
    /// Looking at what was found once more.
    Again,
    /// Repairing.
    Repairing,
}

impl Phase {
    /// What it does, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listing => "listing the storage",
            Self::Links => "following links",
            Self::Manifests => "reading manifests",
            Self::Blobs => "hashing blobs",
            Self::Again => "looking at findings again",
            Self::Repairing => "repairing",
        }
    }
}
