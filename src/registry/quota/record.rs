//! The record of one quota: a file that processes of this machine append to, one at a time, and that whoever counts replaces.
//!
//! Before anything is done the file's lock is taken, and what others have written is read. What is appended is whole or gone: an
//! entry that is not whole at the end of the file is where somebody was killed, and is cut off.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, fchown,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use oci::{Algorithm, Digest};

use super::{
    book::Book,
    entry::{ENTRY_BYTES, Entry, HEAD_BYTES, Head, Id, Key},
};
use crate::config::Quota;

/// What the names of records end with.
const SUFFIX: &str = ".quota";
/// The file that is locked; it is never replaced.
const LOCK: &str = "lock";
/// So much is read at once.
const CHUNK_BYTES: usize = 4096 * ENTRY_BYTES;

/// The record of a quota.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    lock: Option<File>,
    opened: Option<Opened>,
}

/// The file as it is while its lock is held.
#[derive(Debug)]
pub(super) struct Opened {
    file: Arc<File>,
    /// The device and the number: another one is another file.
    inode: (u64, u64),
    head: Head,
    /// Where what was read ends.
    end: u64,
    /// How many entries that is.
    entries: u64,
    /// Whether something is missing in the middle.
    is_damaged: bool,
    book: Book,
}

/// Where the record of a quota is. The name is made of what the quota is for: another limit changes nothing.
fn path(folder: &Path, quota: &Quota) -> PathBuf {
    let name = Digest::of(Algorithm::Sha256, quota.name().as_bytes()).to_hex();
    folder.join(format!("{}{SUFFIX}", &name[..32]))
}

/// Removes the records that belong to none of these quotas: they would be wrong when theirs come back.
pub(super) fn remove_others(folder: &Path, quotas: &[Quota]) -> io::Result<()> {
    let own: Vec<_> = quotas.iter().map(|quota| path(folder, quota)).collect();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let is_record = path.to_str().is_some_and(|path| path.ends_with(SUFFIX));
        if is_record && !own.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

impl Record {
    /// The record of a quota; nothing is opened.
    pub(super) fn of(folder: &Path, quota: &Quota) -> Self {
        Self { path: path(folder, quota), lock: None, opened: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file.
    pub(super) fn remove(&mut self) -> io::Result<()> {
        self.opened = None;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The file as it was read last.
    pub(super) fn last(&self) -> Option<&Opened> {
        self.opened.as_ref()
    }

    /// Does something with the file while nobody else does.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Opened) -> io::Result<T>,
    ) -> io::Result<T> {
        let lock = self.lock()?;
        lock.lock()?;
        self.locked(lock, work)
    }

    /// The same; nothing is done, and none returned, where somebody else has the lock.
    pub(super) fn try_with<T>(
        &mut self,
        work: impl FnOnce(&mut Opened) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let lock = self.lock()?;
        match lock.try_lock() {
            Err(fs::TryLockError::WouldBlock) => {
                self.lock = Some(lock);
                Ok(None)
            }
            Err(fs::TryLockError::Error(error)) => Err(error),
            Ok(()) => self.locked(lock, work).map(Some),
        }
    }

    fn locked<T>(
        &mut self,
        lock: File,
        work: impl FnOnce(&mut Opened) -> io::Result<T>,
    ) -> io::Result<T> {
        let done = self.refreshed().and_then(work);
        if done.is_err() {
            // What is in memory may be more than what is in the file.
            self.opened = None;
        }
        // Without the file the lock is gone, too.
        if lock.unlock().is_ok() {
            self.lock = Some(lock);
        }
        done
    }

    fn lock(&mut self) -> io::Result<File> {
        if let Some(lock) = self.lock.take() {
            return Ok(lock);
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = own_file().write(true).open(folder.join(LOCK))?;
        give(&lock, folder)?;
        Ok(lock)
    }

    /// Reads what others have written.
    fn refreshed(&mut self) -> io::Result<&mut Opened> {
        let found = match fs::metadata(&self.path) {
            Ok(found) => Some((found.dev(), found.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let is_same = |opened: &Opened| found == Some(opened.inode);
        let mut opened = match self.opened.take().filter(is_same) {
            Some(opened) => opened,
            None => Opened::open(&self.path, found.is_some())?,
        };
        opened.read_on(&self.path)?;
        Ok(self.opened.insert(opened))
    }
}

impl Opened {
    /// Opens the file, which is made where there is none, or none that is one.
    fn open(path: &Path, is_there: bool) -> io::Result<Self> {
        if !is_there {
            replace(path, Head { key: Key::random(), counted: 0 }, [].into_iter())?;
        }
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        let mut head = [0; HEAD_BYTES];
        let read = match file.read_exact_at(&mut head, 0) {
            Ok(()) => Head::read(&head),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let Some(head) = read else {
            tracing::error!(path = %path.display(), "the record of a quota is damaged, and begun anew: run `regctl du`");
            return Self::open(path, false);
        };
        let found = file.metadata()?;
        Ok(Self {
            file: Arc::new(file),
            inode: (found.dev(), found.ino()),
            head,
            end: HEAD_BYTES as u64,
            entries: 0,
            is_damaged: false,
            book: Book::default(),
        })
    }

    /// Reads to the end of the file, and cuts off what is not whole there.
    fn read_on(&mut self, path: &Path) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        if size == self.end {
            return Ok(());
        }
        let (mut chunk, mut at, mut is_broken) = (vec![0; CHUNK_BYTES], self.end, false);
        loop {
            let read = read_full(&self.file, &mut chunk, at)?;
            let (entries, _) = chunk[..read].as_chunks::<ENTRY_BYTES>();
            for entry in entries {
                at += ENTRY_BYTES as u64;
                let Some(entry) = Entry::read(entry, self.head.key) else {
                    is_broken = true;
                    continue;
                };
                self.is_damaged |= is_broken;
                is_broken = false;
                self.book.apply(entry);
                (self.end, self.entries) = (at, self.entries + 1);
            }
            if read < chunk.len() {
                break;
            }
        }
        if self.is_damaged {
            tracing::error!(path = %path.display(), "the record of a quota is damaged, and counts too little: run `regctl du`");
        }
        if self.end < size {
            self.file.set_len(self.end)?;
        }
        Ok(())
    }

    /// Appends an entry: all of it, or nothing.
    pub(super) fn append(&mut self, entry: Entry) -> io::Result<()> {
        if let Err(error) = (&*self.file).write_all(&entry.to_bytes(self.head.key)) {
            // What stays of it is cut off by whoever is next.
            let _ = self.file.set_len(self.end);
            return Err(error);
        }
        self.end += ENTRY_BYTES as u64;
        self.entries += 1;
        self.book.apply(entry);
        Ok(())
    }

    /// The file, to have it synced without its lock.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    pub(super) fn inode(&self) -> (u64, u64) {
        self.inode
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    pub(super) fn id(&self, digest: &Digest) -> Id {
        Id::of(self.head.key, digest)
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// When all links were counted last, in seconds since 1970, if nothing is missing since.
    pub(super) fn counted(&self) -> Option<u64> {
        (self.head.counted > 0 && !self.is_damaged).then_some(self.head.counted)
    }

    /// How many bytes each digest has, as the file says.
    pub(super) fn sizes(&self) -> io::Result<HashMap<Id, u64>> {
        let mut sizes = HashMap::with_capacity(self.book.len());
        let (mut chunk, mut at) = (vec![0; CHUNK_BYTES], HEAD_BYTES as u64);
        loop {
            let read = read_full(&self.file, &mut chunk, at)?;
            let (entries, _) = chunk[..read].as_chunks::<ENTRY_BYTES>();
            for entry in entries {
                if let Some(Entry::Add { id, bytes }) = Entry::read(entry, self.head.key) {
                    sizes.insert(id, bytes);
                }
            }
            at += read as u64;
            if read < chunk.len() {
                return Ok(sizes);
            }
        }
    }

    /// Whether the file has many entries that say nothing any more.
    pub(super) fn is_long(&self) -> bool {
        self.entries > 2 * self.book.len() as u64 + 65_536
    }
}

/// Puts a file with these entries in the place of another, at once and for good. The caller has the lock.
pub(super) fn replace(
    path: &Path,
    head: Head,
    entries: impl Iterator<Item = Entry>,
) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staged = path.with_file_name(format!(".{name}.new"));
    let written = write(&staged, head, entries).and_then(|()| fs::rename(&staged, path));
    if written.is_err() {
        // What is left of it is overwritten by the next one.
        let _ = fs::remove_file(&staged);
    }
    written?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn write(path: &Path, head: Head, entries: impl Iterator<Item = Entry>) -> io::Result<()> {
    let file = own_file().write(true).truncate(true).open(path)?;
    give(&file, path.parent().unwrap_or(Path::new(".")))?;
    let mut file = BufWriter::with_capacity(CHUNK_BYTES, file);
    file.write_all(&head.to_bytes())?;
    for entry in entries {
        file.write_all(&entry.to_bytes(head.key))?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Gives a file to the owner of its folder, where somebody else has made it: root may collect what is another's.
fn give(file: &File, folder: &Path) -> io::Result<()> {
    let (own, folder) = (file.metadata()?, fs::metadata(folder)?);
    match own.uid() == folder.uid() {
        true => Ok(()),
        false => fchown(file, Some(folder.uid()), Some(folder.gid())),
    }
}

/// A new or existing file that is its owner's alone.
fn own_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// Fills a buffer as far as the file goes.
fn read_full(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
