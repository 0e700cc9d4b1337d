//! The supervisor's socket: one line of JSON asked, one line answered, and the connection ends.
//!
//! It is how every command reaches the services. Only this user and root may ask. The supervisor answers at
//! once from what it knows; whoever wants to wait asks again.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::supervisor::Happened;
use crate::{state::ServiceName, sys::socket};

/// The longest question or answer, in bytes.
pub(super) const LINE_BYTES_MAX: u64 = 64 << 10;

/// Who says nothing for so long is not asking.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Questions at once; the next one is turned away.
const CONNECTIONS: usize = 64;

/// What can be asked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// How everything is.
    Status,
    Start {
        service: ServiceName,
    },
    /// Start, and leave it down when it ends.
    Once {
        service: ServiceName,
    },
    Stop {
        service: ServiceName,
    },
    Restart {
        service: ServiceName,
    },
    Signal {
        service: ServiceName,
        signal: Sent,
    },
    /// The service has taken its files as they are now, without a restart.
    Current {
        service: ServiceName,
    },
    /// The service has not taken its files, though it was told to.
    Outdated {
        service: ServiceName,
    },
    /// Read `services.json` again: start what is new, stop what is no longer wanted.
    Refresh,
    /// Stop every service, then end.
    Shutdown,
}

/// A signal that an administrator sends to a service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sent {
    Hup,
    Term,
    Int,
    /// To the whole process group.
    Kill,
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    Is(Overview),
    Refused(String),
}

/// How everything is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Overview {
    /// The supervisor's own.
    pub(crate) pid: u32,
    pub(crate) services: Vec<ServiceStatus>,
}

/// How one service is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ServiceStatus {
    pub(crate) name: ServiceName,
    /// Whether it is run at all, by its settings.
    pub(crate) enabled: bool,
    /// Whether it should run now.
    pub(crate) wanted: Wanted,
    pub(crate) state: Condition,
    /// Since when, in seconds.
    pub(crate) seconds: u64,
    pub(crate) pid: Option<u32>,
    /// The signal that was last sent to end the process: `TERM`.
    pub(crate) got: Option<String>,
    /// Processes made so far: it differs when there was a restart in between.
    pub(crate) starts: u32,
    /// Starts that nobody asked for.
    pub(crate) restarts: u32,
    /// Starts in a row that went wrong.
    pub(crate) failures: u32,
    /// How long until the next start is tried, in seconds.
    pub(crate) next_start: Option<u64>,
    pub(crate) last_end: Option<LastEnd>,
    /// Why it could not be started at all.
    pub(crate) problem: Option<String>,
    /// Whether it runs on other settings than those on disk.
    pub(crate) outdated: Outdated,
    pub(crate) log: LogStatus,
}

/// What should be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wanted {
    Up,
    Once,
    Down,
}

/// What is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    Down,
    Run,
    /// It was asked to end and has not yet.
    Stopping,
    /// It ended too early, and starts again soon.
    Crashed,
}

/// In what a running service differs from what is on disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outdated {
    No,
    /// Its files have changed.
    Files,
    /// Its environment or its account have: only a new process can have others.
    Process,
}

/// How a process ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct LastEnd {
    /// `exit 1`, `signal KILL`.
    pub(crate) how: String,
    /// How long ago, in seconds.
    pub(crate) ago: u64,
    /// How long it had run, in seconds.
    pub(crate) after: u64,
}

/// How the process that writes a service's log is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct LogStatus {
    pub(crate) pid: Option<u32>,
    pub(crate) seconds: u64,
}

/// Answers on a socket, each connection in a thread of its own, by passing questions to the loop.
pub(super) fn listen(listener: UnixListener, loop_: Sender<Happened>) -> io::Result<()> {
    let asking = Arc::new(AtomicUsize::new(0));
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Out of descriptors or memory: others need a moment to give some back.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            if asking.load(Ordering::Relaxed) >= CONNECTIONS || !socket::is_permitted(&stream) {
                continue;
            }
            let place = Place::take(&asking);
            let loop_ = loop_.clone();
            // Without a thread the connection is closed, which is an answer too.
            let _ = thread::Builder::new().name("asked".to_owned()).spawn(move || {
                // Whoever asked has gone away, or sees the connection end.
                let _ = answer(&stream, &loop_);
                drop(place);
            });
        }
    })?;
    Ok(())
}

/// A place among the connections at once.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(asking: &Arc<AtomicUsize>) -> Self {
        asking.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(asking))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(stream: &UnixStream, loop_: &Sender<Happened>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line)?;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => asked(request, loop_)?,
        Err(error) => Reply::Refused(format!("this supervisor does not know that: {error}")),
    };
    send(stream, &reply)
}

fn asked(request: Request, loop_: &Sender<Happened>) -> io::Result<Reply> {
    let (sender, receiver) = sync_channel(1);
    loop_.send(Happened::Asked(request, sender)).map_err(io::Error::other)?;
    receiver.recv().map_err(io::Error::other)
}

/// Writes a value as one line.
pub(super) fn send(mut stream: &UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// How a question is answered.
pub(super) type Answer = SyncSender<Reply>;
