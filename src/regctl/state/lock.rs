//! The two locks of an instance. *Instance*: held, for seconds, by whatever writes configuration or changes
//! services. *Storage*: held by whatever changes many things in the storage at once, by the process that does the work.
//!
//! Waiting is bounded, and whoever waits in vain learns who holds the lock, and since when.

use std::{
    fmt,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

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

/// Which lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lock {
    Instance,
    Storage,
}

/// A lock that is held until dropped.
#[derive(Debug)]
pub(crate) struct Held {
    lock: FileLock,
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
    #[error("the {lock} lock `{}` is held by {}", path.display(), shown(holder.as_ref()))]
    Held { lock: Lock, path: PathBuf, holder: Option<Holder> },
}

impl Lock {
    /// Takes the lock for `command`; `waits` is told, before a wait, which lock is held and by whom.
    pub(crate) fn acquire(
        self,
        layout: &Layout,
        command: &str,
        patience: Patience,
        waits: impl FnOnce(&str),
    ) -> Result<Held, Error> {
        fs::create_folder(&layout.run(), super::layout::RUN_MODE)?;
        let path = self.path(layout);
        let held = || Error::Held { lock: self, path: path.clone(), holder: holder(&path) };
        let mut lock = match (Unlocked::open(&path)?.try_lock()?, patience) {
            (Ok(lock), _) => lock,
            (Err(_), Patience::None) => return Err(held()),
            (Err(unlocked), Patience::AtMost(patience)) => {
                let holder = shown(holder(&path).as_ref());
                waits(&format!("the {self} lock is held by {holder}"));
                unlocked.lock_within(patience)?.ok_or_else(held)?
            }
        };
        let holder =
            Holder { pid: process::id(), command: command.to_owned(), since: clock::now() };
        let text = serde_json::to_string(&holder).expect("numbers and strings are always JSON");
        // On a full disk whoever waits learns less; services can still be restarted.
        let _ = lock.record(&format!("{text}\n"));
        Ok(Held { lock })
    }

    /// Returns who holds the lock, if anybody does: not everybody says who he is.
    pub(crate) fn held_by(self, layout: &Layout) -> Result<Option<Option<Holder>>, Error> {
        let path = self.path(layout);
        if !layout.run().exists() {
            return Ok(None);
        }
        Ok(match Unlocked::open(&path)?.try_lock()? {
            Ok(_) => None,
            Err(_) => Some(holder(&path)),
        })
    }

    fn path(self, layout: &Layout) -> PathBuf {
        match self {
            Self::Instance => layout.instance_lock(),
            Self::Storage => layout.storage_lock(),
        }
    }
}

/// Reads who holds the lock; between its taking and its text nobody is known.
fn holder(path: &Path) -> Option<Holder> {
    let text = fs::read_to_string(path).ok()??;
    serde_json::from_str(&text).ok()
}

impl Held {
    /// The lock once more, for a process that this one makes: it is free when both have let go.
    pub(crate) fn share(&self) -> Result<OwnedFd, Error> {
        Ok(self.lock.share()?)
    }
}

fn shown(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another command".to_owned(), ToString::to_string)
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instance => "instance",
            Self::Storage => "storage",
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, command, since } = self;
        write!(f, "`regctl {command}` (pid {pid}) since {since}")
    }
}
