//! Limits of the process, and its place behind others.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// As much as `nice` takes without an argument.
const NICE: i32 = 10;

/// Raises the soft limit of open files to the hard one.
///
/// The soft limit is low (often 1024) for programs that use `select`; servers are meant to raise it.
pub(crate) fn raise_open_files() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}

/// Lets others have the processor first.
pub(crate) fn be_nice() -> io::Result<()> {
    rustix::process::nice(NICE)?;
    Ok(())
}
