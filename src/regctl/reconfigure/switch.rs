//! The storage becomes another one: `instance.toml` and all that follows from it change together, the services take it, and
//! where they do not serve with it everything is as it was.
//!
//! It is for whoever works on the storage and has it locked: everybody else's change waits for them.

use std::path::PathBuf;

use super::{
    apply,
    converge::{self, Claim, Services, Source},
    desired::{self, Desired},
    former::{self, Former},
    plan::{FolderChange, Plan},
    read_only::replaced,
    trust,
};
use crate::{
    config::load,
    state::{Folder, Layout, Lock, lock, lock::Held},
    sys::{fs, managed},
};

/// Why the storage is what it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error(transparent)]
    Load(#[from] load::Error),
    #[error(transparent)]
    Desired(#[from] desired::Error),
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    Former(#[from] former::Error),
    #[error(transparent)]
    Apply(#[from] apply::Error),
    #[error("`{}` was edited meanwhile; nothing was changed", .0.display())]
    Edited(PathBuf),
    #[error(transparent)]
    Undone(#[from] Box<converge::Error>),
}

/// An instance as it would be with another text of `instance.toml`.
pub(crate) struct Candidate {
    /// What the file holds now.
    before: String,
    text: String,
    pub(crate) desired: Desired,
}

impl Candidate {
    /// Looks what would become of the instance; `edit` makes the new text of the old one.
    pub(crate) fn of<E>(
        layout: &Layout,
        edit: impl FnOnce(&str) -> Result<String, E>,
    ) -> Result<Result<Self, E>, Error> {
        trust::instance(layout)?;
        let path = layout.instance_toml();
        let found = managed::read(&path)?.ok_or_else(|| load::Error::Missing(path.clone()))?;
        let text = match edit(&found.text) {
            Ok(text) => text,
            Err(error) => return Ok(Err(error)),
        };
        let desired = Desired::of(layout, load::parse_as(&path, &text)?, None)?;
        Ok(Ok(Self { before: found.text, text, desired }))
    }

    /// The registry's config.yml.
    pub(crate) fn config_yml(&self, layout: &Layout) -> &str {
        self.desired.text_of(&layout.config_yml()).unwrap_or_default()
    }

    /// Returns the files that edits from before would change, and that a switch would change with them.
    pub(crate) fn unapplied(&self, layout: &Layout) -> Result<Vec<PathBuf>, Error> {
        let parsed = load::parse_as(&layout.instance_toml(), &self.before)?;
        let plan = Desired::of(layout, parsed, Some(&self.desired))?.plan(layout)?;
        Ok(plan.changes.into_iter().map(|change| change.path).collect())
    }

    /// Makes the folders that the instance would have and that are missing: that of its storage among them, and the one of
    /// migrations.
    pub(crate) fn make_folders(&self, layout: &Layout, claim: Claim<'_>) -> Result<(), Error> {
        let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, |_| {})?;
        apply::complete(layout)?;
        let folders = self.desired.plan(layout)?.folders;
        let mut folders: Vec<_> =
            folders.into_iter().filter(|folder| folder.old.is_none()).collect();
        let own = layout.migration_folder();
        if !own.path.exists() {
            let access = self.desired.access_of(&own);
            folders.push(FolderChange { path: own.path, old: None, access });
        }
        Ok(apply::apply(layout, &Plan { folders, ..Plan::default() })?)
    }

    /// Makes a folder of the registry's account, unless it is there.
    pub(crate) fn make_folder(
        &self,
        layout: &Layout,
        own: Folder,
        claim: Claim<'_>,
    ) -> Result<(), Error> {
        if own.path.exists() {
            return Ok(());
        }
        let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, |_| {})?;
        apply::complete(layout)?;
        let access = self.desired.access_of(&own);
        let folders = vec![FolderChange { path: own.path, old: None, access }];
        Ok(apply::apply(layout, &Plan { folders, ..Plan::default() })?)
    }

    /// Has the instance be so, and returns when its services serve and `check` is content with them; otherwise it is as it was.
    /// Whoever calls this works on the storage, and lets nobody write to it.
    pub(crate) fn switch<S: Services, T>(
        self,
        layout: &Layout,
        claim: Claim<'_>,
        _storage: &Held,
        (services, check): (&S, impl FnOnce() -> Result<T, Source>),
    ) -> Result<T, Error> {
        let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, |_| {})?;
        apply::complete(layout)?;
        let path = layout.instance_toml();
        let found = managed::read(&path)?.filter(|found| found.text == self.before);
        let found = found.ok_or_else(|| Error::Edited(path.clone()))?;
        // The holds have changed since it was looked.
        let parsed = load::parse_as(&path, &self.text)?;
        let desired = Desired::of(layout, parsed, Some(&self.desired))?;
        let mut plan = desired.plan(layout)?;
        plan.changes.push(replaced(path, found, self.text));
        let former = converge::remember(layout, &plan)?;
        apply::apply(layout, &plan)?;
        let acted = services.act(Some(&desired)).map_err(Source::from);
        match acted.and_then(|_| check()) {
            Ok(found) => {
                Former::forget(layout)?;
                Ok(found)
            }
            Err(error) => {
                let undone = converge::roll_back(layout, &former, services, error);
                Err(Error::Undone(Box::new(undone)))
            }
        }
    }
}
