//! The quarantine: what a collection removed, under its own paths in
//! `docker/registry/v2/regctl-trash/<run>`, where no registry looks.
//!
//! Folders go there and come back by renames that replace nothing, those that were empty too. They come back in the order of
//! writes, with a sync between: bytes, links to blobs, manifests, histories, tags. What has come back leaves no folder behind
//! that could be taken for one that was empty.

use rustix::{
    fs::{AtFlags, RenameFlags, renameat, renameat_with, statat, syncfs, unlinkat},
    io::Errno,
};

use super::{folders::parent, stage::remove_tree, staged::write_file, store::Store};
use crate::{Error, KeptRun, Removed, Restored, RunId, error::Context, quarantine::Turn};

const TRASH: &str = "docker/registry/v2/regctl-trash";
const TOP: &str = "docker/registry/v2";
/// What says of a run what it was.
const INDEX: &str = "run.json";
/// The same of a run that is being emptied: the last that goes of it.
const GOING: &str = "run.json.emptied";
/// The longest index that is read.
const INDEX_BYTES: usize = 1024 * 1024;
/// Below it stand repositories that went whole: what went of them before stands beside.
const EMPTIED: &str = "emptied";
/// What such a one is called there: below its own name may stand others, which went before it.
const WHOLE: &str = "_repository";

/// Makes the folder of a run, with its index.
pub(super) fn begin(store: &Store, run: &RunId, index: &[u8]) -> Result<(), Error> {
    let folder = format!("{TRASH}/{run}");
    let unsynced = store.folders.make(&store.root, &folder)?;
    let path = format!("{folder}/{INDEX}");
    write_file(store, &path, index).during("write", &path)?;
    store.sync_folder(&folder)?;
    store.folders.sync(&store.root, unsynced)
}

/// Moves an item's folder into a run's quarantine.
pub(super) fn take(store: &Store, run: &RunId, folder: &str) -> Result<Removed, Error> {
    take_to(store, folder, &format!("{TRASH}/{run}{}", below_top(folder)))
}

/// Moves what is left of a repository there.
pub(super) fn take_repository(store: &Store, run: &RunId, folder: &str) -> Result<Removed, Error> {
    take_to(store, folder, &format!("{TRASH}/{run}/{EMPTIED}{}/{WHOLE}", below_top(folder)))
}

fn below_top(folder: &str) -> &str {
    folder.strip_prefix(TOP).unwrap_or(folder)
}

fn take_to(store: &Store, folder: &str, target: &str) -> Result<Removed, Error> {
    let _unsynced = store.folders.make(&store.root, parent(target))?;
    match rename(store, folder, target) {
        Ok(()) => Ok(Removed::Gone),
        Err(Errno::NOENT) => Ok(Removed::Vanished),
        Err(error) => Err(Error::io("quarantine", folder, error.into())),
    }
}

/// The quarantines that are there. A run without an index was cut short before it removed anything; where there is nothing at all, at the
/// end of its emptying.
pub(super) fn list(store: &Store) -> Result<Vec<KeptRun>, Error> {
    let entries = match store.list(TRASH) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        entries => entries?,
    };
    let runs = entries.into_iter().filter_map(|entry| entry.name.parse::<RunId>().ok());
    let kept = |run: RunId| {
        let going = store.get(&format!("{TRASH}/{run}/{GOING}"), INDEX_BYTES);
        let is_empty =
            store.list(&format!("{TRASH}/{run}")).is_ok_and(|entries| entries.is_empty());
        let is_going = is_empty || !going.as_ref().is_err_and(Error::is_not_found);
        let index = if is_going {
            going
        } else {
            store.get(&format!("{TRASH}/{run}/{INDEX}"), INDEX_BYTES)
        };
        KeptRun { run, index, is_going }
    };
    Ok(runs.map(kept).collect())
}

/// Brings back what is not there by now.
pub(super) fn restore(store: &Store, run: &RunId) -> Result<Restored, Error> {
    let above = format!("{TRASH}/{run}");
    let moved = walk(store, &above)?;
    let mut restored = Restored::default();
    for turn in Turn::ALL {
        for (path, kind) in moved.iter().filter(|(path, _)| Turn::of(&store_path(path)) == turn) {
            let target = format!("{TOP}/{}", store_path(path));
            match kind {
                Left::Folder => {
                    drop(store.folders.make(&store.root, &target)?);
                    forget(store, &above, &format!("{above}/{path}"));
                }
                Left::File => bring(store, (&above, path), target, &mut restored)?,
            }
        }
        syncfs(&store.root).during("sync", "the store")?;
    }
    if restored.kept.is_empty() {
        discard(store, run)?;
    }
    Ok(restored)
}

/// The path below the store's top that something had.
fn store_path(path: &str) -> String {
    match path.strip_prefix(EMPTIED) {
        // Before it stands the name of a repository, in which nothing is called so.
        Some(whole) => whole.trim_start_matches('/').replacen(&format!("/{WHOLE}"), "", 1),
        None => path.to_owned(),
    }
}

fn bring(
    store: &Store,
    (above, path): (&str, &str),
    target: String,
    restored: &mut Restored,
) -> Result<(), Error> {
    let _unsynced = store.folders.make(&store.root, parent(&target))?;
    let from = format!("{above}/{path}");
    match rename(store, &from, &target) {
        Ok(()) => {
            restored.objects += 1;
            forget(store, above, parent(&from));
        }
        Err(Errno::EXIST) => restored.kept.push(target),
        Err(error) => return Err(Error::io("restore", target, error.into())),
    }
    Ok(())
}

/// Removes a folder of a run that is empty by now, and those above it.
fn forget(store: &Store, above: &str, folder: &str) {
    let mut folder = folder;
    while folder.len() > above.len() && unlinkat(&store.root, folder, AtFlags::REMOVEDIR).is_ok() {
        folder = parent(folder);
    }
}

/// Removes a run's quarantine with all that is in it; first of all it becomes one that cannot be brought back.
pub(super) fn discard(store: &Store, run: &RunId) -> Result<(), Error> {
    let folder = format!("{TRASH}/{run}");
    let (index, going) = (format!("{folder}/{INDEX}"), format!("{folder}/{GOING}"));
    store.folders.forget(&folder);
    match renameat(&store.root, &index, &store.root, &going) {
        // It has no index any more, or never had one.
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(Error::io("delete", index, error.into())),
    }
    store.sync_folder(&folder)?;
    for entry in store.list(&folder)?.iter().filter(|entry| entry.name != GOING) {
        let path = format!("{folder}/{}", entry.name);
        remove_tree(&store.root, &path).during("delete", &path)?;
    }
    remove_tree(&store.root, &folder).during("delete", &folder)?;
    store.sync_folder(TRASH)
}

/// What stands in a quarantine.
#[derive(Clone, Copy, Debug)]
enum Left {
    File,
    /// One in which nothing is.
    Folder,
}

/// Finds the files below a folder, and the folders in which there is nothing.
fn walk(store: &Store, above: &str) -> Result<Vec<(String, Left)>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let at = format!("{above}/{folder}");
        let entries = store.list(at.trim_end_matches('/'))?;
        if entries.is_empty() && !folder.is_empty() {
            found.push((folder, Left::Folder));
            continue;
        }
        for entry in entries {
            let path = match folder.as_str() {
                "" => entry.name.clone(),
                folder => format!("{folder}/{}", entry.name),
            };
            if !entry.is_folder {
                if path != INDEX {
                    found.push((path, Left::File));
                }
                continue;
            }
            folders.push(path);
        }
    }
    Ok(found)
}

/// Renames unless something stands there.
fn rename(store: &Store, from: &str, to: &str) -> Result<(), Errno> {
    let root = &store.root;
    match renameat_with(root, from, root, to, RenameFlags::NOREPLACE) {
        // Some filesystems do not know the flag. Nobody else writes here meanwhile.
        Err(Errno::INVAL | Errno::NOSYS) => match statat(root, to, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => renameat(root, from, root, to),
            Err(error) => Err(error),
        },
        renamed => renamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_may_be_called_as_what_stands_for_a_repository() {
        let tag = "repositories/app/_manifests/tags/_repository/current/link";
        assert_eq!(store_path(tag), tag);
        let whole = "emptied/repositories/a/b/_repository/_layers/sha256/0a/link";
        assert_eq!(store_path(whole), "repositories/a/b/_layers/sha256/0a/link");
    }
}
