//! What manifests were found to refer to, in a local file: the next collection reads only new manifests. Beside it stands
//! how many bytes blobs have that a dry run has found.
//!
//! Digests come first, each once, and what follows names them by their places in that list.
//!
//! A blob never changes, so its references and its size do not either. The file may be deleted or damaged at any time: it is a
//! row of blocks with a checksum each, read up to the first that is not whole. For that reason nobody waits for the disk
//! to have it. It speaks of one store, and of one version of the code that reads manifests. Failures are never kept.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use oci::{Algorithm, Digest};
use sha2::{Digest as _, Sha256};

use super::{
    references::{Manifest, References},
    snapshot::Snapshot,
};
use crate::digests::{DigestId, DigestMap, DigestSet};
use crate::log::Causes as _;

/// Raised with every change to what [`oci::Referred`] sees, and to this form.
const VERSION: u32 = 4;
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
        let mut numbers = Vec::new();
        while let Ok(block) = block(&mut reader) {
            let mut rest = block.as_slice();
            while !rest.is_empty() {
                if entry(&mut rest, &mut numbers, snapshot, references).is_err() {
                    return;
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
    let places = places(references);
    let digests = places.iter().map(|(id, _)| snapshot.digests.digest(id));
    blocks.put_all(digests, |block, digest| put_digest(block, &digest))?;
    blocks.put_all(references.understood(), |block, (id, manifest)| {
        put_entry(block, &places, id, manifest);
    })?;
    blocks.put_all(references.sizes(), |block, (id, size)| put_size(block, &places, id, size))?;
    blocks.writer.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
}

/// Where the digests stand that are named.
fn places(references: &References) -> DigestMap<u32> {
    let mut named: DigestSet = references.sizes().map(|(id, _)| id).collect();
    for (id, manifest) in references.understood() {
        named.insert(id);
        let Manifest::Refers { children, blobs, subject, .. } = manifest else { continue };
        for id in children.iter().chain(blobs).copied().chain(subject) {
            named.insert(id);
        }
    }
    named.iter().zip(0..).collect()
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
const IS_SHA256: u8 = 8;
const IS_SHA512: u8 = 16;

/// `<flags> <bytes of the hash>`.
fn put_digest(block: &mut Vec<u8>, digest: &Digest) {
    block.push(match digest.algorithm() {
        Algorithm::Sha256 => IS_SHA256,
        Algorithm::Sha512 => IS_SHA512,
    });
    block.extend(digest.as_bytes());
}

/// `<flags> <children> <blobs> <place> <place of each>`.
fn put_entry(block: &mut Vec<u8>, places: &DigestMap<u32>, id: DigestId, manifest: Manifest<'_>) {
    let Manifest::Refers { children, blobs, subject, is_index } = manifest else { return };
    let mut flags = if is_index { IS_INDEX } else { 0 };
    flags |= if subject.is_some() { HAS_SUBJECT } else { 0 };
    block.push(flags);
    for count in [children.len(), blobs.len()] {
        let count = u32::try_from(count).expect("a manifest of 16 MiB has fewer references");
        block.extend(count.to_le_bytes());
    }
    let all = [id].into_iter().chain(subject).chain(children.iter().chain(blobs).copied());
    all.for_each(|id| put_place(block, places, id));
}

/// `<flags> <place> <bytes>`.
fn put_size(block: &mut Vec<u8>, places: &DigestMap<u32>, id: DigestId, size: u64) {
    block.push(IS_SIZE);
    put_place(block, places, id);
    block.extend(size.to_le_bytes());
}

fn put_place(block: &mut Vec<u8>, places: &DigestMap<u32>, id: DigestId) {
    let place = places.get(id).expect("every digest that is named has its place");
    block.extend(place.to_le_bytes());
}

/// Takes one entry: another digest, or what is known of a blob, which counts if its bytes are in the store.
fn entry(
    rest: &mut &[u8],
    numbers: &mut Vec<DigestId>,
    snapshot: &mut Snapshot,
    references: &mut References,
) -> Result<(), End> {
    let [flags] = take(rest)?;
    match flags {
        IS_SHA256 => numbers.push(snapshot.digests.number(&digest(rest, Algorithm::Sha256)?)),
        IS_SHA512 => numbers.push(snapshot.digests.number(&digest(rest, Algorithm::Sha512)?)),
        IS_SIZE => {
            let id = number(rest, numbers)?;
            let size = u64::from_le_bytes(take(rest)?);
            if snapshot.is_blob.contains(id) {
                references.add_size(id, size);
            }
        }
        _ => {
            let [children, blobs] =
                [u32::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?)];
            let id = number(rest, numbers)?;
            let has_subject = flags & HAS_SUBJECT != 0;
            let subject = has_subject.then(|| number(rest, numbers)).transpose()?;
            let referred =
                (0..u64::from(children) + u64::from(blobs)).map(|_| number(rest, numbers));
            let referred = referred.collect::<Result<Vec<_>, End>>()?;
            if snapshot.is_blob.contains(id) {
                let (children, is_index) = (children as usize, flags & IS_INDEX != 0);
                references.add_numbers(id, referred.into_iter(), children, subject, is_index);
            }
        }
    }
    Ok(())
}

fn digest(rest: &mut &[u8], algorithm: Algorithm) -> Result<Digest, End> {
    let (hash, after) = rest.split_at_checked(algorithm.byte_len()).ok_or(End)?;
    *rest = after;
    Digest::from_bytes(algorithm, hash).map_err(|_| End)
}

fn number(rest: &mut &[u8], numbers: &[DigestId]) -> Result<DigestId, End> {
    let place = u32::from_le_bytes(take(rest)?);
    numbers.get(place as usize).copied().ok_or(End)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], End> {
    let (taken, after) = rest.split_first_chunk().ok_or(End)?;
    *rest = after;
    Ok(*taken)
}
