//! What this process remembers of upload sessions: who writes to one, and the hash so far.
//!
//! The session itself is on disk. What is here can be forgotten at any time: the hash is made again
//! by reading the bytes. So the number of sessions is bounded by forgetting idle ones.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use oci::Digester;
use tokio::{
    sync::{Mutex, Notify, OwnedMutexGuard},
    time::timeout,
};

use super::UploadId;

/// How many idle sessions keep their hash: less than two megabytes of them.
const REMEMBERED: usize = 4096;

/// How long a request waits for the one before it to stop.
const TAKE_OVER: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Sessions {
    slots: StdMutex<HashMap<UploadId, Arc<Slot>>>,
}

#[derive(Debug, Default)]
struct Slot {
    hash: Arc<Mutex<Option<(u64, Digester)>>>,
    /// The number of the last request that asked for the session.
    asked: AtomicU64,
    asked_again: Notify,
}

/// The right to write to a session within this process.
#[derive(Debug)]
pub(super) struct Turn {
    hash: OwnedMutexGuard<Option<(u64, Digester)>>,
    /// Given back after the hash: a session that nobody has is idle.
    slot: Arc<Slot>,
    number: u64,
}

impl Sessions {
    /// Takes the session, asking the request that writes to it to stop: a client that comes back has
    /// given up its older connection, though the server may not have noticed. None: it did not stop.
    pub(super) async fn take(&self, id: UploadId) -> Option<Turn> {
        let slot = self.slot(id);
        let number = slot.asked.fetch_add(1, Ordering::SeqCst) + 1;
        slot.asked_again.notify_waiters();
        let hash = timeout(TAKE_OVER, Arc::clone(&slot.hash).lock_owned()).await.ok()?;
        Some(Turn { hash, slot, number })
    }

    /// Takes the session if nobody has it, without asking for it.
    pub(super) fn try_take(&self, id: UploadId) -> Option<Turn> {
        let slot = self.slot(id);
        let hash = Arc::clone(&slot.hash).try_lock_owned().ok()?;
        let number = slot.asked.load(Ordering::SeqCst);
        Some(Turn { hash, slot, number })
    }

    /// How many sessions are remembered.
    pub(super) fn open(&self) -> usize {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn forget(&self, id: UploadId) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn slot(&self, id: UploadId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= REMEMBERED && !slots.contains_key(&id) {
            // Only the map holds an idle one.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(id).or_default())
    }
}

impl Turn {
    /// The hash of the session's first bytes, and how many these are.
    pub(super) fn recall(&mut self) -> Option<(u64, Digester)> {
        self.hash.take()
    }

    pub(super) fn remember(&mut self, offset: u64, digester: Option<Digester>) {
        *self.hash = digester.map(|digester| (offset, digester));
    }

    /// Returns when a later request has asked for the session.
    pub(super) async fn wanted_by_another(&self) {
        loop {
            let mut asked_again = pin!(self.slot.asked_again.notified());
            // Listening comes before looking: a request between the two is not missed.
            asked_again.as_mut().enable();
            if self.slot.asked.load(Ordering::SeqCst) > self.number {
                return;
            }
            asked_again.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_request_ends_the_turn_of_the_first() {
        let sessions = Arc::new(Sessions::default());
        let id = UploadId::random();
        let first = sessions.take(id).await.unwrap();
        let second = tokio::spawn({
            let sessions = Arc::clone(&sessions);
            async move { sessions.take(id).await.is_some() }
        });
        first.wanted_by_another().await;
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn of_several_requests_the_last_one_gets_the_session() {
        let sessions = Arc::new(Sessions::default());
        let id = UploadId::random();
        let first = sessions.take(id).await.unwrap();
        let waiting = || {
            let sessions = Arc::clone(&sessions);
            tokio::spawn(async move { sessions.take(id).await.unwrap() })
        };
        let second = waiting();
        tokio::task::yield_now().await;
        let third = waiting();
        tokio::task::yield_now().await;
        drop(first);
        let second = second.await.unwrap();
        second.wanted_by_another().await;
        drop(second);
        let third = third.await.unwrap();
        let wanted = timeout(Duration::from_millis(1), third.wanted_by_another()).await;
        assert!(wanted.is_err(), "nobody came later");
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_does_not_stop_keeps_its_turn() {
        let sessions = Sessions::default();
        let id = UploadId::random();
        let _first = sessions.take(id).await.unwrap();
        assert!(sessions.take(id).await.is_none());
    }

    #[tokio::test]
    async fn idle_sessions_are_forgotten_when_there_are_too_many() {
        let sessions = Sessions::default();
        let busy = UploadId::random();
        let _turn = sessions.take(busy).await.unwrap();
        for _ in 0..REMEMBERED {
            sessions.take(UploadId::random()).await.unwrap();
        }
        let slots = sessions.slots.lock().unwrap();
        assert!(slots.len() <= REMEMBERED);
        assert!(slots.contains_key(&busy));
    }

    #[test]
    fn an_idle_session_takes_little_memory() {
        let bytes = size_of::<Slot>() + size_of::<Mutex<Option<(u64, Digester)>>>();
        assert!(bytes * REMEMBERED <= 1 << 20, "{bytes} bytes");
    }
}
