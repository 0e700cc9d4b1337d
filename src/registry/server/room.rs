//! Room for connections: as many as the process can serve, or as the configuration allows.

use std::sync::Arc;

use rustix::process::Resource;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once, where the limit of descriptors allows them and nobody says otherwise; the next one
/// waits in the kernel's queue.
const CONNECTIONS: u32 = 16 * 1024;

/// A connection that is served holds itself, a blob and another file for a moment; the fourth is for requests
/// beside the first on connections of HTTP/2, two each.
const DESCRIPTORS: u32 = 4;

/// Requests at once beside the first of their connections: what waits of their answers is 64 MiB.
const BESIDE: u32 = 1024;

/// Room for connections.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    most: u32,
    /// For requests beside others of their connection.
    beside: Arc<Semaphore>,
}

impl Room {
    /// As much as was asked for, and never more than the process has descriptors for.
    pub(super) fn of_this_process(asked: Option<u32>) -> Self {
        let limit = rustix::process::getrlimit(Resource::Nofile).current;
        let descriptors = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(u32::MAX);
        let possible = (descriptors / DESCRIPTORS).max(1);
        let most = asked.unwrap_or(CONNECTIONS).clamp(1, possible);
        if asked.is_some_and(|asked| asked > most) {
            tracing::warn!(
                most,
                descriptors,
                "fewer connections than set: too few open files are allowed"
            );
        }
        let beside = room((descriptors / DESCRIPTORS / 2).clamp(1, BESIDE));
        Self {
            free: Arc::new(Semaphore::new(room(most))),
            most,
            beside: Arc::new(Semaphore::new(beside)),
        }
    }

    /// Who lets requests in that come beside others of their connection.
    pub(super) fn beside(&self) -> &Arc<Semaphore> {
        &self.beside
    }

    /// Waits for room. The semaphore is never closed.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Waits until there is no connection.
    pub(super) async fn emptied(&self) {
        // All the room there is: nobody holds any.
        let _ = self.free.acquire_many(self.most).await;
    }
}

fn room(most: u32) -> usize {
    usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}
