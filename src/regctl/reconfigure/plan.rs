//! A plan is what must change on disk for an instance's files to be as they should: a value, made without
//! looking anywhere, shown by `--dry-run` and otherwise applied.

use std::path::PathBuf;

use super::{disk::Disk, handover::Handover};
use crate::{
    render::{Content, File},
    state::Layout,
};

/// Everything that would change, in the order in which it does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Plan {
    /// Folders to create, each with its mode, the upper ones first.
    pub(crate) folders: Vec<(PathBuf, u32)>,
    pub(crate) changes: Vec<Change>,
    /// Staged files that nobody will publish.
    pub(crate) leftovers: Vec<PathBuf>,
    /// The file of users that is missing; an empty one is made.
    pub(crate) users_file: Option<PathBuf>,
    /// The key for GitLab that is not as it should be.
    pub(crate) handover: Option<Handover>,
    /// Whether an earlier change has begun and is not complete.
    pub(crate) interrupted: bool,
}

/// One file's change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

/// What happens to a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Create {
        content: Content,
        mode: u32,
    },
    Replace {
        old: String,
        content: Content,
        mode: u32,
    },
    /// The content stays.
    Mode {
        content: Content,
        old: u32,
        mode: u32,
    },
    Remove {
        old: String,
    },
}

impl Plan {
    /// Compares what should be with what is.
    pub(crate) fn new(files: &[File], folders: &[(PathBuf, u32)], disk: &Disk) -> Self {
        let missing = |(path, _): &&(PathBuf, u32)| !disk.folders.contains(path);
        Self {
            folders: folders.iter().filter(missing).cloned().collect(),
            changes: files.iter().filter_map(|file| change(file, disk)).collect(),
            leftovers: disk.stages.clone(),
            interrupted: disk.interrupted,
            ..Self::default()
        }
    }

    /// Returns what a person has to do after the change, told once: when what it follows from changed.
    pub(crate) fn notices(&self, layout: &Layout) -> Vec<String> {
        let users = self.users_file.iter().map(|path| {
            format!(
                "nobody can sign in yet: `regctl user add NAME` puts users into {}",
                path.display()
            )
        });
        let of_gitlab = |change: &&Change| change.path == layout.gitlab_rb();
        let gitlab = self.changes.iter().filter(of_gitlab).filter_map(Change::content);
        let gitlab = gitlab.map(|(content, _)| {
            let path = layout.gitlab_rb();
            format!("GitLab's side, as in {}:\n\n{}", path.display(), content.shown)
        });
        users.chain(gitlab).collect()
    }

    /// Whether everything is as it should be.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn change(file: &File, disk: &Disk) -> Option<Change> {
    let File { path, mode, content } = file;
    let mode = *mode;
    let kind = match (disk.files.get(path), content.clone()) {
        (None, None) => return None,
        (None, Some(content)) => Kind::Create { content, mode },
        (Some(found), None) => Kind::Remove { old: found.text.clone() },
        (Some(found), Some(content)) if found.text != content.text => {
            Kind::Replace { old: found.text.clone(), content, mode }
        }
        (Some(found), Some(content)) if found.mode != mode => {
            Kind::Mode { content, old: found.mode, mode }
        }
        (Some(_), Some(_)) => return None,
    };
    Some(Change { path: path.clone(), kind })
}

impl Change {
    /// Returns the new content with its mode; `None` for a file that goes.
    pub(crate) fn content(&self) -> Option<(&Content, u32)> {
        match &self.kind {
            Kind::Create { content, mode }
            | Kind::Replace { content, mode, .. }
            | Kind::Mode { content, mode, .. } => Some((content, *mode)),
            Kind::Remove { .. } => None,
        }
    }

    /// Returns what happened to the file, once it has.
    pub(crate) fn done(&self) -> &'static str {
        match self.kind {
            Kind::Create { .. } => "created",
            Kind::Replace { .. } => "replaced",
            Kind::Mode { .. } => "changed the mode of",
            Kind::Remove { .. } => "removed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::managed::Found;

    const PATH: &str = "/x/config.yml";

    fn planned(found: Option<(&str, u32)>, wanted: Option<&str>) -> Vec<&'static str> {
        let content = wanted.map(|text| Content { text: text.to_owned(), shown: String::new() });
        let file = File { path: PATH.into(), mode: 0o640, content };
        let found = found.map(|(text, mode)| (PATH.into(), Found { text: text.to_owned(), mode }));
        let disk = Disk { files: found.into_iter().collect(), ..Disk::default() };
        Plan::new(&[file], &[], &disk).changes.iter().map(Change::done).collect()
    }

    #[test]
    fn a_file_changes_only_when_it_is_not_as_it_should_be() {
        assert_eq!(planned(None, None), [""; 0]);
        assert_eq!(planned(None, Some("a")), ["created"]);
        assert_eq!(planned(Some(("a", 0o640)), Some("a")), [""; 0]);
        assert_eq!(planned(Some(("b", 0o640)), Some("a")), ["replaced"]);
        assert_eq!(planned(Some(("a", 0o644)), Some("a")), ["changed the mode of"]);
        assert_eq!(planned(Some(("a", 0o640)), None), ["removed"]);
    }

    #[test]
    fn only_missing_folders_are_created() {
        let folders = [(PathBuf::from("/x"), 0o755), (PathBuf::from("/x/y"), 0o750)];
        let disk = Disk { folders: [PathBuf::from("/x")].into(), ..Disk::default() };
        let plan = Plan::new(&[], &folders, &disk);
        assert_eq!(plan.folders, [(PathBuf::from("/x/y"), 0o750)]);
        assert!(!plan.is_empty());
    }
}
