//! The process of a service: this program under a hidden command. It becomes who and what the service is
//! meant to be, and then serves, or becomes nginx.

use std::{io, os::unix::process::CommandExt as _, process::Command};

use listenfd::ListenFd;
use nix::sys::signal::Signal;
use registry::{Config, Listener, Server, config::Address};

use super::foreground::Error as ServeError;
use crate::{
    state::{Layout, Service, ServiceName, Services, services},
    sys::{identity, limits, program, runtime, runtime::StopSignals, signals},
};

/// Why a service does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Services(#[from] services::Error),
    #[error("failed to prepare the process")]
    Process(#[source] io::Error),
    #[error("failed to become user `{user}`, group `{group}`")]
    Account { user: String, group: String, source: io::Error },
    #[error("nginx is not installed: no program `nginx` in PATH or in /usr/sbin")]
    NoNginx,
    #[error("failed to run nginx")]
    Nginx(#[source] io::Error),
    #[error("no socket was passed to this process: only a supervisor starts it")]
    NoSocket,
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Becomes a service; returns when it has ended.
pub(crate) fn run(layout: &Layout, name: ServiceName, parent: u32) -> Result<(), Error> {
    signals::unblock().map_err(Error::Process)?;
    limits::raise_open_files().map_err(Error::Process)?;
    let services = Services::load(layout)?;
    let service = services.get(name);
    match name {
        ServiceName::Registry => registry(layout, service, parent),
        ServiceName::Nginx => Err(nginx(layout, service, parent)),
    }
}

fn prepare(service: &Service, parent: u32, end: Signal) -> Result<(), Error> {
    if let Some(account) = &service.account {
        let (user, group) = (account.user.clone(), account.group.clone());
        identity::become_account(&user, &group).map_err(|source| Error::Account {
            user,
            group,
            source,
        })?;
    }
    identity::end_with_parent(parent, end).map_err(Error::Process)
}

fn registry(layout: &Layout, service: &Service, parent: u32) -> Result<(), Error> {
    prepare(service, parent, Signal::SIGTERM)?;
    let environment: Vec<_> = service.environment.clone().into_iter().collect();
    let parsed = Config::load(&layout.config_yml(), &environment)
        .map_err(|error| ServeError::Config(Box::new(error)))?;
    let listener = passed(&parsed.config.http.address)?;
    Ok(serve(&parsed.config, listener)?)
}

/// Serves until told to stop; at the second time it stops without finishing what is under way.
fn serve(config: &Config, listener: Listener) -> Result<(), ServeError> {
    runtime::block_on(async {
        let mut stop = StopSignals::watch().map_err(ServeError::Runtime)?;
        let impatient = StopSignals::watch().map_err(ServeError::Runtime)?;
        let _log =
            registry::log::init(&config.log).map_err(|error| ServeError::Open(error.into()))?;
        let server = Server::open(config).map_err(|error| ServeError::Open(error.into()))?;
        match impatient.unless_repeated(server.run(listener, stop.received())).await {
            Some(ended) => ended.map_err(|error| ServeError::Run(error.into())),
            None => Ok(()),
        }
    })
    .map_err(ServeError::Runtime)?
}

/// Takes the socket that the supervisor has opened.
fn passed(address: &Address) -> Result<Listener, Error> {
    let mut descriptors = ListenFd::from_env();
    let listener = match address {
        Address::Tcp(_) => descriptors.take_tcp_listener(0).map(|taken| taken.map(Listener::Tcp)),
        Address::Unix(path) => descriptors
            .take_unix_listener(0)
            .map(|taken| taken.map(|listener| Listener::Unix(listener, path.clone()))),
    };
    listener.map_err(Error::Process)?.ok_or(Error::NoSocket)
}

/// Becomes nginx; returns only why it could not.
fn nginx(layout: &Layout, service: &Service, parent: u32) -> Error {
    if let Err(error) = prepare(service, parent, Signal::SIGQUIT) {
        return error;
    }
    let Some(program) = program::find("nginx") else { return Error::NoNginx };
    let folder = layout.nginx();
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(layout.nginx_conf());
    Error::Nginx(command.exec())
}
