//! Holds: what keeps the registry read-only or stopped for a while, besides the setting.
//!
//! Whoever works on the storage takes a hold first and releases it last, and never edits `instance.toml`. The
//! effective state is the setting or a hold. A hold whose owner is dead stays in force, because nobody knows how
//! far its owner came, until somebody who holds the storage lock clears it.

use std::{fmt, io, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Layout,
    layout::{RUN_MODE, STATE_MODE},
    lock::Held,
};
use crate::sys::{
    clock,
    fs::{self, Existing},
    lock::{FileLock, Unlocked},
    process::ProcessId,
    random,
};

const SCHEMA: u32 = 1;

/// Longer than anybody takes to add or remove a hold.
const PATIENCE: Duration = Duration::from_secs(30);

/// The holds of an instance, the oldest first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Holds {
    pub(crate) all: Vec<Hold>,
}

/// One hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Hold {
    pub(crate) id: HoldId,
    pub(crate) kind: Kind,
    /// What it is for: the end of the sentence "held for …".
    pub(crate) reason: String,
    pub(crate) owner: Owner,
    /// When it was taken, in UTC.
    pub(crate) since: String,
    pub(crate) before: Before,
    /// Whether the work is done, and the registry is on its way back to what it was: it may start, or be written to.
    #[serde(default)]
    pub(crate) is_over: bool,
    /// Whether it is for some seconds, so that clients wait for its end.
    #[serde(default)]
    pub(crate) is_brief: bool,
}

/// A hold's name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct HoldId(String);

/// What a hold keeps the registry from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    ReadOnly,
    Stop,
}

/// The command that took a hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Owner {
    pub(crate) command: String,
    pub(crate) process: ProcessId,
}

/// The state of the registry before a hold, which is what its end brings back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Before {
    pub(crate) running: bool,
    pub(crate) read_only: bool,
}

/// The form on disk.
#[derive(Deserialize, Serialize)]
struct OnDisk {
    schema: u32,
    holds: Vec<Hold>,
}

/// Why the holds are not known, or not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` holds no holds: move it away when no command works on the storage", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("`{}` has schema {schema}, and this regctl knows {SCHEMA}", path.display())]
    Foreign { path: PathBuf, schema: u32 },
    #[error("another command has been changing `{}` for {} s", path.display(), PATIENCE.as_secs())]
    Busy { path: PathBuf },
    #[error("failed to name a hold and its owner")]
    Name(#[source] io::Error),
}

impl Holds {
    /// Reads the holds; there are none without a file.
    pub(crate) fn load(layout: &Layout) -> Result<Self, Error> {
        let path = layout.holds();
        let Some(text) = fs::read_to_string(&path)? else { return Ok(Self::default()) };
        let malformed = |source| Error::Malformed { path: path.clone(), source };
        let OnDisk { schema, holds } = serde_json::from_str(&text).map_err(malformed)?;
        match schema {
            SCHEMA => Ok(Self { all: holds }),
            schema => Err(Error::Foreign { path, schema }),
        }
    }

    /// Whether one of them keeps the registry read-only, its owner dead or alive.
    pub(crate) fn are_read_only(&self) -> bool {
        self.all.iter().any(Hold::is_read_only)
    }

    /// Returns the first that keeps the registry read-only and whose owner is alive.
    pub(crate) fn read_only_by_the_living(&self) -> Option<&Hold> {
        self.all.iter().find(|hold| hold.is_read_only() && !hold.is_stale())
    }

    /// Whether all that keeps the registry read-only is over in some seconds.
    pub(crate) fn are_brief(&self) -> bool {
        let mut read_only = self.all.iter().filter(|hold| hold.is_read_only()).peekable();
        read_only.peek().is_some() && read_only.all(|hold| hold.is_brief && !hold.is_stale())
    }

    /// Returns the first that keeps the registry stopped, its owner dead or alive.
    pub(crate) fn stopped(&self) -> Option<&Hold> {
        self.all.iter().find(|hold| hold.kind == Kind::Stop)
    }

    /// Lets the registry go back to what it was before these holds: nobody works on the storage. They stay until it is there.
    pub(crate) fn let_go(layout: &Layout, which: impl Fn(&Hold) -> bool) -> Result<(), Error> {
        Self::change(layout, |holds| {
            let chosen = holds.all.iter_mut().filter(|hold| which(hold));
            chosen.for_each(|hold| hold.is_over = true);
        })
    }

    /// Removes the holds of dead owners, and returns them.
    ///
    /// Whoever holds the storage lock knows that nobody works on the storage.
    pub(crate) fn clear_stale(layout: &Layout, _storage: &Held) -> Result<Vec<Hold>, Error> {
        Self::take_out(layout, Hold::is_stale)
    }

    /// Removes the holds of dead owners that keep the registry stopped, and returns them.
    pub(crate) fn clear_stale_stops(layout: &Layout, _storage: &Held) -> Result<Vec<Hold>, Error> {
        Self::take_out(layout, |hold| hold.kind == Kind::Stop && hold.is_stale())
    }

    fn take_out(layout: &Layout, which: impl Fn(&Hold) -> bool) -> Result<Vec<Hold>, Error> {
        Self::change(layout, |holds| {
            let (out, left) = holds.all.drain(..).partition(which);
            holds.all = left;
            out
        })
    }

    /// Changes the holds as one, while nobody else does.
    fn change<T>(layout: &Layout, change: impl FnOnce(&mut Self) -> T) -> Result<T, Error> {
        let _lock = lock(layout)?;
        let mut holds = Self::load(layout)?;
        let before = holds.clone();
        let result = change(&mut holds);
        if holds != before {
            holds.store(layout)?;
        }
        Ok(result)
    }

    fn store(self, layout: &Layout) -> Result<(), Error> {
        let stored = OnDisk { schema: SCHEMA, holds: self.all };
        let text = serde_json::to_string_pretty(&stored).expect("structs of strings are JSON");
        let text = format!("{text}\n");
        Ok(fs::write_atomic(&layout.holds(), text.as_bytes(), 0o640, Existing::Replace)?)
    }
}

impl Hold {
    /// Takes a hold for this process; it stays until it is released.
    pub(crate) fn take(
        layout: &Layout,
        (kind, is_brief): (Kind, bool),
        command: &str,
        reason: &str,
        before: Before,
    ) -> Result<HoldId, Error> {
        let id = HoldId(random::hex(8).map_err(Error::Name)?);
        let process = ProcessId::own().map_err(Error::Name)?;
        let owner = Owner { command: command.to_owned(), process };
        let (reason, since) = (reason.to_owned(), clock::now());
        let hold = Self { id, kind, reason, owner, since, before, is_over: false, is_brief };
        let id = hold.id.clone();
        Holds::change(layout, |holds| holds.all.push(hold))?;
        Ok(id)
    }

    /// Releases a hold, and returns it; one that is gone already is no error.
    pub(crate) fn release(layout: &Layout, id: &HoldId) -> Result<Option<Self>, Error> {
        Holds::change(layout, |holds| {
            let index = holds.all.iter().position(|hold| hold.id == *id)?;
            Some(holds.all.remove(index))
        })
    }
}

impl Hold {
    fn is_read_only(&self) -> bool {
        self.kind == Kind::ReadOnly && !self.is_over
    }

    /// Whether its owner is gone.
    pub(crate) fn is_stale(&self) -> bool {
        !self.owner.process.is_alive()
    }
}

fn lock(layout: &Layout) -> Result<FileLock, Error> {
    for (folder, mode) in [(layout.run(), RUN_MODE), (layout.state(), STATE_MODE)] {
        fs::create_folder(&folder, mode)?;
    }
    let path = layout.holds_lock();
    match Unlocked::open(&path)?.try_lock()? {
        Ok(lock) => Ok(lock),
        Err(unlocked) => {
            unlocked.lock_within(PATIENCE)?.ok_or(Error::Busy { path: layout.holds() })
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, owner: Owner { command, process }, since, .. } = self;
        write!(f, "`regctl {command}` (pid {}) since {since}, for {reason}", process.pid)?;
        if self.is_stale() {
            f.write_str("; stale: that process is gone")?;
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::Stop => "stop",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, thread};

    use super::*;
    use crate::state::{Lock, Patience};

    const BEFORE: Before = Before { running: true, read_only: false };

    fn take(layout: &Layout, kind: Kind) -> HoldId {
        Hold::take(layout, (kind, false), "registry-garbage-collect", "a collection", BEFORE)
            .unwrap()
    }

    fn scratch() -> (tempfile::TempDir, Layout) {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().to_owned());
        (root, layout)
    }

    #[test]
    fn a_hold_is_in_force_until_it_is_released() {
        let (_root, layout) = scratch();
        assert_eq!(Holds::load(&layout).unwrap(), Holds::default());
        let stop = take(&layout, Kind::Stop);
        assert!(!Holds::load(&layout).unwrap().are_read_only());
        let read_only = take(&layout, Kind::ReadOnly);
        let holds = Holds::load(&layout).unwrap();
        assert!(holds.are_read_only());
        assert_eq!(holds.read_only_by_the_living().unwrap().id, read_only);
        let mode = std::fs::metadata(layout.holds()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
        let released = Hold::release(&layout, &read_only).unwrap().unwrap();
        assert_eq!((released.before, released.reason.as_str()), (BEFORE, "a collection"));
        assert_eq!(Hold::release(&layout, &read_only).unwrap(), None);
        let left: Vec<_> =
            Holds::load(&layout).unwrap().all.into_iter().map(|hold| hold.id).collect();
        assert_eq!(left, [stop]);
    }

    #[test]
    fn a_dead_owners_hold_stays_in_force_until_the_storage_lock_is_held() {
        let (_root, layout) = scratch();
        take(&layout, Kind::ReadOnly);
        let alive = take(&layout, Kind::Stop);
        Holds::change(&layout, |holds| holds.all[0].owner.process.start_time += 1).unwrap();
        let holds = Holds::load(&layout).unwrap();
        assert!(holds.are_read_only() && holds.all[0].is_stale() && !holds.all[1].is_stale());
        assert_eq!(holds.read_only_by_the_living(), None);
        assert!(holds.all[0].to_string().ends_with("; stale: that process is gone"));

        let storage = Lock::Storage.acquire(&layout, "test", Patience::None, |_| {}).unwrap();
        assert_eq!(Holds::clear_stale(&layout, &storage).unwrap(), holds.all[..1]);
        assert_eq!(Holds::clear_stale(&layout, &storage).unwrap(), []);
        let left: Vec<_> =
            Holds::load(&layout).unwrap().all.into_iter().map(|hold| hold.id).collect();
        assert_eq!(left, [alive]);
    }

    #[test]
    fn holds_taken_at_once_are_all_kept() {
        let (_root, layout) = scratch();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| take(&layout, Kind::ReadOnly));
            }
        });
        let holds = Holds::load(&layout).unwrap();
        assert_eq!(holds.all.len(), 8);
        thread::scope(|scope| {
            for hold in &holds.all {
                scope.spawn(|| Hold::release(&layout, &hold.id).unwrap().unwrap());
            }
        });
        assert_eq!(Holds::load(&layout).unwrap(), Holds::default());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_never_taken_for_no_holds() {
        let (_root, layout) = scratch();
        layout.create_folders().unwrap();
        for text in ["{", "[]", r#"{"schema":2,"holds":[]}"#, r#"{"schema":1,"holds":[{}]}"#] {
            fs::write_atomic(&layout.holds(), text.as_bytes(), 0o640, Existing::Replace).unwrap();
            assert!(Holds::load(&layout).is_err(), "{text}");
        }
    }
}
