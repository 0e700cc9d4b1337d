//! Applying a plan: several files change as one.
//!
//! All new versions are staged and synced; then the journal is written, which is the moment of the change;
//! then they are moved into place, and the journal goes. Whatever ends the process, the next command finds
//! no journal and the old files, or a journal with which it completes the new ones.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use super::{
    handover::Handover,
    plan::{Access, Change, FolderChange, Plan, UsersFile},
};
use crate::{
    state::{Journal, Layout, journal, users},
    sys::{folder, fs, owned, random, stage},
};

/// Why a plan is not applied, or not completely.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error("failed to name staged files")]
    Random(#[source] io::Error),
    #[error("the change has begun and is not complete: the next command completes it")]
    Begun(#[source] fs::Error),
}

/// One step. Between two of them anything may end the process.
#[derive(Debug)]
enum Step<'a> {
    Sweep(&'a PathBuf),
    Folder(&'a FolderChange),
    Stage {
        target: &'a PathBuf,
        text: &'a str,
        access: &'a Access,
        nonce: &'a str,
    },
    Begin(&'a Journal),
    /// Makes a file without users, which lets nobody in.
    Users(&'a UsersFile),
    /// Stages the key for GitLab, whose folder may not be there or not ours to write.
    StageKey(&'a Handover, &'a str),
    PublishKey(&'a Handover, &'a str),
    Complete(Completion),
}

/// One step of a change that has begun. Each may be done again.
#[derive(Debug)]
enum Completion {
    Publish { target: PathBuf, nonce: String },
    Remove(PathBuf),
    Sync(PathBuf),
    End,
}

/// Makes the disk as planned. The caller holds the instance lock.
pub(crate) fn apply(layout: &Layout, plan: &Plan) -> Result<(), Error> {
    let nonce = random::hex(stage::NONCE_BYTES).map_err(Error::Random)?;
    let journal = journal_of(plan, nonce);
    for step in steps(plan, &journal) {
        if let Err(error) = step.perform(layout) {
            return Err(match step {
                Step::Complete(_) | Step::PublishKey(..) => Error::Begun(error),
                _ => abandoned(plan, &journal, error),
            });
        }
    }
    Ok(())
}

/// Completes a change that somebody else began.
pub(crate) fn complete(layout: &Layout) -> Result<(), Error> {
    let Some(journal) = Journal::load(layout)? else { return Ok(()) };
    completion(&journal).iter().try_for_each(|step| step.perform(layout)).map_err(Error::Begun)
}

fn journal_of(plan: &Plan, nonce: String) -> Journal {
    let (replaced, removed): (Vec<_>, Vec<_>) =
        plan.changes.iter().partition(|change| change.content().is_some());
    let paths =
        |changes: Vec<&Change>| changes.into_iter().map(|change| change.path.clone()).collect();
    Journal { nonce, replace: paths(replaced), remove: paths(removed) }
}

fn steps<'a>(plan: &'a Plan, journal: &'a Journal) -> VecDeque<Step<'a>> {
    let mut steps: VecDeque<_> = plan.leftovers.iter().map(Step::Sweep).collect();
    steps.extend(plan.folders.iter().map(Step::Folder));
    let nonce = journal.nonce.as_str();
    steps.extend(plan.users_file.iter().map(Step::Users));
    steps.extend(plan.handover.iter().map(|key| Step::StageKey(key, nonce)));
    if !plan.changes.is_empty() {
        steps.extend(journaled(plan, journal));
    }
    steps.extend(plan.handover.iter().map(|key| Step::PublishKey(key, nonce)));
    steps
}

/// The files that change as one.
fn journaled<'a>(plan: &'a Plan, journal: &'a Journal) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    for change in &plan.changes {
        if let Some((content, access)) = change.content() {
            let (target, text, nonce) = (&change.path, &content.text, &journal.nonce);
            steps.push(Step::Stage { target, text, access, nonce });
        }
    }
    steps.push(Step::Begin(journal));
    steps.extend(completion(journal).into_iter().map(Step::Complete));
    steps
}

fn completion(journal: &Journal) -> Vec<Completion> {
    let Journal { nonce, replace, remove } = journal;
    let publish =
        |target: &PathBuf| Completion::Publish { target: target.clone(), nonce: nonce.clone() };
    let mut steps: Vec<_> = replace.iter().map(publish).collect();
    steps.extend(remove.iter().cloned().map(Completion::Remove));
    steps.extend(journal.folders().into_iter().map(Completion::Sync));
    steps.push(Completion::End);
    steps
}

impl Step<'_> {
    fn perform(&self, layout: &Layout) -> Result<(), fs::Error> {
        match self {
            Self::Sweep(path) => fs::remove(path),
            Self::Folder(FolderChange { path, old, access }) => match old {
                None => folder::create(path, access.mode, access.ids(path)?),
                Some(_) => folder::give(path, access.mode, access.ids(path)?),
            },
            Self::Stage { target, text, access, nonce } => {
                stage::write(target, nonce, text.as_bytes(), access.mode, access.ids(target)?)
            }
            Self::Begin(journal) => journal.begin(layout),
            Self::Users(file) => create_users(file),
            Self::StageKey(key, nonce) => key.stage(nonce),
            Self::PublishKey(key, nonce) => key.publish(nonce),
            Self::Complete(step) => step.perform(layout),
        }
    }
}

/// Another program may be as fast, as `htpasswd -c`, which takes no lock: its file stays.
fn create_users(UsersFile { path, access }: &UsersFile) -> Result<(), fs::Error> {
    match owned::create(path, users::NOBODY.as_bytes(), access.mode, access.ids(path)?) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

impl Access {
    /// Returns the ids of the owner, which exist since the plan's accounts were created.
    fn ids(&self, path: &Path) -> Result<Option<(u32, u32)>, fs::Error> {
        let Some(owner) = &self.owner else { return Ok(None) };
        let missing = || fs::Error {
            operation: "give an owner to",
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::NotFound, format!("{owner} does not exist")),
        };
        owner.ids().ok_or_else(missing).map(Some)
    }
}

impl Completion {
    fn perform(&self, layout: &Layout) -> Result<(), fs::Error> {
        match self {
            Self::Publish { target, nonce } => stage::publish(target, nonce),
            Self::Remove(path) => fs::remove(path),
            Self::Sync(folder) => fs::sync_folder(folder),
            Self::End => Journal::end(layout),
        }
    }
}

/// Removes what was staged for a change that does not begin.
fn abandoned(plan: &Plan, journal: &Journal, error: fs::Error) -> Error {
    let key = plan.handover.iter().map(|handover| &handover.path);
    for target in journal.replace.iter().chain(key) {
        // What cannot be removed now is swept by the next command; the first error says more.
        let _ = fs::remove(&stage::path(target, &journal.nonce));
    }
    Error::File(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        reconfigure::disk::Disk,
        render::{Content, File},
        state::{
            Owner, Owners,
            owner::{Principal, Service},
        },
        sys::{host, managed},
    };

    /// As root, with this user as the registry's account, so that steps with owners are among the rest.
    fn owners() -> Owners {
        if !host::is_root() {
            return Owners::default();
        }
        let root = Principal::root();
        let service = Service { user: root.clone(), group: root.clone(), log_group: root };
        Owners { service: Some(service) }
    }

    /// The files of a version; the last one exists only in the first version.
    fn files(layout: &Layout, version: &str, has_last: bool) -> Vec<File> {
        let file = |path: PathBuf, is_there: bool| {
            let text = format!("{version} of {}", path.display());
            let content = is_there.then(|| Content { shown: text.clone(), text });
            File { path, mode: 0o640, owner: Owner::Root, content }
        };
        let mut files: Vec<_> = layout.managed().into_iter().map(|path| file(path, true)).collect();
        let last = files.pop().unwrap();
        files.push(file(last.path, has_last));
        files
    }

    fn planned(layout: &Layout, files: &[File]) -> Plan {
        let folders = layout.folders();
        let is_ours = |folder: &Path| folders.iter().any(|ours| ours.path == folder);
        for folder in files.iter().filter_map(|file| file.path.parent()) {
            // The system's are there, whoever's they are.
            if !is_ours(folder) {
                fs::create_folder(folder, 0o755).unwrap();
            }
        }
        let disk = Disk::read(layout, files, &folders).unwrap();
        Plan::new(files, &folders, &disk, &owners())
    }

    fn on_disk(layout: &Layout) -> BTreeMap<PathBuf, String> {
        let read = |path: PathBuf| Some((path.clone(), managed::read(&path).unwrap()?.text));
        layout.managed().into_iter().filter_map(read).collect()
    }

    #[test]
    fn an_end_after_any_step_leaves_the_old_files_or_the_new_ones() {
        let mut ends = 0;
        for performed in 0.. {
            let root = tempfile::tempdir().unwrap();
            let layout = Layout::new(root.path().to_owned());
            apply(&layout, &planned(&layout, &files(&layout, "old", true))).unwrap();
            let old = on_disk(&layout);
            let next = files(&layout, "new", false);
            let plan = planned(&layout, &next);
            let journal = journal_of(&plan, "0123456789abcdef".to_owned());
            let steps = steps(&plan, &journal);
            if performed > steps.len() {
                ends = performed;
                break;
            }
            let begins = steps.iter().position(|step| matches!(step, Step::Begin(_))).unwrap();
            steps.iter().take(performed).for_each(|step| step.perform(&layout).unwrap());

            complete(&layout).unwrap();
            let found = on_disk(&layout);
            assert_eq!(found == old, performed <= begins, "after {performed} of {steps:?}");
            apply(&layout, &planned(&layout, &next)).unwrap();
            let new = on_disk(&layout);
            assert!(
                new.values().all(|text| text.starts_with("new")) && new.len() == next.len() - 1,
                "{new:?}"
            );
            assert!(found == old || found == new, "a mix after {performed} of {steps:?}");
            assert!(planned(&layout, &next).is_empty());
        }
        assert!(ends > 9, "only {ends} steps");
    }

    #[test]
    fn a_change_that_cannot_be_staged_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().to_owned());
        let mut files = files(&layout, "new", true);
        let plan = planned(&layout, &files);
        files.truncate(1);
        let broken = Plan { folders: plan.folders[..2].to_vec(), ..plan };
        assert!(matches!(apply(&layout, &broken), Err(Error::File(_))));
        assert_eq!(on_disk(&layout), BTreeMap::new());
        assert!(planned(&layout, &files).leftovers.is_empty());
    }
}
