//! A process that works on the storage: this program once more, waited for.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{LazyLock, Mutex, PoisonError},
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
    /// A connection to the registry that serves the storage: whoever does the work may not open one.
    pub(crate) registry: Option<UnixStream>,
}

/// The place of [`Passed::told`] among the descriptors.
const TOLD: usize = 1;

/// The place of [`Passed::registry`].
const REGISTRY: usize = 2;

/// Whom this process, which is such a worker, tells what it does.
pub(crate) fn listener() -> io::Result<BufWriter<UnixStream>> {
    let missing = || io::Error::other("no connection to who has started this was passed on");
    line()?.map(BufWriter::new).ok_or_else(missing)
}

/// The same, to be answered.
pub(crate) fn line() -> io::Result<Option<UnixStream>> {
    connection(TOLD)
}

/// The registry that this process, which is such a worker, is to ask.
pub(crate) fn registry() -> io::Result<UnixStream> {
    let missing = || io::Error::other("no connection to the running registry was passed on");
    connection(REGISTRY)?.ok_or_else(missing)
}

fn connection(place: usize) -> io::Result<Option<UnixStream>> {
    let (family, kind) = (AddressFamily::Unix as i32, SockType::Stream as i32);
    // The first who reads the environment of it takes all.
    static PASSED: LazyLock<Mutex<ListenFd>> = LazyLock::new(|| Mutex::new(ListenFd::from_env()));
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    passed.take_custom(place, family, kind, "unix stream")
}

/// Why nothing is known of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the process that does the work could not be started")]
    Start(#[source] io::Error),
    #[error("the running registry cannot be asked")]
    Registry(#[source] io::Error),
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

/// The same, and what it has written to stdout.
pub(crate) fn work_heard(
    signals: Signals,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    passed: Option<Passed>,
    input: Option<String>,
) -> Result<(Ended, String), Error> {
    let (mut reader, writer) = io::pipe().map_err(Error::Start)?;
    let listening = thread::spawn(move || io::read_to_string(&mut reader));
    let output = Output::Answer(writer);
    let worker = Worker::saying(signals, (arguments, environment), passed, input, output)?;
    let ended = worker.wait()?;
    let gone = |_| io::Error::other("who listens to it has ended");
    let heard = listening.join().map_err(gone).and_then(|heard| heard).map_err(Error::Wait)?;
    Ok((ended, heard))
}

/// The same as `work` with something to read.
pub(crate) fn work_on(
    signals: Signals,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    passed: Option<Passed>,
    input: Option<String>,
) -> Result<Ended, Error> {
    Worker::start(signals, arguments, environment, passed, input)?.wait()
}

/// A process that works, and that this one waits for.
#[derive(Debug)]
pub(crate) struct Worker {
    pid: u32,
    signals: Signals,
    /// What this process was told, and has passed on.
    interrupted: Option<Signal>,
    ended: Option<Ended>,
}

impl Worker {
    /// Runs this program with the arguments.
    pub(crate) fn start(
        signals: Signals,
        arguments: Vec<OsString>,
        environment: BTreeMap<String, String>,
        passed: Option<Passed>,
        input: Option<String>,
    ) -> Result<Self, Error> {
        Self::saying(signals, (arguments, environment), passed, input, Output::Inherited)
    }

    /// The same, with what it says going somewhere.
    fn saying(
        signals: Signals,
        (arguments, environment): (Vec<OsString>, BTreeMap<String, String>),
        passed: Option<Passed>,
        input: Option<String>,
        output: Output,
    ) -> Result<Self, Error> {
        let input = input.map(|text| {
            let (reader, mut writer) = io::pipe()?;
            // A process that ends before it has read everything says why.
            thread::spawn(move || drop(writer.write_all(text.as_bytes())));
            Ok(reader)
        });
        let descriptors = passed.map_or(Vec::new(), |Passed { lock, told, registry }| {
            let all = [Some(lock), Some(told.into()), registry.map(OwnedFd::from)];
            all.into_iter().flatten().collect()
        });
        let child = Child {
            arguments,
            environment,
            input: input.transpose().map_err(Error::Start)?,
            output,
            descriptors,
        };
        let pid = spawn::spawn(child).map_err(Error::Start)?;
        Ok(Self { pid, signals, interrupted: None, ended: None })
    }

    /// Waits until it ends; a signal to this process ends it first, and a second one at once.
    pub(crate) fn wait(mut self) -> Result<Ended, Error> {
        self.wait_for()
    }

    /// The same for whoever cannot let go of it.
    pub(crate) fn wait_for(&mut self) -> Result<Ended, Error> {
        loop {
            self.reap();
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            let signal = self.signals.next().map_err(Error::Wait)?;
            self.pass_on(signal);
        }
    }

    /// Waits for the next line that it says; none when it has said all.
    pub(crate) fn line(
        &mut self,
        said: &mut BufReader<UnixStream>,
    ) -> Result<Option<String>, Error> {
        while !said.buffer().contains(&b'\n') {
            match self.signals.next_or_line(said.get_ref().as_fd()).map_err(Error::Wait)? {
                Some(signal) => {
                    self.pass_on(signal);
                    self.reap();
                }
                None => break,
            }
        }
        let mut line = String::new();
        let read = said.read_line(&mut line).map_err(Error::Wait)?;
        Ok((read > 0).then_some(line))
    }

    /// Looks whether it has ended.
    fn reap(&mut self) {
        while let Some((pid, end)) = spawn::reap() {
            if pid == self.pid {
                self.ended = Some(match (self.interrupted, end) {
                    (_, End::Exit(code @ (0 | 5))) => Ended::Code(code),
                    (Some(signal), _) => Ended::Interrupted(signal),
                    (None, End::Exit(code)) => Ended::Code(code),
                    (None, End::Signal(signal)) => Ended::Killed(signal),
                });
            }
        }
    }

    fn pass_on(&mut self, signal: Signal) {
        if signal == Signal::SIGCHLD || self.ended.is_some() {
            return;
        }
        let end = self.interrupted.map_or(Signal::SIGTERM, |_| Signal::SIGKILL);
        self.interrupted = Some(signal);
        spawn::signal_group(self.pid, end);
        // One that somebody has stopped would not hear of it.
        spawn::signal_group(self.pid, Signal::SIGCONT);
    }
}
