//! One supervised service: its machine, its process, and the process that writes its log.

use std::{
    collections::hash_map::DefaultHasher,
    ffi::OsString,
    fs,
    hash::{Hash, Hasher as _},
    io::{self, PipeReader, PipeWriter},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixListener,
    },
    path::Path,
    process,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use registry::{Config, Listener, config::Address};

use super::{
    control::{Condition, LastEnd, LogStatus, Outdated, Sent, ServiceStatus, Wanted},
    foreground::shown,
    machine::{Action, Event, Machine, State, Want},
};
use crate::{
    state::{Layout, Service, ServiceName},
    sys::{
        socket,
        spawn::{self, Child, End, Output},
    },
};

/// What a process of a service is told to be; only this program reads it.
pub(crate) const SERVICE_COMMAND: &str = "__service";

/// What the process of a log is told to be.
pub(crate) const LOG_COMMAND: &str = "__log";

/// A process of a log that ends within this time is made again after a pause.
const LOG_HAS_RUN: Duration = Duration::from_secs(1);

/// Where the lines of a service go besides its log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Echo {
    No,
    /// To standard output, as containers and terminals expect.
    Stdout,
}

/// A service and its log.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) name: ServiceName,
    pub(super) service: Service,
    pub(super) machine: Machine,
    log: LogProcess,
    sockets: Option<Sockets>,
    /// Where the next process listens, if elsewhere: connections wait there until the former one has ended.
    ahead: Option<(Address, Listener)>,
    ended: Option<Ended>,
    /// The signal that was last sent to end the process.
    got: Option<Signal>,
    pub(super) problem: Option<String>,
    /// What the running process was started with.
    started_with: Fingerprint,
}

/// Digests of what a process reads when it starts. They are compared within this process only.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Fingerprint {
    process: u64,
    files: u64,
}

/// The process that writes a service's log, and the pipe to it. Both ends stay open here, so that neither
/// process notices when the other one is replaced.
#[derive(Debug)]
struct LogProcess {
    machine: Machine,
    reader: PipeReader,
    /// None: everything has been said.
    writer: Option<PipeWriter>,
    echo: Echo,
}

/// The sockets of the registry. They stay open over its restarts: connections wait instead of failing.
#[derive(Debug)]
struct Sockets {
    address: Address,
    listener: Listener,
    admin: UnixListener,
}

/// The last end of a process.
#[derive(Debug)]
struct Ended {
    end: End,
    at: Instant,
    after: Duration,
}

impl Supervised {
    pub(super) fn new(
        name: ServiceName,
        service: Service,
        echo: Echo,
        now: Instant,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let machine = Machine::new(service.grace(), now);
        let log = Machine::new(Duration::ZERO, now);
        Ok(Self {
            name,
            service,
            machine,
            log: LogProcess { machine: log, reader, writer: Some(writer), echo },
            sockets: None,
            ahead: None,
            ended: None,
            got: None,
            problem: None,
            started_with: Fingerprint::default(),
        })
    }

    /// Tells the machine what happened, and does what it says.
    pub(super) fn on(&mut self, event: Event, layout: &Layout, now: Instant) {
        if matches!(event, Event::Start | Event::Once | Event::Restart)
            && self.log.machine.want == Want::Down
        {
            self.on_log(Event::Start, layout, now);
        }
        if event == Event::Restart && self.name == ServiceName::Registry {
            self.listen_ahead(layout);
        }
        let mut next = self.machine.on(event, now);
        while let Some(action) = next {
            next = self.perform(action, layout, now);
        }
        if self.machine.want == Want::Down {
            // Nobody is to wait for an answer that does not come; a process that drains has its own share.
            self.sockets = None;
            self.ahead = None;
        }
    }

    fn perform(&mut self, action: Action, layout: &Layout, now: Instant) -> Option<Action> {
        match action {
            Action::Spawn => {
                let event = match self.spawn(layout) {
                    Ok(pid) => {
                        self.problem = None;
                        self.got = None;
                        Event::Spawned(pid)
                    }
                    Err(problem) => {
                        self.problem = Some(problem);
                        Event::SpawnFailed
                    }
                };
                self.machine.on(event, now)
            }
            Action::Ask(pid) => {
                spawn::signal(pid, self.polite());
                self.got = Some(self.polite());
                None
            }
            Action::Kill(pid) => {
                spawn::signal_group(pid, Signal::SIGKILL);
                self.got = Some(Signal::SIGKILL);
                None
            }
        }
    }

    /// The signal after which the service finishes what it has begun.
    fn polite(&self) -> Signal {
        match self.name {
            ServiceName::Registry => Signal::SIGTERM,
            ServiceName::Nginx => Signal::SIGQUIT,
        }
    }

    fn spawn(&mut self, layout: &Layout) -> Result<u32, String> {
        self.started_with = self.fingerprint();
        let descriptors = match self.name {
            ServiceName::Registry => self.sockets(layout)?,
            ServiceName::Nginx => Vec::new(),
        };
        let writer = self.log.writer.as_ref().ok_or("its log is closed")?;
        let output = writer.try_clone().map_err(|error| error.to_string())?;
        let child = Child {
            arguments: arguments(layout, SERVICE_COMMAND, self.name),
            environment: self.service.environment.clone(),
            input: None,
            output: Output::Pipe(output),
            descriptors,
        };
        spawn::spawn(child).map_err(|error| format!("failed to start a process: {error}"))
    }

    /// Opens the address of the next process, where it is another one.
    fn listen_ahead(&mut self, layout: &Layout) {
        // What is wrong with it is said when the process is made.
        let Ok(address) = self.address(layout) else { return };
        if self.sockets.as_ref().is_some_and(|sockets| sockets.address != address) {
            self.ahead = Listener::bind(&address).ok().map(|listener| (address, listener));
        }
    }

    /// Returns where the registry is to listen.
    fn address(&self, layout: &Layout) -> Result<Address, String> {
        let environment: Vec<_> = self.service.environment.clone().into_iter().collect();
        let parsed = Config::load(&layout.config_yml(), &environment);
        parsed.map(|parsed| parsed.config.http.address).map_err(|error| error.to_string())
    }

    /// Returns the registry's sockets, opened when its address is not yet listened on.
    fn sockets(&mut self, layout: &Layout) -> Result<Vec<OwnedFd>, String> {
        let address = self.address(layout)?;
        let ahead = self.ahead.take().filter(|(opened, _)| *opened == address);
        if self.sockets.as_ref().is_none_or(|sockets| sockets.address != address) {
            // The old one goes first: both may be on one port.
            self.sockets = None;
            let listener = match ahead {
                Some((_, listener)) => listener,
                None => Listener::bind(&address).map_err(|error| {
                    format!("failed to listen on `{}`: {error}", shown(&address))
                })?,
            };
            let admin = socket::listen(&layout.registry_socket())
                .map_err(|error| format!("failed to listen on the admin socket: {error}"))?;
            self.sockets = Some(Sockets { address, listener, admin });
        }
        let sockets = self.sockets.as_ref().expect("it was set above");
        sockets.share().map_err(|error| format!("failed to pass its sockets on: {error}"))
    }

    /// Tells the machine of the log process what happened.
    fn on_log(&mut self, event: Event, layout: &Layout, now: Instant) {
        // Its service may be waiting for it: pauses do not grow.
        self.log.machine.failures = 0;
        let mut next = self.log.machine.on(event, now);
        while let Some(action) = next {
            next = match action {
                Action::Spawn => {
                    let spawned = self.log.spawn(layout, self.name);
                    let event = spawned.map_or(Event::SpawnFailed, Event::Spawned);
                    self.log.machine.on(event, now)
                }
                // It ends when everything has been said.
                Action::Ask(_) | Action::Kill(_) => None,
            };
        }
    }

    /// Takes in that a child has ended, if it is one of this service.
    pub(super) fn reaped(&mut self, pid: u32, end: End, layout: &Layout, now: Instant) {
        if self.log.machine.pid() == Some(pid) {
            if self.log.has_run(now) {
                // Its service waits as soon as the pipe is full.
                self.on_log(Event::Signalled, layout, now);
            }
            self.on_log(Event::Ended, layout, now);
        }
        if self.machine.pid() == Some(pid) {
            // What it has started ends with it.
            spawn::signal_group(pid, Signal::SIGKILL);
            let (State::Up { since, .. } | State::Stopping { since, .. }) = self.machine.state
            else {
                return;
            };
            let after = now.duration_since(since);
            self.ended = Some(Ended { end, at: now, after });
            self.on(Event::Ended, layout, now);
        }
    }

    pub(super) fn tick(&mut self, layout: &Layout, now: Instant) {
        self.on(Event::Tick, layout, now);
        self.on_log(Event::Tick, layout, now);
    }

    /// When something is to be done without being asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.machine.deadline().into_iter().chain(self.log.machine.deadline()).min()
    }

    /// Sends a signal of an administrator.
    pub(super) fn send(&mut self, signal: Sent, layout: &Layout, now: Instant) {
        let Some(pid) = self.machine.pid() else { return };
        let (sent, ends) = match signal {
            Sent::Hup => (Signal::SIGHUP, false),
            Sent::Term => (Signal::SIGTERM, true),
            Sent::Int => (Signal::SIGINT, true),
            Sent::Kill => (Signal::SIGKILL, true),
        };
        match signal {
            Sent::Kill => spawn::signal_group(pid, sent),
            Sent::Hup | Sent::Term | Sent::Int => spawn::signal(pid, sent),
        }
        if ends {
            self.got = Some(sent);
        }
        match signal {
            // It has its files checked, and takes them.
            Sent::Hup if self.name == ServiceName::Nginx => self.is_current(),
            Sent::Hup => {}
            Sent::Term | Sent::Int | Sent::Kill => self.on(Event::Signalled, layout, now),
        }
    }

    /// Notes that the process has taken its files as they are now.
    pub(super) fn is_current(&mut self) {
        self.started_with = self.fingerprint();
    }

    /// Notes that the process runs on other files than those that are there.
    pub(super) fn is_outdated(&mut self) {
        self.started_with.files = !self.fingerprint().files;
    }

    /// Lets the log process end once everything written so far is in the log.
    pub(super) fn close_log(&mut self, layout: &Layout, now: Instant) {
        self.log.writer = None;
        self.on_log(Event::Stop, layout, now);
    }

    /// Whether neither the service nor its log has a process.
    pub(super) fn is_gone(&self) -> bool {
        self.machine.pid().is_none() && self.log.machine.pid().is_none()
    }

    /// Ends everything at once.
    pub(super) fn kill(&mut self) {
        if let Some(pid) = self.machine.pid() {
            spawn::signal_group(pid, Signal::SIGKILL);
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        let account = self.service.account.as_ref().map(|account| (&account.user, &account.group));
        let mut files = DefaultHasher::new();
        for path in &self.service.follows {
            content(path).hash(&mut files);
        }
        Fingerprint {
            process: digest(&(&self.service.environment, account)),
            files: files.finish(),
        }
    }

    fn outdated(&self) -> Outdated {
        let now = self.fingerprint();
        match self.machine.pid() {
            None => Outdated::No,
            Some(_) if now.process != self.started_with.process => Outdated::Process,
            Some(_) if now.files != self.started_with.files => Outdated::Files,
            Some(_) => Outdated::No,
        }
    }

    pub(super) fn status(&self, now: Instant) -> ServiceStatus {
        let since = |instant: Instant| now.saturating_duration_since(instant).as_secs();
        let (state, seconds, next_start) = match self.machine.state {
            State::Down { since: at } => (Condition::Down, since(at), None),
            State::Up { since: at, .. } => (Condition::Run, since(at), None),
            State::Stopping { since: at, .. } => (Condition::Stopping, since(at), None),
            State::Pausing { since: at, until } => {
                let left = until.saturating_duration_since(now).as_secs_f64().ceil();
                (Condition::Crashed, since(at), Some(Duration::from_secs_f64(left).as_secs()))
            }
        };
        let log = self.log.machine.state;
        let (State::Down { since: log }
        | State::Up { since: log, .. }
        | State::Stopping { since: log, .. }
        | State::Pausing { since: log, .. }) = log;
        ServiceStatus {
            name: self.name,
            enabled: self.service.enabled,
            wanted: match self.machine.want {
                Want::Up => Wanted::Up,
                Want::Once => Wanted::Once,
                Want::Down => Wanted::Down,
            },
            state,
            seconds,
            pid: self.machine.pid(),
            got: self.got.filter(|_| self.machine.pid().is_some()).map(word),
            starts: self.machine.starts,
            restarts: self.machine.restarts,
            failures: self.machine.failures,
            next_start,
            last_end: self.ended.as_ref().map(|ended| ended.shown(now)),
            problem: self.problem.clone(),
            outdated: self.outdated(),
            log: LogStatus { pid: self.log.machine.pid(), seconds: since(log) },
        }
    }
}

impl Sockets {
    /// Returns them once more, to be given away: requests first.
    fn share(&self) -> io::Result<Vec<OwnedFd>> {
        let listener = self.listener.as_fd().try_clone_to_owned()?;
        Ok(vec![listener, self.admin.try_clone()?.into()])
    }
}

impl LogProcess {
    /// Whether the process got beyond its start: the next one is then made at once.
    fn has_run(&self, now: Instant) -> bool {
        match self.machine.state {
            State::Up { since, .. } => now.duration_since(since) >= LOG_HAS_RUN,
            _ => false,
        }
    }

    fn spawn(&self, layout: &Layout, name: ServiceName) -> io::Result<u32> {
        let mut arguments = arguments(layout, LOG_COMMAND, name);
        if self.echo == Echo::Stdout {
            arguments.push("--echo".into());
        }
        spawn::spawn(Child {
            arguments,
            environment: [].into(),
            input: Some(self.reader.try_clone()?),
            output: Output::Inherited,
            descriptors: Vec::new(),
        })
    }
}

impl Ended {
    fn shown(&self, now: Instant) -> LastEnd {
        let how = match self.end {
            End::Exit(code) => format!("exit {code}"),
            End::Signal(signal) => {
                format!("signal {}", word(signal))
            }
        };
        let ago = now.saturating_duration_since(self.at).as_secs();
        LastEnd { how, ago, after: self.after.as_secs() }
    }
}

/// A signal's name without the prefix, as runit writes it.
fn word(signal: Signal) -> String {
    signal.as_str().trim_start_matches("SIG").to_owned()
}

fn arguments(layout: &Layout, command: &str, name: ServiceName) -> Vec<OsString> {
    let mut arguments = [command, name.as_str(), "--root"].map(OsString::from).to_vec();
    arguments.push(layout.root().into());
    arguments.push("--parent".into());
    arguments.push(process::id().to_string().into());
    arguments
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What a file holds; one that cannot be read holds nothing.
fn content(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}
