//! The key that signs tokens, as a file for GitLab.
//!
//! It lies where the administrator says, outside of what regctl manages, so the journal never names it: a
//! journal that could would be a way to write anywhere. It is staged before the change begins, so that a
//! folder that cannot be written is noticed in time, and moved into place after the change is complete. What
//! ends the process in between leaves a key that differs, and the next command sees that it does.

use std::{io, path::PathBuf};

use super::key_place;
use crate::{
    Secret,
    config::{Named, instance::Gitlab},
    render::Inputs,
    sys::{account, fs, host, managed, owned, stage},
};

/// Nobody but GitLab needs it.
const MODE: u32 = 0o640;

/// A key file that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Handover {
    pub(crate) path: PathBuf,
    /// Whether a file is there already.
    pub(crate) replaces: bool,
    key: Secret,
    /// None: whoever writes it owns it.
    owner: Option<(u32, u32)>,
    /// What earlier commands staged and did not publish.
    leftovers: Vec<PathBuf>,
}

/// Why the key cannot be handed over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`gitlab_rails.registry_key_group = \"{0}\"`: there is no such group")]
    NoGroup(String),
    #[error("failed to look up the group `{name}`")]
    Group { name: String, source: io::Error },
    #[error("`gitlab_rails.registry_key_path`: the folder `{}` does not exist", .0.display())]
    NoFolder(PathBuf),
    #[error(
        "`gitlab_rails.registry_key_path`: `{}` is {what}: GitLab's key would be written over it",
        path.display()
    )]
    Taken { path: PathBuf, what: String },
    #[error(
        "`gitlab_rails.registry_key_path`: `{}` exists and holds {found}: GitLab's key does not replace it",
        path.display()
    )]
    Stranger { path: PathBuf, found: &'static str },
}

impl Handover {
    /// Compares the file with the key; `None` when there is nothing to do.
    ///
    /// `named` are the paths that `instance.toml` names: none of them is a place for the key.
    pub(super) fn plan(inputs: &Inputs<'_>, named: &[Named]) -> Result<Option<Self>, Error> {
        let Some(Gitlab { key_path: Some(path), key_group, .. }) = &inputs.instance.gitlab else {
            return Ok(None);
        };
        let Some(pair) = inputs.token_pair() else { return Ok(None) };
        let path = inputs.layout.resolve(path);
        let folder = owned::folder(&path);
        if !folder.is_dir() {
            return Err(Error::NoFolder(folder.to_owned()));
        }
        let found = managed::read(&path)?;
        key_place::check(inputs, named, &path, found.as_ref().map(|found| found.text.as_str()))?;
        let is = owned::owner(&path)?;
        let owner = wanted(is, key_group.as_deref())?;
        let leftovers = stage::list_of(&path)?;
        let same = found.as_ref().is_some_and(|found| {
            found.text == pair.key.reveal()
                && found.mode == MODE
                && (owner.is_none() || owner == is)
        });
        if same && leftovers.is_empty() {
            return Ok(None);
        }
        let key = pair.key.clone();
        Ok(Some(Self { path, replaces: found.is_some(), key, owner, leftovers }))
    }

    /// Writes the key beside its place.
    pub(super) fn stage(&self, nonce: &str) -> Result<(), fs::Error> {
        self.leftovers.iter().try_for_each(|path| fs::remove(path))?;
        owned::stage(&self.path, nonce, self.key.reveal().as_bytes(), MODE, self.owner)
    }

    /// Moves the staged key into place.
    pub(super) fn publish(&self, nonce: &str) -> Result<(), fs::Error> {
        stage::publish(&self.path, nonce)?;
        fs::sync_folder(owned::folder(&self.path))
    }

    /// Returns what changes, as `diff -u` would name it, and nothing of the key.
    pub(crate) fn diff(&self) -> String {
        let path = self.path.display();
        let old = if self.replaces { path.to_string() } else { "/dev/null".to_owned() };
        format!("--- {old}\n+++ {path}\n@@ the private key is not shown @@\n")
    }
}

/// Whose the file should be: its group is what is asked for, else what it is.
fn wanted(is: Option<(u32, u32)>, group: Option<&str>) -> Result<Option<(u32, u32)>, Error> {
    let Some(name) = group else { return Ok(is) };
    let failed = |source| Error::Group { name: name.to_owned(), source };
    let id = account::group(name).map_err(failed)?;
    let id = id.ok_or_else(|| Error::NoGroup(name.to_owned()))?;
    Ok(Some((is.map_or_else(host::user, |(user, _)| user), id)))
}
