//! The storage folder as a reader without mercy sees it: every file, every link, every hash.

use std::{
    fs,
    path::{Path, PathBuf},
};

use oci::Digest;
use walkdir::WalkDir;

use crate::support::pusher::digest;

/// A storage folder.
#[derive(Debug)]
pub(crate) struct Store {
    storage: PathBuf,
}

impl Store {
    pub(crate) fn new(storage: &Path) -> Self {
        Self { storage: storage.to_owned() }
    }

    /// Everything on disk that no moment of any push may leave behind.
    pub(crate) fn problems(&self) -> Vec<String> {
        let blobs = files(&self.root().join("blobs"));
        let mut problems: Vec<_> = blobs.iter().filter_map(|path| self.torn_blob(path)).collect();
        for path in files(&self.root().join("repositories")) {
            let text = path.to_str().unwrap();
            if text.contains("/_uploads/") {
                continue;
            }
            if !text.ends_with("/link") {
                problems.push(format!("{text}: neither a link nor of an upload session"));
                continue;
            }
            problems.extend(self.broken_link(&path));
        }
        problems
    }

    /// Tags without what makes them one: their folder is there, `current/link` is not.
    pub(crate) fn half_tags(&self) -> Vec<PathBuf> {
        folders_in(&self.root().join("repositories"), "tags")
            .filter(|tag| !tag.join("current/link").exists())
            .collect()
    }

    /// The folders of upload sessions.
    pub(crate) fn sessions(&self) -> Vec<PathBuf> {
        folders_in(&self.root().join("repositories"), "_uploads").collect()
    }

    /// The folders in which processes, alive or dead, prepare their files.
    pub(crate) fn stages(&self) -> Vec<PathBuf> {
        children(&self.root().join("regctl"))
    }

    /// Files that processes have prepared and not yet put in their place.
    pub(crate) fn staged(&self) -> Vec<PathBuf> {
        files(&self.root().join("regctl"))
    }

    /// The blobs, by digest.
    pub(crate) fn blobs(&self) -> Vec<String> {
        let blobs = files(&self.root().join("blobs"));
        blobs.iter().map(|path| digest_in(path).unwrap_or_default()).collect()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.storage.join("docker/registry/v2")
    }

    fn torn_blob(&self, path: &Path) -> Option<String> {
        let actual = digest(&fs::read(path).unwrap());
        if !path.ends_with("data") || digest_in(path).as_ref() != Some(&actual) {
            return Some(format!("{}: its content is {actual}", path.display()));
        }
        None
    }

    /// A link must hold a digest and nothing else, and what it leads to must be there.
    fn broken_link(&self, path: &Path) -> Option<String> {
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let Ok(target) = text.parse::<Digest>() else {
            return Some(format!("{}: holds {text:?}", path.display()));
        };
        if target.to_string() != text {
            return Some(format!("{}: holds {text:?}", path.display()));
        }
        let hex = target.to_hex();
        let blob = self.root().join("blobs/sha256").join(&hex[..2]).join(&hex).join("data");
        if !blob.exists() {
            return Some(format!("{}: leads to no blob, {text}", path.display()));
        }
        // A tag also needs the manifest to be one of its own repository.
        let tag = path.to_str().unwrap().strip_suffix("/current/link")?;
        let (manifests, _) = tag.rsplit_once("/tags/").unwrap();
        let revision = Path::new(manifests).join("revisions/sha256").join(&hex).join("link");
        (!revision.exists()).then(|| format!("{tag}: leads to no manifest, {text}"))
    }
}

/// The digest that a path of a blob stands for.
fn digest_in(path: &Path) -> Option<String> {
    let folder = path.parent()?.file_name()?.to_str()?;
    Some(format!("sha256:{folder}"))
}

/// All files below a folder; a file that goes while it is looked for was not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(folder).into_iter().filter_map(Result::ok);
    entries.filter(|entry| entry.file_type().is_file()).map(|entry| entry.into_path()).collect()
}

/// The folders in every folder of this name.
fn folders_in(root: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let named = WalkDir::new(root)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_dir() && entry.file_name() == name)
        .map(|entry| entry.into_path())
        .collect::<Vec<_>>();
    named.into_iter().flat_map(|folder| children(&folder))
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(Result::ok).map(|entry| entry.path()).collect()
}
