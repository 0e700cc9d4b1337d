//! The writing end: the events of one process, appended to files of its own.
//!
//! What is appended is in the kernel's hands when the call returns: it survives this process, however it ends. It
//! survives the power too when [`Tail::sync`] has returned, which is somebody else's to call now and then.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

/// A file that is longer is followed by another one, so that what is delivered can be removed.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

pub(super) const LOCK: &str = "lock";
const SUFFIX: &str = ".events";

/// The folder of one process's events, which it holds locked.
#[derive(Debug)]
pub(super) struct Tail {
    folder: PathBuf,
    /// None once it is closed.
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    /// Held as long as this process may append.
    _lock: File,
    segment: Option<Segment>,
    /// Of the next segment.
    number: u64,
    unsynced: Vec<Arc<File>>,
    /// Whether the folder has got a file that it may forget.
    is_folder_unsynced: bool,
}

#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    size: u64,
}

/// Makes a folder that is its owner's alone, and those above it.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new or existing file that is its owner's alone.
pub(super) fn own_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// The path of a segment.
pub(super) fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}{SUFFIX}"))
}

/// The number of a segment, by its name.
pub(super) fn number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(SUFFIX)?, 16).ok()
}

impl Tail {
    /// Makes a folder in that of an endpoint.
    pub(super) fn open(endpoint: &Path) -> io::Result<Self> {
        create_folder(endpoint)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Sorted, the names tell who came first.
        let name = format!("{:020}-{}", now.as_micros(), Uuid::new_v4().simple());
        let (making, folder) = (endpoint.join(format!(".{name}")), endpoint.join(name));
        create_folder(&making)?;
        let lock = own_file().write(true).open(making.join(LOCK))?;
        lock.try_lock()?;
        // Nobody sees it before it is locked, so nobody takes it for one that was left behind.
        fs::rename(&making, &folder)?;
        let state = State {
            _lock: lock,
            segment: None,
            number: 0,
            unsynced: Vec::new(),
            is_folder_unsynced: true,
        };
        Ok(Self { folder, state: Mutex::new(Some(state)) })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends a line with its break: all of it, or nothing.
    pub(super) fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        let state = state.as_mut().ok_or_else(|| io::Error::other("the registry has stopped"))?;
        let segment = state.segment(&self.folder)?;
        match (&*segment.file).write_all(line) {
            Ok(()) => {
                segment.size += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                if segment.file.set_len(segment.size).is_err() {
                    // Half a line ends a file; the next one begins another.
                    state.segment = None;
                }
                Err(error)
            }
        }
    }

    /// Has the disk take what was appended.
    pub(super) fn sync(&self) -> io::Result<()> {
        let (files, folder) = {
            let mut state = self.lock();
            let Some(state) = state.as_mut() else { return Ok(()) };
            let mut files = std::mem::take(&mut state.unsynced);
            // The last one is written to further.
            files.extend(state.segment.as_ref().map(|segment| Arc::clone(&segment.file)));
            (files, std::mem::take(&mut state.is_folder_unsynced))
        };
        for file in files {
            file.sync_data()?;
        }
        if folder {
            File::open(&self.folder)?.sync_all()?;
            if let Some(endpoint) = self.folder.parent() {
                File::open(endpoint)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Ends it: from now on the folder is anybody's who delivers.
    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // Whoever panics in here has appended a whole line or will be overwritten by `set_len`.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The file to append to.
    fn segment(&mut self, folder: &Path) -> io::Result<&mut Segment> {
        if let Some(full) = self.segment.take_if(|segment| segment.size >= SEGMENT_BYTES) {
            self.unsynced.push(full.file);
        }
        match &mut self.segment {
            Some(segment) => Ok(segment),
            none => {
                let path = segment(folder, self.number);
                let file = own_file().append(true).open(path)?;
                self.number += 1;
                self.is_folder_unsynced = true;
                Ok(none.insert(Segment { file: Arc::new(file), size: 0 }))
            }
        }
    }
}
