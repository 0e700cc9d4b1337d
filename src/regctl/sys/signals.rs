//! Signals as values: blocked, and waited for by one thread.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd, siginfo},
    },
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

    /// Returns one that has come, and does not wait. None of children.
    pub(crate) fn come(&self) -> io::Result<Option<Signal>> {
        let signals =
            SignalFd::with_flags(&self.set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let Some(come) = signals.read_signal()? else { return Ok(None) };
        Ok(Some(signal_of(&come)?).filter(|signal| *signal != Signal::SIGCHLD))
    }

    /// Waits for the next one; none when there is something to be read from `line` first, or its other end is closed.
    pub(crate) fn next_or_line(&self, line: BorrowedFd<'_>) -> io::Result<Option<Signal>> {
        let signals =
            SignalFd::with_flags(&self.set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        loop {
            let ready = |fd| PollFd::new(fd, PollFlags::POLLIN);
            match poll(&mut [ready(signals.as_fd()), ready(line)], PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                polled => polled?,
            };
            return Ok(match signals.read_signal()? {
                Some(come) => Some(signal_of(&come)?),
                None => None,
            });
        }
    }

    /// Waits for the next one.
    pub(crate) fn next(&self) -> io::Result<Signal> {
        Ok(self.set.wait()?)
    }
}

fn signal_of(come: &siginfo) -> io::Result<Signal> {
    let number = i32::try_from(come.ssi_signo).map_err(io::Error::other)?;
    Ok(Signal::try_from(number)?)
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
