//! The process that writes a service's log: lines in, files of bounded size out, as svlogd does it.
//!
//! It ends when nobody can write to it any more, and at nothing else, so that a service's last words are
//! kept whatever happens to the supervisor. It reads on when it cannot write: a service that waits for its log
//! answers nobody.

mod echo;
mod files;
mod lines;

use std::{
    error::Error as _,
    io::{self, ErrorKind, Read, Write as _},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use super::service::Echo;
use crate::{
    state::{Layout, LogPolicy, ServiceName, Services},
    sys::{fs::Error as FileError, signals},
};
use echo::Echoing;
use files::Files;
use lines::Lines;

/// What is read at once, in bytes.
const READ_BYTES: usize = 64 << 10;

/// How often it is looked whether the policy has changed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to prepare the process")]
    Process(#[source] io::Error),
    #[error("failed to read what the service says")]
    Read(#[source] io::Error),
}

/// Writes what comes in on standard input to the log of a service, to its end.
pub(crate) fn run(layout: &Layout, name: ServiceName, echo: Echo) -> Result<(), Error> {
    signals::ignore_stops().map_err(Error::Process)?;
    let files = Files::new(&layout.log(name.as_str()));
    let mut log = Log { policy: Policy::new(layout, name), lines: Lines::default(), files };
    let mut buffer = vec![0; READ_BYTES];
    let echoing = match echo {
        Echo::Stdout => Some(Echoing::start().map_err(Error::Process)?),
        Echo::No => None,
    };
    loop {
        let read = match io::stdin().lock().read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Read(error)),
        };
        if read == 0 {
            log.finish();
            if let Some(echoing) = echoing {
                echoing.finish();
            }
            return Ok(());
        }
        log.take(&buffer[..read]);
        if let Some(echoing) = &echoing {
            echoing.show(&buffer[..read]);
        }
    }
}

/// Writes what comes to the log in a folder, to its end; returns why lines are lost, if any are.
pub(crate) fn keep(folder: &Path, policy: LogPolicy, mut from: impl Read) -> Option<FileError> {
    let (mut lines, mut files) = (Lines::default(), Files::new(folder));
    let (mut buffer, mut problem) = (vec![0; READ_BYTES], None);
    loop {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.unwrap_or(0),
        };
        match read {
            0 => lines.finish(),
            read => lines.take(&buffer[..read], policy.timestamps.then(SystemTime::now)),
        }
        problem = problem.or(files.write(lines.complete(), policy));
        lines.clear();
        if read == 0 {
            return problem;
        }
    }
}

/// Where lines become files.
#[derive(Debug)]
struct Log<'a> {
    policy: Policy<'a>,
    lines: Lines,
    files: Files,
}

impl Log<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let policy = self.policy.now();
        let stamp = policy.timestamps.then(SystemTime::now);
        self.lines.take(bytes, stamp);
        self.write(policy);
    }

    /// Writes the last line, whether or not it has an end.
    fn finish(&mut self) {
        let policy = self.policy.now();
        self.lines.finish();
        self.write(policy);
    }

    fn write(&mut self, policy: LogPolicy) {
        if let Some(error) = self.files.write(self.lines.complete(), policy) {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            // Where the supervisor speaks; whether somebody listens there makes no difference.
            let _ = writeln!(io::stderr(), "regctl: lines of a log are lost: {error}{source}");
        }
        self.lines.clear();
    }
}

/// How the log is kept, read again when it has changed.
#[derive(Debug)]
struct Policy<'a> {
    layout: &'a Layout,
    name: ServiceName,
    policy: LogPolicy,
    modified: Option<SystemTime>,
    looked: Instant,
}

impl<'a> Policy<'a> {
    fn new(layout: &'a Layout, name: ServiceName) -> Self {
        let policy = LogPolicy { size: 200 << 20, number: 30, timestamps: true };
        let mut policy = Self { layout, name, policy, modified: None, looked: Instant::now() };
        policy.look();
        policy
    }

    fn now(&mut self) -> LogPolicy {
        if self.looked.elapsed() >= LOOK_AGAIN {
            self.look();
        }
        self.policy
    }

    fn look(&mut self) {
        self.looked = Instant::now();
        let found = self.layout.services_json().metadata().and_then(|found| found.modified()).ok();
        if found != self.modified {
            self.modified = found;
            // One that cannot be read leaves things as they were.
            if let Ok(services) = Services::load(self.layout) {
                self.policy = services.get(self.name).log;
            }
        }
    }
}
