//! Whether a process may write to its bucket: it has a lease, nobody else has the bucket, and nothing that was removed may
//! still go.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    holder::Holder,
    lease::{DEAD, LATE},
};
use crate::Tenure;

/// How long after that a request may have been under way that nobody else can have seen the end of.
const KEPT: Duration = Duration::from_secs(75);

/// How long a write waits for the lease that it needs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether this process may write to the bucket now.
#[derive(Debug)]
pub(super) struct Gate {
    state: watch::Sender<State>,
    /// Until when a delete may still be carried out that was not answered, and nothing may be written.
    settling: Mutex<Option<Instant>>,
    /// How often a lease was had anew.
    tenures: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
pub(super) enum State {
    /// Nobody keeps a lease: whoever uses this knows that nobody else does.
    Free,
    /// There is no lease yet, or none any more.
    Waiting,
    Until(Instant),
    /// Somebody else has the bucket.
    Closed(Arc<Holder>),
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::Free),
            settling: Mutex::default(),
            tenures: Arc::default(),
        }
    }
}

impl Gate {
    /// A gate of its own for the same process.
    pub(super) fn beside(&self) -> Self {
        Self { tenures: Arc::clone(&self.tenures), ..Self::default() }
    }

    pub(super) fn tenure(&self) -> Tenure {
        Tenure(self.tenures.load(Ordering::SeqCst))
    }

    /// A lease is had that may have been another's meanwhile: what was begun before relies on nothing any more.
    pub(super) fn begin_tenure(&self) {
        self.tenures.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether what was begun then, and has just been done, was done before anybody else could have the bucket.
    pub(super) fn lasts(&self, tenure: Tenure) -> bool {
        let in_time = match &*self.state.borrow() {
            State::Free => true,
            State::Until(until) => Instant::now() < *until + KEPT,
            // Others know of no writes.
            State::Waiting | State::Closed(_) => false,
        };
        in_time && self.tenure() == tenure
    }

    /// From here on nothing is written without a lease.
    pub(super) fn shut(&self) {
        self.set(State::Waiting);
    }

    pub(super) fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Lets nothing pass for a while.
    pub(super) fn settle(&self, time: Duration) {
        *self.settling.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    fn is_settling(&self) -> bool {
        let until = *self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Waits for a moment in which it may be written; else says why it may not.
    pub(super) async fn pass(&self) -> Result<(), Barred> {
        let passed = self.pass_with_lease().await;
        let begun = Tenure::of_this_task();
        if passed.is_ok() && begun.is_some_and(|begun| begun != self.tenure()) {
            return Err(Barred::Lost);
        }
        // Looked at last: who waited for a lease may have waited for longer than that.
        if self.is_settling() { Err(Barred::Settling) } else { passed }
    }

    async fn pass_with_lease(&self) -> Result<(), Barred> {
        if let State::Free = *self.state.borrow() {
            return Ok(());
        }
        let mut state = self.state.subscribe();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match &*state.borrow_and_update() {
                State::Free => return Ok(()),
                State::Until(until) if *until > Instant::now() => return Ok(()),
                State::Closed(holder) => return Err(Barred::Others(Arc::clone(holder))),
                State::Until(_) | State::Waiting => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // The sender is this gate's.
            if !matches!(timeout(left, state.changed()).await, Ok(Ok(()))) {
                return Err(Barred::NoLease);
            }
        }
    }
}

/// Why nothing may be written to the bucket, or it may not be had.
#[derive(Debug)]
pub(super) enum Barred {
    Others(Arc<Holder>),
    NoLease,
    /// There was a time without a lease.
    Lost,
    /// What a collection has deleted may not be gone yet.
    Settling,
    /// What was written is not listed.
    Unlisted,
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Others(holder) => write!(
                f,
                "{holder} (if that process is dead, its lease ends {} s after it was renewed last)",
                DEAD.as_secs()
            ),
            Self::NoLease => f.write_str(
                "this process has no lease on the bucket, so that a collection elsewhere would not know of it",
            ),
            Self::Lost => f.write_str(
                "this process had lost its lease on the bucket meanwhile, and what it had found there may be gone",
            ),
            Self::Settling => write!(
                f,
                "a delete of a collection was not answered: nothing is written for {} s, in which it may still be carried out",
                LATE.as_secs()
            ),
            Self::Unlisted => f.write_str(
                "the store does not list what was just written, so that nobody can know who else uses the bucket",
            ),
        }
    }
}

impl StdError for Barred {}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(seconds: u64) -> State {
        State::Until(Instant::now() + Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_before_a_lease_was_lost_does_not_pass() {
        let gate = Gate::default();
        gate.begin_tenure();
        gate.set(until(60));
        let begun = gate.tenure();
        begun.bounds(gate.pass()).await.unwrap();
        assert!(gate.lasts(begun));
        // The same lease, renewed.
        gate.set(until(120));
        begun.bounds(gate.pass()).await.unwrap();
        // Another one, after a time in which anybody can have had the bucket.
        tokio::time::advance(Duration::from_secs(121)).await;
        gate.begin_tenure();
        gate.set(until(60));
        assert!(matches!(begun.bounds(gate.pass()).await, Err(Barred::Lost)));
        assert!(!gate.lasts(begun));
        gate.tenure().bounds(gate.pass()).await.unwrap();
        // Who relies on nothing only needs the lease.
        gate.pass().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_after_others_may_have_come_was_not_done_in_time() {
        let gate = Gate::default();
        gate.set(until(60));
        let begun = gate.tenure();
        tokio::time::advance(Duration::from_secs(60) + KEPT - Duration::from_secs(1)).await;
        assert!(gate.lasts(begun));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!gate.lasts(begun));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_passes_until_a_lost_delete_cannot_be_carried_out_any_more() {
        let gate = Gate::default();
        gate.pass().await.unwrap();
        gate.settle(LATE);
        tokio::time::advance(LATE - Duration::from_secs(1)).await;
        assert!(matches!(gate.pass().await, Err(Barred::Settling)));
        tokio::time::advance(Duration::from_secs(1)).await;
        gate.pass().await.unwrap();
    }
}
