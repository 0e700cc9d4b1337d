//! A registry on a listener: accepts connections, answers their requests, stops when told to.
//!
//! A stop has three phases. The listener goes first: a socket of this process is closed, one that was passed in is its
//! owner's. Then requests finish, each answer with `Connection: close`, while idle connections are closed at once. After
//! `http.draintimeout` what is left is cut off; a write that loses its client so ends as at any other time, with what
//! it has received kept.

mod connection;
mod debug;
mod memory;
mod protocols;
mod room;
mod sending;

use std::{
    future::{Future, pending},
    io,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    api::{Api, Around},
    auth::{Gate, Unusable},
    config::{self, Config},
    content::Content,
    control::{Control, Phase, Shared},
    events::{Events, QueueError},
    health,
    listener::{Accepted, Incomings, Listener},
    proxy::Proxy,
    purging,
    redirect::Redirect,
    redis::{Redis, UnusableTls},
    schema1::{OwnKey, UnusableKey},
    tls::{Offer, Tls},
    upload::Signer,
};
use protocols::Protocols;
use room::Room;

/// How long a stopping process waits for writes whose connections it has cut off.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// How long one waits for Redis to hear of the last deletes.
const LAST_DELETES: Duration = Duration::from_secs(2);

/// How long one waits for others to be told that it is gone.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A registry, opened.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    protocols: Arc<Protocols>,
    /// Connections at once, as the configuration has it.
    connections: Option<u32>,
    debug: Option<Debugging>,
}

/// What the debug server is started with.
#[derive(Debug)]
struct Debugging {
    settings: config::Debug,
    tls: Option<Tls>,
}

/// Why a registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The certificate, its key or an authority is not usable.
    #[error("failed to set up `http.tls`")]
    Tls(#[source] Unusable),
    /// The same of the debug server.
    #[error("failed to set up `http.debug.tls`")]
    DebugTls(#[source] Unusable),
    /// The storage is not usable.
    #[error("failed to open the storage in {place}")]
    Storage {
        /// The folder, or what stands for it.
        place: String,
        /// What it fails at, below that.
        source: storage::Error,
    },
    /// Passwords or keys are not usable.
    #[error("failed to set up `auth`")]
    Auth(#[source] Unusable),
    /// The key that signs manifests of schema 1 is not usable.
    #[error("failed to set up `compatibility.schema1.signingkeyfile`")]
    SigningKey(#[source] UnusableKey),
    /// Events have no place to wait.
    #[error("failed to set up `notifications`")]
    Events(#[source] QueueError),
    /// No connection to Redis could be made.
    #[error("failed to set up `redis.tls`")]
    Redis(#[source] UnusableTls),
    /// No URL can be signed.
    #[error("failed to set up `middleware.storage`")]
    Redirect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing can be asked of the registry behind this one.
    #[error("failed to set up `proxy`: {0}")]
    Proxy(String),
    /// The thread that writes the access log could not be started.
    #[error("failed to start the access log")]
    AccessLog(#[source] io::Error),
}

impl Debugging {
    fn open(settings: Option<&config::Debug>) -> Result<Option<Self>, Unusable> {
        let Some(settings) = settings else { return Ok(None) };
        let tls = settings.tls.as_ref().map(|tls| Tls::open(tls, Offer::Http1)).transpose()?;
        Ok(Some(Self { settings: settings.clone(), tls }))
    }
}

impl Server {
    /// Reads passwords, keys and certificates, and opens the storage.
    ///
    /// # Errors
    /// One of them is not usable.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let gate = Gate::open(&config.auth).map_err(OpenError::Auth)?;
        let driver = &config.storage.driver;
        let unusable = |source| OpenError::Storage { place: driver.to_string(), source };
        let redis = config.redis.as_ref().map(Redis::open).transpose().map_err(OpenError::Redis)?;
        let content = Content::open(driver, config.lease, config.storage.tag_reads, redis)
            .map_err(unusable)?;
        let signer = match &config.http.secret {
            Some(secret) => Signer::new(secret.expose().as_bytes()),
            // For this process only: uploads cannot go on after a restart.
            None => Signer::new(uuid::Uuid::new_v4().as_bytes()),
        };
        let around = around(config, &content)?;
        let (events, health) = (around.events.clone(), Arc::clone(&around.health));
        let api = Api::new(config, gate, content.clone(), signer, around);
        let offer = if config.http.http2 { Offer::Http2AndHttp1 } else { Offer::Http1 };
        let tls = config.http.tls.as_ref().map(|tls| Tls::open(tls, offer)).transpose();
        let tls = tls.map_err(OpenError::Tls)?;
        let debug = Debugging::open(config.http.debug.as_ref()).map_err(OpenError::DebugTls)?;
        let shared =
            Shared::new(config, api, content, events, tls, health).map_err(OpenError::AccessLog)?;
        Ok(Self {
            shared: Arc::new(shared),
            protocols: Arc::new(Protocols::new(config.http.h2c)),
            connections: config.http.connections,
            debug,
        })
    }

    /// A handle on the server, before and while it runs.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown`; then the listener goes, and what has begun is finished, for at most
    /// `http.draintimeout`. Writes that are cut off then keep what they have received.
    ///
    /// # Errors
    /// The listener is broken.
    pub async fn run(
        mut self,
        listener: Listener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        if listener.is_public() && self.shared.api.is_open() {
            let address = listener.address();
            tracing::warn!(%address, "there is no authentication: whoever reaches it may pull and push");
        }
        if let Some(Debugging { settings, tls }) = self.debug.take() {
            debug::spawn(&self.shared, &settings, tls);
        }
        memory::keep_buffers();
        let room = Room::of_this_process(self.connections);
        self.shared.events.start();
        // Goes on while requests finish, and ends with this.
        let mut telling = JoinSet::new();
        if let Some(redis) = self.shared.content.redis().cloned() {
            telling.spawn(async move { redis.run().await });
        }
        let (leave, left) = oneshot::channel::<()>();
        let mut present = JoinSet::new();
        // Nobody sends anything: its end is the sign.
        present.spawn(self.shared.content.clone().be_present(async { drop(left.await) }));
        self.accept(listener.into_tokio()?, &room, shutdown).await;
        self.drain(&room).await;
        drop(leave);
        if timeout(LAST_WORDS, present.join_next()).await.is_err() {
            tracing::warn!("the lease on the storage could not be given back: it ends by its age");
        }
        Ok(())
    }

    /// Accepts connections until `shutdown`.
    async fn accept(
        &self,
        mut listener: Incomings,
        room: &Room,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let shared = &self.shared;
        let mut shutdown = std::pin::pin!(shutdown);
        let mut purging = std::pin::pin!(purging::run(shared.content.clone(), shared.purging()));
        let health = Arc::clone(&shared.health);
        let mut checking =
            std::pin::pin!(health::run(health, shared.content.clone(), shared.checks()));
        let mut fetched = std::pin::pin!(async {
            match shared.api.proxy() {
                Some(proxy) => proxy.run().await,
                None => pending().await,
            }
        });
        loop {
            let (accepted, permit) = tokio::select! {
                // Looked at first: under any load, who is told to stop stops.
                biased;
                () = &mut shutdown => return,
                next = next(&mut listener, room) => next,
                never = &mut purging => match never {},
                never = &mut checking => match never {},
                never = &mut fetched => match never {},
            };
            connection::serve(&self.protocols, (shared, room), accepted, permit);
        }
    }

    /// Lets requests finish, cuts off those that do not, and waits for what is being written.
    async fn drain(&self, room: &Room) {
        let shared = &self.shared;
        shared.enter(Phase::Draining);
        shared.content.end_soon();
        // Zero is no drain at all, as Distribution.
        if timeout(shared.drain_timeout(), room.emptied()).await.is_err() {
            shared.enter(Phase::Cutting);
        }
        if let Some(proxy) = shared.api.proxy() {
            proxy.stop().await;
        }
        if timeout(LAST_WRITES, shared.content.writes_ended()).await.is_err() {
            let writes = shared.content.writes_in_flight();
            tracing::error!(writes, "stopping although writes are under way");
        }
        if let Some(redis) = shared.content.redis() {
            redis.settle(LAST_DELETES).await;
        }
        shared.events.close().await;
        shared.access.flush();
    }
}

/// Opens what stands around the API.
fn around(config: &Config, content: &Content) -> Result<Around, OpenError> {
    let proxy = config
        .proxy
        .as_ref()
        .map(|proxy| Proxy::open(proxy, config.schema1.enabled, content.clone()));
    let redirect = config.storage.redirect.as_ref().map(Redirect::open);
    let signing_key = OwnKey::open(config.schema1.signing_key_file.as_deref());
    Ok(Around {
        events: Events::open(config).map_err(OpenError::Events)?,
        health: Arc::default(),
        signing_key: signing_key.map_err(OpenError::SigningKey)?,
        proxy: proxy.transpose().map_err(|fault| OpenError::Proxy(fault.to_string()))?,
        redirect: redirect.transpose().map_err(|error| OpenError::Redirect(error.into()))?,
    })
}

/// Ends what goes on beside the server, however that one ended.
impl Drop for Server {
    fn drop(&mut self) {
        self.shared.enter(Phase::Ended);
    }
}

/// The next connection, once there is room for it.
async fn next(listener: &mut Incomings, room: &Room) -> (Accepted, Option<OwnedSemaphorePermit>) {
    let permit = room.take().await;
    (accept(listener).await, permit)
}

/// Accepts a connection. Running out of descriptors is waited out, not died of.
async fn accept(listener: &mut Incomings) -> Accepted {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "failed to accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
