//! When upload sessions are purged: once within the first hour, then at every interval.

use std::{convert::Infallible, future::pending, time::Duration};

use tokio::time::sleep;

use crate::{
    api::Api,
    config::UploadPurging,
    content::{Content, Purge, before},
};

/// The first run comes at a random moment of the first hour, so that nodes that start together do not
/// all walk the storage at once (as Distribution 2.8).
const FIRST: Duration = Duration::from_secs(3600);

/// Purges until dropped.
pub(crate) async fn run(api: &Api, content: Content, settings: UploadPurging) -> Infallible {
    if !settings.enabled {
        return pending().await;
    }
    let purge = if settings.dry_run { Purge::OnlyCount } else { Purge::Remove };
    let fraction = f64::from(u16::from_le_bytes(random())) / f64::from(u16::MAX);
    sleep(FIRST.mul_f64(fraction)).await;
    loop {
        // A registry that is read-only writes nothing, and removes nothing.
        if !api.is_read_only() {
            match content.purge_uploads(before(settings.age), purge).await {
                Ok(purged) => tracing::info!(
                    uploads.purged = purged.ended,
                    uploads.kept = purged.kept,
                    uploads.failed = purged.failed,
                    dryrun = settings.dry_run,
                    "uploads that were given up are purged"
                ),
                Err(error) => tracing::error!(%error, "uploads could not be purged"),
            }
        }
        sleep(settings.interval).await;
    }
}

/// Two random bytes, of those that make an identifier.
fn random() -> [u8; 2] {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    [bytes[0], bytes[1]]
}
