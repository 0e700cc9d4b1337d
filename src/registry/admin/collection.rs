//! A collection over the admin socket: what is said, and that it lasts as long as its connection.

use std::time::{Duration, SystemTime};

use oci::Digest;
use tokio::sync::Mutex;

use crate::{
    collect::words::{
        Begin, ItemText, Promised, PromisedAnswer, Remove, RemovedAnswer, Step, Wanted, read, word,
    },
    content::{self, Collection, Disposal, Ended, Item, NotBegun, RunId, Terms},
    control::Control,
    log::told,
};

/// What a connection has begun.
#[derive(Debug, Default)]
pub(super) struct Session {
    collection: Mutex<Option<Collection>>,
}

/// What is answered.
#[derive(Debug)]
pub(super) enum Said {
    Begin(Begin),
    Synced,
    Promised(PromisedAnswer),
    Removed(RemovedAnswer),
}

/// Why a step is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Body(#[from] serde_json::Error),
    #[error("a collection runs on this connection")]
    Begun,
    #[error("no collection was begun on this connection")]
    NotBegun,
    #[error("{}", told(.0))]
    Refused(#[source] NotBegun),
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error(transparent)]
    Storage(#[from] content::Error),
}

impl Session {
    /// Does a step; a collection that cannot go on is over.
    pub(super) async fn go_on(
        &self,
        control: &Control,
        step: Step,
        body: &[u8],
    ) -> Result<Said, Error> {
        let mut held = self.collection.lock().await;
        if step == Step::Begin {
            if held.is_some() {
                return Err(Error::Begun);
            }
            let wanted: Wanted = serde_json::from_slice(body)?;
            let collection = control.begin_collection(&wanted).await.map_err(Error::Refused)?;
            let begin = Begin::new(collection.up());
            *held = Some(collection);
            return Ok(Said::Begin(begin));
        }
        let collection = held.as_ref().ok_or(Error::NotBegun)?;
        let said = go_on(collection, step, body).await;
        if matches!(said, Err(Error::Ended(_))) {
            *held = None;
        }
        said
    }
}

async fn go_on(collection: &Collection, step: Step, body: &[u8]) -> Result<Said, Error> {
    match step {
        Step::Begin => Err(Error::Begun),
        Step::Promised => {
            let asked: Promised = serde_json::from_slice(body)?;
            let digests: Result<Vec<Digest>, _> =
                asked.digests.iter().map(|text| read(text)).collect();
            let promised = collection.promised(&digests?);
            Ok(Said::Promised(PromisedAnswer::new(promised)))
        }
        Step::Remove => {
            let asked: Remove = serde_json::from_slice(body)?;
            let disposal = match &asked.quarantine {
                None => Disposal::Delete,
                Some(run) => Disposal::Quarantine(read::<RunId>(run)?),
            };
            let before = SystemTime::UNIX_EPOCH + Duration::from_secs(asked.before);
            let items: Result<Vec<Item>, _> = asked.items.iter().map(ItemText::read).collect();
            let removed = collection.remove(items?, Terms { disposal, before }).await?;
            let answers = removed.into_iter().map(word).collect();
            Ok(Said::Removed(RemovedAnswer::new(answers)))
        }
        Step::Sync => {
            collection.sync().await?;
            Ok(Said::Synced)
        }
    }
}
