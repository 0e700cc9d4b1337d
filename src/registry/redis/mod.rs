//! A Redis in which registries of Distribution cache descriptors: it is told what is gone.
//!
//! Nothing is ever answered from it: a stat of a file is cheaper, and never speaks of what was deleted. Distribution,
//! with the same Redis and the same folder, answers 200 for whatever stands there. So each delete takes the entries
//! out, after the content has gone and not before. No request waits for that or fails with it: a task tells Redis, and
//! what it could not tell waits until it can. Who starts does not know what became of the storage while nobody
//! told Redis (a collection, a crash), nor does who had to forget: everything is taken out then, which costs upstream a
//! stat for each blob that is asked for next.

mod connection;
mod fault;
mod keys;
mod pending;
mod reply;
mod tls;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use oci::{Digest, RepositoryName};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use crate::config;
use connection::Connection;
use fault::Fault;
use pending::{Pending, Work};

pub use tls::UnusableTls;

/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: how late Redis may be told after it has come back.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is told. Clones tell the same one.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    settings: config::Redis,
    tls: Option<TlsConnector>,
    pending: Mutex<Pending>,
    /// There is something to tell.
    filled: Notify,
    /// Something was told, or could not be.
    tried: Notify,
    told: AtomicU64,
    failures: AtomicU64,
    /// The last attempt failed.
    is_away: AtomicBool,
}

/// What became of deletes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// Deletes that Redis was told of.
    pub(crate) told: u64,
    /// Deletes that it is still to be told of.
    pub(crate) waiting: u64,
    /// Attempts that failed.
    pub(crate) failures: u64,
}

impl Redis {
    /// Reads certificates; nobody is asked yet.
    pub(crate) fn open(settings: &config::Redis) -> Result<Self, UnusableTls> {
        let tls = settings.tls.as_ref().map(tls::connector).transpose()?;
        let shared = Shared {
            settings: settings.clone(),
            tls,
            pending: Mutex::new(Pending::at_start()),
            filled: Notify::new(),
            tried: Notify::new(),
            told: AtomicU64::default(),
            failures: AtomicU64::default(),
            is_away: AtomicBool::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Has Redis told that a repository may not have this any more. Waits for nobody.
    pub(crate) fn forget(&self, repository: &RepositoryName, digest: &Digest) {
        if self.shared.pending().add(repository, digest) {
            let address = &self.shared.settings.address;
            tracing::warn!(
                %address,
                "too many deletes wait for Redis to be remembered; all descriptors are removed from it instead"
            );
        }
        self.shared.filled.notify_one();
    }

    /// Has Redis forget everything: nobody has kept a list of what went.
    pub(crate) fn forget_all(&self) {
        self.shared.pending().add_everything();
        self.shared.filled.notify_one();
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let shared = &self.shared;
        Numbers {
            told: shared.told.load(Relaxed),
            waiting: shared.pending().waiting(),
            failures: shared.failures.load(Relaxed),
        }
    }

    /// Tells Redis, as long as this is polled.
    pub(crate) async fn run(&self) -> Infallible {
        let mut pause = FIRST_PAUSE;
        let address = &self.shared.settings.address;
        loop {
            self.shared.filled().await;
            match self.tell().await {
                Ok(()) => {
                    if self.shared.is_away.swap(false, Relaxed) {
                        tracing::info!(%address, "Redis is back, and knows what was deleted");
                    }
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    self.shared.failures.fetch_add(1, Relaxed);
                    if !self.shared.is_away.swap(true, Relaxed) {
                        tracing::warn!(
                            %address, %error,
                            "Redis cannot be told what is deleted; other registries may answer from it until it can"
                        );
                    }
                    self.shared.tried.notify_waiters();
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Waits until Redis knows everything, or one attempt has failed, or the time is over.
    pub(crate) async fn settle(&self, most: Duration) {
        let settled = async {
            loop {
                let mut tried = std::pin::pin!(self.shared.tried.notified());
                // From here on no attempt is missed.
                tried.as_mut().enable();
                if self.shared.is_away.load(Relaxed) || self.shared.pending().is_settled() {
                    return;
                }
                tried.await;
            }
        };
        // What is lost by then the next process makes good: it removes everything.
        drop(timeout(most, settled).await);
    }

    /// Tells all there is by one connection, which is not kept: deletes are rare, and it would be gone by the next.
    async fn tell(&self) -> Result<(), Fault> {
        let shared = &self.shared;
        let mut connection = Connection::open(&shared.settings, shared.tls.as_ref()).await?;
        loop {
            let Some(work) = shared.pending().take() else { return Ok(()) };
            match carry_out(&mut connection, &work).await {
                Ok(()) => {
                    shared.told.fetch_add(work.len(), Relaxed);
                    shared.pending().done();
                    shared.tried.notify_waiters();
                }
                Err(fault) => {
                    shared.pending().put_back(work);
                    return Err(fault);
                }
            }
        }
    }
}

async fn carry_out(connection: &mut Connection, work: &Work) -> Result<(), Fault> {
    match work {
        Work::These(entries) => {
            let commands: Vec<_> =
                entries.iter().flat_map(|(name, digest)| keys::removal(name, digest)).collect();
            connection.ask(&commands).await?;
            Ok(())
        }
        Work::Everything => remove_everything(connection).await,
    }
}

/// Removes every descriptor, and nothing else: others may keep their own things in the same Redis.
async fn remove_everything(connection: &mut Connection) -> Result<(), Fault> {
    let mut cursor = b"0".to_vec();
    loop {
        let replies = connection.ask(&[keys::scan(&cursor)]).await?;
        let page = replies.into_iter().next().and_then(keys::page).ok_or(Fault::NotRedis)?;
        if let Some(removal) = keys::removal_of(page.keys) {
            connection.ask(&[removal]).await?;
        }
        cursor = page.cursor;
        if cursor == b"0" {
            return Ok(());
        }
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        // It is whole after every statement, whoever panicked.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn filled(&self) {
        while self.pending().is_empty() {
            self.filled.notified().await;
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}
