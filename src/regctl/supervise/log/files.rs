//! The files of a log: `current`, and full ones named by when they were full, as svlogd names them.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    state::LogPolicy,
    sys::{
        clock,
        fs::{Error, create_folder},
        lock::{FileLock, Unlocked},
    },
};

/// The log's folder and the file that is written to.
///
/// Nothing here fails for good: a disk that is full or gone loses lines, which are counted, and never a service.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// None while it cannot be opened.
    current: Option<Current>,
    /// Bytes that could not be written since the last ones that could.
    lost: u64,
}

/// The file that is written to.
#[derive(Debug)]
struct Current {
    file: File,
    size: u64,
    place: Place,
}

/// Who puts full files away. There is a second process as long as the registry of a supervisor that was killed has
/// something to say; both append whole lines.
#[derive(Debug)]
enum Place {
    Ours { _lock: FileLock },
    Theirs(Unlocked),
}

impl Files {
    /// Goes on where the log ended.
    pub(super) fn new(folder: &Path) -> Self {
        let mut files = Self { folder: folder.to_owned(), current: None, lost: 0 };
        // What fails is tried again for every line.
        let _ = files.open();
        files
    }

    /// Appends whole lines; none of them is divided between two files. Returns why lines are lost, when that begins.
    pub(super) fn write(&mut self, mut lines: &[u8], policy: LogPolicy) -> Option<Error> {
        let mut problem = None;
        while !lines.is_empty() {
            let opened = self.open();
            let fits = fitting(lines, self.room(policy).unwrap_or(lines.len()));
            problem = problem.or(self.append(&lines[..fits], opened));
            lines = &lines[fits..];
            if !lines.is_empty() {
                self.turn(policy);
                if fits == 0 {
                    // A line that is larger than a file has one of its own.
                    let line = fitting(lines, 0).max(first_line(lines));
                    let opened = self.open();
                    problem = problem.or(self.append(&lines[..line], opened));
                    lines = &lines[line..];
                }
            }
        }
        problem
    }

    /// Opens the current file, unless it is open, and takes the place of a process that has ended.
    fn open(&mut self) -> Result<(), Error> {
        self.current = match self.current.take() {
            Some(Current { place: Place::Theirs(lock), file, size }) => match lock.try_lock()? {
                // The other one may have put the file away.
                Ok(lock) => {
                    let (file, size) = append_to(&self.folder)?;
                    Some(Current { file, size, place: Place::Ours { _lock: lock } })
                }
                Err(lock) => Some(Current { place: Place::Theirs(lock), file, size }),
            },
            Some(current) => Some(current),
            None => Some(open(&self.folder)?),
        };
        Ok(())
    }

    /// How many bytes the current file still takes; None: any number.
    fn room(&self, policy: LogPolicy) -> Option<usize> {
        match &self.current {
            Some(Current { size, place: Place::Ours { .. }, .. }) if policy.size > 0 => {
                Some(usize::try_from(policy.size.saturating_sub(*size)).unwrap_or(usize::MAX))
            }
            _ => None,
        }
    }

    /// Appends, or loses the bytes: a service is not stopped by its log.
    fn append(&mut self, bytes: &[u8], opened: Result<(), Error>) -> Option<Error> {
        if bytes.is_empty() {
            return None;
        }
        let lost = self.lost;
        let written = opened.and_then(|()| match lost {
            0 => self.try_append(bytes),
            // Together: room for the note alone is no room.
            _ => {
                let note = format!(
                    "regctl: {lost} bytes of this log were lost: it could not be written\n"
                );
                self.try_append(&[note.as_bytes(), bytes].concat())
            }
        });
        match written {
            Ok(()) => {
                self.lost = 0;
                None
            }
            Err(error) => {
                self.lost += bytes.len() as u64;
                (lost == 0).then_some(error)
            }
        }
    }

    fn try_append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if let Err(source) = current.file.write_all(bytes) {
            if matches!(current.place, Place::Ours { .. }) {
                // Half a line is worse than none.
                let _ = current.file.set_len(current.size);
            }
            return Err(Error { operation: "write", path: self.folder.join(CURRENT), source });
        }
        current.size += bytes.len() as u64;
        Ok(())
    }

    /// Puts the current file away and begins another one.
    fn turn(&mut self, policy: LogPolicy) {
        let Some(current) = &mut self.current else { return };
        if current.size == 0 {
            return;
        }
        let full = self.folder.join(format!("@{}.s", clock::tai64n_now()));
        let put_away = match fs::rename(self.folder.join(CURRENT), full) {
            // Somebody has removed it: what was in it is lost to them, and not what follows.
            Err(error) => error.kind() == ErrorKind::NotFound,
            Ok(()) => true,
        };
        // One that cannot be put away goes on growing: nothing is lost.
        if put_away && let Ok((file, size)) = append_to(&self.folder) {
            (current.file, current.size) = (file, size);
        }
        self.prune(policy.number);
    }

    /// Removes the oldest full files.
    fn prune(&self, number: u64) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let is_full = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with('@') && name.ends_with(".s")
        };
        let mut full: Vec<_> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_full).collect();
        // Names sort by time.
        full.sort();
        let kept = usize::try_from(number).unwrap_or(usize::MAX);
        let surplus = full.len().saturating_sub(kept);
        for path in &full[..surplus] {
            // One that cannot be removed is tried again at the next turn.
            let _ = fs::remove_file(path);
        }
    }
}

const CURRENT: &str = "current";

fn open(folder: &Path) -> Result<Current, Error> {
    create_folder(folder, 0o750)?;
    let place = match Unlocked::open(&folder.join("lock"))?.try_lock()? {
        Ok(lock) => Place::Ours { _lock: lock },
        Err(lock) => Place::Theirs(lock),
    };
    let (file, size) = append_to(folder)?;
    Ok(Current { file, size, place })
}

fn append_to(folder: &Path) -> Result<(File, u64), Error> {
    let path = folder.join(CURRENT);
    let opened = OpenOptions::new().create(true).append(true).mode(0o640).open(&path);
    let sized = opened.and_then(|file| {
        let size = file.metadata()?.len();
        Ok((file, size))
    });
    sized.map_err(|source| Error { operation: "open", path, source })
}

/// How many bytes of whole lines fit.
fn fitting(lines: &[u8], room: usize) -> usize {
    if lines.len() <= room {
        return lines.len();
    }
    lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

fn first_line(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(size: u64, number: u64) -> LogPolicy {
        LogPolicy { size, number, timestamps: false }
    }

    /// The texts of the log's files, the oldest first.
    fn texts(folder: &Path) -> Vec<String> {
        let mut paths: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| !path.ends_with("lock"));
        paths.sort();
        let text = |path: &PathBuf| String::from_utf8(fs::read(path).unwrap()).unwrap();
        paths.iter().map(text).collect()
    }

    #[test]
    fn a_file_is_full_before_a_line_is_divided() {
        let scratch = tempfile::tempdir().unwrap();
        let mut files = Files::new(scratch.path());
        files.write(b"one\ntwo\nthree\n", policy(9, 30));
        files.write(b"four\n", policy(9, 30));
        assert_eq!(texts(scratch.path()), ["one\ntwo\n", "three\n", "four\n"]);
    }

    #[test]
    fn a_line_that_is_larger_than_a_file_has_one_of_its_own() {
        let scratch = tempfile::tempdir().unwrap();
        let mut files = Files::new(scratch.path());
        files.write(b"a\nlonger than that\nb\n", policy(4, 30));
        assert_eq!(texts(scratch.path()), ["a\n", "longer than that\n", "b\n"]);
    }

    #[test]
    fn only_so_many_full_files_are_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let mut files = Files::new(scratch.path());
        for line in 0..9 {
            files.write(format!("{line}\n").as_bytes(), policy(2, 3));
        }
        assert_eq!(texts(scratch.path()), ["5\n", "6\n", "7\n", "8\n"]);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_said_once_and_later() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("log");
        File::create(&folder).unwrap();
        let mut files = Files::new(&folder);
        let problem = files.write(b"one\n", policy(0, 3)).unwrap();
        assert!(problem.to_string().starts_with("failed to create the folder `"), "{problem}");
        assert!(files.write(b"two\n", policy(0, 3)).is_none());
        fs::remove_file(&folder).unwrap();
        assert!(files.write(b"three\n", policy(0, 3)).is_none());
        let note = "regctl: 8 bytes of this log were lost: it could not be written\n";
        assert_eq!(texts(&folder), [format!("{note}three\n")]);
    }

    #[test]
    fn of_two_processes_both_write_and_one_puts_files_away() {
        let scratch = tempfile::tempdir().unwrap();
        let mut first = Files::new(scratch.path());
        let mut second = Files::new(scratch.path());
        for files in [&mut first, &mut second] {
            assert!(files.write(b"long line\n", policy(4, 30)).is_none());
        }
        assert_eq!(texts(scratch.path()), ["long line\nlong line\n"]);
        drop(first);
        second.write(b"next\n", policy(4, 30));
        assert_eq!(texts(scratch.path()), ["long line\nlong line\n", "next\n"]);
    }

    #[test]
    fn a_log_goes_on_where_it_ended_and_without_a_limit_is_one_file() {
        let scratch = tempfile::tempdir().unwrap();
        for line in ["a\n", "b\n"] {
            let mut files = Files::new(scratch.path());
            files.write(line.as_bytes(), policy(0, 30));
        }
        assert_eq!(texts(scratch.path()), ["a\nb\n"]);
    }
}
