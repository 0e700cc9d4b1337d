//! What runs have deleted: a folder of files, one for each batch, each written before its tags go.

use std::path::PathBuf;

use super::Gone;
use crate::{
    state::{Layout, STATE_MODE},
    sys::{
        clock,
        fs::{self, Existing},
        random,
    },
};

/// So many files are kept; the eldest go first.
const FILES_MAX: usize = 1000;

/// More than there can be.
const NAMES_MAX: usize = 100_000;

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    folder: PathBuf,
    written: usize,
}

/// Why nothing is known of a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("no name could be made for the run")]
    Random(#[source] std::io::Error),
    #[error(
        "there is no run `{0}` that could be undone: `regctl cleanup-policy list` names the last ones"
    )]
    Missing(String),
    #[error("`{}` is no list of deleted tags", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
}

impl Run {
    /// Names a new run, and forgets the eldest ones.
    pub(crate) fn begin(layout: &Layout) -> Result<Self, Error> {
        let folder = layout.cleanup_runs();
        fs::create_folder(&folder, STATE_MODE)?;
        let mut names = fs::names_in(&folder, NAMES_MAX)?;
        names.retain(|name| name.ends_with(ENDING));
        names.sort_unstable();
        let too_many = names.len().saturating_sub(FILES_MAX);
        for name in &names[..too_many] {
            fs::remove(&folder.join(name))?;
        }
        let time: String = clock::now().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let name = format!("{time}-{}", random::hex(4).map_err(Error::Random)?);
        Ok(Self { name, folder, written: 0 })
    }

    /// Writes down what is about to go.
    pub(crate) fn note(&mut self, gone: &[Gone]) -> Result<(), Error> {
        let text = serde_json::to_vec(gone).expect("structs of strings are JSON");
        let path = self.folder.join(format!("{}.{:06}{ENDING}", self.name, self.written));
        fs::write_atomic(&path, &text, 0o640, Existing::Replace)?;
        self.written += 1;
        Ok(())
    }

    /// Reads what a run has deleted, or was about to.
    pub(crate) fn read(layout: &Layout, name: &str) -> Result<Vec<Gone>, Error> {
        let folder = layout.cleanup_runs();
        let missing = || Error::Missing(name.to_owned());
        let mut names = fs::names_in(&folder, NAMES_MAX)?;
        names.retain(|it| {
            it.strip_suffix(ENDING)
                .and_then(|it| it.split_once('.'))
                .is_some_and(|(run, _)| run == name)
        });
        names.sort_unstable();
        if names.is_empty() {
            return Err(missing());
        }
        let mut gone: Vec<Gone> = Vec::new();
        for name in names {
            let path = folder.join(name);
            let Some(bytes) = fs::read(&path)? else { continue };
            let read: Result<Vec<Gone>, _> = serde_json::from_slice(&bytes);
            gone.extend(read.map_err(|source| Error::Malformed { path, source })?);
        }
        Ok(gone)
    }
}

const ENDING: &str = ".json";
