//! A collector's end of the admin socket: the registry removes what it is asked to, if nobody relies on it.

use std::{
    io,
    os::unix::net::UnixStream,
    time::{Duration, SystemTime},
};

use oci::Digest;
use serde::{Serialize, de::DeserializeOwned};
use storage::{Disposal, Item, Removed};

use super::{
    wire::{Humming, Wire},
    words::{
        Begin, Begun, ItemText, Promised, PromisedAnswer, Remove, RemovedAnswer, Step, Wanted,
        meaning,
    },
};

/// Items, and digests, that are sent at once.
const BATCH: usize = 500;

/// A collection beside a running registry, until it is dropped.
#[derive(Debug)]
pub struct Line {
    wire: Humming,
    since: SystemTime,
}

/// Why a running registry does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Nobody answers.
    #[error("the running registry cannot be asked")]
    Socket(#[source] io::Error),
    /// It does not answer in time.
    #[error("the running registry has not answered for {} s", .0.as_secs())]
    Silent(Duration),
    /// It refuses, and says why.
    #[error("{0}")]
    Refused(String),
    /// It does not speak as it should.
    #[error("the running registry answered {status}: {body}")]
    Strange {
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
}

impl Line {
    /// Begins a collection beside the registry that listens at the other end of a connection to an admin socket, of the
    /// store with this identity, which is called so.
    ///
    /// # Errors
    /// It is not there, or refuses: it may have another store open.
    pub async fn begin(
        socket: UnixStream,
        store: String,
        place: String,
    ) -> Result<Self, LineError> {
        let mut wire = Wire::open(socket).await?;
        let begin: Begin = wire.ask(Step::Begin.path(), &Wanted::new(store, place)).await?;
        let up = Duration::from_secs(begin.up);
        let since = SystemTime::now().checked_sub(up).unwrap_or(SystemTime::UNIX_EPOCH);
        let nothing = Promised { digests: Vec::new() };
        Ok(Self { wire: Humming::over(wire, Step::Promised.path(), nothing), since })
    }

    /// When the registry began to serve.
    pub(crate) fn since(&self) -> SystemTime {
        self.since
    }

    /// Which of these were promised to somebody lately.
    ///
    /// # Errors
    /// The registry does not say.
    pub async fn promised(&self, digests: &[Digest]) -> Result<Vec<bool>, LineError> {
        let mut promised = Vec::with_capacity(digests.len());
        for batch in digests.chunks(BATCH) {
            let digests = batch.iter().map(ToString::to_string).collect();
            let answer: PromisedAnswer = self.ask(Step::Promised, &Promised { digests }).await?;
            if answer.promised.len() != batch.len() {
                return Err(short(batch.len(), answer.promised.len()));
            }
            promised.extend(answer.promised);
        }
        Ok(promised)
    }

    /// Has items removed that were not written since `before`; the answers stand in their order. An error of one is a sentence.
    ///
    /// # Errors
    /// The collection has come to an end. Some of the items may be gone.
    pub async fn remove(
        &self,
        items: &[Item],
        disposal: &Disposal,
        before: SystemTime,
    ) -> Result<Vec<Result<Removed, String>>, LineError> {
        let before = before.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let quarantine = match disposal {
            Disposal::Delete => None,
            Disposal::Quarantine(run) => Some(run.to_string()),
        };
        let mut removed = Vec::with_capacity(items.len());
        for batch in items.chunks(BATCH) {
            let texts: Option<Vec<_>> = batch.iter().map(ItemText::of).collect();
            let items = texts.ok_or_else(|| {
                LineError::Refused("only links and blobs go while a registry serves".to_owned())
            })?;
            let asked = Remove { before, quarantine: quarantine.clone(), items };
            let answer: RemovedAnswer = self.ask(Step::Remove, &asked).await?;
            if answer.answers.len() != batch.len() {
                return Err(short(batch.len(), answer.answers.len()));
            }
            removed.extend(answer.answers.iter().map(|answer| meaning(answer)));
        }
        Ok(removed)
    }

    /// Makes durable what was removed.
    ///
    /// # Errors
    /// It may not be.
    pub async fn sync(&self) -> Result<(), LineError> {
        self.ask::<_, serde_json::Value>(Step::Sync, &Begun::new()).await.map(drop)
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        step: Step,
        question: &Q,
    ) -> Result<A, LineError> {
        self.wire.ask(step.path(), question).await
    }
}

fn short(asked: usize, answered: usize) -> LineError {
    let body = format!("{answered} answers for {asked} questions");
    LineError::Strange { status: 200, body }
}
