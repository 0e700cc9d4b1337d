//! Syncs of folders that many change at once: whoever has changed one is content with any sync that has begun after that.
//!
//! While one is under way those who come wait for the next, which serves them all.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

use rustix::io::Errno;

/// The folders that somebody syncs, or waits for.
#[derive(Debug, Default)]
pub(super) struct Syncs(Mutex<HashMap<String, Arc<Queue>>>);

/// Those who want one folder synced.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_running: bool,
    /// The sync that begins next.
    next: Arc<Sync>,
}

/// What came of one sync: of a later one it cannot be told whether it has made durable what this one has not.
#[derive(Debug, Default)]
struct Sync(OnceLock<Result<(), Errno>>);

impl Syncs {
    /// Returns when a sync of the folder has ended that began after this was called: this one's own, or another one's. It blocks.
    pub(super) fn join(
        &self,
        folder: &str,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let queue = Arc::clone(self.folders().entry(folder.to_owned()).or_default());
        let came = queue.join(sync);
        let mut folders = self.folders();
        drop(queue);
        // Nobody else is there or comes.
        if folders.get(folder).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            folders.remove(folder);
        }
        drop(folders);
        came.map_err(io::Error::from)
    }

    fn folders(&self) -> MutexGuard<'_, HashMap<String, Arc<Queue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn join(&self, sync: impl FnOnce() -> io::Result<()>) -> Result<(), Errno> {
        let mut state = self.state();
        let own = Arc::clone(&state.next);
        while state.is_running && own.0.get().is_none() {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(came) = own.0.get() {
            return *came;
        }
        // What has begun has ended, so that this is the next.
        state.is_running = true;
        state.next = Arc::default();
        drop(state);
        let came = sync().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
        let mut state = self.state();
        state.is_running = false;
        let came = *own.0.get_or_init(|| came);
        drop(state);
        self.ended.notify_all();
        came
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    /// Waits until so many wait for the next sync of a folder.
    fn until_waiting(syncs: &Syncs, folder: &str, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let queue = Arc::clone(&syncs.folders()[folder]);
            // The queue's own, and one for each.
            if Arc::strong_count(&queue.state().next) == 1 + count {
                return;
            }
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
    }

    #[test]
    fn who_comes_while_one_is_under_way_shares_the_next() {
        let (syncs, made) = (Syncs::default(), AtomicUsize::new(0));
        let (begun, has_begun) = mpsc::channel();
        let (end, may_end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let (syncs, made) = (&syncs, &made);
            scope.spawn(move || {
                let first = || {
                    begun.send(()).unwrap();
                    may_end.recv().unwrap();
                    made.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                };
                syncs.join("tags", first).unwrap();
            });
            has_begun.recv().unwrap();
            let others: Vec<_> = (0..20)
                .map(|_| {
                    scope.spawn(move || {
                        let count = || {
                            made.fetch_add(1, Ordering::SeqCst);
                            Ok(())
                        };
                        syncs.join("tags", count).unwrap();
                        made.load(Ordering::SeqCst)
                    })
                })
                .collect();
            until_waiting(syncs, "tags", 20);
            // Another folder waits for nobody.
            syncs.join("other", || Ok(())).unwrap();
            end.send(()).unwrap();
            // None of them was content with the one that had begun before.
            assert!(others.into_iter().all(|other| other.join().unwrap() == 2));
        });
        assert_eq!(made.into_inner(), 2);
        assert!(syncs.folders().is_empty());
    }

    #[test]
    fn one_that_fails_fails_for_all_who_wait_for_it_and_for_nobody_else() {
        let syncs = Syncs::default();
        let (begun, has_begun) = mpsc::channel();
        let (end, may_end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let syncs = &syncs;
            let first = scope.spawn(move || {
                syncs.join("tags", || {
                    begun.send(()).unwrap();
                    may_end.recv().unwrap();
                    Ok(())
                })
            });
            has_begun.recv().unwrap();
            let fails = || Err(Errno::IO.into());
            let others: Vec<_> =
                (0..3).map(|_| scope.spawn(move || syncs.join("tags", fails))).collect();
            until_waiting(syncs, "tags", 3);
            end.send(()).unwrap();
            first.join().unwrap().unwrap();
            let failed = |other: thread::ScopedJoinHandle<'_, io::Result<()>>| {
                other.join().unwrap().unwrap_err().raw_os_error() == Some(Errno::IO.raw_os_error())
            };
            assert!(others.into_iter().all(failed));
        });
        syncs.join("tags", || Ok(())).unwrap();
    }
}
