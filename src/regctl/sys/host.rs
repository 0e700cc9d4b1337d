//! The host that regctl runs on.

use std::path::Path;

use nix::unistd;

/// Returns the host's name, if it has one that is text.
pub(crate) fn name() -> Option<String> {
    unistd::gethostname().ok()?.into_string().ok().filter(|name| !name.is_empty())
}

/// Returns the account of this process.
pub(crate) fn user() -> u32 {
    unistd::geteuid().as_raw()
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    unistd::geteuid().is_root()
}

/// Whether systemd runs this host, and not another program or a container's.
pub(crate) fn runs_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}
