//! Whoever makes repairs: the registry that serves the store, over its admin socket; or this process, where none does.

use std::{os::unix::net::UnixStream, time::Duration};

use super::words::{self, Batch, BatchAnswer, PATH};
use crate::{
    collect::{Humming, LineError, Wire},
    config::Config,
    content::{Alone, Content, Mend, Mended, StorageKind},
};

/// Repairs that are sent at once.
const BATCH: usize = 200;

/// How long a batch may take: blobs are read again before they are moved.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Makes repairs.
#[derive(Debug)]
pub struct Mender(Who);

#[derive(Debug)]
enum Who {
    Beside { wire: Humming, store: String },
    Alone { content: Content, alone: Option<Alone> },
}

/// Why nothing is repaired any more.
#[derive(Debug, thiserror::Error)]
pub enum MenderError {
    /// The running registry does not do it.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The storage cannot be opened.
    #[error("the storage could not be opened")]
    Storage(#[source] storage::Error),
    /// A registry, or a collection, uses it.
    #[error("another process uses the storage: repairs are made by the registry that serves it")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was found says nothing of what is served.
    #[error(
        "the registry has another storage open than the one that was verified: run `regctl reconfigure`, or `regctl restart registry`, first"
    )]
    Elsewhere,
    /// Nothing is written.
    #[error("the registry is read-only: nothing is repaired")]
    ReadOnly,
}

impl Mender {
    /// Has the registry make the repairs at the other end of a connection to an admin socket, if it serves the store with this
    /// identity.
    ///
    /// # Errors
    /// It is not there.
    pub async fn beside(socket: UnixStream, store: String) -> Result<Self, MenderError> {
        let wire = Humming::over(Wire::open(socket).await?, PATH, Batch::default());
        Ok(Self(Who::Beside { wire, store }))
    }

    /// Makes the repairs in this process: no registry serves the storage.
    ///
    /// # Errors
    /// One does, or the storage cannot be opened.
    pub async fn alone(config: &Config) -> Result<Self, MenderError> {
        let driver = &config.storage.driver;
        let content = Content::open(driver, config.lease, config.storage.tag_reads, None)
            .map_err(MenderError::Storage)?;
        let alone = content.alone().await.map_err(|error| match error.kind() {
            StorageKind::Busy | StorageKind::Denied => MenderError::Busy(Box::new(error)),
            _ => MenderError::Storage(error),
        })?;
        content.set_read_only(config.storage.read_only);
        content.set_quotas(config.quotas.as_ref());
        Ok(Self(Who::Alone { content, alone }))
    }

    /// Makes repairs; the answers stand in their order.
    pub(super) async fn mend(&mut self, repairs: &[Mend]) -> Result<Vec<Mended>, MenderError> {
        let mut mended = Vec::with_capacity(repairs.len());
        for some in repairs.chunks(BATCH) {
            match &mut self.0 {
                Who::Beside { wire, store } => {
                    let batch = Batch { store: Some(store.clone()), repairs: some.to_vec() };
                    let answer: BatchAnswer = wire.ask_within(PATIENCE, PATH, &batch).await?;
                    if answer.answers.len() != some.len() {
                        let asked = some.len();
                        let body = format!("{} answers for {asked} repairs", answer.answers.len());
                        return Err(LineError::Strange { status: 200, body }.into());
                    }
                    mended.extend(answer.answers);
                }
                Who::Alone { content, .. } => {
                    let answers = words::mend(content, some.to_vec()).await;
                    mended.extend(answers.ok_or(MenderError::ReadOnly)?);
                }
            }
        }
        Ok(mended)
    }

    /// Ends; what was told of is done.
    pub async fn close(self) {
        if let Who::Alone { alone: Some(alone), .. } = self.0 {
            alone.release().await;
        }
    }
}
