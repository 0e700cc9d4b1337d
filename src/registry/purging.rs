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
            interrupted = purged.interrupted,
            dryrun = dry_run,
            "uploads that were given up are purged"
        ),
        Err(error) => tracing::error!(%error, "uploads could not be purged"),
    }
}

/// Two random bytes, of those that make an identifier.
fn random() -> [u8; 2] {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    [bytes[0], bytes[1]]
}
