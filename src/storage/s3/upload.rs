//! Upload sessions in the bucket: how one begins, is found, and ends.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use oci::{Digester, RepositoryName};

use super::{
    parts::{Opened, Parts},
    record::{RECORD_BYTES, Record, STAMP_BYTES, Stamp},
    sessions::{Held, Traces},
    store::Store,
};
use crate::{Error, Folder, Key, Kind, Stat, UploadId};

/// More than the state of any hash takes.
const STATE_BYTES: usize = 1024;

/// Where a session keeps its things, held by who writes to it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) repository: RepositoryName,
    pub(super) held: Held,
}

impl Session {
    fn id(&self) -> &UploadId {
        &self.held.id
    }

    /// Where its bytes become an object.
    pub(super) fn data(&self) -> Key<'_> {
        Key::UploadData(&self.repository, self.id())
    }

    pub(super) fn tail(&self) -> Key<'_> {
        Key::UploadTail(&self.repository, self.id())
    }

    pub(super) fn hash(&self, digester: &Digester) -> Key<'_> {
        Key::UploadHash(&self.repository, self.id(), digester.algorithm(), digester.hashed())
    }
}

impl Store {
    pub(super) async fn begin_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        started_at: &str,
    ) -> Result<(), Error> {
        let path = self.path(Key::UploadStartedAt(repository, &id));
        self.put(&path, Bytes::copy_from_slice(started_at.as_bytes())).await?;
        self.sessions.leaves(id, Traces::Beginning(SystemTime::now()));
        Ok(())
    }

    /// How many bytes a session holds, and when it was last written to.
    pub(super) async fn stat_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<Stat, Error> {
        let path = self.path(Key::UploadTail(repository, &id));
        let began_here = match self.sessions.traces(id) {
            Some(Traces::Beginning(began) | Traces::Nothing(began)) => Some(began),
            _ => None,
        };
        match self.get_first(&path, STAMP_BYTES).await {
            Ok((bytes, modified)) => {
                if began_here.is_some() {
                    // Another process has gone on with it.
                    self.sessions.forget(id);
                }
                let stamp = Stamp::parse(&bytes).ok_or_else(|| self.unreadable(&path))?;
                Ok(Stat { size: stamp.offset, modified })
            }
            Err(error) if error.is_not_found() => {
                if let Some(modified) = began_here {
                    self.sessions.leaves(id, Traces::Nothing(modified));
                    return Ok(Stat { size: 0, modified });
                }
                let began = self.path(Key::UploadStartedAt(repository, &id));
                let modified = self.head(&began, "stat").await?.stat.modified;
                Ok(Stat { size: 0, modified })
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a session for writing.
    pub(super) async fn open_upload(
        self: &Arc<Self>,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<Parts, Error> {
        let path = self.path(Key::UploadTail(repository, &id));
        let held = self.sessions.hold(id);
        let held = held.ok_or_else(|| self.error(Kind::Busy, "open", &path))?;
        let session = Session { repository: repository.clone(), held };
        if self.sessions.take_nothing(id) {
            return Ok(Parts::new(self, session, Opened::default()));
        }
        let record = match self.get(&path, RECORD_BYTES).await {
            Ok(bytes) => Record::parse(&bytes).ok_or_else(|| self.unreadable(&path))?,
            Err(error) if error.is_not_found() => {
                let began = self.path(Key::UploadStartedAt(repository, &id));
                self.head(&began, "open").await?;
                return Ok(Parts::new(self, session, Opened::default()));
            }
            Err(error) => return Err(error),
        };
        if record.multipart.is_some() {
            // Another process may have gone on with it.
            self.sessions.forget(id);
        }
        let hash = self.stored_hash(&session, &record).await?;
        Ok(Parts::new(self, session, Opened { record: Some(record), hash }))
    }

    /// The hash of a session's parts; none where it was not kept, or is another one's.
    async fn stored_hash(
        &self,
        session: &Session,
        record: &Record,
    ) -> Result<Option<Digester>, Error> {
        if record.sent() == 0 {
            return Ok(Some(Digester::new(record.algorithm)));
        }
        let (repository, id, sent) = (&session.repository, &session.held.id, record.sent());
        let path = self.path(Key::UploadHash(repository, id, record.algorithm, sent));
        let state = match self.get(&path, STATE_BYTES).await {
            Ok(state) => state,
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::TooLarge) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let digester = Digester::restore(record.algorithm, &state);
        Ok(digester.filter(|digester| digester.hashed() == sent))
    }

    /// Whose record a session has; none if it has none.
    pub(super) async fn stamp(&self, session: &Session) -> Result<Option<Stamp>, Error> {
        let path = self.path(session.tail());
        match self.get_first(&path, STAMP_BYTES).await {
            Ok((bytes, _)) => Stamp::parse(&bytes).map(Some).ok_or_else(|| self.unreadable(&path)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Forgets a session, and all that there is of it.
    pub(super) async fn end_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<(), Error> {
        let traces = self.sessions.traces(id);
        self.sessions.forget(id);
        let began = self.path(Key::UploadStartedAt(repository, &id));
        let tail = self.path(Key::UploadTail(repository, &id));
        let folder = self.path(Folder::Upload(repository, &id));
        let known = match traces {
            Some(Traces::Beginning(_) | Traces::Nothing(_)) => Some(vec![began]),
            Some(Traces::Tail) => Some(vec![tail.clone(), began]),
            Some(Traces::Objects) => return self.delete_inside(&folder).await,
            None => None,
        };
        if let Some(known) = known {
            return self.delete_all(&self.with_folders(&folder, known)).await;
        }
        let record = match self.get(&tail, RECORD_BYTES).await {
            Ok(bytes) => Record::parse(&bytes),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let data = self.path(Key::UploadData(repository, &id));
        if let Some(Record { blob, multipart: Some(multipart), is_complete: false, .. }) = record {
            let path = blob.map_or_else(|| data.clone(), |blob| self.path(Key::Blob(&blob)));
            self.end_multipart(&path, &multipart).await?;
        }
        // Also those of a process that has died before it could write down that it has begun one.
        self.end_multiparts(&data).await?;
        self.delete_inside(&folder).await
    }

    pub(super) fn unreadable(&self, path: &str) -> Error {
        self.error(Kind::Truncated, "read", path)
    }
}
