//! How multipart uploads end that become no object.
//!
//! A part that is on its way when its upload is aborted may arrive later, and the store then has the upload again. So an
//! abort is followed by looks, and repeated where something has come. What comes later still, and what a process has
//! begun that died before it could write that down, is named by nobody: it is ended once it is old, when upload
//! sessions are purged.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::operation::list_parts::ListPartsOutput;
use oci::RepositoryName;
use tokio::time::{Instant, sleep};

use super::{
    boxed,
    bulk::side_by_side,
    record::{RECORD_BYTES, Record},
    store::{Store, time_of},
};
use crate::{Error, Key, Kind, Strays, UploadId};

/// When it is looked, after an abort, whether something has come back.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(500),
];

/// How often an upload is aborted to which parts still come.
const ABORTS: usize = 8;

/// Nobody is on the way to an upload whose last part has come before this.
const LIVELY: Duration = Duration::from_secs(15 * 60);

/// How long strays are ended at a time, as a registry that is to be read-only waits for it. The rest is the next run's.
const TURN: Duration = Duration::from_secs(10);

/// More pages than ten thousand parts have, and than anybody's open uploads.
const PAGES: usize = 1000;

/// A multipart upload that is neither complete nor aborted.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Open {
    path: String,
    id: String,
    /// Not every store says it.
    began: Option<SystemTime>,
}

/// After what a list of uploads goes on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Mark {
    path: Option<String>,
    id: Option<String>,
}

impl Store {
    /// Ends a multipart upload to which nothing is on its way. One that is not there is none.
    pub(super) async fn abort(&self, path: &str, id: &str) -> Result<(), Error> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(path);
        let sent = request.upload_id(id).send().await;
        match sent.map_err(|error| self.failed("abort", path, &error)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends a multipart upload to which parts may be on their way; they are gone with it.
    pub(super) async fn end_multipart(&self, path: &str, id: &str) -> Result<(), Error> {
        let newest = match self.newest_part(path, id).await {
            // Not every store has parts to tell of before the first one is there.
            Err(error) if error.is_not_found() => match self.lists_multipart(path, id).await? {
                false => return Ok(()),
                true => None,
            },
            newest => newest?,
        };
        let is_quiet = newest.is_some_and(|newest| is_older(newest, LIVELY));
        for _ in 0..ABORTS {
            self.abort(path, id).await?;
            if is_quiet || !self.comes_back(path, id).await? {
                return Ok(());
            }
        }
        // Somebody goes on with it.
        Err(self.error(Kind::Busy, "abort", path))
    }

    /// Whether an upload that was aborted is seen again.
    async fn comes_back(&self, path: &str, id: &str) -> Result<bool, Error> {
        for pause in LOOKS {
            sleep(pause).await;
            if self.has_multipart(path, id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Some stores list the parts of an upload that they list no more, and some the other way round.
    async fn has_multipart(&self, path: &str, id: &str) -> Result<bool, Error> {
        match self.newest_part(path, id).await {
            Ok(Some(_)) => return Ok(true),
            Err(error) if !error.is_not_found() => return Err(error),
            Ok(None) | Err(_) => {}
        }
        self.lists_multipart(path, id).await
    }

    async fn lists_multipart(&self, path: &str, id: &str) -> Result<bool, Error> {
        Ok(self.multiparts_of(path).await?.iter().any(|open| open.id == id))
    }

    /// Ends all multipart uploads of an object, whoever has begun them.
    pub(super) async fn end_multiparts(&self, path: &str) -> Result<(), Error> {
        for open in self.multiparts_of(path).await? {
            self.end_multipart(path, &open.id).await?;
        }
        Ok(())
    }

    async fn multiparts_of(&self, path: &str) -> Result<Vec<Open>, Error> {
        let (mut all, mut mark) = (Vec::new(), Some(Mark::default()));
        for _ in 0..PAGES {
            let Some(after) = mark.take() else { return Ok(all) };
            let (page, next) = self.page_of_multiparts(path, &after).await?;
            all.extend(page.into_iter().filter(|open| open.path == path));
            mark = next;
        }
        Err(self.error(Kind::Truncated, "list uploads of", path))
    }

    /// Uploads of objects whose names begin with a prefix, and where the next page begins.
    async fn page_of_multiparts(
        &self,
        prefix: &str,
        after: &Mark,
    ) -> Result<(Vec<Open>, Option<Mark>), Error> {
        let request = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(prefix);
        let request = request.set_key_marker(after.path.clone());
        let sent = request.set_upload_id_marker(after.id.clone()).send().await;
        let answer = sent.map_err(|error| self.failed("list uploads of", prefix, &error))?;
        let next = (answer.is_truncated() == Some(true)).then(|| Mark {
            path: answer.next_key_marker.clone(),
            id: answer.next_upload_id_marker.clone(),
        });
        if next.as_ref().is_some_and(|next| next == after || *next == Mark::default()) {
            // A list that ends early is no list.
            return Err(self.error(Kind::Truncated, "list uploads of", prefix));
        }
        let open = answer.uploads.unwrap_or_default().into_iter().filter_map(|upload| {
            let began = upload.initiated.and_then(|time| SystemTime::try_from(time).ok());
            Some(Open { path: upload.key?, id: upload.upload_id?, began })
        });
        Ok((open.collect(), next))
    }

    /// When the last part has come; none if there is no part.
    async fn newest_part(&self, path: &str, id: &str) -> Result<Option<SystemTime>, Error> {
        let (mut newest, mut after) = (None, None);
        for _ in 0..PAGES {
            let page = self.page_of_parts(path, id, after.take()).await?;
            let parts = page.parts.unwrap_or_default();
            newest = newest.max(parts.into_iter().map(|part| time_of(part.last_modified)).max());
            after = page.next_part_number_marker.filter(|_| page.is_truncated == Some(true));
            if after.is_none() {
                return Ok(newest);
            }
        }
        Err(self.error(Kind::Truncated, "list parts of", path))
    }

    async fn page_of_parts(
        &self,
        path: &str,
        id: &str,
        after: Option<String>,
    ) -> Result<ListPartsOutput, Error> {
        let request = self.client.list_parts().bucket(&self.bucket).key(path).upload_id(id);
        let sent = request.set_part_number_marker(after).send().await;
        sent.map_err(|error| self.failed("list parts of", path, &error))
    }

    /// Ends the multipart uploads of a registry to which nothing has come since `before` and that nobody names; returns how many.
    ///
    /// `sessions` are all upload sessions that there are; without them those stay that only a session's record may name.
    pub(super) async fn end_strays(
        self: &Arc<Self>,
        before: SystemTime,
        sessions: Option<Vec<(RepositoryName, UploadId)>>,
        strays: Strays,
    ) -> Result<u64, Error> {
        let prefix = self.path("docker/registry/v2/");
        let (mut named, mut sessions) = (None, sessions);
        let (mut ended, mut mark) = (0, Some(Mark::default()));
        let begun = Instant::now();
        for _ in 0..PAGES {
            let Some(after) = mark.take() else { return Ok(ended) };
            let (page, next) = self.page_of_multiparts(&prefix, &after).await?;
            for open in page {
                if begun.elapsed() > TURN {
                    return Ok(ended);
                }
                if !self.is_stale(&open, before).await? {
                    continue;
                }
                let is_known = match session_of(&open.path) {
                    // What is at a session's own place goes with it.
                    Some(began) => self.size(&began).await?.is_some(),
                    None => {
                        if let Some(sessions) = sessions.take() {
                            named = Some(self.named_by(sessions).await?);
                        }
                        named.as_ref().is_none_or(|named| named.contains(&open.id))
                    }
                };
                if is_known {
                    continue;
                }
                if strays == Strays::End {
                    self.end_multipart(&open.path, &open.id).await?;
                }
                ended += 1;
            }
            mark = next;
        }
        Ok(ended)
    }

    /// Whether an upload was begun before, and got its last part before. What has no age is old where nobody can write to it.
    async fn is_stale(&self, open: &Open, before: SystemTime) -> Result<bool, Error> {
        if open.began.is_some_and(|began| began >= before) {
            return Ok(false);
        }
        match self.newest_part(&open.path, &open.id).await {
            Ok(Some(newest)) => Ok(newest < before),
            Ok(None) => Ok(open.began.is_some() || session_of(&open.path).is_some()),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The multipart uploads that the records of sessions name.
    async fn named_by(
        self: &Arc<Self>,
        sessions: Vec<(RepositoryName, UploadId)>,
    ) -> Result<HashSet<String>, Error> {
        let at = Arc::clone(self);
        let read = side_by_side(sessions, move |(repository, id)| {
            let store = Arc::clone(&at);
            boxed(async move {
                let path = store.path(Key::UploadTail(&repository, &id));
                match store.get(&path, RECORD_BYTES).await {
                    Ok(bytes) => match Record::parse(&bytes) {
                        Some(record) => Ok(record.multipart),
                        None => Err(store.unreadable(&path)),
                    },
                    Err(error) if error.is_not_found() => Ok(None),
                    Err(error) => Err(error),
                }
            })
        });
        let named: Result<Vec<_>, Error> = read.await?.into_iter().collect();
        Ok(named?.into_iter().flatten().collect())
    }
}

/// Where it stands when the session began whose bytes an object gets.
fn session_of(path: &str) -> Option<String> {
    let folder = path.strip_suffix("/data").filter(|folder| folder.contains("/_uploads/"))?;
    Some(format!("{folder}/startedat"))
}

fn is_older(time: SystemTime, age: Duration) -> bool {
    time.elapsed().is_ok_and(|elapsed| elapsed > age)
}
