//! Whether the registry takes writes now, and how many are under way.
//!
//! A write needs a [`Writing`], which a registry that is read-only does not give out. Both are one
//! number, so there is no moment between the two: a write has begun before the switch, and is
//! counted until it ends, or it does not begin.
//!
//! Where it is read-only for some seconds, clients wait for the end of that: see [`Content::begin_write_or_wait`].

use std::{
    future::{Future, pending},
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout_at},
};

use super::{Content, Error, Shared};

/// The bit that says read-only; the others count.
const READ_ONLY: u64 = 1 << 63;

/// How long a write waits for a registry that is read-only for some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// As many wait at once; more are sent away at once.
const WAITING: usize = 512;

#[derive(Debug)]
pub(super) struct Writes {
    state: AtomicU64,
    changed: Notify,
    /// Whether read-only is over in some seconds.
    is_brief: AtomicBool,
    room: Semaphore,
}

/// Why a write does not begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WriteNotBegun {
    /// The registry is read-only, and nobody knows for how long.
    ReadOnly,
    /// It is read-only for some seconds, and it has been waited for that.
    Later,
}

/// Content that may be written to, for as long as this or a clone of it is held.
///
/// What goes on after its request takes a clone along, and so counts to its end.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    content: Content,
    _pass: Arc<Pass>,
}

/// One write that is counted.
#[derive(Debug)]
struct Pass {
    shared: Arc<Shared>,
}

/// How a wait for the last write ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Quiet {
    /// Nothing is written, and nothing will be.
    Reached,
    /// The registry takes writes again.
    SwitchedBack,
}

impl Content {
    /// Begins a write; none while the registry is read-only.
    pub(crate) fn begin_write(&self) -> Option<Writing> {
        let entered = self.shared.writes.enter();
        let pass = entered.then(|| Arc::new(Pass { shared: Arc::clone(&self.shared) }));
        pass.map(|pass| Writing { content: self.clone(), _pass: pass })
    }

    /// Begins a write, which waits for a while where the registry is read-only for some seconds; not where this process is to
    /// end, nor where too many wait.
    pub(crate) async fn begin_write_or_wait(&self) -> Result<Writing, WriteNotBegun> {
        let writes = &self.shared.writes;
        let until = Instant::now() + PATIENCE;
        let mut place = None;
        loop {
            if let Some(writing) = self.begin_write() {
                return Ok(writing);
            }
            if !writes.is_brief.load(Ordering::SeqCst) {
                return Err(WriteNotBegun::ReadOnly);
            }
            if place.is_none() {
                place = Some(writes.room.try_acquire().map_err(|_| WriteNotBegun::Later)?);
            }
            tokio::select! {
                waited = timeout_at(until, self.writable()) => {
                    waited.map_err(|_| WriteNotBegun::Later)?;
                }
                () = self.is_ending() => return Err(WriteNotBegun::Later),
            }
        }
    }

    /// Says whether read-only is over in some seconds, so that writes wait for that.
    pub(crate) fn have_writes_wait(&self, wait: bool) {
        self.shared.writes.is_brief.store(wait, Ordering::SeqCst);
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.shared.writes.is_read_only()
    }

    /// Switches, and returns what it was. No write begins any more once it is read-only; those that
    /// have begun go on.
    pub(crate) fn set_read_only(&self, read_only: bool) -> bool {
        self.shared.writes.set_read_only(read_only)
    }

    pub(crate) fn writes_in_flight(&self) -> u64 {
        self.shared.writes.load() & !READ_ONLY
    }

    /// Waits for the end of the last write of a registry that is read-only.
    pub(crate) async fn quiet(&self) -> Quiet {
        let writes = &self.shared.writes;
        match writes.until(|state| state == READ_ONLY || state & READ_ONLY == 0).await {
            READ_ONLY => Quiet::Reached,
            _ => Quiet::SwitchedBack,
        }
    }

    /// Waits until the registry is read-only, and its last write has ended.
    pub(crate) async fn still(&self) {
        self.shared.writes.until(|state| state == READ_ONLY).await;
    }

    /// Waits until the registry takes writes.
    pub(crate) async fn writable(&self) {
        self.shared.writes.until(|state| state & READ_ONLY == 0).await;
    }

    /// Waits for a moment without a write.
    pub(crate) async fn writes_ended(&self) {
        self.shared.writes.until(|state| state & !READ_ONLY == 0).await;
    }
}

impl Writing {
    /// Runs `work` to its end, even if the caller is dropped: a connection that breaks must not free
    /// the locks of a write that is under way.
    pub(super) async fn shielded<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (counted, work) = (self.clone(), work(self.clone()));
        let task = tokio::spawn(async move {
            // What it finds it relies on: nobody is told of it after a time in which others had the store.
            let tenure = counted.backend().tenure().await?;
            let ended = tenure.bounds(work).await;
            let ended =
                ended.and_then(|done| Ok(counted.backend().confirm(tenure).map(|()| done)?));
            // Counted to the end, whether or not the work makes use of what it was given.
            drop(counted);
            ended
        });
        match task.await {
            Ok(ended) => ended,
            Err(error) if error.is_panic() => Err(Error::Panicked),
            // The process ends at once: there is no one left to be answered.
            Err(_) => pending().await,
        }
    }
}

impl Deref for Writing {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.content
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.shared.writes.leave();
    }
}

impl Default for Writes {
    fn default() -> Self {
        Self {
            state: AtomicU64::default(),
            changed: Notify::default(),
            is_brief: AtomicBool::default(),
            room: Semaphore::new(WAITING),
        }
    }
}

impl Writes {
    fn load(&self) -> u64 {
        self.state.load(Ordering::SeqCst)
    }

    fn is_read_only(&self) -> bool {
        self.load() & READ_ONLY != 0
    }

    fn enter(&self) -> bool {
        let one_more = |state: u64| (state & READ_ONLY == 0).then_some(state + 1);
        self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    fn leave(&self) {
        let before = self.state.fetch_sub(1, Ordering::SeqCst);
        if before & !READ_ONLY == 1 {
            self.changed.notify_waiters();
        }
    }

    fn set_read_only(&self, read_only: bool) -> bool {
        let before = if read_only {
            self.state.fetch_or(READ_ONLY, Ordering::SeqCst)
        } else {
            self.state.fetch_and(!READ_ONLY, Ordering::SeqCst)
        };
        self.changed.notify_waiters();
        before & READ_ONLY != 0
    }

    /// Waits for a state, and returns it.
    async fn until(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        let mut changed = std::pin::pin!(self.changed.notified());
        loop {
            // Listening comes before looking: a change between the two is not missed.
            changed.as_mut().enable();
            let state = self.load();
            if wanted(state) {
                return state;
            }
            changed.as_mut().await;
            changed.set(self.changed.notified());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

    use super::*;

    fn content() -> Content {
        Content::open(&storage::Config::InMemory, Duration::ZERO, None, None).unwrap()
    }

    /// Whether the future is done when it is asked once.
    async fn is_ready<T>(future: impl Future<Output = T>) -> bool {
        let mut future = pin!(future);
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_write_that_began_before_the_switch_goes_on_and_none_begins_after_it() {
        let content = content();
        let writing = content.begin_write().unwrap();
        assert!(!content.set_read_only(true));
        assert!(content.begin_write().is_none());
        assert_eq!(content.writes_in_flight(), 1);
        assert!(!is_ready(content.quiet()).await);
        let name = "app".parse().unwrap();
        writing.begin_upload(&name).await.unwrap();
        drop(writing);
        assert_eq!(content.quiet().await, Quiet::Reached);
        assert!(content.set_read_only(false));
        assert!(content.begin_write().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_waits_for_a_registry_that_is_read_only_for_some_seconds() {
        let content = content();
        content.set_read_only(true);
        let refused = content.begin_write_or_wait().await.err();
        assert_eq!(refused, Some(WriteNotBegun::ReadOnly));
        content.have_writes_wait(true);
        let begun = Instant::now();
        assert_eq!(content.begin_write_or_wait().await.err(), Some(WriteNotBegun::Later));
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
        let mut waiting = pin!(content.begin_write_or_wait());
        assert!(!is_ready(&mut waiting).await);
        content.set_read_only(false);
        assert!(waiting.await.is_ok());
        // Nobody is kept by a process that is to end, and not everybody can wait.
        content.set_read_only(true);
        let crowd = (0..WAITING).map(|_| {
            let content = content.clone();
            tokio::spawn(async move { content.begin_write_or_wait().await.err() })
        });
        let crowd: Vec<_> = crowd.collect();
        while content.shared.writes.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        assert_eq!(content.begin_write_or_wait().await.err(), Some(WriteNotBegun::Later));
        content.end_soon();
        for one in crowd {
            assert_eq!(one.await.unwrap(), Some(WriteNotBegun::Later));
        }
        assert_eq!(begun.elapsed().as_secs(), 0);
    }

    #[tokio::test]
    async fn work_that_outlives_its_request_is_counted_to_its_end() {
        let content = content();
        let writing = content.begin_write().unwrap();
        let (go_on, go) = tokio::sync::oneshot::channel::<()>();
        let mut request = Box::pin(writing.shielded(|_writing| async move {
            // The end of the channel is as good as a word.
            let _ = go.await;
            Ok(())
        }));
        assert!(!is_ready(&mut request).await);
        drop(request);
        drop(writing);
        content.set_read_only(true);
        assert_eq!(content.writes_in_flight(), 1);
        go_on.send(()).unwrap();
        assert_eq!(content.quiet().await, Quiet::Reached);
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_the_last_write_and_by_the_way_back() {
        let content = content();
        let writing = content.begin_write().unwrap();
        content.set_read_only(true);
        let mut quiet = pin!(content.quiet());
        assert!(!is_ready(&mut quiet).await);
        content.set_read_only(false);
        assert_eq!(quiet.await, Quiet::SwitchedBack);
        let mut ended = pin!(content.writes_ended());
        assert!(!is_ready(&mut ended).await);
        drop(writing);
        ended.await;
    }
}
