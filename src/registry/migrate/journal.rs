//! What migrations have put into a target, written down before it is put, so that a later run may take it back; and which blobs
//! of it they have read and found to be what their names say.
//!
//! The file is a head that names both sides, and a line for each object: what was done, with what, and a checksum. A line that
//! is not whole is where a run was killed; the object of a line need not be there. A file of other sides is set aside, never used.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use oci::Digest;
use sha2::{Digest as _, Sha256};

/// What is done with an object.
const PUT: &str = "put";
const READ: &str = "read";

/// More than a path of the longest names.
const LINE_BYTES: usize = 2048;

/// Checks one line; it protects from a disk, not from a person.
const CHECK_DIGITS: usize = 8;

/// The file. One process has it at a time: whoever has the target alone.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`", path.display())]
pub struct JournalError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Journal {
    /// Opens the journal of these sides (see [`Sides::identity`](super::Sides::identity)), or begins one.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn open(path: &Path, sides: &str) -> Result<Self, JournalError> {
        let failed = |what| move |source| JournalError { what, path: path.to_owned(), source };
        let head = checked(&format!("regctl migration {}", hex(sides)));
        match read_head(path) {
            Ok(found) if found == head => {}
            Ok(_) => {
                let aside = path.with_extension("other");
                fs::rename(path, aside).map_err(failed("set aside"))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("read")(error)),
        }
        let mut file = OpenOptions::new()
            .append(true)
            .read(true)
            .create(true)
            .open(path)
            .map_err(failed("open"))?;
        if file.metadata().map_err(failed("open"))?.len() == 0 {
            file.write_all(head.as_bytes()).map_err(failed("write"))?;
        } else {
            // The end of a line that a crash has cut.
            file.write_all(b"\n").map_err(failed("write"))?;
        }
        file.sync_data().map_err(failed("write"))?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed("sync"))?;
        folder.sync_all().map_err(failed("sync"))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes down what is put next, durably.
    pub(super) fn intend<'a>(
        &mut self,
        paths: impl Iterator<Item = &'a str>,
    ) -> Result<(), JournalError> {
        let lines: String = paths.map(|path| checked(&format!("{PUT} {path}"))).collect();
        self.write(&lines)
    }

    /// Writes down which blobs a run has read.
    pub(super) fn note_read<'a>(
        &mut self,
        run: &str,
        blobs: impl Iterator<Item = &'a Digest>,
    ) -> Result<(), JournalError> {
        let lines: String = blobs.map(|blob| checked(&format!("{READ} {run} {blob}"))).collect();
        self.write(&lines)
    }

    fn write(&mut self, lines: &str) -> Result<(), JournalError> {
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| self.failed("write", source))
    }

    /// Those of some paths that were ever put.
    pub(super) fn known(&self, paths: HashSet<String>) -> Result<HashSet<String>, JournalError> {
        let mut known = HashSet::new();
        if paths.is_empty() {
            return Ok(known);
        }
        self.each(|done, what| {
            if done == PUT && paths.contains(what) {
                known.insert(what.to_owned());
            }
        })?;
        Ok(known)
    }

    /// Tells of the blobs whose bytes are known to be right: they were hashed as they were put, or read since. With a run, only of
    /// those that it has read.
    pub(super) fn trusted(
        &self,
        run: Option<&str>,
        mut each: impl FnMut(Digest),
    ) -> Result<(), JournalError> {
        self.each(|done, what| {
            let blob = match (done, run) {
                (PUT, None) => blob_of(what),
                (READ, _) => what
                    .split_once(' ')
                    .filter(|(by, _)| run.is_none_or(|run| run == *by))
                    .and_then(|(_, blob)| blob.parse().ok()),
                _ => None,
            };
            blob.map(&mut each);
        })
    }

    /// Tells of every whole line what was done, and with what.
    fn each(&self, mut each: impl FnMut(&str, &str)) -> Result<(), JournalError> {
        let file = File::open(&self.path).map_err(|source| self.failed("read", source))?;
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            if read.map_err(|source| self.failed("read", source))? == 0 {
                return Ok(());
            }
            let text = std::str::from_utf8(&line).ok().and_then(whole);
            if let Some((done, what)) = text.and_then(|text| text.split_once(' ')) {
                each(done, what);
            }
        }
    }

    fn failed(&self, what: &'static str, source: io::Error) -> JournalError {
        JournalError { what, path: self.path.clone(), source }
    }
}

/// The blob of a path.
fn blob_of(path: &str) -> Option<Digest> {
    let (_, below) = path.split_once("/blobs/")?;
    let mut parts = below.split('/');
    let (algorithm, _shard, hex) = (parts.next()?, parts.next()?, parts.next()?);
    format!("{algorithm}:{hex}").parse().ok()
}

fn read_head(path: &Path) -> io::Result<String> {
    let mut head = Vec::new();
    let file = io::Read::take(File::open(path)?, LINE_BYTES as u64);
    BufReader::new(file).read_until(b'\n', &mut head)?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line: the text, and what tells whether it is whole.
fn checked(text: &str) -> String {
    format!("{text} {}\n", &hex(text)[..CHECK_DIGITS])
}

fn whole(line: &str) -> Option<&str> {
    let (text, check) = line.strip_suffix('\n')?.rsplit_once(' ')?;
    (hex(text)[..CHECK_DIGITS] == *check).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(journal: &Journal, paths: &[&str]) -> Vec<String> {
        let asked = paths.iter().map(|path| (*path).to_owned()).collect();
        let mut known: Vec<_> = journal.known(asked).unwrap().into_iter().collect();
        known.sort();
        known
    }

    #[test]
    fn blobs_that_were_put_or_read_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal"), "a\nb").unwrap();
        let [put, old, new] =
            ["put", "old", "new"].map(|it| Digest::of(oci::Algorithm::Sha256, it.as_bytes()));
        let path = storage::Item::Blob(put).to_string();
        journal.intend([path.as_str(), "docker/x"].into_iter()).unwrap();
        journal.note_read("1", [&old].into_iter()).unwrap();
        journal.note_read("2", [&new].into_iter()).unwrap();
        let told = |run| {
            let mut told = Vec::new();
            journal.trusted(run, |blob| told.push(blob)).unwrap();
            told
        };
        assert_eq!((told(None), told(Some("2"))), (vec![put, old, new], vec![new]));
    }

    #[test]
    fn what_was_intended_is_known_to_the_next_run_and_to_no_other_sides() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path, "a\nb").unwrap();
        journal.intend(["x/1", "x/2"].into_iter()).unwrap();
        drop(journal);
        // A crash in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"x/3 12").unwrap();
        let mut journal = Journal::open(&path, "a\nb").unwrap();
        journal.intend(["x/4"].into_iter()).unwrap();
        assert_eq!(known(&journal, &["x/1", "x/3", "x/4", "x/5"]), ["x/1", "x/4"]);
        drop(journal);
        let other = Journal::open(&path, "a\nc").unwrap();
        assert_eq!(known(&other, &["x/1"]), Vec::<String>::new());
        assert!(folder.path().join("journal.other").exists());
        drop(other);
    }
}
