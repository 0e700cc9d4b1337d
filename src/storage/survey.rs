//! A survey: everything that stands in a store, as typed facts, in pages and in no order.
//!
//! Digests stand in paths, so that nothing is opened. What is broken or nobody's is told like everything
//! else: a collector that does not know of it would take for garbage what it stands for.

use oci::{Digest, RepositoryName, Tag};
use tokio::sync::mpsc;

use crate::{Error, Item, Kind, UploadId};

/// As many pages wait for the collector.
const WAITING: usize = 8;

/// A survey under way.
#[derive(Debug)]
pub struct Survey {
    pages: mpsc::Receiver<Message>,
}

/// Where a survey's pages are put.
#[derive(Clone, Debug)]
pub(crate) struct Sink(mpsc::Sender<Message>);

#[derive(Debug)]
enum Message {
    Page(Page),
    /// All was listed. A survey that ends without it has lost a part.
    End,
    Failed(Error),
}

/// Some of what there is.
#[derive(Debug)]
pub enum Page {
    /// Blobs.
    Blobs(Vec<Digest>),
    /// A part of what a repository has.
    Repository {
        /// The repository.
        name: RepositoryName,
        /// What was found in it.
        found: Vec<Found>,
    },
    /// Objects, where a listing says more of them than their names: on a bucket of blobs and manifests always, and of all else where it is
    /// asked for detail.
    Objects(Vec<Listed>),
    /// Something that no registry has put there; its path.
    Stranger(String),
    /// Something that could not be looked at.
    Hidden {
        /// What may stand there.
        place: Place,
        /// Its path, and why.
        error: Error,
    },
}

/// An object, and what a listing says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Which one.
    pub item: Item,
    /// Its length in bytes.
    pub size: u64,
    /// What the store compares it by. Of what was stored by one request most stores say the MD5; none where it is
    /// nothing of that form.
    pub tag: Option<[u8; 16]>,
}

/// Something that a repository has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// One of the folders that make it a repository.
    Part(Part),
    /// A blob's folder; its link may be gone.
    Layer(Digest),
    /// A manifest's folder; its link may be gone.
    Revision(Digest),
    /// A tag's folder; its link may be gone.
    Tag(Tag),
    /// What a tag has pointed to.
    TagIndex(Tag, Digest),
    /// An upload session.
    Upload(UploadId),
}

/// A folder of a repository.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Part {
    /// `_layers`.
    Layers,
    /// `_manifests`.
    Manifests,
    /// `_manifests/tags`.
    Tags,
}

/// What may stand where nobody can look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Blobs: what is not listed is not removed.
    Blobs,
    /// Repositories, with links to anything.
    Repositories,
    /// Blobs or manifests of a repository.
    Content(RepositoryName),
    /// Tags of a repository, or their history.
    Tags(RepositoryName),
    /// Upload sessions of a repository.
    Uploads(RepositoryName),
}

impl Page {
    /// How many facts are on it.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no page is empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Blobs(digests) => digests.len(),
            Self::Repository { found, .. } => found.len(),
            Self::Objects(objects) => objects.len(),
            Self::Stranger(_) | Self::Hidden { .. } => 1,
        }
    }
}

impl Survey {
    /// A survey, and where to put its pages. It is over when [`Sink::end`] was called.
    pub(crate) fn new() -> (Self, Sink) {
        let (sender, pages) = mpsc::channel(WAITING);
        (Self { pages }, Sink(sender))
    }

    /// The next page; none when all was told.
    ///
    /// # Errors
    /// The store cannot be listed, or the survey ended early.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        match self.pages.recv().await {
            Some(Message::Page(page)) => Ok(Some(page)),
            Some(Message::End) => Ok(None),
            Some(Message::Failed(error)) => Err(error),
            None => Err(Error::new(Kind::Truncated, "list", "the store")),
        }
    }
}

impl Sink {
    /// Puts a page, from a thread that may wait. No: nobody wants it any more.
    pub(crate) fn page(&self, page: Page) -> bool {
        self.0.blocking_send(Message::Page(page)).is_ok()
    }

    /// All was listed.
    pub(crate) fn end(&self) {
        // Nobody is left who could be told.
        let _ = self.0.blocking_send(Message::End);
    }

    /// Puts a page, from a task that may wait. No: nobody wants it any more.
    #[cfg(feature = "s3")]
    pub(crate) async fn send(&self, page: Page) -> bool {
        self.0.send(Message::Page(page)).await.is_ok()
    }

    /// All was listed, by tasks.
    #[cfg(feature = "s3")]
    pub(crate) async fn finish(&self) {
        // Nobody is left who could be told.
        let _ = self.0.send(Message::End).await;
    }

    /// Nothing could be listed at all.
    #[cfg(feature = "s3")]
    pub(crate) async fn break_off(&self, error: Error) {
        // Nobody is left who could be told.
        let _ = self.0.send(Message::Failed(error)).await;
    }

    /// The survey has not even begun.
    pub(crate) fn fail(&self, error: Error) {
        // There is room, and a survey without an end is an error anyway.
        let _ = self.0.try_send(Message::Failed(error));
    }
}
