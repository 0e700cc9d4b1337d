//! How far a migration is.

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
    /// Listing the source.
    Source,
    /// Listing the target, and comparing it.
    Target,
    /// Reading links that lists say nothing sure of.
    Links,
    /// Looking at what has changed meanwhile.
    Changed,
    /// Removing from the target what the source no longer has.
    Removing,
    /// Copying blobs.
    Blobs,
    /// Copying links: of blobs and manifests first, of tags last.
    Tags,
    /// Reading the target's blobs again.
    Hashing,
}

impl Phase {
    /// What it does, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "listing the source",
            Self::Target => "listing the target",
            Self::Links => "comparing links",
            Self::Changed => "comparing what has changed",
            Self::Removing => "removing what the source has not",
            Self::Blobs => "copying blobs",
            Self::Tags => "copying links",
            Self::Hashing => "hashing the target",
        }
    }
}
