//! How far an upload session has got: what stands in its `tail`.
//!
//! The bytes of a multipart upload cannot be read before it is complete, and its parts but the last must have five
//! mebibytes. So a session leaves, at the end of each request, the tags of its parts and the bytes that are no part
//! yet. Lines say what is there, then comes an empty one, then the bytes:
//!
//! ```text
//! regctl upload 1
//! offset 5242884
//! writer 0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5
//! hash sha256
//! multipart VXBsb2FkSWQ
//! part "9b2cf535f27731c974343645a3985328"
//!
//! tail
//! ```
//!
//! Of a session that is to be a blob, whose parts are already where the blob will be, a line `blob` names it.

use std::{fmt::Write as _, str};

use bytes::Bytes;
use oci::{Algorithm, Digest};

use crate::UploadId;

const MAGIC: &str = "regctl upload 1";

/// The lines that say who has written how much are within these.
pub(super) const STAMP_BYTES: u64 = 256;

/// More than ten thousand tags and a tail of any length take.
pub(super) const RECORD_BYTES: usize = 256 << 20;

/// Where a session stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) stamp: Stamp,
    /// What its parts are hashed with.
    pub(super) algorithm: Algorithm,
    /// The blob at whose place its parts are.
    pub(super) blob: Option<Digest>,
    /// The store's name of the multipart upload, once there is one.
    pub(super) multipart: Option<String>,
    /// The tags of its parts, in their order.
    pub(super) parts: Vec<String>,
    /// Whether the parts are one object by now.
    pub(super) is_complete: bool,
    /// What follows the parts.
    pub(super) tail: Bytes,
}

/// By which one record is told from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    /// How many bytes the session holds.
    pub(super) offset: u64,
    /// Who has written it: random for each time that a session is opened.
    pub(super) writer: UploadId,
}

impl Record {
    pub(super) fn to_bytes(&self) -> Bytes {
        let mut lines = format!(
            "{MAGIC}\noffset {}\nwriter {}\nhash {}\n",
            self.stamp.offset, self.stamp.writer, self.algorithm
        );
        let mut line = |name: &str, value: &str| {
            // A text takes whatever is written to it.
            let _ = writeln!(lines, "{name} {value}");
        };
        if let Some(digest) = &self.blob {
            line("blob", &digest.to_string());
        }
        if let Some(id) = &self.multipart {
            line("multipart", id);
        }
        self.parts.iter().for_each(|tag| line("part", tag));
        if self.is_complete {
            line("complete", "yes");
        }
        lines.push('\n');
        let mut bytes = lines.into_bytes();
        bytes.extend_from_slice(&self.tail);
        bytes.into()
    }

    /// Reads a record; none if the bytes are no such thing.
    pub(super) fn parse(bytes: &Bytes) -> Option<Self> {
        let stamp = Stamp::parse(bytes)?;
        let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let lines = str::from_utf8(&bytes[..end]).ok()?;
        let mut record = Self {
            stamp,
            algorithm: Algorithm::Sha256,
            blob: None,
            multipart: None,
            parts: Vec::new(),
            is_complete: false,
            tail: bytes.slice(end + 2..),
        };
        // The first three lines are the stamp.
        for line in lines.lines().skip(3) {
            let (name, value) = line.split_once(' ')?;
            match name {
                "hash" => record.algorithm = value.parse().ok()?,
                "blob" => record.blob = Some(value.parse().ok()?),
                "multipart" => record.multipart = Some(value.to_owned()),
                "part" => record.parts.push(value.to_owned()),
                "complete" => record.is_complete = true,
                _ => return None,
            }
        }
        let is_sound = record.tail.len() as u64 <= stamp.offset
            && (record.multipart.is_some() || record.parts.is_empty());
        is_sound.then_some(record)
    }

    /// How many bytes its parts hold.
    pub(super) fn sent(&self) -> u64 {
        self.stamp.offset - self.tail.len() as u64
    }
}

impl Stamp {
    /// Reads the stamp of a record, of which the first bytes are enough.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        if lines.next() != Some(MAGIC.as_bytes()) {
            return None;
        }
        let mut value = |name: &[u8]| str::from_utf8(lines.next()?.strip_prefix(name)?).ok();
        let offset = value(b"offset ")?.parse().ok()?;
        let writer = value(b"writer ")?.parse().ok()?;
        Some(Self { offset, writer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            stamp: Stamp { offset: 5 * 1024 * 1024 + 6, writer: UploadId::random() },
            algorithm: Algorithm::Sha512,
            blob: Some(Digest::of(Algorithm::Sha512, b"x")),
            multipart: Some("2~id of a multipart upload".to_owned()),
            parts: vec!["\"a\"".to_owned(), "\"b-1\"".to_owned()],
            is_complete: false,
            tail: Bytes::from_static(b"\n\ntail"),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let plain = Record {
            blob: None,
            multipart: None,
            parts: Vec::new(),
            tail: Bytes::new(),
            ..record()
        };
        let complete = Record { is_complete: true, ..record() };
        for record in [record(), plain, complete] {
            let bytes = record.to_bytes();
            assert_eq!(Record::parse(&bytes).as_ref(), Some(&record));
            let head = bytes.len().min(usize::try_from(STAMP_BYTES).unwrap());
            assert_eq!(Stamp::parse(&bytes[..head]), Some(record.stamp));
        }
    }

    #[test]
    fn anything_else_is_no_record() {
        let bytes = record().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        for broken in [
            String::new(),
            text.replace("regctl upload 1", "regctl upload 2"),
            text.replace("offset 5242886", "offset 5"),
            text.replace("multipart ", "other "),
            text.lines()
                .filter(|line| !line.starts_with("multipart"))
                .collect::<Vec<_>>()
                .join("\n"),
            text.replace("\n\n\n\n", "\n"),
        ] {
            assert_eq!(Record::parse(&Bytes::from(broken.clone())), None, "{broken}");
        }
    }
}
