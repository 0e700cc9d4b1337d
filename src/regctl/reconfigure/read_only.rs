//! Switching read-only: one key of `instance.toml`, the one value that follows from it in `config.yml`, and the
//! registry that runs. Edits that have not been applied are not applied by this either.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    time::Duration,
};

use registry::migrate::are_apart;

use super::{
    apply,
    converge::Claim,
    desired::{self, Desired},
    former::{self, Former},
    plan::{Access, Change, Kind, OldAccess, Plan},
    trust,
};
use crate::{
    config::{Instance, edit, load},
    render::{Content, with_read_only},
    state::{
        Holds, Layout, Lock,
        holds::{self, Hold},
        layout::STATE_MODE,
        lock,
        owner::{Ownership, Principal},
    },
    sys::{
        account, fs,
        local::{self, Method, Peer},
        managed::{self, Found},
    },
};

const KEY: &str = "registry.storage.maintenance.readonly.enabled";

/// How long a registry may take to switch.
const TELL_PATIENCE: Duration = Duration::from_secs(20);

/// How long it may take until writes that began before have ended, and a margin.
const QUIET_PATIENCE: Duration = Duration::from_secs(130);

/// The running registry, as whoever supervises it sees it.
pub(crate) trait Supervision {
    /// Whether it runs on its files as they are.
    fn is_current(&self) -> bool;

    /// Whether it is there to be told anything.
    fn is_there(&self) -> bool;

    /// Notes that it has taken its files as they are now.
    fn took(&self);
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Switched {
    /// Whether the setting was another one before.
    pub(crate) is_changed: bool,
    /// Whether the registry is to refuse writes, by the setting or by a hold.
    pub(crate) effective: bool,
    pub(crate) reach: Reach,
    /// What other edits of `instance.toml` would change besides.
    pub(crate) pending: Pending,
    /// Holds of dead owners that were in the way.
    pub(crate) cleared: Vec<Hold>,
}

/// How far the change has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// The running registry has switched.
    Live,
    /// Nothing is running.
    NextStart,
    /// The instance has never been applied.
    NextReconfigure,
}

/// Edits of `instance.toml` that are not applied.
#[derive(Debug)]
pub(crate) enum Pending {
    /// The files that would change.
    Files(Vec<PathBuf>),
    /// It cannot be said, because they would be refused.
    Refused(Box<desired::Error>),
}

/// How read-only is set, and what holds it.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) setting: bool,
    /// What `config.yml` says; None: there is none that can be read.
    pub(crate) applied: Option<bool>,
    pub(crate) holds: Holds,
}

/// Why read-only is not switched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error(transparent)]
    Load(#[from] load::Error),
    #[error("failed to edit `{}`", path.display())]
    Edit { path: PathBuf, source: edit::Error },
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    Holds(#[from] holds::Error),
    #[error(transparent)]
    Apply(#[from] apply::Error),
    #[error(transparent)]
    Former(#[from] former::Error),
    #[error(
        "the storage has become another one, and a command that was killed has not seen the registry serve from it: \
         it stays read-only until `regctl reconfigure` has seen that"
    )]
    NewStorage,
    #[error("read-only is held by {0}")]
    Held(Box<Hold>),
    #[error("`{}` has no line for read-only that could be changed by itself; nothing was changed", .0.display())]
    Unpatchable(PathBuf),
    #[error("the registry is read-only, and still writes what was begun before; `{}` says what", socket.display())]
    Writing { socket: PathBuf },
    #[error(
        "read-only is {} in the files, and the running registry could not be told through `{}`",
        if *enabled { "on" } else { "off" }, socket.display()
    )]
    Tell { enabled: bool, socket: PathBuf, source: io::Error },
}

/// Says how read-only is set, and changes nothing.
pub(crate) fn read_only_status(layout: &Layout) -> Result<Status, Error> {
    let instance = load::load(&layout.instance_toml())?.instance;
    let config = managed::read(&layout.config_yml())?;
    Ok(Status {
        setting: instance.registry.storage.read_only,
        applied: config.and_then(|found| reads(&found.text)),
        holds: Holds::load(layout)?,
    })
}

/// Switches the setting and everything that follows from it; `waits` is told who holds a lock.
///
/// A registry that ran on its files before does so after: it has taken the one value that changes.
pub(crate) fn set_read_only(
    layout: &Layout,
    enabled: bool,
    claim: Claim<'_>,
    waits: impl Fn(&str),
    registry: &impl Supervision,
) -> Result<Switched, Error> {
    trust::instance(layout)?;
    // A file with problems changes nothing, not even a folder.
    load::load(&layout.instance_toml())?;
    // The storage lock comes before the instance lock, for everybody.
    let cleared = if enabled { Vec::new() } else { clear_stale(layout, claim, &waits)? };
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    // An instance that was never applied has no place for the journal yet.
    fs::create_folder(&layout.state(), STATE_MODE)?;
    apply::complete(layout)?;
    let holds = Holds::load(layout)?;
    if let Some(hold) = holds.read_only_by_the_living().filter(|_| !enabled) {
        return Err(Error::Held(Box::new(hold.clone())));
    }
    let effective = enabled || holds.are_read_only();
    let instance = load::load(&layout.instance_toml())?.instance;
    let setting = setting(layout, &instance, enabled)?;
    let is_changed = setting.is_some();
    let (config, is_applied) = match managed::read(&layout.config_yml())? {
        Some(found) => (config(layout, found, effective)?, true),
        None => (None, false),
    };
    let changes = setting.into_iter().chain(config).collect();
    let was_current = registry.is_current();
    apply::apply(layout, &Plan { changes, ..Plan::default() })?;
    let reach = match is_applied {
        // Its socket is the supervisor's: while it is down, nobody answers there.
        true if !registry.is_there() => Reach::NextStart,
        true => tell_running(layout, effective)?,
        false => Reach::NextReconfigure,
    };
    if was_current && reach == Reach::Live {
        registry.took();
    }
    let pending = if is_applied { pending(layout) } else { Pending::Files(Vec::new()) };
    Ok(Switched { is_changed, effective, reach, pending, cleared })
}

/// Has `config.yml` and the running registry be what the setting and the holds say; returns how far that has come.
///
/// For whoever has taken a hold, or released one. A registry that runs is read-only only when it writes nothing any more.
pub(crate) fn follow_holds(
    layout: &Layout,
    claim: Claim<'_>,
    waits: impl FnOnce(&str),
    registry: &impl Supervision,
) -> Result<Reach, Error> {
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    apply::complete(layout)?;
    let instance = load::load(&layout.instance_toml())?.instance;
    let effective = instance.registry.storage.read_only || Holds::load(layout)?.are_read_only();
    let Some(found) = managed::read(&layout.config_yml())? else {
        return Ok(Reach::NextReconfigure);
    };
    // What runs may have the former storage still: written to, it would be left behind with what it took.
    if !effective && registry.is_there() && storage_is_new(layout, &found.text)? {
        return Err(Error::NewStorage);
    }
    let changes = config(layout, found, effective)?.into_iter().collect();
    let was_current = registry.is_current();
    apply::apply(layout, &Plan { changes, ..Plan::default() })?;
    if !registry.is_there() {
        return Ok(Reach::NextStart);
    }
    let is_brief = !instance.registry.storage.read_only && Holds::load(layout)?.are_brief();
    let mut wanted = match effective {
        true => serde_json::json!({ "enabled": true, "wait_quiet": "2m" }),
        false => serde_json::json!({ "enabled": false }),
    };
    // A registry of a former version does not know the word.
    if effective && is_brief {
        wanted["brief"] = true.into();
    }
    let reach = tell(layout, effective, &wanted, QUIET_PATIENCE)?;
    if was_current && reach == Reach::Live {
        registry.took();
    }
    Ok(reach)
}

/// Whether the storage has become another one and nobody has seen the registry serve from it.
fn storage_is_new(layout: &Layout, config: &str) -> Result<bool, Error> {
    let Some(former) = Former::load(layout)? else { return Ok(false) };
    let storage = |text: &str| Some(registry::Config::parse(text, &[]).ok()?.config.storage.driver);
    let was = former.text_of(&layout.config_yml()).and_then(storage);
    let is = storage(config);
    // Two buckets of one name are called the same.
    Ok(match (&was, &is) {
        (Some(was), Some(is)) => was.to_string() != is.to_string() || are_apart(was, is),
        (Some(_), None) => true,
        (None, _) => false,
    })
}

/// Removes the holds of dead owners, if there are any that keep the registry read-only, or were about to end.
fn clear_stale(
    layout: &Layout,
    claim: Claim<'_>,
    waits: impl FnOnce(&str),
) -> Result<Vec<Hold>, Error> {
    let holds = Holds::load(layout)?;
    let is_left = |hold: &Hold| hold.kind == holds::Kind::ReadOnly && hold.is_stale();
    if !holds.all.iter().any(is_left) || holds.read_only_by_the_living().is_some() {
        return Ok(Vec::new());
    }
    let storage = Lock::Storage.acquire(layout, claim.command, claim.patience, waits)?;
    Ok(Holds::clear_stale(layout, &storage)?)
}

/// Returns the change of `instance.toml`, if it takes one.
fn setting(layout: &Layout, instance: &Instance, enabled: bool) -> Result<Option<Change>, Error> {
    let path = layout.instance_toml();
    if instance.registry.storage.read_only == enabled {
        return Ok(None);
    }
    let found = managed::read(&path)?.ok_or_else(|| load::Error::Missing(path.clone()))?;
    let edited = edit::set_flag(&found.text, KEY, enabled);
    let text = edited.map_err(|source| Error::Edit { path: path.clone(), source })?;
    Ok(Some(replaced(path, found, text)))
}

/// Returns the change of `config.yml`, if it takes one.
fn config(layout: &Layout, found: Found, effective: bool) -> Result<Option<Change>, Error> {
    if reads(&found.text) == Some(effective) {
        return Ok(None);
    }
    let path = layout.config_yml();
    match with_read_only(&found.text, effective) {
        Some(text) if reads(&text) == Some(effective) => Ok(Some(replaced(path, found, text))),
        _ => Err(Error::Unpatchable(path)),
    }
}

/// What the registry makes of a `config.yml`; `None` when it would refuse it. Its environment cannot change this.
fn reads(text: &str) -> Option<bool> {
    Some(registry::Config::parse(text, &[]).ok()?.config.storage.read_only)
}

/// Returns the change of a file that keeps its mode and its owner.
pub(super) fn replaced(path: PathBuf, found: Found, text: String) -> Change {
    let Found { text: old, mode, uid, gid } = found;
    let owner = Ownership {
        user: Principal { name: account::user_name(uid), id: Some(uid) },
        group: Principal { name: account::group_name(gid), id: Some(gid) },
    };
    let access = Access { mode, owner: Some(owner) };
    // No diff of it is shown.
    let content = Content { text, shown: String::new() };
    let old_access = OldAccess { mode, ids: (uid, gid) };
    Change { path, kind: Kind::Replace { old, old_access, content, access } }
}

fn pending(layout: &Layout) -> Pending {
    match Desired::load(layout, None).and_then(|desired| desired.plan(layout)) {
        Ok(plan) => Pending::Files(plan.changes.into_iter().map(|change| change.path).collect()),
        Err(error) => Pending::Refused(Box::new(error)),
    }
}

/// Tells the running registry, if there is one.
pub(crate) fn tell_running(layout: &Layout, enabled: bool) -> Result<Reach, Error> {
    tell(layout, enabled, &serde_json::json!({ "enabled": enabled }), TELL_PATIENCE)
}

fn tell(
    layout: &Layout,
    enabled: bool,
    wanted: &serde_json::Value,
    patience: Duration,
) -> Result<Reach, Error> {
    let socket = layout.registry_socket();
    let peer = Peer::Unix(socket.clone());
    let document = Some(wanted.to_string());
    let answer = local::request(&peer, &Method::PUT, "/v1/read-only", document, patience);
    let told = match answer {
        Ok(answer) if (200..300).contains(&answer.status) => {
            return match is_quiet(&answer.body) {
                false if wanted["wait_quiet"].is_string() => Err(Error::Writing { socket }),
                _ => Ok(Reach::Live),
            };
        }
        Ok(answer) => {
            let said = answer.body.trim();
            io::Error::other(format!("it answered {}: {said}", answer.status))
        }
        // Nobody listens there.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(Reach::NextStart);
        }
        Err(error) => error,
    };
    Err(Error::Tell { enabled, socket, source: told })
}

/// Whether a registry says that nothing is written any more.
fn is_quiet(answer: &str) -> bool {
    let answer: Result<serde_json::Value, _> = serde_json::from_str(answer);
    answer.is_ok_and(|answer| answer["quiet"] == true)
}
