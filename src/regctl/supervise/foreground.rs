//! One registry in this process: it serves until Ctrl-C or TERM, and takes over a changed configuration at HUP.

use std::{error::Error as StdError, io, os::unix::net::UnixListener};

use registry::{
    Config, Listener, Reloader, Server, admin,
    config::{Address, LoadError},
};

use crate::sys::{
    limits,
    runtime::{self, HangUps, StopSignals},
};

type Source = Box<dyn StdError + Send + Sync>;

/// Reads the configuration again; says a line for each problem.
pub(super) type Read = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// How a registry begins.
pub(super) struct Start {
    pub(super) admin: Option<UnixListener>,
    /// Whether it is read-only for some seconds.
    pub(super) is_brief: bool,
}

/// Why a registry does not serve, or no longer does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the registry cannot be configured")]
    Config(#[source] Source),
    #[error("failed to listen on `{address}`, set by {key}")]
    Listen {
        address: String,
        /// The key to change, with its file.
        key: String,
        source: io::Error,
    },
    #[error("failed to prepare the process")]
    Runtime(#[source] io::Error),
    #[error("failed to open the registry")]
    Open(#[source] Source),
    #[error("the registry failed")]
    Run(#[source] Source),
}

/// Listens where the configuration says. `key` names the setting, for the message when the address is taken.
pub(crate) fn bind(config: &Config, key: &str) -> Result<Listener, Error> {
    let address = &config.http.address;
    Listener::bind(address).map_err(|source| Error::Listen {
        address: shown(address),
        key: key.to_owned(),
        source,
    })
}

/// Serves as [`serve_with`] does, without an admin socket.
pub(crate) fn serve(
    config: &Config,
    listener: Listener,
    read: impl Fn() -> Result<Config, String> + Send + Sync + 'static,
    ready: impl FnOnce(),
) -> Result<(), Error> {
    let plain = Start { admin: None, is_brief: false };
    serve_with(config, listener, plain, Box::new(read), ready)
}

/// Serves until told to stop, and at the second time stops without finishing what is under way; at every HUP it
/// takes over what `read` finds changed, as far as that is possible.
pub(super) fn serve_with(
    config: &Config,
    listener: Listener,
    Start { admin, is_brief }: Start,
    read: Read,
    ready: impl FnOnce(),
) -> Result<(), Error> {
    limits::raise_open_files().map_err(Error::Runtime)?;
    runtime::block_on(async {
        let mut stop = StopSignals::watch().map_err(Error::Runtime)?;
        let impatient = StopSignals::watch().map_err(Error::Runtime)?;
        let hang_ups = HangUps::watch().map_err(Error::Runtime)?;
        let _log = registry::log::init(&config.log).map_err(|error| Error::Open(error.into()))?;
        let server = Server::open(config).map_err(|error| Error::Open(error.into()))?;
        if is_brief {
            server.control().set_read_only_briefly();
        }
        let reloader = Reloader::new(server.control(), read);
        if let Some(admin) = admin {
            admin::spawn(admin, reloader.clone()).map_err(Error::Runtime)?;
        }
        ready();
        // What comes of a reload is in the log.
        let serving = Box::pin(server.run(listener, stop.received()));
        let serving = hang_ups.during(serving, async || drop(reloader.reload().await));
        match impatient.unless_repeated(serving).await {
            Some(ended) => ended.map_err(|error| Error::Run(error.into())),
            None => Ok(()),
        }
    })
    .map_err(Error::Runtime)?
}

/// Says a line for each problem of a configuration.
pub(crate) fn problems(error: &LoadError) -> String {
    match error {
        LoadError::Invalid { source, .. } => source.to_string(),
        LoadError::Read { source, .. } => format!("{error}: {source}"),
        LoadError::NotUtf8 { .. } | LoadError::TooLong { .. } => error.to_string(),
    }
}

/// How people write an address.
pub(super) fn shown(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => path.display().to_string(),
    }
}
