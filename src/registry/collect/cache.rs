//! What manifests were found to refer to, in a local file: the next collection reads only new manifests. Beside it stands
//! how many bytes blobs have that a dry run has found.
//!
//! A blob never changes, so its references and its size do not either. The file may be deleted or damaged at any time: it is a
//! row of blocks with a checksum each, read up to the first that is not whole. For that reason nobody waits for the disk
//! to have it. It speaks of one store, and of one version of the code that reads manifests. Failures are never kept.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use oci::{Algorithm, Digest, Referred};
use sha2::{Digest as _, Sha256};

use super::{
    references::{Manifest, References},
    snapshot::Snapshot,
};
use crate::digests::DigestId;
use crate::log::Causes as _;

/// Raised with every change to what [`Referred`] sees, and to this form.
const VERSION: u32 = 3;
const MAGIC: &[u8] = b"regctl references\n";

/// A block grows to about this size.
const BLOCK_BYTES: usize = 64 * 1024;
/// One manifest of 16 MiB fits, whatever it refers to.
const MOST_BLOCK_BYTES: usize = 32 * 1024 * 1024;
/// What is beyond is read from the store again.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;
const CHECKSUM_BYTES: usize = 16;

/// A cache, and the store that it is about.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    file: Option<(PathBuf, String)>,
}

/// A block is not whole, or the file ends.
struct End;

/// What is known of a blob.
enum Known {
    Refers(Referred),
    Size(u64),
}

impl Cache {
    /// The file of one store; it need not be there. Without a path nothing is known, and nothing remembered.
    pub(crate) fn of(path: Option<&Path>, store: String) -> Self {
        Self { file: path.map(|path| (path.to_owned(), store)) }
    }

    /// Tells of the manifests whose bytes are in the store.
    pub(crate) fn load(&self, snapshot: &mut Snapshot, references: &mut References) {
        let Some((path, store)) = &self.file else { return };
        let Ok(file) = File::open(path) else { return };
        let mut reader = BufReader::with_capacity(2 * BLOCK_BYTES, file);
        let Ok(head) = block(&mut reader) else { return };
        if head != self::head(store) {
            return;
        }
        while let Ok(block) = block(&mut reader) {
            let mut rest = block.as_slice();
            while !rest.is_empty() {
                let Ok((digest, known)) = entry(&mut rest) else { return };
                let id = snapshot.digests.find(&digest).filter(|&id| snapshot.is_blob.contains(id));
                match (id, known) {
                    (Some(id), Known::Refers(referred)) => references.add(snapshot, id, &referred),
                    (Some(id), Known::Size(size)) => references.add_size(id, size),
                    (None, _) => {}
                }
            }
        }
    }

    /// Keeps what is known now for the next one, which asks again where that fails.
    pub(crate) fn remember(&self, snapshot: &Snapshot, references: &References) {
        if let Err(error) = self.save(snapshot, references) {
            tracing::warn!(
                error = error.causes(),
                "what manifests refer to could not be remembered"
            );
        }
    }

    /// Replaces the file by what is known now. Its folder is a registry's own: where none of ours has ever served, none is
    /// made, and a dry run changes nothing.
    fn save(&self, snapshot: &Snapshot, references: &References) -> io::Result<()> {
        let Some((path, store)) = &self.file else { return Ok(()) };
        if !path.parent().is_some_and(Path::is_dir) {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // One collection at a time has the store, and its file.
        let staged = path.with_file_name(format!(".{name}.new"));
        let written =
            write(&staged, store, snapshot, references).and_then(|()| fs::rename(&staged, path));
        if written.is_err() {
            // What is left of it is overwritten by the next one.
            let _ = fs::remove_file(&staged);
        }
        written
    }
}

fn head(store: &str) -> Vec<u8> {
    [MAGIC, &VERSION.to_le_bytes(), store.as_bytes()].concat()
}

fn write(path: &Path, store: &str, snapshot: &Snapshot, references: &References) -> io::Result<()> {
    // What a crash has left of the last one, whatever it is.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::create_new(path)?;
    let mut blocks = Blocks { writer: BufWriter::with_capacity(2 * BLOCK_BYTES, file), written: 0 };
    blocks.put(&head(store))?;
    blocks.put_all(references.understood(), |block, (id, manifest)| {
        put_entry(block, snapshot, id, manifest);
    })?;
    blocks.put_all(references.sizes(), |block, (id, size)| put_size(block, snapshot, id, size))?;
    blocks.writer.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
}

/// A file in the making.
struct Blocks {
    writer: BufWriter<File>,
    written: u64,
}

impl Blocks {
    /// Writes entries, many to a block, as long as there is room.
    fn put_all<T>(
        &mut self,
        entries: impl Iterator<Item = T>,
        put_entry: impl Fn(&mut Vec<u8>, T),
    ) -> io::Result<()> {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        for entry in entries {
            let before = block.len();
            put_entry(&mut block, entry);
            if block.len() > MOST_BLOCK_BYTES {
                block.truncate(before);
            }
            if block.len() >= BLOCK_BYTES {
                self.put(&block)?;
                block.clear();
            }
            if self.written > MOST_BYTES {
                return Ok(());
            }
        }
        self.put(&block)
    }

    /// `<length> <checksum> <bytes>`.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.writer.write_all(&length.to_le_bytes())?;
        self.writer.write_all(&checksum(bytes))?;
        self.writer.write_all(bytes)?;
        self.written += u64::from(length);
        Ok(())
    }
}

fn block(reader: &mut impl Read) -> Result<Vec<u8>, End> {
    let mut length = [0; 4];
    reader.read_exact(&mut length).map_err(|_| End)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_BLOCK_BYTES {
        return Err(End);
    }
    let mut expected = [0; CHECKSUM_BYTES];
    reader.read_exact(&mut expected).map_err(|_| End)?;
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).map_err(|_| End)?;
    if checksum(&bytes) == expected { Ok(bytes) } else { Err(End) }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = Sha256::digest(bytes);
    *hash.first_chunk().expect("sha256 has 32 bytes")
}

const IS_INDEX: u8 = 1;
const HAS_SUBJECT: u8 = 2;
const IS_SIZE: u8 = 4;

/// `<flags> <children> <blobs> <digest> <digest of each>`.
fn put_entry(block: &mut Vec<u8>, snapshot: &Snapshot, id: DigestId, manifest: Manifest<'_>) {
    let Manifest::Refers { children, blobs, subject, is_index } = manifest else { return };
    let mut flags = if is_index { IS_INDEX } else { 0 };
    flags |= if subject.is_some() { HAS_SUBJECT } else { 0 };
    block.push(flags);
    for count in [children.len(), blobs.len()] {
        let count = u32::try_from(count).expect("a manifest of 16 MiB has fewer references");
        block.extend(count.to_le_bytes());
    }
    let all = [id].into_iter().chain(subject).chain(children.iter().chain(blobs).copied());
    all.for_each(|id| put_digest(block, snapshot, id));
}

/// `<flags> <digest> <bytes>`.
fn put_size(block: &mut Vec<u8>, snapshot: &Snapshot, id: DigestId, size: u64) {
    block.push(IS_SIZE);
    put_digest(block, snapshot, id);
    block.extend(size.to_le_bytes());
}

fn put_digest(block: &mut Vec<u8>, snapshot: &Snapshot, id: DigestId) {
    let digest = snapshot.digests.digest(id);
    block.push(match digest.algorithm() {
        Algorithm::Sha256 => 0,
        Algorithm::Sha512 => 1,
    });
    block.extend(digest.as_bytes());
}

fn entry(rest: &mut &[u8]) -> Result<(Digest, Known), End> {
    let [flags] = take(rest)?;
    if flags == IS_SIZE {
        return Ok((digest(rest)?, Known::Size(u64::from_le_bytes(take(rest)?))));
    }
    let children = u32::from_le_bytes(take(rest)?) as usize;
    let blobs = u32::from_le_bytes(take(rest)?) as usize;
    let own = digest(rest)?;
    let subject = if flags & HAS_SUBJECT != 0 { Some(digest(rest)?) } else { None };
    let mut digests = |count| (0..count).map(|_| digest(rest)).collect::<Result<Vec<_>, End>>();
    let referred = Referred {
        children: digests(children)?,
        blobs: digests(blobs)?,
        subject,
        is_index: flags & IS_INDEX != 0,
    };
    Ok((own, Known::Refers(referred)))
}

fn digest(rest: &mut &[u8]) -> Result<Digest, End> {
    let [algorithm] = take(rest)?;
    let algorithm = match algorithm {
        0 => Algorithm::Sha256,
        1 => Algorithm::Sha512,
        _ => return Err(End),
    };
    let (hash, after) = rest.split_at_checked(algorithm.byte_len()).ok_or(End)?;
    *rest = after;
    Digest::from_bytes(algorithm, hash).map_err(|_| End)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], End> {
    let (taken, after) = rest.split_first_chunk().ok_or(End)?;
    *rest = after;
    Ok(*taken)
}
