//! The supervisor: one loop that hears of signals, of questions and of time, and tells the services.
//!
//! Everything that decides is in [`Machine`](super::machine::Machine). The loop owns all state, so that
//! nothing is locked; threads only wait for something and say that it happened.

use std::{
    io, process,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::{
    control::{self, Answer, Overview, Reply, Request},
    machine::Event,
    service::{Echo, Supervised},
};
use crate::{
    state::{Holds, Layout, Lock, ServiceName, Services, services},
    sys::{
        fs,
        lock::{FileLock, Unlocked},
        signals::Signals,
        socket, spawn,
    },
};

/// How long the loop sleeps when nothing is due.
const LONG: Duration = Duration::from_secs(3600);

/// How often it is looked whether the registry may be started that a command keeps stopped.
const LOOK: Duration = Duration::from_secs(1);

/// How long the processes of logs may take to write what is left.
const LOG_GRACE: Duration = Duration::from_secs(10);

/// What the loop hears of.
#[derive(Debug)]
pub(super) enum Happened {
    Signal(Signal),
    Asked(Request, Answer),
}

/// Why there is no supervisor.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(transparent)]
    Services(#[from] services::Error),
    #[error("another supervisor serves this instance{}", .0.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Running(Option<String>),
    #[error("failed to listen on the supervisor's socket")]
    Socket(#[source] io::Error),
    #[error("failed to prepare the process")]
    Process(#[source] io::Error),
}

/// The one process that keeps the services of an instance up.
#[derive(Debug)]
pub(crate) struct Supervisor {
    layout: Layout,
    services: Vec<Supervised>,
    happenings: Receiver<Happened>,
    /// Kept so that the loop never finds itself without anybody to listen to.
    _sender: Sender<Happened>,
    stopping: Option<Stopping>,
    /// Whether the registry is to be started when nobody keeps it stopped any more.
    is_start_due: bool,
    echo: Echo,
    _lock: FileLock,
}

/// The way to the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stopping {
    /// Services first.
    Services,
    /// Then the logs, at most until then.
    Logs(Instant),
}

impl Supervisor {
    /// Becomes the supervisor of an instance. Call it before there are threads.
    pub(crate) fn new(layout: &Layout, echo: Echo) -> Result<Self, Error> {
        spawn::remember_program().map_err(Error::Process)?;
        let lock = lock(layout)?;
        let signals = Signals::block().map_err(Error::Process)?;
        let (sender, happenings) = channel();
        hear(signals, sender.clone()).map_err(Error::Process)?;
        let listener = socket::listen(&layout.supervisor_socket()).map_err(Error::Socket)?;
        control::listen(listener, sender.clone()).map_err(Error::Socket)?;
        let wanted = Services::load(layout)?;
        let now = Instant::now();
        let supervised = |name| {
            Supervised::new(name, wanted.get(name).clone(), echo, now).map_err(Error::Process)
        };
        let services = ServiceName::ALL.into_iter().map(supervised).collect::<Result<_, _>>()?;
        let layout = layout.clone();
        Ok(Self {
            layout,
            services,
            happenings,
            _sender: sender,
            stopping: None,
            is_start_due: false,
            echo,
            _lock: lock,
        })
    }

    /// Keeps the services up until told to stop; returns when everything has ended.
    pub(crate) fn run(mut self) {
        let now = Instant::now();
        let held = self.is_held().is_err();
        let is_free = |name| name != ServiceName::Registry || !held;
        let enabled = self.services.iter_mut().filter(|service| service.service.enabled);
        for service in enabled {
            match is_free(service.name) {
                true => service.on(Event::Start, &self.layout, now),
                false => self.is_start_due = true,
            }
        }
        while !self.is_over() {
            match self.happenings.recv_timeout(self.pause()) {
                Ok(Happened::Signal(signal)) => self.hear(signal),
                Ok(Happened::Asked(request, answer)) => {
                    let reply = self.answer(request);
                    // Whoever asked may have gone away.
                    let _ = answer.try_send(reply);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            self.reap();
            self.start_what_is_due();
            let now = Instant::now();
            self.services.iter_mut().for_each(|service| service.tick(&self.layout, now));
        }
        // The socket of one who has gone would only puzzle the next one who asks.
        let _ = fs::remove(&self.layout.supervisor_socket());
        let _ = fs::remove(&self.layout.registry_socket());
    }

    /// Starts the registry if it was to be started while a command kept it stopped that has ended.
    fn start_what_is_due(&mut self) {
        if self.is_start_due && self.is_held().is_ok() {
            // What refuses it now has been said to whoever wanted that.
            let _ = self.tell(ServiceName::Registry, Event::Start);
        }
    }

    /// How long nothing is due.
    fn pause(&self) -> Duration {
        let logs = match self.stopping {
            Some(Stopping::Logs(until)) => Some(until),
            _ => None,
        };
        let due = self.services.iter().filter_map(Supervised::deadline).chain(logs).min();
        let pause = due.map_or(LONG, |due| due.saturating_duration_since(Instant::now()));
        if self.is_start_due { pause.min(LOOK) } else { pause }
    }

    /// Whether everything has ended; the end goes on from services to logs on the way.
    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        if self.stopping == Some(Stopping::Services)
            && self.services.iter().all(|service| service.machine.pid().is_none())
        {
            self.services.iter_mut().for_each(|service| service.close_log(&self.layout, now));
            self.stopping = Some(Stopping::Logs(now + LOG_GRACE));
        }
        match self.stopping {
            Some(Stopping::Logs(until)) => {
                until <= now || self.services.iter().all(Supervised::is_gone)
            }
            _ => false,
        }
    }

    fn hear(&mut self, signal: Signal) {
        match signal {
            // Children are reaped after whatever happens.
            Signal::SIGCHLD => {}
            // In the foreground it is the terminal that goes.
            Signal::SIGHUP if self.echo == Echo::No => {
                let _ = self.refresh();
            }
            _ if self.stopping.is_some() => self.services.iter_mut().for_each(Supervised::kill),
            _ => self.stop(),
        }
    }

    fn stop(&mut self) {
        self.stopping = Some(Stopping::Services);
        self.is_start_due = false;
        let now = Instant::now();
        // Who is in front goes first.
        for service in self.services.iter_mut().rev() {
            service.on(Event::Stop, &self.layout, now);
        }
    }

    fn reap(&mut self) {
        while let Some((pid, end)) = spawn::reap() {
            let now = Instant::now();
            for service in &mut self.services {
                service.reaped(pid, end, &self.layout, now);
            }
        }
    }

    fn answer(&mut self, request: Request) -> Reply {
        // An end that was not heard of yet must not be answered for.
        self.reap();
        let done = match request {
            Request::Status => Ok(()),
            Request::Start { service } => self.tell(service, Event::Start),
            Request::Once { service } => self.tell(service, Event::Once),
            Request::Stop { service } => self.tell(service, Event::Stop),
            Request::Restart { service } => self.tell(service, Event::Restart),
            Request::Signal { service, signal } => {
                let layout = self.layout.clone();
                self.service(service).send(signal, &layout, Instant::now());
                Ok(())
            }
            Request::Current { service } => {
                self.service(service).is_current();
                Ok(())
            }
            Request::Outdated { service } => {
                self.service(service).is_outdated();
                Ok(())
            }
            Request::Refresh => self.refresh(),
            Request::Shutdown => {
                self.stop();
                Ok(())
            }
        };
        match done {
            Ok(()) => Reply::Is(self.overview()),
            Err(reason) => Reply::Refused(reason),
        }
    }

    fn tell(&mut self, name: ServiceName, event: Event) -> Result<(), String> {
        if self.stopping.is_some() {
            return Err("the supervisor is stopping".to_owned());
        }
        if name == ServiceName::Registry && event != Event::Stop {
            self.is_held()?;
        }
        if name == ServiceName::Registry {
            self.is_start_due = false;
        }
        let layout = self.layout.clone();
        let service = self.service(name);
        if !service.service.enabled && event != Event::Stop {
            return Err(format!("{name} is disabled by its settings"));
        }
        service.on(event, &layout, Instant::now());
        Ok(())
    }

    /// Fails while a command keeps the registry stopped and works on its storage. Of one that has ended, nothing but its hold is left.
    fn is_held(&self) -> Result<(), String> {
        let holds = Holds::load(&self.layout).map_err(|error| error.to_string())?;
        let Some(hold) = holds.stopped().filter(|hold| !hold.is_over) else { return Ok(()) };
        match Lock::Storage.held_by(&self.layout) {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(format!("the registry is kept stopped by {hold}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn service(&mut self, name: ServiceName) -> &mut Supervised {
        let found = self.services.iter_mut().find(|service| service.name == name);
        found.expect("every service is in the list")
    }

    /// Takes in what `services.json` says now.
    fn refresh(&mut self) -> Result<(), String> {
        let wanted = Services::load(&self.layout).map_err(|error| error.to_string())?;
        let is_held = self.is_held().is_err();
        let now = Instant::now();
        for service in &mut self.services {
            let was_enabled = service.service.enabled;
            service.service = wanted.get(service.name).clone();
            service.machine.grace = service.service.grace();
            match (was_enabled, service.service.enabled) {
                (false, true) if self.stopping.is_some() => {}
                (false, true) if is_held && service.name == ServiceName::Registry => {
                    self.is_start_due = true;
                }
                (false, true) => service.on(Event::Start, &self.layout, now),
                (true, false) => service.on(Event::Stop, &self.layout, now),
                _ => {}
            }
        }
        Ok(())
    }

    fn overview(&self) -> Overview {
        let now = Instant::now();
        let services = self.services.iter().map(|service| service.status(now)).collect();
        Overview { pid: process::id(), services }
    }
}

/// Takes the place of the supervisor, which there is once.
fn lock(layout: &Layout) -> Result<FileLock, Error> {
    let path = layout.supervisor_lock();
    let Ok(mut lock) = Unlocked::open(&path)?.try_lock()? else {
        let holder = fs::read_to_string(&path)?.map(|pid| pid.trim().to_owned());
        return Err(Error::Running(holder.filter(|pid| !pid.is_empty())));
    };
    // On a full disk whoever comes second learns less.
    let _ = lock.record(&format!("{}\n", process::id()));
    Ok(lock)
}

/// Says of each signal that it came.
fn hear(signals: Signals, loop_: Sender<Happened>) -> io::Result<()> {
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while let Ok(signal) = signals.next() {
            if loop_.send(Happened::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
