//! A process that works on the storage: this program once more, waited for.

use std::{collections::BTreeMap, ffi::OsString, io, os::fd::OwnedFd};

use nix::sys::signal::Signal;

use super::{
    signals::Signals,
    spawn::{self, Child, End, Output},
};

/// How it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// With an exit code.
    Code(i32),
    /// Since this process was told to.
    Interrupted(Signal),
    /// By a signal of somebody else.
    Killed(Signal),
}

/// Why nothing is known of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the process that does the work could not be started")]
    Start(#[source] io::Error),
    #[error("the process that does the work could not be waited for")]
    Wait(#[source] io::Error),
}

/// Runs this program with the arguments until it ends; a signal to this process ends it first.
pub(crate) fn work(
    signals: Signals,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    lock: Option<OwnedFd>,
) -> Result<Ended, Error> {
    let child = Child {
        arguments,
        environment,
        input: None,
        output: Output::Inherited,
        descriptors: lock.into_iter().collect(),
    };
    let worker = spawn::spawn(child).map_err(Error::Start)?;
    let mut interrupted = None;
    loop {
        match signals.next().map_err(Error::Wait)? {
            Signal::SIGCHLD => {
                while let Some((pid, end)) = spawn::reap() {
                    if pid == worker {
                        return Ok(match (interrupted, end) {
                            (_, End::Exit(code @ (0 | 5))) => Ended::Code(code),
                            (Some(signal), _) => Ended::Interrupted(signal),
                            (None, End::Exit(code)) => Ended::Code(code),
                            (None, End::Signal(signal)) => Ended::Killed(signal),
                        });
                    }
                }
            }
            signal => {
                interrupted = Some(signal);
                spawn::signal_group(worker, Signal::SIGTERM);
            }
        }
    }
}
