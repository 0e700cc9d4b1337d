//! An administrator's own copies of templates, read from `etc/regctl/templates`.

use std::path::{Path, PathBuf};

use crate::{
    render::{Copy, Name, Templates},
    state::Layout,
    sys::{fs, managed},
};

/// Why the copies cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` may be written by {who}: who writes a template decides what runs", path.display())]
    Writable { path: PathBuf, who: &'static str },
}

/// Reads the copies that are there.
pub(crate) fn load(layout: &Layout) -> Result<Templates, Error> {
    let folder = layout.templates();
    let mut templates = Templates::default();
    for name in Name::ALL {
        let path = folder.join(name.as_str());
        let Some(found) = managed::read(&path)? else { continue };
        trusted(&path)?;
        let copy = Copy { path: path.display().to_string(), text: found.text };
        templates.copies.insert(name, copy);
    }
    if !templates.copies.is_empty() {
        trusted(&folder)?;
    }
    Ok(templates)
}

/// Refuses what somebody else can change.
pub(super) fn trusted(path: &Path) -> Result<(), Error> {
    match managed::other_writers(path)? {
        Some(who) => Err(Error::Writable { path: path.to_owned(), who }),
        None => Ok(()),
    }
}
