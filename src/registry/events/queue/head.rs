//! The end at which events are taken: one process at a time, the oldest events first.

use std::{
    collections::VecDeque,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{
    Size,
    dead::DeadLetters,
    line::Line,
    run::Run,
    tail::{LOCK, own_file},
};

/// All that waits for one endpoint.
#[derive(Debug)]
pub(super) struct Head {
    folder: PathBuf,
    /// Held as long as this process delivers.
    _lock: File,
    /// What processes have left that are gone, the oldest first.
    left: VecDeque<Run>,
    own: Run,
    /// Whether the last batch is this process's own.
    is_own: bool,
    pub(super) dead: DeadLetters,
}

impl Head {
    /// Takes the endpoint's lock; none if another process delivers.
    pub(super) fn take(folder: &Path, own: &Path) -> io::Result<Option<Self>> {
        let lock = own_file().write(true).truncate(false).open(folder.join(LOCK))?;
        if is_taken(&lock)? {
            return Ok(None);
        }
        Ok(Some(Self {
            folder: folder.to_owned(),
            _lock: lock,
            left: VecDeque::new(),
            own: Run::open(own)?,
            is_own: true,
            dead: DeadLetters::open(folder)?,
        }))
    }

    /// Looks for what processes have left that are gone, and says how much it is.
    pub(super) fn adopt(&mut self) -> io::Result<Size> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            // A name with a dot is one in the making, or was when its process ended: nothing is in it.
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if !path.is_dir() || is_hidden || self.knows(&path) || !is_left(&path)? {
                continue;
            }
            found.push(path);
        }
        found.sort();
        let mut size = Size::default();
        for path in found {
            let mut run = Run::open(&path)?;
            let Size { events, bytes } = run.measure()?;
            size = Size { events: size.events + events, bytes: size.bytes + bytes };
            self.left.push_back(run);
        }
        Ok(size)
    }

    /// The next events, none if there are none for now.
    pub(super) fn batch(&mut self) -> io::Result<Vec<Line>> {
        while let Some(run) = self.left.front_mut() {
            let lines = run.fill()?;
            if !lines.is_empty() {
                self.is_own = false;
                return Ok(lines);
            }
            let folder = run.folder().to_owned();
            self.left.pop_front();
            if let Err(error) = fs::remove_dir_all(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "delivered events cannot be removed");
            }
        }
        self.is_own = true;
        self.own.fill()
    }

    /// Notes that an event of the last batch, and all before it, are delivered.
    pub(super) fn done(&mut self, line: &Line) -> io::Result<()> {
        match self.left.front_mut() {
            Some(run) if !self.is_own => run.done(line.end),
            _ => self.own.done(line.end),
        }
    }

    /// Has the next batch begin with what is not delivered.
    pub(super) fn rewind(&mut self) {
        self.left.iter_mut().chain([&mut self.own]).for_each(Run::rewind);
    }

    fn knows(&self, path: &Path) -> bool {
        self.left.iter().chain([&self.own]).any(|run| run.folder() == path)
    }
}

/// Whether nobody appends to it any more.
fn is_left(run: &Path) -> io::Result<bool> {
    match own_file().write(true).truncate(false).open(run.join(LOCK)) {
        Ok(lock) => Ok(!is_taken(&lock)?),
        // It has just been delivered by somebody else.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes a lock, unless somebody has it.
fn is_taken(lock: &File) -> io::Result<bool> {
    match lock.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
