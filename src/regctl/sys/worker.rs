//! A process that works on the storage: this program once more, waited for.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    io::{self, BufWriter, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    thread,
};

use listenfd::ListenFd;
use nix::sys::{
    signal::Signal,
    socket::{AddressFamily, SockType},
};

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

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Interrupted(signal) => write!(f, "interrupted by {signal}"),
            Self::Killed(signal) => write!(f, "killed by {signal}"),
        }
    }
}

/// What it is given.
#[derive(Debug)]
pub(crate) struct Passed {
    /// Held as long as it lives.
    pub(crate) lock: OwnedFd,
    /// Where it tells what it does.
    pub(crate) told: UnixStream,
}

/// The place of [`Passed::told`] among the descriptors.
const TOLD: usize = 1;

/// Whom this process, which is such a worker, tells what it does.
pub(crate) fn listener() -> io::Result<Option<BufWriter<UnixStream>>> {
    Ok(line()?.map(BufWriter::new))
}

/// The same, to be answered.
pub(crate) fn line() -> io::Result<Option<UnixStream>> {
    let (family, kind) = (AddressFamily::Unix as i32, SockType::Stream as i32);
    ListenFd::from_env().take_custom(TOLD, family, kind, "unix stream")
}

/// Why nothing is known of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the process that does the work could not be started")]
    Start(#[source] io::Error),
    #[error("the process that does the work could not be waited for")]
    Wait(#[source] io::Error),
}

/// Runs this program with the arguments until it ends; a signal to this process ends it first, and a second one at once.
pub(crate) fn work(
    signals: Signals,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    passed: Option<Passed>,
) -> Result<Ended, Error> {
    work_on(signals, arguments, environment, passed, None)
}

/// The same with something to read.
pub(crate) fn work_on(
    signals: Signals,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    passed: Option<Passed>,
    input: Option<String>,
) -> Result<Ended, Error> {
    let input = input.map(|text| {
        let (reader, mut writer) = io::pipe()?;
        // A process that ends before it has read everything says why.
        thread::spawn(move || drop(writer.write_all(text.as_bytes())));
        Ok(reader)
    });
    let child = Child {
        arguments,
        environment,
        input: input.transpose().map_err(Error::Start)?,
        output: Output::Inherited,
        descriptors: passed.map_or(Vec::new(), |passed| vec![passed.lock, passed.told.into()]),
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
                let end = interrupted.map_or(Signal::SIGTERM, |_| Signal::SIGKILL);
                interrupted = Some(signal);
                spawn::signal_group(worker, end);
                // One that somebody has stopped would not hear of it.
                spawn::signal_group(worker, Signal::SIGCONT);
            }
        }
    }
}
