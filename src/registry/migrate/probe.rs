//! What a migration can expect of its target: whether it may do there what it has to, how fast that is, and what there is room for.

use serde::{Deserialize, Serialize};
use storage::{Config, ProbeStep};

use super::{Count, Error};

/// What was measured.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Probed {
    /// How many small objects a second; null where nothing could be put yet.
    pub objects_a_second: Option<f64>,
    /// How many bytes of large objects a second.
    pub bytes_a_second: Option<u64>,
    /// What there is room for, where that is known.
    pub free_bytes: Option<u64>,
}

/// Tries the target: writes, reads, lists, writes in parts and deletes. Nothing of it stays.
///
/// # Errors
/// It does not do one of these.
pub async fn probe(target: &Config, at_once: usize) -> Result<Probed, Error> {
    let probed = storage::probe(target, at_once).await.map_err(|refused| Error::Refused {
        place: target.to_string(),
        what: match refused.step {
            ProbeStep::Write => "be written to",
            ProbeStep::Read => "be read",
            ProbeStep::List => "be listed",
            ProbeStep::Parts => "be written to by a multipart upload",
            ProbeStep::Delete => "have objects deleted, and keeps what was tried",
        },
        source: refused.error,
    })?;
    Ok(Probed {
        objects_a_second: probed.small.map(|it| 1.0 / it.as_secs_f64().max(1e-6)),
        bytes_a_second: probed.bytes_a_second,
        free_bytes: probed.room,
    })
}

impl Probed {
    /// How long it takes to put so much, where that can be told; no faster than `most` bytes a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
    pub fn seconds(&self, all: Count, most: Option<u64>) -> Option<f64> {
        let rate = self.bytes_a_second?.min(most.unwrap_or(u64::MAX)).max(1);
        Some(all.objects as f64 / self.objects_a_second? + all.bytes as f64 / rate as f64)
    }
}
