//! Signals as values: blocked, and waited for by one thread.

use std::io;

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// What a supervisor hears of.
const HEARD: [Signal; 5] =
    [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];

/// Tells a registry that its supervisor has ended.
///
/// Not TERM: the kernel sends it once for each thread that the supervisor had, and a second TERM ends a drain.
pub(crate) const ORPHANED: Signal = Signal::SIGUSR1;

/// Signals that wait until somebody asks for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signals {
    set: SigSet,
}

impl Signals {
    /// Holds the signals back. Threads that are started later inherit that: call it first.
    pub(crate) fn block() -> io::Result<Self> {
        let set = HEARD.into_iter().collect::<SigSet>();
        set.thread_block()?;
        Ok(Self { set })
    }

    /// Returns one that has come, and does not wait. None of children: call it while there are none.
    pub(crate) fn come(&self) -> io::Result<Option<Signal>> {
        let signals =
            SignalFd::with_flags(&self.set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let Some(come) = signals.read_signal()? else { return Ok(None) };
        let number = i32::try_from(come.ssi_signo).map_err(io::Error::other)?;
        Ok(Some(Signal::try_from(number)?))
    }

    /// Waits for the next one.
    pub(crate) fn next(&self) -> io::Result<Signal> {
        Ok(self.set.wait()?)
    }
}

/// Has this process end by itself only, or by KILL.
pub(crate) fn ignore_stops() -> io::Result<()> {
    unblock()?;
    let ends = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];
    // Some terminals stop who writes to them from the background, but not who blocks the signal.
    let stops = ends.into_iter().chain([Signal::SIGTTOU]);
    Ok(stops.collect::<SigSet>().thread_block()?)
}

/// Lets every signal through, which a child of a supervisor inherits blocked.
pub(crate) fn unblock() -> io::Result<()> {
    Ok(SigSet::all().thread_unblock()?)
}
