//! Who tells one endpoint: takes the events out of its queue, one after the other, until each is delivered or given up.
//!
//! A worker waits for nobody but its own endpoint. Whatever touches files is done on a blocking thread.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    pin,
    sync::{mpsc, oneshot},
    task,
    time::{sleep, timeout},
};

use super::{
    endpoint::{Endpoint, Settings},
    post::{self, Client},
    queue::{Line, Outlet},
    retry,
};

/// How often is looked whether another process has stopped delivering.
const TURN: Duration = Duration::from_millis(250);

/// How often is looked for what other processes have left.
const ROUND: Duration = Duration::from_secs(30);

/// How long files that cannot be read are left alone.
const BROKEN: Duration = Duration::from_secs(10);

/// How long what was appended may wait for the disk, so that many events share one sync.
const SYNCED: Duration = Duration::from_millis(100);

/// What an administrator wants of a queue.
#[derive(Debug)]
pub(crate) struct Command {
    pub(super) what: Wish,
    pub(super) answer: oneshot::Sender<Result<u64, CommandError>>,
}

/// What is to become of events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// Those that were given up go to the end of the queue.
    Replay,
    /// Those that were given up are forgotten.
    ForgetDead,
    /// Those that wait are forgotten.
    ForgetPending,
}

/// Why nothing became of it.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no endpoint of that name.
    #[error("there is no endpoint `{name}`; there {}", listed(known))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Another process delivers, which ends soon.
    #[error(
        "the registry's former process still delivers the events of `{0}`; try again when it has ended"
    )]
    Elsewhere(String),
    /// Its files do not answer.
    #[error(
        "the queue of `{0}` does nothing: its disk may be slow; look at `regctl events` before it is tried again"
    )]
    Busy(String),
    /// The registry is stopping, or the endpoint has just been removed.
    #[error("nobody delivers the events of `{0}` any more")]
    Ended(String),
    /// Its files cannot be used.
    #[error("failed to use the queue of `{name}`")]
    Files {
        /// The endpoint.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

fn listed(known: &[String]) -> String {
    match known {
        [] => "is none".to_owned(),
        names => format!("are: {}", names.join(", ")),
    }
}

/// Has the disk take what was appended, again and again; ends with its task.
pub(super) async fn sync(endpoint: Arc<Endpoint>) {
    let mut is_broken = false;
    loop {
        endpoint.appended.notified().await;
        sleep(SYNCED).await;
        let shared = Arc::clone(&endpoint);
        let synced = task::spawn_blocking(move || shared.queue.sync()).await;
        let failed = synced.map_err(io::Error::other).and_then(|synced| synced).err();
        if let Some(error) = failed.as_ref().filter(|_| !is_broken) {
            tracing::error!(endpoint = endpoint.name(), %error, "events are not safe on disk");
        }
        is_broken = failed.is_some();
    }
}

/// Delivers; ends with its task.
pub(super) async fn deliver(endpoint: Arc<Endpoint>, commands: mpsc::Receiver<Command>) {
    let mut waiting = Waiting { endpoint, commands };
    let outlet = waiting.outlet().await;
    let Waiting { endpoint, commands } = waiting;
    endpoint.numbers.is_delivering.store(true, Ordering::Relaxed);
    let settings = endpoint.settings();
    let client = Arc::new(Client::new(&settings));
    let outlet = Some(outlet);
    Worker { endpoint, commands, outlet, settings, client, failures: 0, is_cleared: false }
        .run()
        .await;
}

/// Another process may still deliver.
struct Waiting {
    endpoint: Arc<Endpoint>,
    commands: mpsc::Receiver<Command>,
}

impl Waiting {
    async fn outlet(&mut self) -> Outlet {
        let mut is_said = false;
        loop {
            let endpoint = Arc::clone(&self.endpoint);
            let taken = task::spawn_blocking(move || endpoint.queue.outlet()).await;
            let pause = match taken.map_err(io::Error::other).and_then(|taken| taken) {
                Ok(Some(outlet)) => return outlet,
                Ok(None) => TURN,
                Err(error) => {
                    if !is_said {
                        let endpoint = self.endpoint.name();
                        tracing::error!(endpoint, %error, "events cannot be delivered: their files are not usable");
                    }
                    is_said = true;
                    BROKEN
                }
            };
            if let Ok(Some(Command { answer, .. })) = timeout(pause, self.commands.recv()).await {
                // Whoever asked may have gone.
                let _ = answer.send(Err(CommandError::Elsewhere(self.endpoint.name())));
            }
        }
    }
}

struct Worker {
    endpoint: Arc<Endpoint>,
    commands: mpsc::Receiver<Command>,
    /// None only while a blocking thread has it.
    outlet: Option<Outlet>,
    settings: Arc<Settings>,
    client: Arc<Client>,
    /// In a row.
    failures: u32,
    /// Whether the events of the batch are no longer wanted.
    is_cleared: bool,
}

impl Worker {
    async fn run(mut self) {
        loop {
            match self.with_files(|endpoint, outlet| endpoint.queue.batch(outlet)).await {
                Ok(lines) if lines.is_empty() => self.idle().await,
                Ok(lines) => self.deliver(lines).await,
                Err(error) => {
                    let endpoint = self.endpoint.name();
                    tracing::error!(endpoint, %error, "events cannot be read");
                    self.pause(BROKEN).await;
                }
            }
        }
    }

    /// Waits for something to do.
    async fn idle(&mut self) {
        tokio::select! {
            () = self.endpoint.woken.notified() => {}
            () = sleep(ROUND) => self.adopt().await,
            Some(command) = self.commands.recv() => self.obey(command).await,
        }
    }

    async fn adopt(&mut self) {
        let adopted = self.with_files(|endpoint, outlet| endpoint.queue.adopt(outlet));
        if let Err(error) = adopted.await {
            let endpoint = self.endpoint.name();
            tracing::warn!(endpoint, %error, "events of former processes cannot be looked for");
        }
    }

    async fn deliver(&mut self, lines: Vec<Line>) {
        self.is_cleared = false;
        for line in lines {
            if !self.deliver_one(&line).await {
                return;
            }
            let done = match &mut self.outlet {
                Some(outlet) => self.endpoint.queue.done(outlet, &line),
                None => Ok(()),
            };
            if let Err(error) = done {
                let endpoint = self.endpoint.name();
                tracing::error!(endpoint, %error, "it cannot be noted that an event is delivered: it is delivered again after a restart");
            }
        }
    }

    /// Tries until the event is delivered or given up. False: it is no longer wanted.
    async fn deliver_one(&mut self, line: &Line) -> bool {
        let mut attempts = 0;
        loop {
            self.renew();
            attempts += 1;
            let Some(posted) = self.post(line).await else { return false };
            let trouble = match posted {
                Ok(status) => {
                    self.endpoint.numbers.answered(status);
                    self.delivered();
                    return true;
                }
                Err(trouble) => trouble,
            };
            self.failed(&trouble);
            let tried = (attempts, age(line));
            let Settings { endpoint, queue, .. } = &*self.settings;
            if let Some(why) = retry::is_given_up(endpoint, queue.max_age, tried, trouble.failure())
            {
                self.give_up(line, attempts, &format!("{trouble}; {why}")).await;
                return true;
            }
            let pause = retry::pause(&self.settings.endpoint, self.failures, chance());
            self.pause(pause).await;
            if self.is_cleared {
                return false;
            }
        }
    }

    /// Sends an event, and does meanwhile what administrators want: an endpoint may take its time for each of many. None:
    /// the event is no longer wanted.
    async fn post(&mut self, line: &Line) -> Option<Result<u16, post::Trouble>> {
        let (client, settings) = (Arc::clone(&self.client), Arc::clone(&self.settings));
        let posted = client.post(&settings, &line.event);
        pin!(posted);
        loop {
            tokio::select! {
                // A wish goes first: answers may come without end.
                biased;
                Some(command) = self.commands.recv() => {
                    self.obey(command).await;
                    if self.is_cleared {
                        return None;
                    }
                }
                posted = &mut posted => return Some(posted),
            }
        }
    }

    /// Takes the settings of a reload.
    fn renew(&mut self) {
        let settings = self.endpoint.settings();
        if !Arc::ptr_eq(&settings, &self.settings) {
            self.client = Arc::new(Client::new(&settings));
            self.settings = settings;
        }
    }

    fn delivered(&mut self) {
        let numbers = &self.endpoint.numbers;
        numbers.delivered.fetch_add(1, Ordering::Relaxed);
        if self.failures > 0 {
            let (endpoint, pending) = (self.endpoint.name(), self.endpoint.queue.size().events);
            tracing::info!(
                endpoint,
                pending,
                failures = self.failures,
                "the endpoint takes events again"
            );
            numbers.note(None);
        }
        self.failures = 0;
    }

    fn failed(&mut self, trouble: &post::Trouble) {
        let numbers = &self.endpoint.numbers;
        if let Some(status) = trouble.status() {
            numbers.answered(status);
        }
        numbers.note(Some(trouble.to_string()));
        numbers.failures.fetch_add(1, Ordering::Relaxed);
        let (endpoint, url) = (&self.settings.endpoint.name, &self.settings.endpoint.url);
        self.failures = self.failures.saturating_add(1);
        match self.failures {
            1 => {
                tracing::warn!(%endpoint, %url, %trouble, "the endpoint does not take events; it is asked again and again")
            }
            failures => {
                tracing::debug!(%endpoint, %url, failures, %trouble, "the endpoint does not take events")
            }
        }
    }

    async fn give_up(&mut self, line: &Line, attempts: u32, reason: &str) {
        self.endpoint.numbers.given_up.fetch_add(1, Ordering::Relaxed);
        let (line, why) = (line.clone(), reason.to_owned());
        let bury = move |endpoint: &Endpoint, outlet: &mut Outlet| {
            endpoint.queue.bury(outlet, &line, attempts, &why)
        };
        let endpoint = self.endpoint.name();
        match self.with_files(bury).await {
            Ok(true) => tracing::error!(
                endpoint,
                attempts,
                reason,
                "an event is given up, and kept to be replayed"
            ),
            Ok(false) => tracing::error!(
                endpoint,
                attempts,
                reason,
                "an event is given up, and lost: there is no room to keep it"
            ),
            Err(error) => {
                tracing::error!(endpoint, attempts, reason, %error, "an event is given up, and lost: it cannot be kept")
            }
        }
    }

    /// Waits, unless there is something to do: an administrator's wish, or other settings.
    async fn pause(&mut self, pause: Duration) {
        let end = Instant::now() + pause;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            tokio::select! {
                () = sleep(left) => return,
                () = self.endpoint.woken.notified() => {
                    if !Arc::ptr_eq(&self.endpoint.settings(), &self.settings) {
                        return;
                    }
                }
                Some(command) = self.commands.recv() => {
                    self.obey(command).await;
                    if self.is_cleared {
                        return;
                    }
                }
            }
        }
    }

    async fn obey(&mut self, Command { what, answer }: Command) {
        // Whoever has given up on it may want something else by now.
        if answer.is_closed() {
            return;
        }
        let done = self.with_files(move |endpoint, outlet| match what {
            Wish::Replay => endpoint.queue.replay(outlet),
            Wish::ForgetDead => endpoint.queue.forget_dead(outlet),
            Wish::ForgetPending => endpoint.queue.forget_waiting(outlet),
        });
        let done = done.await;
        self.is_cleared |= what == Wish::ForgetPending;
        let name = self.endpoint.name();
        if let Ok(events) = &done {
            tracing::info!(
                endpoint = name,
                events,
                ?what,
                "done with events, as an administrator wants"
            );
        }
        // Whoever asked may have gone.
        let _ = answer.send(done.map_err(|source| CommandError::Files { name, source }));
    }

    /// Does something to files, on a thread that may wait for them.
    async fn with_files<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Endpoint, &mut Outlet) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let endpoint = Arc::clone(&self.endpoint);
        // A thread that panicked has taken it along.
        let outlet = match self.outlet.take() {
            Some(outlet) => Some(outlet),
            None => endpoint.queue.outlet()?,
        };
        let Some(mut outlet) = outlet else { return Err(io::ErrorKind::WouldBlock.into()) };
        let worked = task::spawn_blocking(move || {
            let worked = work(&endpoint, &mut outlet);
            (outlet, worked)
        });
        let (outlet, worked) = worked.await.map_err(io::Error::other)?;
        self.outlet = Some(outlet);
        worked
    }
}

fn age(line: &Line) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(line.since))
}

/// Anything from 0 to 1.
fn chance() -> f64 {
    let [byte, ..] = *uuid::Uuid::new_v4().as_bytes();
    f64::from(byte) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{self, EventFormat},
        events::queue::{Queue, write},
    };

    fn worker() -> Worker {
        let limit = config::Queue {
            folder: None,
            max_events: 10,
            max_bytes: 1000,
            max_age: Duration::from_secs(60),
        };
        let endpoint = config::Endpoint {
            name: "one".parse().unwrap(),
            url: "http://127.0.0.1/".parse().unwrap(),
            headers: Vec::new(),
            timeout: Duration::from_secs(1),
            threshold: 1,
            backoff: Duration::from_secs(1),
            max_retries: None,
            ignored_media_types: Default::default(),
            ignored_actions: Default::default(),
        };
        let queue = Queue::in_memory(&limit);
        let settings = Settings { endpoint, format: EventFormat::V1, queue: limit };
        let client = Arc::new(Client::new(&settings));
        let (sender, commands) = mpsc::channel(1);
        let endpoint = Arc::new(Endpoint::new(settings, queue, sender));
        let (settings, outlet) = (endpoint.settings(), endpoint.queue.outlet().unwrap());
        Worker { endpoint, commands, outlet, settings, client, failures: 0, is_cleared: false }
    }

    #[tokio::test]
    async fn a_wish_whose_author_has_gone_is_not_fulfilled() {
        let mut worker = worker();
        worker.endpoint.queue.push(&write(0, "{}")).unwrap();
        let (answer, answered) = oneshot::channel();
        drop(answered);
        worker.obey(Command { what: Wish::ForgetPending, answer }).await;
        assert_eq!((worker.endpoint.queue.size().events, worker.is_cleared), (1, false));
        let (answer, answered) = oneshot::channel();
        worker.obey(Command { what: Wish::ForgetPending, answer }).await;
        assert_eq!(answered.await.unwrap().unwrap(), 1);
        assert_eq!((worker.endpoint.queue.size().events, worker.is_cleared), (0, true));
    }
}
