//! How far a collection is.

use storage::Item;

use super::plan::Step;

/// A piece of news.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// A phase begins; how much there is to do, where that is known.
    Begun(Phase, Option<u64>),
    /// So much more of it is done.
    Advanced(u64),
    /// This has just gone.
    Gone(Item),
}

/// What is being done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Listing the store.
    Listing,
    /// Reading links.
    Links,
    /// Reading manifests that no earlier collection has seen.
    Manifests,
    /// Reading when images were made.
    Dates,
    /// Deciding what is needed.
    Marking,
    /// Asking for the sizes of what goes.
    Sizes,
    /// Removing.
    Removing(Step),
}

impl Phase {
    /// What it does, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Links => "reading links",
            Self::Manifests => "reading manifests",
            Self::Dates => "reading dates",
            Self::Marking => "marking",
            Self::Sizes => "measuring",
            Self::Removing(Step::Tags) => "removing tags of referrers",
            Self::Removing(Step::TagIndexes) => "removing histories of tags",
            Self::Removing(Step::Revisions) => "removing manifests",
            Self::Removing(Step::Layers) => "removing links to blobs",
            Self::Removing(Step::Blobs) => "removing blobs",
            Self::Removing(Step::Folders) => "removing empty folders",
            Self::Removing(Step::Repositories) => "removing empty repositories",
        }
    }
}
