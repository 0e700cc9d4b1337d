//! The instance lock: held, for seconds, by whatever writes configuration or changes services.
//!
//! Waiting is bounded, and whoever waits in vain learns who holds the lock, and since when.

use std::{fmt, path::PathBuf, process, time::Duration};

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::sys::{
    clock, fs,
    lock::{FileLock, Unlocked},
};

/// How long to wait for somebody else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    None,
    AtMost(Duration),
}

/// The lock, held until dropped.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    _lock: FileLock,
}

/// Who holds the lock, as the lock file says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// The command, without its arguments.
    pub(crate) command: String,
    /// When it took the lock, in UTC.
    pub(crate) since: String,
}

/// Why the lock is not held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("the instance lock `{}` is held by {}", path.display(), shown(holder.as_ref()))]
    Held { path: PathBuf, holder: Option<Holder> },
}

impl InstanceLock {
    /// Takes the lock for `command`; `waits` is told of the holder before a wait.
    pub(crate) fn acquire(
        layout: &Layout,
        command: &str,
        patience: Patience,
        waits: impl FnOnce(&str),
    ) -> Result<Self, Error> {
        fs::create_folder(&layout.run(), super::layout::RUN_MODE)?;
        let path = layout.instance_lock();
        let held = || Error::Held { path: path.clone(), holder: holder(layout) };
        let mut lock = match (Unlocked::open(&path)?.try_lock()?, patience) {
            (Ok(lock), _) => lock,
            (Err(_), Patience::None) => return Err(held()),
            (Err(unlocked), Patience::AtMost(patience)) => {
                waits(&shown(holder(layout).as_ref()));
                unlocked.lock_within(patience)?.ok_or_else(held)?
            }
        };
        let holder =
            Holder { pid: process::id(), command: command.to_owned(), since: clock::now() };
        let text = serde_json::to_string(&holder).expect("numbers and strings are always JSON");
        lock.record(&format!("{text}\n"))?;
        Ok(Self { _lock: lock })
    }
}

/// Reads who holds the lock; between its taking and its text nobody is known.
fn holder(layout: &Layout) -> Option<Holder> {
    let text = fs::read_to_string(&layout.instance_lock()).ok()??;
    serde_json::from_str(&text).ok()
}

fn shown(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another command".to_owned(), ToString::to_string)
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, command, since } = self;
        write!(f, "`regctl {command}` (pid {pid}) since {since}")
    }
}
