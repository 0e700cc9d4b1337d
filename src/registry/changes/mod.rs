//! Changes to tags that an administrator's tool has decided on: `delete this tag if it is DIGEST`, in batches.
//!
//! A registry that serves takes them over the admin socket; nobody else may change its store. Where none serves, [`Changer::alone`]
//! goes through the same door in its own process, and keeps everybody else out meanwhile. Deletes are told as events either way.

mod words;

use std::os::unix::net::UnixStream;

use oci::{Digest, RepositoryName, Tag};
use tokio::task::JoinSet;

use crate::{
    collect::{Humming, LineError, Wire},
    config::{Config, EventAction},
    content::{Alone, Content, Error as ContentError, StorageKind, TagChange, Writing},
    events::{Events, Happened, QueueError, What, Witness},
    log::told,
};
pub(crate) use words::{Batch, BatchAnswer, PATH};

/// Changes that are made side by side: each waits for the disk.
const SIDE_BY_SIDE: usize = 64;

/// What is to be done to one tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What.
    pub act: Act,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// The manifest that it pointed to when this was decided.
    pub digest: Digest,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// The tag goes, if it still points there.
    Delete,
    /// The tag comes back, if it is not there and its manifest is.
    Restore,
}

/// What came of one change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Changed {
    /// It is so.
    Done,
    /// The tag was gone.
    Vanished,
    /// The tag points elsewhere by now, or is there again: it is left alone.
    Moved,
    /// The repository has no such manifest any more.
    NoManifest,
    /// The storage failed, and how.
    Failed(String),
}

/// Whoever makes the changes.
#[derive(Debug)]
pub struct Changer(Kind);

#[derive(Debug)]
enum Kind {
    Beside(Humming),
    Alone(Box<Here>),
}

/// The door in this process.
#[derive(Debug)]
struct Here {
    content: Content,
    events: Events,
    alone: Option<Alone>,
}

/// Why nothing is changed any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The running registry does not do it.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The storage cannot be opened.
    #[error("the storage could not be opened")]
    Storage(#[source] storage::Error),
    /// A registry, or a collection, uses it.
    #[error("another process uses the storage: changes are made by the registry that serves it")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Events have no place to wait.
    #[error("failed to set up `notifications`")]
    Events(#[from] QueueError),
    /// Nothing is written.
    #[error("the registry is read-only: no tag is changed")]
    ReadOnly,
    /// It was told to stop.
    #[error("stopped: {done} of {of} tags had their turn; the next run does the rest")]
    Stopped {
        /// How many were looked at.
        done: usize,
        /// Of how many.
        of: usize,
    },
}

impl Changer {
    /// Changes that are sent at once: of more, some may be made whose answers are lost with an error.
    pub const BATCH: usize = 500;

    /// Has the registry make the changes at the other end of a connection to an admin socket.
    ///
    /// # Errors
    /// It is not there.
    pub async fn beside(socket: UnixStream) -> Result<Self, Error> {
        let wire = Wire::open(socket).await?;
        Ok(Self(Kind::Beside(Humming::over(wire, PATH, Batch::of(&[])))))
    }

    /// Makes the changes in this process: no registry serves the storage.
    ///
    /// # Errors
    /// One does, or the storage cannot be opened.
    pub async fn alone(config: &Config) -> Result<Self, Error> {
        let driver = &config.storage.driver;
        let content = Content::open(driver, config.lease, config.storage.tag_reads, None)
            .map_err(Error::Storage)?;
        let alone = content.alone().await.map_err(|error| match error.kind() {
            StorageKind::Busy | StorageKind::Denied => Error::Busy(Box::new(error)),
            _ => Error::Storage(error),
        })?;
        let events = Events::open(config)?;
        content.set_read_only(config.storage.read_only);
        content.set_immutable_tags(&config.immutable_tags);
        Ok(Self(Kind::Alone(Box::new(Here { content, events, alone }))))
    }

    /// Makes changes; the answers stand in their order.
    ///
    /// # Errors
    /// No more are made. Some of these may be.
    pub async fn change(&mut self, changes: &[Change]) -> Result<Vec<Changed>, Error> {
        let mut changed = Vec::with_capacity(changes.len());
        for batch in changes.chunks(Self::BATCH) {
            let answers = match &mut self.0 {
                Kind::Beside(wire) => {
                    let answer: BatchAnswer = wire.ask(PATH, &Batch::of(batch)).await?;
                    answer.read(batch.len())?
                }
                Kind::Alone(here) => apply(&here.content, &here.events, batch.to_vec()).await?,
            };
            changed.extend(answers);
        }
        Ok(changed)
    }

    /// Ends; what was told of is safe on disk.
    pub async fn close(self) {
        if let Kind::Alone(here) = self.0 {
            here.events.close().await;
            if let Some(alone) = here.alone {
                alone.release().await;
            }
        }
    }
}

/// Makes changes through the door; the answers stand in their order.
///
/// # Errors
/// The registry is read-only.
pub(crate) async fn apply(
    content: &Content,
    events: &Events,
    changes: Vec<Change>,
) -> Result<Vec<Changed>, Error> {
    let writing = content.begin_write().ok_or(Error::ReadOnly)?;
    let tool = concat!("regctl/", env!("CARGO_PKG_VERSION"), " cleanup-policy");
    let witness = events.witness_of_tool(tool, "DELETE");
    let not_made = Changed::Failed("the change was not made".to_owned());
    let mut changed = vec![not_made; changes.len()];
    let mut left = changes.into_iter().enumerate();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < SIDE_BY_SIDE
            && let Some((index, change)) = left.next()
        {
            let (writing, witness) = (writing.clone(), witness.clone());
            under_way.spawn(async move { (index, one(&writing, witness, &change).await) });
        }
        match under_way.join_next().await {
            None => return Ok(changed),
            Some(Ok((index, answer))) => changed[index] = answer,
            // A panic is one change's, and the others go on.
            Some(Err(error)) => tracing::error!(%error, "a change was not made"),
        }
    }
}

async fn one(writing: &Writing, witness: Option<Witness>, change: &Change) -> Changed {
    let Change { act, repository, tag, digest } = change;
    let made = match act {
        Act::Delete => writing.delete_tag_of(repository, tag, *digest).await,
        Act::Restore => writing.restore_tag(repository, tag, *digest).await,
    };
    match (made, act, witness) {
        (Ok(TagChange::Done), Act::Delete, Some(witness)) => {
            witness.tell(&Happened {
                action: EventAction::Delete,
                repository: repository.clone(),
                what: What::GoneTag(tag.clone()),
            });
            Changed::Done
        }
        (made, _, _) => made.into(),
    }
}

impl From<Result<TagChange, ContentError>> for Changed {
    fn from(made: Result<TagChange, ContentError>) -> Self {
        match made {
            Ok(TagChange::Done) => Self::Done,
            Ok(TagChange::Vanished) => Self::Vanished,
            Ok(TagChange::Moved) => Self::Moved,
            Ok(TagChange::NoManifest) => Self::NoManifest,
            Err(error) => Self::Failed(told(&error)),
        }
    }
}
