//! Upload sessions that were given up: `storage.maintenance.uploadpurging`.
//!
//! A session goes when it began, and was last written to, longer ago than the age, and nobody holds it now.
//! Whatever cannot be read or removed stays, is counted, and is tried again at the next run. Each session is a
//! write of its own: a registry that is switched to read-only waits for one of them, not for the run.
//!
//! Where a store keeps parts that are no object yet, those go as well that no session names: a process has died between
//! the two, or a part has come after its session was ended.

use std::time::{Duration, SystemTime};

use oci::RepositoryName;
use storage::{Driver, Folder, Key, Strays, UploadId};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Content, Error, Writing, catalog::Holding, upload::STARTED_AT_BYTES};
use crate::log::Causes as _;

/// How many names are in memory at once.
const PAGE: usize = 1000;

/// How many sessions are remembered at most, to be asked what they name.
const REMEMBERED: usize = 100_000;

/// What no session names is no stray before this, whatever the age of sessions: somebody may be about to name it.
const STRAY: Duration = Duration::from_secs(24 * 3600);

/// What a run did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Purged {
    /// Sessions that are gone, or would be.
    pub(crate) ended: u64,
    /// Sessions that are younger, or in use.
    pub(crate) kept: u64,
    /// Sessions that could not be read or removed.
    pub(crate) failed: u64,
    /// What was begun for sessions that nobody knows any more.
    pub(crate) strays: u64,
    /// Whether the run was cut short, since the registry takes no writes any more.
    pub(crate) interrupted: bool,
}

/// Whether a run removes anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purge {
    Remove,
    /// `dryrun`.
    OnlyCount,
}

/// The sessions that are there after a run, if they can be remembered.
#[derive(Debug, Default)]
struct Left {
    sessions: Vec<(RepositoryName, UploadId)>,
    are_more: bool,
}

impl Left {
    fn push(&mut self, repository: &RepositoryName, id: UploadId) {
        self.are_more |= self.sessions.len() >= REMEMBERED;
        if !self.are_more {
            self.sessions.push((repository.clone(), id));
        }
    }

    /// All of them; none if there are more.
    fn all(self) -> Option<Vec<(RepositoryName, UploadId)>> {
        (!self.are_more).then_some(self.sessions)
    }
}

impl Content {
    /// Ends the sessions that were given up before `before`.
    pub(crate) async fn purge_uploads(
        &self,
        before: SystemTime,
        purge: Purge,
    ) -> Result<Purged, Error> {
        let mut purged = Purged::default();
        let mut left = Left::default();
        let mut last: Option<RepositoryName> = None;
        loop {
            let after = last.as_ref().map(RepositoryName::as_str);
            let names = self.names(Holding::Uploads, after, PAGE).await?;
            for name in &names {
                self.purge_repository(name, before, purge, (&mut purged, &mut left)).await?;
                if purged.interrupted {
                    return Ok(purged);
                }
            }
            match names.into_iter().next_back() {
                Some(name) => last = Some(name),
                None => break,
            }
        }
        self.purge_strays(before, purge, &mut purged, left).await?;
        Ok(purged)
    }

    /// Ends what was begun for sessions and is named by none of those that are left.
    async fn purge_strays(
        &self,
        before: SystemTime,
        purge: Purge,
        purged: &mut Purged,
        left: Left,
    ) -> Result<(), Error> {
        let Some(writing) = self.begin_write() else {
            purged.interrupted = true;
            return Ok(());
        };
        let strays = match purge {
            Purge::Remove => Strays::End,
            Purge::OnlyCount => Strays::Count,
        };
        let before = before.min(self::before(STRAY));
        let ended = writing.shielded(move |writing| async move {
            Ok(writing.backend().end_strays(before, left.all(), strays).await?)
        });
        purged.strays = ended.await?;
        Ok(())
    }

    async fn purge_repository(
        &self,
        repository: &RepositoryName,
        before: SystemTime,
        purge: Purge,
        (purged, left): (&mut Purged, &mut Left),
    ) -> Result<(), Error> {
        let entries = match self.backend().list(Folder::Uploads(repository)).await {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(()),
            // One folder that cannot be read keeps nobody else's sessions.
            Err(error) => {
                tracing::warn!(%repository, error = error.causes(), "its uploads could not be listed");
                purged.failed += 1;
                left.are_more = true;
                return Ok(());
            }
        };
        for id in entries.into_iter().filter_map(|entry| entry.name.parse().ok()) {
            let Some(writing) = self.begin_write() else {
                purged.interrupted = true;
                return Ok(());
            };
            let name = repository.clone();
            let purged_session = writing.shielded(move |writing| async move {
                writing.purge_session(&name, id, before, purge).await
            });
            let purged_session = purged_session.await;
            if purge == Purge::OnlyCount || !matches!(purged_session, Ok(true)) {
                left.push(repository, id);
            }
            match purged_session {
                Ok(true) => purged.ended += 1,
                Ok(false) | Err(Error::UploadUnknown(_)) => purged.kept += 1,
                Err(error) => {
                    tracing::warn!(upload = %id, %repository, error = error.causes(), "upload could not be purged");
                    purged.failed += 1;
                }
            }
        }
        Ok(())
    }
}

impl Writing {
    /// Whether the session was, or would be, ended.
    async fn purge_session(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        before: SystemTime,
        purge: Purge,
    ) -> Result<bool, Error> {
        // A turn is taken without asking anybody to stop: who writes has not given up.
        let Some(_turn) = self.shared.sessions.try_take(id) else { return Ok(false) };
        // A crash may have left one of the two alone, as the session began or ended.
        let key = Key::UploadStartedAt(repository, &id);
        let began = match self.backend().get(key, STARTED_AT_BYTES).await {
            Ok(text) => OffsetDateTime::parse(&String::from_utf8_lossy(&text), &Rfc3339).ok(),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        let written = match self.backend().stat(Key::UploadData(repository, &id)).await {
            Ok(data) => Some(data.modified),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        let Some(last) = began.map(SystemTime::from).max(written) else {
            return Err(Error::UploadUnknown(id));
        };
        if last >= before {
            return Ok(false);
        }
        if purge == Purge::Remove {
            // Another process may write to it: its lock says so. Without data nobody does.
            if written.is_some() {
                match self.backend().append(repository, id).await {
                    Ok(writer) => drop(writer),
                    Err(error) if error.kind() == storage::Kind::Busy => return Ok(false),
                    Err(error) => return Err(error.into()),
                }
            }
            self.shared.sessions.forget(id);
            self.backend().end_upload(repository, id).await?;
        }
        Ok(true)
    }
}

/// The moment before which a session of this age began.
pub(crate) fn before(age: Duration) -> SystemTime {
    SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a folder that goes with the test.
    fn content() -> (tempfile::TempDir, Content) {
        let scratch = tempfile::tempdir().unwrap();
        let options = storage::FilesystemConfig {
            root_directory: scratch.path().to_owned(),
            max_threads: 25,
        };
        let storage = storage::Config::Filesystem(options);
        let content = Content::open(&storage, Duration::ZERO, None, None).unwrap();
        (scratch, content)
    }

    async fn sessions(content: &Content, name: &RepositoryName) -> usize {
        content.backend().list(Folder::Uploads(name)).await.unwrap_or_default().len()
    }

    #[tokio::test]
    async fn half_a_session_goes_too_and_a_folder_that_cannot_be_read_keeps_no_other() {
        let (scratch, content) = content();
        let name: RepositoryName = "group/app".parse().unwrap();
        let writing = content.begin_write().unwrap();
        let repositories = scratch.path().join("docker/registry/v2/repositories");
        for lost in ["data", "startedat"] {
            let id = writing.begin_upload(&name).await.unwrap().id;
            let folder = repositories.join("group/app/_uploads").join(id.to_string());
            std::fs::remove_file(folder.join(lost)).unwrap();
        }
        // A file where the folder should be, in a repository that comes first.
        std::fs::create_dir_all(repositories.join("a/_manifests")).unwrap();
        std::fs::File::create(repositories.join("a/_uploads")).unwrap();
        let now = content.purge_uploads(before(Duration::from_secs(60)), Purge::Remove).await;
        assert_eq!(now.unwrap().ended, 0);
        let later = SystemTime::now() + Duration::from_secs(3600);
        let purged = content.purge_uploads(later, Purge::Remove).await.unwrap();
        assert_eq!((purged.ended, purged.kept), (2, 0));
        assert_eq!(sessions(&content, &name).await, 0);
    }

    #[tokio::test]
    async fn only_what_is_old_and_free_is_purged() {
        let (_scratch, content) = content();
        let name: RepositoryName = "group/app".parse().unwrap();
        let writing = content.begin_write().unwrap();
        let given_up = writing.begin_upload(&name).await.unwrap();
        let busy = writing.begin_upload(&name).await.unwrap();
        let elsewhere = writing.begin_upload(&name).await.unwrap();
        let _turn = content.shared.sessions.take(busy.id).await.unwrap();
        let _writer = content.backend().append(&name, elsewhere.id).await.unwrap();

        let young = content.purge_uploads(before(Duration::from_secs(3600)), Purge::Remove).await;
        assert_eq!(young.unwrap(), Purged { kept: 3, ..Purged::default() });

        let later = SystemTime::now() + Duration::from_secs(3600);
        let counted = content.purge_uploads(later, Purge::OnlyCount).await.unwrap();
        assert_eq!(counted, Purged { ended: 2, kept: 1, ..Purged::default() });
        assert_eq!(sessions(&content, &name).await, 3);

        content.set_read_only(true);
        let stopped = content.purge_uploads(later, Purge::Remove).await.unwrap();
        assert_eq!(stopped, Purged { interrupted: true, ..Purged::default() });
        content.set_read_only(false);

        let purged = content.purge_uploads(later, Purge::Remove).await.unwrap();
        assert_eq!(purged, Purged { ended: 1, kept: 2, ..Purged::default() });
        assert!(content.upload(&name, given_up.id).await.is_err());
        assert!(content.upload(&name, busy.id).await.is_ok());
        assert!(content.upload(&name, elsewhere.id).await.is_ok());
    }
}
