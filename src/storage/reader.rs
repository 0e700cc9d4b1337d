//! An open file, with what reading it takes.

use std::{
    fs::File,
    io,
    num::NonZeroU64,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rustix::fs::{Advice, fadvise};

use crate::{
    buffer::{BUFFER_BYTES, Pool},
    caches::Caches,
};

/// What the disk is asked for beside what is waited for: it reads that while the socket takes this.
const AHEAD_BYTES: u64 = 4 << 20;

/// What the kernel takes of it at once, where nobody has told it to take more.
const ASKED_BYTES: u64 = 128 * 1024;

/// An open file, with what reading it takes.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) file: File,
    pub(crate) key: String,
    pub(crate) pool: Arc<Pool>,
    pub(crate) caches: Arc<Caches>,
    /// Up to where the disk was asked for it; nothing while all was in the cache.
    pub(crate) asked: AtomicU64,
}

impl Reader {
    /// Reads what the page cache holds; none if that would wait for the disk.
    pub(crate) fn read_cached(&self, at: u64, wanted: usize) -> Option<Bytes> {
        if !self.caches.can_read() {
            return None;
        }
        let mut buffer = self.pool.take(wanted);
        let limit = wanted.min(buffer.space().len());
        let read = self.caches.read(&self.file, &mut buffer.space()[..limit], at)?;
        // Nothing can be the end, or a kernel that does not tell it from an empty cache.
        (read > 0).then(|| buffer.into_bytes(read))
    }

    /// Reads, and waits for the disk.
    pub(crate) fn read(&self, at: u64, wanted: usize) -> io::Result<Bytes> {
        let mut buffer = self.pool.take(wanted);
        let limit = wanted.min(buffer.space().len());
        loop {
            match self.file.read_at(&mut buffer.space()[..limit], at) {
                Ok(read) => return Ok(buffer.into_bytes(read)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings a part of the file into the page cache, and has the disk begin with what comes after it, up to `end`.
    ///
    /// # Errors
    /// The disk's, or the file has no such part any more.
    pub(crate) fn bring_in(&self, part: Range<u64>, end: u64) -> io::Result<()> {
        let ahead = part.start..end.min(part.start.saturating_add(AHEAD_BYTES));
        self.asked.store(ahead.end, Ordering::Relaxed);
        self.ask_for(ahead);
        let mut at = part.start;
        while at < part.end {
            let wanted = usize::try_from(part.end - at).unwrap_or(BUFFER_BYTES);
            match self.read(at, wanted)?.len() {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => at += read as u64,
            }
        }
        Ok(())
    }

    /// What the disk is to be asked for next, if the file was not in the cache and a reader at `at` soon needs more.
    pub(crate) fn next_ahead(&self, at: u64, end: u64) -> Option<Range<u64>> {
        let asked = self.asked.load(Ordering::Relaxed);
        if asked == 0 || asked >= end || at.saturating_add(AHEAD_BYTES / 2) < asked {
            return None;
        }
        let from = asked.max(at);
        let to = end.min(from.saturating_add(AHEAD_BYTES));
        self.asked.store(to, Ordering::Relaxed);
        Some(from..to)
    }

    /// Has the disk begin with what [`next_ahead`](Self::next_ahead) said.
    ///
    /// Where the cache has that, only a part of the file had left it: nothing is asked for until the next part is missing.
    pub(crate) fn ask_ahead(&self, part: Range<u64>) {
        if self.caches.hold(&self.file, part.clone()) {
            // What somebody else has asked for since stays asked for.
            let _ = self.asked.compare_exchange(part.end, 0, Ordering::Relaxed, Ordering::Relaxed);
        } else {
            self.ask_for(part);
        }
    }

    fn ask_for(&self, part: Range<u64>) {
        let mut at = part.start;
        while let Some(length) = NonZeroU64::new(part.end.saturating_sub(at).min(ASKED_BYTES)) {
            // Where it is not taken, it is merely slower.
            let _ = fadvise(&self.file, at, Some(length), Advice::WillNeed);
            at += length.get();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_which_only_a_part_had_left_the_cache_is_asked_for_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let file = tempfile::tempfile_in(&folder).unwrap();
        let end = 3 * AHEAD_BYTES;
        file.write_all_at(&vec![1; usize::try_from(end).unwrap()], 0).unwrap();
        let caches = Arc::new(Caches::of(&File::open(&folder).unwrap().into()));
        let reader = Reader {
            file,
            key: "a file".to_owned(),
            pool: Arc::default(),
            caches,
            asked: AtomicU64::default(),
        };
        assert_eq!(reader.next_ahead(0, end), None);
        reader.bring_in(0..1, end).unwrap();
        assert_eq!(reader.next_ahead(1, end), None);
        let ahead = reader.next_ahead(AHEAD_BYTES / 2, end).unwrap();
        assert_eq!(ahead, AHEAD_BYTES..2 * AHEAD_BYTES);
        reader.ask_ahead(ahead);
        assert_eq!(reader.next_ahead(2 * AHEAD_BYTES, end), None);
    }
}
