//! The first `instance.toml`, and the folders around it.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::converge::Claim;
use crate::{
    config::{
        Invalid, parse,
        values::{ExternalUrl, ListenAddress},
    },
    render::{self, Starter},
    state::{Layout, Lock, layout::STORAGE_MODE, lock},
    sys::{
        fs::{self, Existing},
        host, port,
    },
};

/// The port that registries have.
const FIRST_PORT: u16 = 5000;

/// What somebody wants of a new instance; what is left out is found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) url: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) storage: Option<PathBuf>,
}

/// What was made.
#[derive(Clone, Debug)]
pub(crate) struct Initialized {
    pub(crate) instance_toml: PathBuf,
    pub(crate) storage: PathBuf,
    pub(crate) address: String,
    /// Whether users must sign in, and none exists yet.
    pub(crate) needs_users: bool,
    /// The port that was taken, when another one had to be found.
    pub(crate) taken: Option<u16>,
}

/// Why there is no new instance.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("`{}` exists and is never overwritten", .0.display())]
    Exists(PathBuf),
    #[error("no port is free from {0} upwards")]
    NoFreePort(u16),
    #[error("these values make no good instance.toml")]
    Starter(#[source] Invalid),
    #[error(transparent)]
    Render(#[from] render::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    File(#[from] fs::Error),
}

/// Writes the starter, never over an existing file, and creates the folders; `waits` is told who holds the
/// instance lock.
pub(crate) fn init(
    layout: &Layout,
    request: &Request,
    claim: Claim<'_>,
    waits: impl FnOnce(&str),
) -> Result<Initialized, InitError> {
    let path = layout.instance_toml();
    if path.symlink_metadata().is_ok() {
        return Err(InitError::Exists(path));
    }
    let (address, taken) = match &request.address {
        Some(address) => (address.clone(), None),
        None => free_address()?,
    };
    let storage = match &request.storage {
        Some(path) => layout.resolve(path),
        None => layout.storage(),
    };
    let needs_users = is_public(request.url.as_deref(), &address);
    let text = starter(&path, request.url.as_deref(), needs_users, &address, &storage)?;
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    layout.create_folders()?;
    if !(layout.is_system_wide() && host::is_root()) {
        // Root's storage is the registry's account's, which reconfigure creates first.
        fs::create_folder(&storage, STORAGE_MODE)?;
    }
    match fs::write_atomic(&path, text.as_bytes(), 0o600, Existing::Keep) {
        Ok(()) => Ok(Initialized { instance_toml: path, storage, address, needs_users, taken }),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(InitError::Exists(path)),
        Err(error) => Err(error.into()),
    }
}

/// Finds an address on loopback; the first port of all may be another registry's.
fn free_address() -> Result<(String, Option<u16>), InitError> {
    let port = port::next_free(FIRST_PORT).ok_or(InitError::NoFreePort(FIRST_PORT))?;
    Ok((format!("127.0.0.1:{port}"), (port != FIRST_PORT).then_some(FIRST_PORT)))
}

/// Whether others than this machine are meant to connect. What cannot be read is refused later.
fn is_public(url: Option<&str>, address: &str) -> bool {
    let url = url.and_then(|url| url.parse::<ExternalUrl>().ok());
    let address = address.parse::<ListenAddress>();
    url.is_some_and(|url| !url.host.is_loopback())
        || address.is_ok_and(|address| !address.is_loopback())
}

/// Renders the starter and has it read by its reader.
fn starter(
    path: &Path,
    url: Option<&str>,
    is_public: bool,
    address: &str,
    storage: &Path,
) -> Result<String, InitError> {
    let host = host::name().unwrap_or_else(|| "registry.example.com".to_owned());
    let starter = Starter { url, is_public, host, address: address.to_owned(), storage };
    let text = render::starter(&starter)?;
    match parse(&text) {
        Ok(_) => Ok(text),
        Err(problems) => Err(InitError::Starter(Invalid { path: path.to_owned(), problems })),
    }
}
