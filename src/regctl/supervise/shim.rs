//! The process of a service: this program under a hidden command. It becomes who and what the service is
//! meant to be, and then serves, or becomes nginx.

use std::{
    io::{self, ErrorKind},
    os::unix::{net::UnixListener, process::CommandExt as _},
    process::Command,
};

use listenfd::ListenFd;
use nix::sys::signal::Signal;
use registry::{Config, Listener, Socket, config::Address};

use super::foreground::{self, Error as ServeError, Start};
use crate::{
    state::{Holds, Layout, Service, ServiceName, Services, services},
    sys::{identity, limits, program, signals},
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

/// Becomes the registry's user, with less of a claim to the processor than the registry itself; ends with the parent.
///
/// For work on the storage besides serving it.
pub(crate) fn become_registry(layout: &Layout, parent: u32) -> Result<(), Error> {
    signals::unblock().map_err(Error::Process)?;
    limits::raise_open_files().map_err(Error::Process)?;
    limits::be_nice().map_err(Error::Process)?;
    let services = Services::load(layout)?;
    prepare(&services.registry, parent, Signal::SIGTERM)
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
    // Before it becomes somebody who may not look.
    let holds = Holds::load(layout).unwrap_or_default();
    prepare(service, parent, signals::ORPHANED)?;
    let environment: Vec<_> = service.environment.clone().into_iter().collect();
    let path = layout.config_yml();
    let parsed =
        Config::load(&path, &environment).map_err(|error| ServeError::Config(Box::new(error)))?;
    let read = move || {
        let parsed = Config::load(&path, &environment);
        parsed.map(|parsed| parsed.config).map_err(|error| foreground::problems(&error))
    };
    let (listener, admin) = passed(&parsed.config.http.address).map_err(Error::Process)?;
    let is_brief = parsed.config.storage.read_only && holds.are_brief();
    let start = Start { admin: Some(admin), is_brief };
    Ok(foreground::serve_with(&parsed.config, listener, start, Box::new(read), || {})?)
}

/// Takes the sockets that the supervisor has opened: for requests, and for administration.
fn passed(address: &Address) -> io::Result<(Listener, UnixListener)> {
    let mut passed = ListenFd::from_env();
    let missing = || io::Error::new(ErrorKind::NotFound, "no socket was passed to this process");
    let requests: Socket = match address {
        Address::Tcp(_) => passed.take_tcp_listener(0)?.ok_or_else(missing)?.into(),
        Address::Unix(_) => passed.take_unix_listener(0)?.ok_or_else(missing)?.into(),
    };
    let admin = passed.take_unix_listener(1)?.ok_or_else(missing)?;
    Ok((Listener::passed(requests)?, admin))
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
