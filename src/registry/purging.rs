//! When upload sessions are purged: once within the first hour, then at every interval.
//!
//! A registry that is read-only purges nothing: a run that is due waits until writes are taken again. Settings
//! that change count from the next wait on.

use std::{convert::Infallible, future::pending, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    config::UploadPurging,
    content::{Content, Purge, before},
    log::Causes as _,
};

/// The first run comes at a random moment of the first hour, so that nodes that start together do not
/// all walk the storage at once (as Distribution 2.8).
const FIRST: Duration = Duration::from_secs(3600);

/// A century: intervals may be written that no clock can hold.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Purges until dropped.
pub(crate) async fn run(
    content: Content,
    mut settings: watch::Receiver<UploadPurging>,
) -> Infallible {
    let fraction = f64::from(u16::from_le_bytes(random())) / f64::from(u16::MAX);
    let mut due = Instant::now() + FIRST.mul_f64(fraction);
    loop {
        let UploadPurging { enabled, age, interval, dry_run } = *settings.borrow_and_update();
        let wait = async {
            if !enabled {
                return pending().await;
            }
            sleep_until(due).await;
            content.writable().await;
        };
        tokio::select! {
            () = wait => {}
            changed = settings.changed() => match changed {
                // A shorter interval counts from now.
                Ok(()) => {
                    due = due.min(soon(settings.borrow().interval));
                    continue;
                }
                // Nobody is left who could change them, or who waits for this.
                Err(_) => return pending().await,
            },
        }
        purge(&content, age, dry_run).await;
        due = soon(interval);
    }
}

/// The moment after this span; spans that no clock can hold never end.
fn soon(span: Duration) -> Instant {
    Instant::now() + span.min(LONGEST)
}

async fn purge(content: &Content, age: Duration, dry_run: bool) {
    let purge = if dry_run { Purge::OnlyCount } else { Purge::Remove };
    match content.purge_uploads(before(age), purge).await {
        Ok(purged) => tracing::info!(
            uploads.purged = purged.ended,
            uploads.kept = purged.kept,
            uploads.failed = purged.failed,
            uploads.strays = purged.strays,
            interrupted = purged.interrupted,
            dryrun = dry_run,
            "uploads that were given up are purged"
        ),
        Err(error) => tracing::error!(error = error.causes(), "uploads could not be purged"),
    }
}

/// Two random bytes, of those that make an identifier.
fn random() -> [u8; 2] {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    [bytes[0], bytes[1]]
}

#[cfg(test)]
mod tests {
    use oci::RepositoryName;

    use super::*;
    use crate::content::UploadId;

    /// Settings under which every session is old.
    const AT_ONCE: UploadPurging = UploadPurging {
        enabled: true,
        age: Duration::ZERO,
        interval: Duration::from_secs(24 * 3600),
        dry_run: false,
    };

    const HOUR: Duration = Duration::from_secs(3600);

    fn open(folder: &tempfile::TempDir) -> Content {
        let root_directory = folder.path().to_owned();
        let options = storage::FilesystemConfig { root_directory, max_threads: 25 };
        Content::open(&storage::Config::Filesystem(options), Duration::ZERO, None, None).unwrap()
    }

    async fn begin(content: &Content) -> (RepositoryName, UploadId) {
        let name: RepositoryName = "app".parse().unwrap();
        let session = content.begin_write().unwrap().begin_upload(&name).await.unwrap();
        (name, session.id)
    }

    async fn is_there(content: &Content, (name, id): &(RepositoryName, UploadId)) -> bool {
        content.upload(name, *id).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_due_waits_until_writes_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let content = open(&folder);
        let session = begin(&content).await;
        content.set_read_only(true);
        let settings = watch::Sender::new(AT_ONCE);
        tokio::spawn(run(content.clone(), settings.subscribe()));
        tokio::time::sleep(2 * HOUR).await;
        assert!(is_there(&content, &session).await);
        content.set_read_only(false);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!is_there(&content, &session).await);
    }

    #[tokio::test(start_paused = true)]
    async fn settings_that_change_count_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let content = open(&folder);
        let first = begin(&content).await;
        let settings = watch::Sender::new(UploadPurging { enabled: false, ..AT_ONCE });
        tokio::spawn(run(content.clone(), settings.subscribe()));
        tokio::time::sleep(100 * HOUR).await;
        assert!(is_there(&content, &first).await);
        settings.send_replace(AT_ONCE);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!is_there(&content, &first).await);
        // The next run is a day away, unless the interval gets shorter.
        let second = begin(&content).await;
        tokio::time::sleep(2 * HOUR).await;
        assert!(is_there(&content, &second).await);
        settings.send_replace(UploadPurging { interval: HOUR, ..AT_ONCE });
        tokio::time::sleep(HOUR + Duration::from_secs(1)).await;
        assert!(!is_there(&content, &second).await);
    }
}
