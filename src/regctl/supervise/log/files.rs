//! The files of a log: `current`, and full ones named by when they were full, as svlogd names them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::{state::LogPolicy, sys::clock};

/// The log's folder and the file that is written to.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    current: File,
    size: u64,
    /// Bytes that could not be written since the last ones that could.
    lost: u64,
}

impl Files {
    /// Goes on where the log ended.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let (current, size) = open(folder)?;
        Ok(Self { folder: folder.to_owned(), current, size, lost: 0 })
    }

    /// Appends whole lines; none of them is divided between two files.
    pub(super) fn write(&mut self, mut lines: &[u8], policy: LogPolicy) {
        while !lines.is_empty() {
            let room = match policy.size {
                0 => lines.len(),
                size => usize::try_from(size.saturating_sub(self.size)).unwrap_or(usize::MAX),
            };
            let fits = fitting(lines, room);
            self.append(&lines[..fits]);
            lines = &lines[fits..];
            if !lines.is_empty() {
                self.turn(policy);
                if fits == 0 {
                    // A line that is larger than a file has one of its own.
                    let line = fitting(lines, 0).max(first_line(lines));
                    self.append(&lines[..line]);
                    lines = &lines[line..];
                }
            }
        }
    }

    /// Appends, or loses the bytes: a service is not stopped by its log.
    fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.lost > 0 {
            let note = format!(
                "regctl: {} bytes of this log were lost: it could not be written\n",
                self.lost
            );
            if self.try_append(note.as_bytes()) {
                self.lost = 0;
            }
        }
        if !self.try_append(bytes) {
            self.lost += bytes.len() as u64;
        }
    }

    fn try_append(&mut self, bytes: &[u8]) -> bool {
        match self.current.write_all(bytes) {
            Ok(()) => {
                self.size += bytes.len() as u64;
                true
            }
            Err(_) => {
                // Half a line is worse than none.
                let _ = self.current.set_len(self.size);
                false
            }
        }
    }

    /// Puts the current file away and begins another one.
    fn turn(&mut self, policy: LogPolicy) {
        if self.size == 0 {
            return;
        }
        let full = self.folder.join(format!("@{}.s", clock::tai64n_now()));
        let turned = fs::rename(self.folder.join(CURRENT), full).and_then(|()| open(&self.folder));
        // One that cannot be put away goes on growing: nothing is lost.
        if let Ok((current, size)) = turned {
            self.current = current;
            self.size = size;
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

fn open(folder: &Path) -> io::Result<(File, u64)> {
    let path = folder.join(CURRENT);
    let current = OpenOptions::new().create(true).append(true).mode(0o640).open(path)?;
    let size = current.metadata()?.len();
    Ok((current, size))
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
        paths.sort();
        let text = |path: &PathBuf| String::from_utf8(fs::read(path).unwrap()).unwrap();
        paths.iter().map(text).collect()
    }

    #[test]
    fn a_file_is_full_before_a_line_is_divided() {
        let scratch = tempfile::tempdir().unwrap();
        let mut files = Files::open(scratch.path()).unwrap();
        files.write(b"one\ntwo\nthree\n", policy(9, 30));
        files.write(b"four\n", policy(9, 30));
        assert_eq!(texts(scratch.path()), ["one\ntwo\n", "three\n", "four\n"]);
    }

    #[test]
    fn a_line_that_is_larger_than_a_file_has_one_of_its_own() {
        let scratch = tempfile::tempdir().unwrap();
        let mut files = Files::open(scratch.path()).unwrap();
        files.write(b"a\nlonger than that\nb\n", policy(4, 30));
        assert_eq!(texts(scratch.path()), ["a\n", "longer than that\n", "b\n"]);
    }

    #[test]
    fn only_so_many_full_files_are_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let mut files = Files::open(scratch.path()).unwrap();
        for line in 0..9 {
            files.write(format!("{line}\n").as_bytes(), policy(2, 3));
        }
        assert_eq!(texts(scratch.path()), ["5\n", "6\n", "7\n", "8\n"]);
    }

    #[test]
    fn a_log_goes_on_where_it_ended_and_without_a_limit_is_one_file() {
        let scratch = tempfile::tempdir().unwrap();
        for line in ["a\n", "b\n"] {
            let mut files = Files::open(scratch.path()).unwrap();
            files.write(line.as_bytes(), policy(0, 30));
        }
        assert_eq!(texts(scratch.path()), ["a\nb\n"]);
    }
}
