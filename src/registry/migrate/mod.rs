//! Moves a registry from one store to another, and proves that both hold the same.
//!
//! [`plan`] and [`Sides::difference`] list both and compare every object: blobs by their size (their name says their content), links by
//! what they hold. [`Sides::copy`] makes the difference go, content before what leads to it, so that a run that is cut off
//! leaves a registry without gaps; what it puts is written down before, in a [`Journal`], so that a later run can take
//! back what the source has deleted since. A run begins with a difference, so one that was killed goes on where it was.
//!
//! `inventory` is a side in memory, `difference` what tells two apart, `copy` what is done about it, `journal` what was done,
//! `pace` how fast.

mod copy;
mod difference;
mod inventory;
mod journal;
mod kinds;
mod pace;
mod probe;
mod progress;
mod since;
#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use storage::Access;
use storage::{Collected, Config, Kind};

pub use copy::Copied;
use difference::Between;
pub use difference::{Difference, Differs, How, Problem};
pub use journal::{Journal, JournalError};
pub use kinds::{Count, Kinds};
pub use pace::Pace;
pub use probe::{Probed, probe};
pub use progress::{Phase, Progress};
/// Which store, with its options.
pub use storage::Config as Place;
pub use words::Changes;

/// Objects on their way at once, where nobody says otherwise.
pub const AT_ONCE: usize = 16;

/// Most objects on their way at once: each takes up to some MB of memory.
pub const MOST_AT_ONCE: usize = 64;

/// Which blobs of a target are read and hashed, beside being compared by their sizes. Each has the name of the run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reading {
    /// None.
    Nothing,
    /// Those that no migration between these sides has put or read.
    Unknown(String),
    /// All that this run has not read.
    All(String),
}

/// What becomes of objects that the source does not have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Extra {
    /// What a migration has put goes, if the source has deleted it since. All else stays.
    #[default]
    Own,
    /// All of it goes.
    All,
}

/// How it is copied.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Objects on their way at once.
    pub at_once: NonZeroUsize,
    /// What becomes of objects that the source does not have.
    pub extra: Extra,
}

/// From where to where.
#[derive(Clone, Debug)]
pub struct Sides {
    source: Collected,
    target: Collected,
}

/// Why there is no migration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to move.
    #[error("there is no storage at {0}: nothing was ever pushed, or the path is wrong")]
    Missing(String),
    /// Somebody uses it.
    #[error("{0} is in use: a migration needs its target alone")]
    Busy(String, #[source] storage::Error),
    /// It ends with its process.
    #[error("the storage driver `inmemory` keeps nothing that could be moved")]
    Memory,
    /// The target was tried.
    #[error("{place} cannot {what}")]
    Refused {
        /// Which it is.
        place: String,
        /// What it does not do.
        what: &'static str,
        /// How.
        source: storage::Error,
    },
    /// Links are not the truth.
    #[error(
        "{0} belongs to a registry that keeps its metadata in a database (`lockfiles/database-in-use` is there): \
         nothing is moved from there or to there without that"
    )]
    Database(String),
    /// It was told to stop.
    #[error("stopped before the end; the next run goes on from here")]
    Stopped,
    /// What is put cannot be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A side fails.
    #[error("{side} failed")]
    Storage {
        /// Which one.
        side: Side,
        /// How.
        source: storage::Error,
    },
}

/// One of two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// What is moved.
    Source,
    /// Where it is moved to.
    Target,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "the source",
            Self::Target => "the target",
        })
    }
}

impl Side {
    fn failed(self) -> impl Fn(storage::Error) -> Error {
        move |source| Error::Storage { side: self, source }
    }
}

impl Sides {
    /// Opens both. The source may be served meanwhile, and is [looked](Access::Look) at; or it must be, and this is its registry's
    /// [guest](Access::Guest), so that the registry sees whether anybody else uses it. The target is this process's alone, and made
    /// if it is a folder.
    ///
    /// # Errors
    /// There is no source, or one of them cannot be used.
    pub async fn open((source, access): (&Config, Access), target: &Config) -> Result<Self, Error> {
        let source = open_source(source, access).await?;
        let opened = match Collected::open_or_create(target).await {
            Err(error) if error.kind() == Kind::Busy => {
                return Err(Error::Busy(target.to_string(), error));
            }
            opened => opened.map_err(Side::Target.failed())?.ok_or(Error::Memory)?,
        };
        let sides = Self { source, target: opened };
        let has_database = sides.target.has_database().await.map_err(Side::Target.failed());
        match has_database {
            Ok(false) => Ok(sides),
            refused => {
                sides.close().await;
                refused.and_then(|_| Err(Error::Database(target.to_string())))
            }
        }
    }

    /// Does the same as [`Sides::difference`] and [`Sides::copy`] by looking at what has changed since a difference was made;
    /// none if what changed does not tell enough.
    ///
    /// # Errors
    /// As those two.
    pub async fn follow(
        &self,
        difference: &mut Difference,
        changes: &Changes,
        (journal, options, pace): (&mut Journal, Options, &Arc<Pace>),
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Option<(Copied, usize)>, Error> {
        let Some(outdated) = difference.outdated(changes) else { return Ok(None) };
        let looked = (&outdated[..], changes);
        self.look_again(difference, looked, stop, watch).await?;
        let copied = self.copy(difference, journal, options, pace, stop, watch).await?;
        if !copied.is_nothing() {
            self.look_again(difference, looked, stop, watch).await?;
        }
        Ok(Some((copied, outdated.len())))
    }

    /// What tells these two from any others, as long as they are where they are.
    #[must_use]
    pub fn identity(&self) -> String {
        use storage::Bulk as _;
        format!("{}\n{}", self.source.identity(), self.target.identity())
    }

    /// Lets others use the target.
    pub async fn close(self) {
        self.target.release().await;
    }
}

/// Compares two stores without changing anything: what a migration would have to do. The target need not be there.
///
/// # Errors
/// There is no source, a side cannot be listed, or it was told to stop.
pub async fn plan(
    source: &Config,
    target: &Config,
    stop: &AtomicBool,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<Difference, Error> {
    let source = open_source(source, Access::Look).await?;
    let target = match Collected::open_existing(target, Access::Look).await {
        Err(error) if error.is_not_found() => None,
        opened => Some(opened.map_err(Side::Target.failed())?.ok_or(Error::Memory)?),
    };
    Between { source: &source, target: target.as_ref() }.difference(stop, watch).await
}

/// Whether two stores have nothing in common: neither is the other, nor stands within it.
#[must_use]
pub fn are_apart(one: &Config, other: &Config) -> bool {
    let within = |inner: &str, outer: &str| {
        let (inner, outer) = (inner.trim_matches('/'), outer.trim_matches('/'));
        let rest = inner.strip_prefix(outer);
        outer.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match (one, other) {
        (Config::Filesystem(one), Config::Filesystem(other)) => {
            let [one, other] = [one, other].map(|it| settled(&it.root_directory));
            !one.starts_with(&other) && !other.starts_with(&one)
        }
        (Config::S3(one), Config::S3(other)) => {
            let place =
                |it: &storage::S3Config| (it.bucket.clone(), it.endpoint.as_deref().and_then(host));
            let [a, b] = [one, other].map(|it| it.root_directory.as_str());
            place(one) != place(other) || (!within(a, b) && !within(b, a))
        }
        (Config::InMemory, Config::InMemory) => false,
        (Config::Filesystem(_) | Config::S3(_) | Config::InMemory, _) => true,
    }
}

/// Who is asked at an endpoint, however it is written; Amazon's are one, since a bucket's name is nobody else's there.
fn host(endpoint: &str) -> Option<String> {
    let lower = endpoint.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").unwrap_or(("", &lower));
    let host = rest.trim_end_matches('/');
    let usual = match scheme {
        "http" => &[":80"][..],
        "https" => &[":443"],
        _ => &[":80", ":443"],
    };
    let named = usual.iter().find_map(|port| host.strip_suffix(port)).unwrap_or(host);
    (!named.ends_with(".amazonaws.com")).then(|| named.to_owned())
}

/// A path without links, as far as it is there.
fn settled(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut there = path;
    loop {
        if let Ok(found) = there.canonicalize() {
            return missing.iter().rev().fold(found, |path, name| path.join(name));
        }
        match (there.parent(), there.file_name()) {
            (Some(above), Some(name)) => {
                missing.push(name.to_owned());
                there = above;
            }
            _ => return path.to_owned(),
        }
    }
}

async fn open_source(config: &Config, access: Access) -> Result<Collected, Error> {
    let source = match Collected::open_existing(config, access).await {
        Err(error) if error.is_not_found() => return Err(Error::Missing(config.to_string())),
        opened => opened.map_err(Side::Source.failed())?.ok_or(Error::Memory)?,
    };
    match source.has_database().await.map_err(Side::Source.failed())? {
        true => Err(Error::Database(config.to_string())),
        false => Ok(source),
    }
}

/// Fails once it is told to stop.
fn go_on(stop: &AtomicBool) -> Result<(), Error> {
    if stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
}
