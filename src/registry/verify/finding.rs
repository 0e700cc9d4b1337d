//! What is wrong with a store, repository by repository.

use oci::{Digest, RepositoryName, Tag};
use serde::Serialize;
use storage::{Item, Part};

use crate::{content::Mend, digests::DigestId};

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A blob's bytes are not what its name says.
    CorruptBlob,
    /// A blob that a manifest needs is not there.
    MissingBlob,
    /// A manifest that a tag or a link leads to is not there.
    MissingManifest,
    /// The repository does not have a manifest of an index.
    MissingChild,
    /// Nobody understands a manifest.
    StrangeManifest,
    /// The repository lacks the link to a blob that its manifest needs.
    MissingLayerLink,
    /// A link leads to a blob that is not there, and that no manifest of the repository needs.
    DanglingLayerLink,
    /// A link holds no digest, or another than its path says.
    BadLink,
    /// A tag has no link.
    TagWithoutLink,
    /// A tag's history lacks what it points to.
    MissingTagIndex,
    /// A folder that other registries take for granted is not there.
    MissingFolder,
    /// Something cannot be read.
    Unreadable,
}

impl What {
    /// It in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CorruptBlob => "corrupt blob",
            Self::MissingBlob => "missing blob",
            Self::MissingManifest => "missing manifest",
            Self::MissingChild => "missing manifest of an index",
            Self::StrangeManifest => "manifest that is not understood",
            Self::MissingLayerLink => "missing layer link",
            Self::DanglingLayerLink => "dangling layer link",
            Self::BadLink => "bad link",
            Self::TagWithoutLink => "tag without a link",
            Self::MissingTagIndex => "missing tag index entry",
            Self::MissingFolder => "missing folder",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What became of a finding.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// Nothing was tried.
    #[default]
    Found,
    /// It is repaired.
    Repaired,
    /// The blob was moved out of the way; it is there again when somebody pushes it.
    Quarantined,
    /// It was another one when it was looked at again, or nothing proves the repair any more.
    Changed,
    /// It was tried.
    Failed {
        /// Why it is not done.
        reason: String,
    },
}

/// Something that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What.
    pub what: What,
    /// The path of the object.
    pub path: String,
    /// More about it; empty where there is no more to say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The tags that cannot be pulled because of it.
    pub tags: Vec<String>,
    /// Whether something can be done about it here.
    pub repairable: bool,
    /// What was done.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The manifest that is not whole because of it.
    #[serde(skip)]
    pub(super) of: Option<DigestId>,
    #[serde(skip)]
    pub(super) signs: Vec<Sign>,
    #[serde(skip)]
    pub(super) mend: Option<Mend>,
    /// Whether all is well after that.
    #[serde(skip)]
    pub(super) heals: bool,
}

impl Finding {
    /// Whether it is still wrong.
    #[must_use]
    pub fn is_left(&self) -> bool {
        match self.outcome {
            Outcome::Repaired => false,
            Outcome::Quarantined => !self.heals,
            Outcome::Found | Outcome::Changed | Outcome::Failed { .. } => true,
        }
    }

    pub(super) fn new(what: What, path: impl ToString) -> Self {
        Self {
            what,
            path: path.to_string(),
            detail: String::new(),
            tags: Vec::new(),
            repairable: false,
            outcome: Outcome::Found,
            of: None,
            signs: Vec::new(),
            mend: None,
            heals: false,
        }
    }

    pub(super) fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(super) fn of(mut self, manifest: DigestId) -> Self {
        self.of = Some(manifest);
        self
    }

    pub(super) fn under(mut self, tag: &Tag) -> Self {
        self.tags.push(tag.to_string());
        self
    }

    /// As long as this is so, it is wrong.
    pub(super) fn while_(mut self, sign: Sign) -> Self {
        self.signs.push(sign);
        self
    }

    /// What makes it well.
    pub(super) fn mended_by(mut self, mend: Mend) -> Self {
        (self.mend, self.repairable, self.heals) = (Some(mend), true, true);
        self
    }
}

/// Something that was seen, and that makes a finding as long as it is so.
#[derive(Clone, Debug)]
pub(super) enum Sign {
    Link(Item, Holds),
    /// A blob is there, or not.
    Blob(Digest, bool),
    /// A blob is there, and is not what its name says.
    Corrupt(Digest),
    /// A tag's folder is there.
    Tag(RepositoryName, Tag),
    /// A folder of a repository is not there.
    NoFolder(RepositoryName, Part),
}

/// What a link was seen to hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    Digest(Digest),
    /// Anything; the link is there.
    Anything,
    /// The link is not there.
    Gone,
    /// Nothing of use; the link is there.
    Nothing,
    /// Nothing of use, or the link is not there.
    NoDigest,
    /// Nobody can read it.
    Unread,
}

/// A repository, and what is wrong with it.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// None for blobs that no repository has.
    pub name: Option<String>,
    /// How many tags it has.
    pub tags: usize,
    /// How many manifests.
    pub manifests: usize,
    /// How many links to blobs.
    pub blobs: usize,
    /// The tags that cannot be pulled completely, sorted.
    pub broken_tags: Vec<String>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}
