//! A plan is what must change on disk for an instance's files to be as they should: a value, made without
//! looking anywhere, shown by `--dry-run` and otherwise applied.

use std::path::PathBuf;

use super::{accounts::Creation, disk::Disk, handover::Handover, system::Activation};
use crate::{
    render::{Content, File},
    state::{Folder, Layout, Owners, owner::Ownership},
    sys::managed::Found,
};

/// Everything that would change, in the order in which it does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Plan {
    /// Accounts and groups to create, before anything can be theirs.
    pub(crate) accounts: Vec<Creation>,
    /// The upper ones first.
    pub(crate) folders: Vec<FolderChange>,
    pub(crate) changes: Vec<Change>,
    /// Staged files that nobody will publish.
    pub(crate) leftovers: Vec<PathBuf>,
    /// The file of users that is missing; one without users is made.
    pub(crate) users_file: Option<UsersFile>,
    /// The key for GitLab that is not as it should be.
    pub(crate) handover: Option<Handover>,
    /// Whether an earlier change has begun and is not complete.
    pub(crate) interrupted: bool,
    /// What systemd is told when the files are in place.
    pub(crate) activation: Option<Activation>,
}

/// Who may do what with a file or folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Access {
    pub(crate) mode: u32,
    /// None: whoever's runs regctl.
    pub(crate) owner: Option<Ownership>,
}

/// Who may do what with a file or folder now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OldAccess {
    pub(crate) mode: u32,
    pub(crate) ids: (u32, u32),
}

/// One folder's change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FolderChange {
    pub(crate) path: PathBuf,
    /// None: it is missing.
    pub(crate) old: Option<OldAccess>,
    pub(crate) access: Access,
}

/// A file of users that is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct UsersFile {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
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
        access: Access,
    },
    Replace {
        old: String,
        old_access: OldAccess,
        content: Content,
        access: Access,
    },
    /// The content stays.
    Access {
        content: Content,
        old: OldAccess,
        access: Access,
    },
    Remove {
        old: String,
    },
}

impl Plan {
    /// Compares what should be with what is.
    pub(crate) fn new(files: &[File], folders: &[Folder], disk: &Disk, owners: &Owners) -> Self {
        Self {
            accounts: Vec::new(),
            folders: folders
                .iter()
                .filter_map(|folder| folder_change(folder, disk, owners))
                .collect(),
            changes: files.iter().filter_map(|file| change(file, disk, owners)).collect(),
            leftovers: disk.stages.clone(),
            interrupted: disk.interrupted,
            ..Self::default()
        }
    }

    /// Returns what a person has to do after the change, told once: when what it follows from changed.
    pub(crate) fn notices(&self, layout: &Layout) -> Vec<String> {
        let users = self.users_file.iter().map(|UsersFile { path, .. }| {
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

fn folder_change(folder: &Folder, disk: &Disk, owners: &Owners) -> Option<FolderChange> {
    let Folder { path, mode, owner, is_kept_right } = folder;
    let access = Access { mode: *mode, owner: owners.of(*owner) };
    let old = disk
        .folders
        .get(path)
        .map(|found| OldAccess { mode: found.mode, ids: (found.uid, found.gid) });
    // Without an account of the registry's own, whoever opens or closes a folder has a reason.
    let is_right =
        |old: OldAccess| !is_kept_right || access.owner.is_none() || access.is_given_by(old);
    match old {
        Some(old) if is_right(old) => None,
        old => Some(FolderChange { path: path.clone(), old, access }),
    }
}

fn change(file: &File, disk: &Disk, owners: &Owners) -> Option<Change> {
    let File { path, mode, owner, content } = file;
    let access = Access { mode: *mode, owner: owners.of(*owner) };
    let kind = match (disk.files.get(path), content.clone()) {
        (None, None) => return None,
        (None, Some(content)) => Kind::Create { content, access },
        (Some(found), None) => Kind::Remove { old: found.text.clone() },
        (Some(found), Some(content)) => {
            let (old, old_access) = (found.text.clone(), access_of(found));
            match (old == content.text, access.is_given_by(old_access)) {
                (true, true) => return None,
                (true, false) => Kind::Access { content, old: old_access, access },
                (false, _) => Kind::Replace { old, old_access, content, access },
            }
        }
    };
    Some(Change { path: path.clone(), kind })
}

fn access_of(found: &Found) -> OldAccess {
    OldAccess { mode: found.mode, ids: (found.uid, found.gid) }
}

impl Access {
    fn is_given_by(&self, old: OldAccess) -> bool {
        old.mode == self.mode && !self.changes_owner(old)
    }

    fn changes_owner(&self, old: OldAccess) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.ids() != Some(old.ids))
    }

    /// Returns what differs: `mode`, `owner`, or both.
    fn difference(&self, old: OldAccess) -> &'static str {
        match (old.mode == self.mode, self.changes_owner(old)) {
            (false, true) => "mode and owner",
            (true, true) => "owner",
            (_, false) => "mode",
        }
    }
}

impl FolderChange {
    /// Returns what differs in a folder that exists.
    pub(crate) fn difference(&self) -> Option<&'static str> {
        self.old.map(|old| self.access.difference(old))
    }
}

impl Change {
    /// Returns the new content with its mode and owner; `None` for a file that goes.
    pub(crate) fn content(&self) -> Option<(&Content, &Access)> {
        match &self.kind {
            Kind::Create { content, access }
            | Kind::Replace { content, access, .. }
            | Kind::Access { content, access, .. } => Some((content, access)),
            Kind::Remove { .. } => None,
        }
    }

    /// Returns what happened to the file, once it has.
    pub(crate) fn done(&self) -> &'static str {
        match &self.kind {
            Kind::Create { .. } => "created",
            Kind::Replace { .. } => "replaced",
            Kind::Access { old, access, .. } => match access.difference(*old) {
                "mode" => "changed the mode of",
                "owner" => "changed the owner of",
                _ => "changed the mode and owner of",
            },
            Kind::Remove { .. } => "removed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        state::{
            Owner,
            owner::{Principal, Service},
        },
        sys::folder,
    };

    const PATH: &str = "/x/config.yml";

    fn planned(found: Option<(&str, u32)>, wanted: Option<&str>) -> Vec<&'static str> {
        planned_for(&Owners::default(), found.map(|(text, mode)| (text, mode, 7)), wanted)
    }

    fn planned_for(
        owners: &Owners,
        found: Option<(&str, u32, u32)>,
        wanted: Option<&str>,
    ) -> Vec<&'static str> {
        let content = wanted.map(|text| Content { text: text.to_owned(), shown: String::new() });
        let file = File { path: PATH.into(), mode: 0o640, owner: Owner::Shared, content };
        let found = found.map(|(text, mode, gid)| {
            (PATH.into(), Found { text: text.to_owned(), mode, uid: 0, gid })
        });
        let disk = Disk { files: found.into_iter().collect(), ..Disk::default() };
        Plan::new(&[file], &[], &disk, owners).changes.iter().map(Change::done).collect()
    }

    fn owners(gid: Option<u32>) -> Owners {
        let principal = |id| Principal { name: "registry".to_owned(), id };
        let (user, group, log_group) = (principal(Some(5)), principal(gid), Principal::root());
        Owners { service: Some(Service { user, group, log_group }) }
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
    fn an_owner_counts_only_where_the_registry_has_an_account() {
        let found = |mode| Some(("a", mode, 7));
        assert_eq!(planned_for(&owners(Some(7)), found(0o640), Some("a")), [""; 0]);
        for (gid, mode, done) in [
            (Some(8), 0o640, "changed the owner of"),
            (None, 0o640, "changed the owner of"),
            (Some(8), 0o600, "changed the mode and owner of"),
        ] {
            assert_eq!(planned_for(&owners(gid), found(mode), Some("a")), [done]);
        }
    }

    fn folder(path: &str, is_kept_right: bool) -> Folder {
        Folder { path: path.into(), mode: 0o750, owner: Owner::Shared, is_kept_right }
    }

    #[test]
    fn only_missing_folders_are_created() {
        let folders = [folder("/x", true), folder("/x/y", true)];
        let found = folder::Found { mode: 0o755, uid: 1, gid: 1 };
        let disk = Disk { folders: [("/x".into(), found)].into(), ..Disk::default() };
        let plan = Plan::new(&[], &folders, &disk, &Owners::default());
        let changed: Vec<_> =
            plan.folders.iter().map(|change| (change.path.clone(), change.difference())).collect();
        assert_eq!(changed, [("/x/y".into(), None)]);
        assert!(!plan.is_empty());
    }

    #[test]
    fn the_folders_that_regctl_keeps_right_get_their_owner_and_mode() {
        let folders = [folder("/x", true), folder("/theirs", false)];
        for (mode, gid, difference) in [
            (0o750, 7, None),
            (0o750, 8, Some("owner")),
            (0o755, 7, Some("mode")),
            (0o700, 8, Some("mode and owner")),
        ] {
            let found = folder::Found { mode, uid: 0, gid };
            let existing = folders.iter().map(|folder| (folder.path.clone(), found)).collect();
            let disk = Disk { folders: existing, ..Disk::default() };
            let plan = Plan::new(&[], &folders, &disk, &owners(Some(7)));
            let changed: Vec<_> = plan
                .folders
                .iter()
                .map(|change| (change.path.clone(), change.difference()))
                .collect();
            let expected: Vec<_> =
                difference.into_iter().map(|words| ("/x".into(), Some(words))).collect();
            assert_eq!(changed, expected, "{mode:o} {gid}");
        }
    }
}
