//! One registry in the foreground: it serves until Ctrl-C or TERM.

use std::{error::Error as StdError, io};

use registry::{Config, Listener, Reloader, Server, config::Address};

use crate::sys::{
    limits,
    runtime::{self, HangUps, StopSignals},
};

type Source = Box<dyn StdError + Send + Sync>;

/// Reads the configuration again; says a line for each problem.
type Read = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

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

/// Serves until told to stop, and at the second time stops without finishing what is under way; `ready` is called with the address once connections are accepted.
///
/// `key` names the setting of the address, for the message when the address is taken.
pub(crate) fn serve(config: &Config, key: &str, ready: impl FnOnce(&str)) -> Result<(), Error> {
    serve_until_stopped(config, key, ready, None)
}

/// Serves as [`serve`] does, and at every HUP takes over what `read` finds changed, as far as that is possible.
pub(crate) fn serve_reloading(
    config: &Config,
    key: &str,
    ready: impl FnOnce(&str),
    read: impl Fn() -> Result<Config, String> + Send + Sync + 'static,
) -> Result<(), Error> {
    serve_until_stopped(config, key, ready, Some(Box::new(read)))
}

fn serve_until_stopped(
    config: &Config,
    key: &str,
    ready: impl FnOnce(&str),
    read: Option<Read>,
) -> Result<(), Error> {
    limits::raise_open_files().map_err(Error::Runtime)?;
    runtime::block_on(async {
        let mut stop = StopSignals::watch().map_err(Error::Runtime)?;
        let impatient = StopSignals::watch().map_err(Error::Runtime)?;
        let hang_ups = read.is_some().then(HangUps::watch).transpose().map_err(Error::Runtime)?;
        let _log = registry::log::init(&config.log).map_err(|error| Error::Open(error.into()))?;
        let address = shown(&config.http.address);
        let listener = Listener::bind(&config.http.address).map_err(|source| Error::Listen {
            address,
            key: key.to_owned(),
            source,
        })?;
        let address = listener.address().to_string();
        let server = Server::open(config).map_err(|error| Error::Open(error.into()))?;
        ready(&address);
        let reloader = read.map(|read| Reloader::new(server.control(), read));
        let serving = server.run(listener, stop.received());
        let serving = async {
            let Some((hang_ups, reloader)) = hang_ups.zip(reloader) else { return serving.await };
            // What comes of a reload is in the log.
            hang_ups.during(serving, async || drop(reloader.reload().await)).await
        };
        match impatient.unless_repeated(serving).await {
            Some(ended) => ended.map_err(|error| Error::Run(error.into())),
            None => Ok(()),
        }
    })
    .map_err(Error::Runtime)?
}

fn shown(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => path.display().to_string(),
    }
}
