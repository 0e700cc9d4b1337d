//! What this process knows of upload sessions without asking the store: who writes to one, and of which there is
//! little to find.
//!
//! All of it can be forgotten, but for who writes: then the store is asked.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::UploadId;

/// How many sessions something is known of.
const KNOWN: usize = 8192;

/// What of a session can be in the store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Traces {
    /// Only when it began, unless another process has gone on with it.
    Beginning(SystemTime),
    /// Only when it began: the store was looked at a moment ago.
    Nothing(SystemTime),
    /// That, and a tail.
    Tail,
    /// Any objects, but no multipart upload.
    Objects,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    held: HashSet<UploadId>,
    traces: HashMap<UploadId, Traces>,
}

/// The right to write to a session within this process. Dropped, it is given back.
#[derive(Debug)]
pub(super) struct Held {
    sessions: Arc<Sessions>,
    pub(super) id: UploadId,
}

impl Sessions {
    /// Takes a session; none if somebody has it.
    pub(super) fn hold(self: &Arc<Self>, id: UploadId) -> Option<Held> {
        let is_free = self.lock().held.insert(id);
        is_free.then(|| Held { sessions: Arc::clone(self), id })
    }

    /// What there can be of a session; none where nobody knows.
    pub(super) fn traces(&self, id: UploadId) -> Option<Traces> {
        self.lock().traces.get(&id).copied()
    }

    pub(super) fn leaves(&self, id: UploadId, traces: Traces) {
        let mut known = self.lock();
        if known.traces.len() >= KNOWN {
            known.traces.clear();
        }
        known.traces.insert(id, traces);
    }

    /// Whether the store was looked at a moment ago and has nothing of a session; after this it has to be looked at again.
    pub(super) fn take_nothing(&self, id: UploadId) -> bool {
        let mut known = self.lock();
        match known.traces.get(&id).copied() {
            Some(Traces::Nothing(began)) => {
                known.traces.insert(id, Traces::Beginning(began));
                true
            }
            _ => false,
        }
    }

    /// From now on the store has to be asked.
    pub(super) fn forget(&self, id: UploadId) {
        self.lock().traces.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sessions.lock().held.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_held_once_and_free_again() {
        let (sessions, id) = (Arc::new(Sessions::default()), UploadId::random());
        let held = sessions.hold(id).unwrap();
        assert!(sessions.hold(id).is_none());
        drop(held);
        assert!(sessions.hold(id).is_some());
    }

    #[test]
    fn what_is_known_is_bounded() {
        let sessions = Sessions::default();
        for _ in 0..KNOWN + 10 {
            sessions.leaves(UploadId::random(), Traces::Tail);
        }
        assert_eq!(sessions.lock().traces.len(), 10);
        let id = UploadId::random();
        sessions.leaves(id, Traces::Tail);
        assert_eq!(sessions.traces(id), Some(Traces::Tail));
        sessions.forget(id);
        assert_eq!(sessions.traces(id), None);
        sessions.leaves(id, Traces::Nothing(SystemTime::UNIX_EPOCH));
        assert!(sessions.take_nothing(id) && !sessions.take_nothing(id));
        assert_eq!(sessions.traces(id), Some(Traces::Beginning(SystemTime::UNIX_EPOCH)));
    }
}
