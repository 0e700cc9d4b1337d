//! The async runtime. Async stops here: nothing else of regctl builds a runtime or awaits a signal.

use std::{
    future::{Future, pending},
    io,
    pin::pin,
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
    time::sleep,
};

use super::signals::ORPHANED;

/// How long a process that was told to stop may say what it has done.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    Ok(Builder::new_multi_thread().enable_all().build()?.block_on(future))
}

/// The signal that asks a process to read its configuration again, watched from the moment this exists.
#[derive(Debug)]
pub(crate) struct HangUps(Signal);

impl HangUps {
    /// Starts to watch; until then a signal kills the process as it always does.
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Waits for the end of `work`, and calls `react` after every HUP meanwhile. Those that come during a call are one.
    pub(crate) async fn during<T>(
        mut self,
        work: impl Future<Output = T>,
        react: impl AsyncFn(),
    ) -> T {
        let reacting = async {
            while self.0.recv().await.is_some() {
                react().await;
            }
            // The runtime ends: so does the work.
            pending().await
        };
        tokio::select! {
            ended = work => ended,
            ended = reacting => ended,
        }
    }
}

/// The signals that ask a foreground process to stop, watched from the moment this exists.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    orphaned: Signal,
}

impl StopSignals {
    /// Starts to watch; until then a signal kills the process as it always does.
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            orphaned: signal(SignalKind::from_raw(ORPHANED as i32))?,
        })
    }

    /// Waits for the end of `work`, at most until the second Ctrl-C or TERM: none then.
    pub(crate) async fn unless_repeated<T>(mut self, work: impl Future<Output = T>) -> Option<T> {
        let repeated = async {
            self.received().await;
            // The end of a parent is told more than once, and is nobody's impatience.
            self.asked().await;
        };
        tokio::select! {
            // Looked at first: what `work` shows of the first signal may bring the second one, and two that
            // nobody has looked at in between are one.
            biased;
            () = repeated => None,
            ended = work => Some(ended),
        }
    }

    /// Calls `asked` at the first Ctrl-C or TERM, and waits for the end of `work` all the same.
    pub(crate) async fn telling<T>(
        mut self,
        asked: impl FnOnce(),
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = pin!(work);
        tokio::select! {
            ended = &mut work => return ended,
            () = self.received() => asked(),
        }
        work.await
    }

    /// From the first Ctrl-C or TERM on, ends this process, whoever blocks in it: at once after `give_up`, unless the work is in a part
    /// that has to come to its own end: `waits` says so then. A second one ends that too.
    #[expect(
        clippy::disallowed_methods,
        reason = "who waits for whoever reads its output never comes back to main"
    )]
    pub(crate) fn end(
        mut self,
        work: Arc<Ending>,
        waits: impl FnOnce() + Send + 'static,
        give_up: impl Future<Output = ()> + Send + 'static,
    ) {
        tokio::spawn(async move {
            self.received().await;
            if work.ask() {
                give_up.await;
            } else {
                waits();
                let over = async {
                    work.over.notified().await;
                    sleep(LAST_WORDS).await;
                };
                tokio::select! {
                    () = self.asked() => {}
                    () = over => {}
                }
            }
            process::exit(1);
        });
    }

    /// Waits for the next Ctrl-C or TERM, or for the end of the parent where that is told.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.orphaned.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Work that a signal ends at once, but for a part of it.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    part: Mutex<Part>,
    asked: AtomicBool,
    /// The part that had to come to its end has.
    over: Notify,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Part {
    /// It may end anywhere.
    #[default]
    Loose,
    /// It comes to an end by itself.
    Guarded,
    /// The process ends.
    Left,
}

impl Ending {
    /// Whether it was told to stop.
    pub(crate) fn asked(&self) -> &AtomicBool {
        &self.asked
    }

    /// Does a part of the work that no signal cuts off: it is to look at [`Ending::asked`]. Where the process already ends it does not begin.
    pub(crate) async fn guarded<T>(&self, part: impl Future<Output = T>) -> T {
        if !self.turn(Part::Loose, Part::Guarded) {
            pending::<()>().await;
        }
        let ended = part.await;
        self.turn(Part::Guarded, Part::Loose);
        self.over.notify_one();
        ended
    }

    /// Tells it to stop; whether it may be left as it is.
    fn ask(&self) -> bool {
        self.asked.store(true, Ordering::Relaxed);
        self.turn(Part::Loose, Part::Left)
    }

    fn turn(&self, from: Part, to: Part) -> bool {
        let mut part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = *part == from;
        if turns {
            *part = to;
        }
        turns
    }
}
