//! The record of what was fetched, as upstream writes it: `scheduler-state.json`.

use std::collections::BTreeMap;

use oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What was fetched: manifests and blobs by repository.
pub(super) type Fetched = (RepositoryName, Digest);

/// What was fetched, until when it is kept, and what it is.
pub(super) type Recorded = (Fetched, (OffsetDateTime, Kind));

/// What upstream removes an entry as. Here a digest goes as whatever it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Blob,
    Manifest,
}

/// One entry as upstream writes it.
#[derive(Deserialize, Serialize)]
struct Entry {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "ExpiryData", with = "time::serde::rfc3339")]
    expiry: OffsetDateTime,
    #[serde(rename = "EntryType")]
    kind: u8,
}

/// Writes a record.
pub(super) fn document(entries: Vec<Recorded>) -> Vec<u8> {
    let entries: BTreeMap<String, Entry> = entries
        .into_iter()
        .map(|((name, digest), (expiry, kind))| {
            let key = format!("{name}@{digest}");
            let kind = u8::from(kind == Kind::Manifest);
            (key.clone(), Entry { key, expiry, kind })
        })
        .collect();
    serde_json::to_vec(&entries).expect("names, digests and times are always JSON")
}

/// Reads a record; entries that name nothing are left out.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Recorded>, serde_json::Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let entries: BTreeMap<String, Entry> = serde_json::from_slice(text)?;
    let fetched = |Entry { key, expiry, kind }| {
        let (name, digest) = key.split_once('@')?;
        let kind = if kind == 0 { Kind::Blob } else { Kind::Manifest };
        Some(((name.parse().ok()?, digest.parse().ok()?), (expiry, kind)))
    };
    Ok(entries.into_values().filter_map(fetched).collect())
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    #[test]
    fn a_record_of_upstream_is_read_and_written_alike() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        let key = format!("library/app@{digest}");
        let text = format!(
            r#"{{"{key}":{{"Key":"{key}","ExpiryData":"2026-11-29T21:00:00.123456789+01:00","EntryType":1}},
                "odd":{{"Key":"odd","ExpiryData":"2026-11-29T21:00:00Z","EntryType":0}}}}"#
        );
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(read.len(), 1);
        let (name, found) = &read[0].0;
        assert_eq!((name.as_str(), *found, read[0].1.1), ("library/app", digest, Kind::Manifest));
        assert_eq!(parse(&document(read.clone())).unwrap(), read);
    }
}
