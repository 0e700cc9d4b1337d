//! From where to where a migration goes, and what it asks before it gives something up.

use clap::ValueEnum;
use registry::{
    Config,
    config::Config as Registry,
    migrate::{self, Place},
};

use crate::{
    config::{edit, instance::Driver as Storage, instance::Instance},
    exit::Failure,
    migrate::Record,
    output,
    reconfigure::Candidate,
    state::{Layout, Services},
};

/// Drivers that can be moved to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Driver {
    /// A folder
    Filesystem,
    /// An S3 bucket
    S3,
    /// The old name of s3
    S3aws,
}

/// Where the registry's content is, and where it is to be.
pub(super) struct Move {
    pub(super) source: Place,
    pub(super) target: Place,
    /// The driver that the target has in instance.toml.
    pub(super) to: Driver,
    /// The instance as it is to be.
    pub(super) candidate: Candidate,
}

impl Driver {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Filesystem => "filesystem",
            Self::S3 => "s3",
            Self::S3aws => "s3aws",
        }
    }
}

impl Move {
    /// To the storage that stands in instance.toml for a driver.
    pub(super) fn to(layout: &Layout, instance: &Instance, to: Driver) -> Result<Self, Failure> {
        let usual = match &instance.registry.storage.driver {
            Storage::Filesystem { root_directory, .. } => root_directory.display().to_string(),
            Storage::InMemory | Storage::S3(_) => String::new(),
        };
        let swap = |text: &str| edit::swap_storage(text, to.as_str(), &usual);
        let candidate = Candidate::of(layout, swap).map_err(Failure::Switch)?;
        let path = layout.instance_toml();
        let candidate = candidate.map_err(|error| Failure::Swap { path, error })?;
        let source = rendered(layout)?.storage.driver;
        let target = candidate.desired.registry.config.storage.driver.clone();
        if !migrate::are_apart(&source, &target) {
            let (source, target) = (source.to_string(), target.to_string());
            return Err(Failure::SamePlace { source, target });
        }
        Ok(Self { source, target, to, candidate })
    }

    /// To the storage that the last migration has left.
    pub(super) fn back(layout: &Layout, instance: &Instance) -> Result<Self, Failure> {
        let record = Record::load(layout)?.ok_or_else(|| {
            Failure::Usage("--back: no migration has moved this registry: name the driver that it is to be moved to with --to".to_owned())
        })?;
        let current = rendered(layout)?.storage.driver.place();
        if current != record.to {
            return Err(Failure::Usage(format!(
                "--back: the last migration has moved the registry to {}, and it serves from {current}: name the driver that it \
                 is to be moved to with --to",
                record.to
            )));
        }
        let ways = Driver::value_variants().iter().map(|to| Self::to(layout, instance, *to));
        let way = ways.filter_map(Result::ok).find(|way| way.target.place() == record.from);
        way.ok_or_else(|| {
            Failure::Usage(format!(
                "--back: {} is not under [migrate.to] in instance.toml any more: write it there again",
                record.from
            ))
        })
    }
}

/// What the registry runs on.
fn rendered(layout: &Layout) -> Result<Registry, Failure> {
    let environment: Vec<_> = Services::load(layout)?.registry.environment.into_iter().collect();
    let parsed = Config::load(&layout.config_yml(), &environment);
    let parsed = parsed.map_err(|error| crate::supervise::Error::Config(Box::new(error)))?;
    Ok(parsed.config)
}

/// Has the name of a storage typed, or given as `--confirm`, before something of it is given up; `why` is a sentence.
pub(super) fn confirm(place: &Place, given: Option<&str>, why: &str) -> Result<(), Failure> {
    let name = match place {
        Place::Filesystem(folder) => folder.root_directory.display().to_string(),
        Place::S3(bucket) => bucket.bucket.clone(),
        Place::InMemory => "memory".to_owned(),
    };
    let what = if matches!(place, Place::S3(_)) { "bucket" } else { "folder" };
    let typed = match given {
        Some(given) => Some(given.to_owned()),
        None => {
            let question = format!("{why}. Type the name of the {what} ({name}) to do it");
            output::typed(&question).map_err(Failure::Input)?
        }
    };
    match typed {
        Some(typed) if typed.trim() == name => Ok(()),
        Some(typed) => Err(Failure::Usage(format!(
            "{why}; `{}` is not the name of the {what}, which is `{name}`: nothing was changed",
            typed.trim()
        ))),
        None => Err(Failure::Usage(format!(
            "{why}: `--confirm {name}` does it all the same; nothing was changed"
        ))),
    }
}
