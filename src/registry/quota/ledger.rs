//! One quota: its limit, its record, and what is being linked just now.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use oci::Digest;

use super::{
    Fill, Full, Refused,
    entry::Entry,
    record::{Opened, Record},
};
use crate::config::Quota;

/// A quota that is in force.
#[derive(Debug)]
pub(super) struct Ledger {
    quota: Quota,
    limit: AtomicU64,
    state: Mutex<State>,
    /// What is used, and when that was counted; none: the record cannot be used.
    shown: Mutex<Option<(u64, Option<u64>)>>,
}

#[derive(Debug)]
struct State {
    record: Record,
    /// The file that has all of `pending`.
    inode: Option<(u64, u64)>,
    pending: HashMap<Digest, Pending>,
    /// Whether the quota is no more: its record is gone, or somebody else's.
    is_closed: bool,
}

/// A digest that was added for a link that is not there yet.
#[derive(Debug)]
struct Pending {
    bytes: u64,
    /// How many make a link to it.
    holders: u32,
    /// Whether one of them may have.
    is_linked: bool,
}

/// Whether the limit is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Kept,
    /// What the registry itself writes, and what is there already, counts and is never refused.
    Passed,
}

/// What a link takes of a quota: dropped, it is given back.
#[derive(Debug)]
pub(super) struct Hold {
    ledger: Arc<Ledger>,
    digest: Digest,
    bytes: u64,
    /// Whether it was counted for this link, or for another one that is not there yet.
    is_pending: bool,
    is_settled: bool,
}

impl Ledger {
    /// Reads the record. One that cannot be used is tried again by the next push, which is refused as long as that fails.
    pub(super) fn open(folder: &Path, quota: &Quota) -> Self {
        let mut record = Record::of(folder, quota);
        let name = quota.name();
        match record.with(|opened| Ok(opened.counted().is_some())) {
            Ok(true) => {}
            Ok(false) => tracing::warn!(
                repositories = name,
                "what the repositories of this quota hold was never counted: only what is pushed from now on counts until `regctl du` has run"
            ),
            Err(error) => {
                let path = record.path().display();
                tracing::error!(repositories = name, %path, %error, "the record of a quota cannot be used: pushes are refused until it can be");
            }
        }
        let inode = record.last().map(Opened::inode);
        let shown = record.last().map(|it| (it.book().total(), it.counted()));
        let state = State { record, inode, pending: HashMap::new(), is_closed: false };
        let limit = AtomicU64::new(quota.max_size);
        Self { quota: quota.clone(), limit, state: Mutex::new(state), shown: Mutex::new(shown) }
    }

    pub(super) fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Whether it is the one of a quota, whatever its limit.
    pub(super) fn is_of(&self, folder: &Path, quota: &Quota) -> bool {
        self.quota.repositories == quota.repositories
            && self.state().record.path().parent() == Some(folder)
    }

    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Ends it, with its record: what is under way is written down nowhere.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        if let Err(error) = state.record.remove() {
            let path = state.record.path().display();
            tracing::warn!(%path, %error, "the record of a quota that is no more could not be removed");
        }
    }

    /// Adds a digest that is to be linked, if it fits. It is on disk when this returns.
    pub(super) fn reserve(
        self: &Arc<Self>,
        digest: &Digest,
        bytes: u64,
        limit: Limit,
    ) -> Result<Hold, Refused> {
        let max_size = self.limit.load(Ordering::Relaxed);
        let mut state = self.state();
        let added = state.locked(|opened, _| {
            let id = opened.id(digest);
            let (is_counted, used) = (opened.book().holds(id), opened.book().total());
            let fits = bytes == 0 || used.saturating_add(bytes) <= max_size;
            if !is_counted && !fits && limit == Limit::Kept {
                return Ok(Err(used));
            }
            let adds = opened.book().lacks(id);
            if adds {
                opened.append(opened.book().adding(id, bytes))?;
            }
            Ok(Ok((is_counted, adds.then(|| opened.file()))))
        });
        let failed = |source| {
            let path = self.state_path();
            Refused::Record { path, source }
        };
        let added = match added {
            Ok(added) => added.unwrap_or(Ok((true, None))),
            Err(source) => {
                drop(state);
                return Err(failed(source));
            }
        };
        let (is_counted, file) = added.map_err(|used| {
            Refused::Full(Full { repositories: self.quota.name(), max_size, used, asked: bytes })
        })?;
        let is_pending = state.hold(digest, bytes, is_counted);
        drop(state);
        let (ledger, digest) = (Arc::clone(self), *digest);
        let hold = Hold { ledger, digest, bytes, is_pending, is_settled: false };
        file.map_or(Ok(()), |file: Arc<File>| file.sync_data()).map_err(failed)?;
        Ok(hold)
    }

    /// How far it is used: as it was seen last, where somebody is at work on the record.
    pub(super) fn fill(&self) -> Fill {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(mut state) = self.state.try_lock() {
            if !state.is_closed {
                // What cannot be read now was read before.
                let _ = state.record.try_with(|_| Ok(()));
            }
            *shown = state.record.last().map(|it| (it.book().total(), it.counted()));
        }
        let (used, counted) = shown.unwrap_or_default();
        Fill {
            repositories: self.quota.name(),
            max_size: self.limit.load(Ordering::Relaxed),
            used,
            counted,
            problem: shown.is_none().then(|| "its record cannot be used".to_owned()),
        }
    }

    fn state_path(&self) -> std::path::PathBuf {
        self.state().record.path().to_owned()
    }

    /// What is in memory is changed after the file, and taken from it again where that fails.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Does something with the record, which has all that is pending; none where the quota is no more.
    fn locked<T>(
        &mut self,
        work: impl FnOnce(&mut Opened, &HashMap<Digest, Pending>) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        if self.is_closed {
            return Ok(None);
        }
        let Self { record, inode, pending, .. } = self;
        let done = record.with(|opened| {
            // Whoever replaced it has not seen what is not linked yet.
            if *inode != Some(opened.inode()) {
                for (digest, Pending { bytes, .. }) in &*pending {
                    let id = opened.id(digest);
                    if opened.book().lacks(id) {
                        opened.append(opened.book().adding(id, *bytes))?;
                    }
                }
                *inode = Some(opened.inode());
            }
            work(opened, pending)
        });
        done.map(Some)
    }

    /// Notes who is to make a link; whether it may have to be given back.
    fn hold(&mut self, digest: &Digest, bytes: u64, is_counted: bool) -> bool {
        match self.pending.get_mut(digest) {
            Some(pending) => {
                pending.holders += 1;
                true
            }
            None if is_counted => false,
            None => {
                let pending = Pending { bytes, holders: 1, is_linked: false };
                self.pending.insert(*digest, pending);
                true
            }
        }
    }

    /// The digest is to be given back, by the last of those who have not linked it.
    fn let_go(&mut self, digest: &Digest, is_linked: bool) -> bool {
        let Some(pending) = self.pending.get_mut(digest) else { return false };
        pending.holders -= 1;
        pending.is_linked |= is_linked;
        if pending.holders > 0 {
            return false;
        }
        let is_linked = pending.is_linked;
        self.pending.remove(digest);
        !is_linked
    }
}

impl Hold {
    /// The link is there, or may be: it counts, also for who has begun to count meanwhile.
    pub(super) fn settle(mut self) {
        self.is_settled = true;
        let mut state = self.ledger.state();
        let noted = state.locked(|opened, _| {
            let id = opened.id(&self.digest);
            match opened.book().lacks(id) {
                true => opened.append(opened.book().adding(id, self.bytes)),
                false => Ok(()),
            }
        });
        if let Err(error) = noted {
            // It was added before; only who counts just now may miss it.
            let path = state.record.path().display();
            tracing::warn!(%path, %error, "the record of a quota could not be written to");
        }
        if self.is_pending {
            state.let_go(&self.digest, true);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.is_settled || !self.is_pending {
            return;
        }
        let mut state = self.ledger.state();
        if !state.let_go(&self.digest, false) {
            return;
        }
        let taken = state.locked(|opened, _| {
            let id = opened.id(&self.digest);
            opened.append(Entry::Take { id, bytes: self.bytes })
        });
        if let Err(error) = taken {
            let path = state.record.path().display();
            tracing::warn!(%path, %error, "what was not linked still counts in a quota, until `regctl du`");
        }
    }
}
