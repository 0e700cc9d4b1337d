//! Collections whose removals can be undone: when each began, and until when it is kept.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage::{Bulk, Error, KeptRun, Restored, RunId};
use time::{
    OffsetDateTime, UtcDateTime, format_description::BorrowedFormatItem, macros::format_description,
};
use uuid::Uuid;

/// Names that sort by time.
const NAME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// What is kept of a run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Quarantine {
    /// The run.
    pub run: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub begun: OffsetDateTime,
    /// From when on it may be emptied.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
}

/// What became of the quarantines whose time was over.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Expired {
    /// Those that were emptied.
    pub emptied: Vec<String>,
    /// Those that stay since nobody can read until when they should.
    pub unreadable: Vec<String>,
}

/// Makes the quarantine of a run that begins now.
pub(crate) async fn begin<S: Bulk>(
    store: &S,
    now: SystemTime,
    age: Duration,
) -> Result<RunId, Error> {
    let (run, index) = index(now, age);
    store.begin_quarantine(&run, Bytes::from(index)).await?;
    Ok(run)
}

/// The name of a run that begins now, and what its quarantine is to say of it.
pub(crate) fn index(now: SystemTime, age: Duration) -> (RunId, String) {
    let begun = OffsetDateTime::from(now);
    let time =
        UtcDateTime::from(now).format(NAME).expect("a time of this century has all its parts");
    let nonce = Uuid::new_v4().simple().to_string();
    let run: RunId =
        format!("{time}-{}", &nonce[..8]).parse().expect("digits, letters and a hyphen");
    let expires = begun.checked_add(age.try_into().unwrap_or(time::Duration::MAX));
    let index = Quarantine {
        run: run.to_string(),
        begun,
        // For as long as there are dates.
        expires: expires.unwrap_or(time::PrimitiveDateTime::MAX.assume_utc()),
    };
    let index = serde_json::to_string(&index).expect("three strings");
    (run, index)
}

/// Empties the quarantines whose time is over.
pub(crate) async fn expire<S: Bulk>(store: &S, now: SystemTime) -> Result<Expired, Error> {
    let mut expired = Expired::default();
    for KeptRun { run, index, is_going } in store.quarantines().await? {
        if is_going {
            store.discard(&run).await?;
            expired.emptied.push(run.to_string());
            continue;
        }
        let index = index.ok().and_then(|bytes| serde_json::from_slice::<Quarantine>(&bytes).ok());
        match index {
            None => expired.unreadable.push(run.to_string()),
            Some(index) if index.expires > OffsetDateTime::from(now) => {}
            Some(_) => {
                store.discard(&run).await?;
                expired.emptied.push(run.to_string());
            }
        }
    }
    Ok(expired)
}

/// Whether there is a quarantine of a run. One that is being emptied has gone: what is left of it is no run's.
pub(crate) async fn is_there<S: Bulk>(store: &S, run: &RunId) -> Result<bool, Error> {
    Ok(store.quarantines().await?.iter().any(|kept| kept.run == *run && !kept.is_going))
}

/// Brings back what a run has removed; none if there is no such run.
pub(crate) async fn undo<S: Bulk>(store: &S, run: &RunId) -> Result<Option<Restored>, Error> {
    if !is_there(store, run).await? {
        return Ok(None);
    }
    store.restore(run).await.map(Some)
}
