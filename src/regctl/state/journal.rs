//! The journal of a change that has begun: what makes several files change as one.
//!
//! It is written when all new versions are staged, and removed when all are in place. So a journal means that
//! the change is to be completed, by whoever comes next; none means that nothing has changed yet.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::sys::{
    fs::{self, Existing},
    stage,
};

const SCHEMA: u32 = 1;

/// A change of several files, ready to be completed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Journal {
    /// The nonce of the staged files.
    pub(crate) nonce: String,
    /// The files with a staged version, in the order in which they are replaced.
    pub(crate) replace: Vec<PathBuf>,
    /// The files that go.
    pub(crate) remove: Vec<PathBuf>,
}

/// The form on disk; paths are under the root, which may have moved in between.
#[derive(Deserialize, Serialize)]
struct OnDisk {
    schema: u32,
    nonce: String,
    replace: Vec<PathBuf>,
    remove: Vec<PathBuf>,
}

/// Why a change that has begun cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` is no journal of this regctl", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("`{}` is no journal of this regctl: {reason}", path.display())]
    Foreign { path: PathBuf, reason: String },
}

impl Journal {
    /// Returns the change that has begun, if there is one.
    pub(crate) fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.journal();
        let Some(text) = fs::read_to_string(&path)? else { return Ok(None) };
        let stored: OnDisk = serde_json::from_str(&text)
            .map_err(|source| Error::Malformed { path: path.clone(), source })?;
        Self::check(stored, layout).map(Some).map_err(|reason| Error::Foreign { path, reason })
    }

    /// Takes only what regctl itself would write: a journal decides which files are replaced.
    fn check(stored: OnDisk, layout: &Layout) -> Result<Self, String> {
        let OnDisk { schema, nonce, replace, remove } = stored;
        if schema != SCHEMA {
            return Err(format!("its schema is {schema}, and must be {SCHEMA}"));
        }
        if !stage::is_nonce(&nonce) {
            return Err(format!("its nonce `{}` is none", nonce.escape_default()));
        }
        let managed = layout.managed();
        let known = |path: PathBuf| {
            let path = layout.resolve(&path);
            match managed.contains(&path) {
                true => Ok(path),
                false => Err(format!("`{}` is no file that regctl writes", path.display())),
            }
        };
        let replace = replace.into_iter().map(known).collect::<Result<_, _>>()?;
        let remove = remove.into_iter().map(known).collect::<Result<_, _>>()?;
        Ok(Self { nonce, replace, remove })
    }

    /// Writes the journal: from here on the change is completed and not undone.
    pub(crate) fn begin(&self, layout: &Layout) -> Result<(), fs::Error> {
        let under_root = |paths: &[PathBuf]| -> Vec<PathBuf> {
            let relative = |path: &PathBuf| path.strip_prefix(layout.root()).map(Path::to_owned);
            paths.iter().map(|path| relative(path).unwrap_or_else(|_| path.clone())).collect()
        };
        let stored = OnDisk {
            schema: SCHEMA,
            nonce: self.nonce.clone(),
            replace: under_root(&self.replace),
            remove: under_root(&self.remove),
        };
        let text = serde_json::to_string(&stored).expect("paths under the root are text");
        fs::write_atomic(&layout.journal(), text.as_bytes(), 0o640, Existing::Replace)
    }

    /// Removes the journal: the change is complete.
    pub(crate) fn end(layout: &Layout) -> Result<(), fs::Error> {
        fs::remove(&layout.journal())?;
        fs::sync_folder(&layout.state())
    }

    /// Returns every folder whose names the change touches.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let paths = self.replace.iter().chain(&self.remove);
        let mut folders: Vec<_> =
            paths.filter_map(|path| path.parent()).map(Path::to_owned).collect();
        folders.sort();
        folders.dedup();
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(replace: &str, nonce: &str, schema: u32) -> Result<Journal, String> {
        let stored = OnDisk {
            schema,
            nonce: nonce.to_owned(),
            replace: vec![replace.into()],
            remove: Vec::new(),
        };
        Journal::check(stored, &Layout::new("/srv".into()))
    }

    #[test]
    fn a_journal_names_only_files_that_regctl_writes() {
        let (config, nonce) = ("var/opt/regctl/registry/config.yml", "0123456789abcdef");
        let journal = check(config, nonce, 1).unwrap();
        assert_eq!(journal.replace, [PathBuf::from("/srv/var/opt/regctl/registry/config.yml")]);
        for (path, nonce, schema) in [
            ("/etc/passwd", nonce, 1),
            ("var/opt/regctl/registry/../registry/config.yml", nonce, 1),
            (config, "../../../etc/x", 1),
            (config, nonce, 2),
        ] {
            assert!(check(path, nonce, schema).is_err(), "{path} {nonce} {schema}");
        }
    }
}
