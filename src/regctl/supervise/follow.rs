//! Following log files by name, over their rotations, whole line by whole line.
//!
//! A log that svlogd's rules keep is followed file by file: what was written to those that came and went
//! between two looks is read too, in order.

use std::{
    fs::{File, Metadata, metadata, read_dir},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use crate::sys::fs;

/// What is read at once, in bytes.
const READ_BYTES: usize = 64 << 10;

/// What is read of one file before others have their turn, in bytes.
const TURN_BYTES: u64 = 4 << 20;

/// Files that are followed.
#[derive(Debug)]
pub(crate) struct Following {
    files: Vec<Followed>,
    buffer: Vec<u8>,
}

/// One file, by its name.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    /// None: it is not there yet.
    open: Option<Open>,
}

/// What is at that name, or was.
#[derive(Debug)]
struct Open {
    file: File,
    id: FileId,
    /// What was shown so far, in bytes.
    shown: u64,
}

/// A file whatever its name: its device and its inode.
type FileId = (u64, u64);

/// Who is handed what was written, with the file's name. Its error ends it all.
pub(crate) type Show<'a> = dyn FnMut(&Path, &[u8]) -> io::Result<()> + 'a;

/// Why a log is not followed any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Read(#[from] fs::Error),
    #[error("failed to show a log")]
    Show(#[source] io::Error),
}

/// Whether there is more to read right now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum More {
    No,
    Yes,
}

impl Following {
    /// Begins with the last lines of what is there. One that cannot be opened is an error, one that is not there
    /// yet is none.
    pub(crate) fn begin(paths: Vec<PathBuf>, lines: u64) -> Result<Self, fs::Error> {
        let begin = |path: PathBuf| {
            let mut open = Open::at(&path).map_err(|source| failed(&path, source))?;
            if let Some(open) = &mut open {
                let start = open.start_of_last(lines);
                open.shown = start.map_err(|source| failed(&path, source))?;
            }
            Ok(Followed { path, open })
        };
        let files = paths.into_iter().map(begin).collect::<Result<_, fs::Error>>()?;
        Ok(Self { files, buffer: vec![0; READ_BYTES] })
    }

    /// Shows what was written since the last time.
    pub(crate) fn go_on(&mut self, show: &mut Show<'_>) -> Result<More, FollowError> {
        let mut more = More::No;
        for file in &mut self.files {
            if file.go_on(&mut self.buffer, show)? == More::Yes {
                more = More::Yes;
            }
        }
        Ok(more)
    }
}

impl Followed {
    fn go_on(&mut self, buffer: &mut [u8], show: &mut Show<'_>) -> Result<More, FollowError> {
        loop {
            let Some(open) = &mut self.open else {
                // What cannot be opened now may be later.
                self.open = Open::at(&self.path).unwrap_or_default();
                match self.open {
                    Some(_) => continue,
                    None => return Ok(More::No),
                }
            };
            let now = metadata(&self.path).map(|found| id(&found)).ok();
            let is_current = now.is_none_or(|now| now == open.id);
            let length = open.file.metadata().map_err(|error| failed(&self.path, error))?.len();
            if is_current && length < open.shown {
                // Somebody has emptied it.
                open.shown = 0;
            }
            let ended = if is_current { Ended::NotYet } else { Ended::Yes };
            if open.show(&self.path, ended, buffer, show)? == More::Yes {
                return Ok(More::Yes);
            }
            if is_current {
                return Ok(More::No);
            }
            match next(&self.path, open.id) {
                Some(next) => self.open = Some(next),
                // It was renamed once more in between: the next look finds it.
                None => return Ok(More::No),
            }
        }
    }
}

/// Whether a file is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    NotYet,
    Yes,
}

impl Open {
    /// Opens what is at a path; `None` when nothing is.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let id = id(&file.metadata()?);
        Ok(Some(Self { file, id, shown: 0 }))
    }

    /// Shows whole lines up to the end; of a complete file the last one too, whether or not it has an end.
    fn show(
        &mut self,
        path: &Path,
        ended: Ended,
        buffer: &mut [u8],
        show: &mut Show<'_>,
    ) -> Result<More, FollowError> {
        let turn = self.shown.saturating_add(TURN_BYTES);
        loop {
            let read =
                self.file.read_at(buffer, self.shown).map_err(|error| failed(path, error))?;
            let whole = match buffer[..read].iter().rposition(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                // A line that is longer than the buffer is shown in pieces.
                None if read == buffer.len() || ended == Ended::Yes => read,
                None => 0,
            };
            if whole == 0 {
                return Ok(More::No);
            }
            show(path, &buffer[..whole]).map_err(FollowError::Show)?;
            self.shown += whole as u64;
            if self.shown >= turn {
                return Ok(More::Yes);
            }
        }
    }

    /// Returns where the last lines begin, read from the end.
    fn start_of_last(&self, lines: u64) -> io::Result<u64> {
        let end = self.file.metadata()?.len();
        let mut buffer = vec![0; READ_BYTES];
        let (mut from, mut found) = (end, 0);
        while from > 0 {
            let start = from.saturating_sub(READ_BYTES as u64);
            let length = usize::try_from(from - start).expect("it is at most what is read at once");
            self.file.read_exact_at(&mut buffer[..length], start)?;
            for (index, _) in
                buffer[..length].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n')
            {
                let after = start + index as u64 + 1;
                // The end of the last line begins none.
                found += u64::from(after < end);
                if found == lines || lines == 0 {
                    return Ok(if lines == 0 { end } else { after });
                }
            }
            from = start;
        }
        Ok(if lines == 0 { end } else { 0 })
    }
}

fn failed(path: &Path, source: io::Error) -> fs::Error {
    fs::Error { operation: "read", path: path.to_owned(), source }
}

fn id(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// Opens what followed a file that has lost its name: the next full one that svlogd's rules keep, else what has
/// the name now.
fn next(path: &Path, former: FileId) -> Option<Open> {
    let mut full: Vec<PathBuf> = Vec::new();
    if path.file_name().is_some_and(|name| name == "current") {
        let entries = read_dir(path.parent()?).ok()?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        full = paths.filter(|path| is_full(path)).collect();
        // Their names sort by time.
        full.sort();
    }
    let names: Vec<_> = full.into_iter().chain([path.to_owned()]).collect();
    let ids: Vec<_> =
        names.iter().map(|name| metadata(name).map(|found| id(&found)).ok()).collect();
    let next = match ids.iter().position(|id| *id == Some(former)) {
        Some(index) => index + 1,
        // It is gone: so are perhaps some that came after it.
        None => names.len() - 1,
    };
    let open = Open::at(names.get(next)?).ok()??;
    // A name may have gone to another file since it was looked at.
    (Some(open.id) == ids[next]).then_some(open)
}

fn is_full(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"@"))
}

#[cfg(test)]
mod tests {
    use std::{fs::rename, io::Write as _};

    use super::*;

    /// What is shown by going on to the end.
    fn shown(following: &mut Following) -> String {
        let mut text = String::new();
        let mut show = |_: &Path, bytes: &[u8]| {
            text.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(())
        };
        while following.go_on(&mut show).unwrap() == More::Yes {}
        text
    }

    fn write(path: &Path, text: &str) {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn it_begins_with_the_last_lines() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("current");
        let long = "x".repeat(READ_BYTES * 2);
        write(&path, &format!("one\n{long}\nthree\nfour\n"));
        for (lines, expected) in [
            (0, String::new()),
            (1, "four\n".to_owned()),
            (2, "three\nfour\n".to_owned()),
            (3, format!("{long}\nthree\nfour\n")),
            (4, format!("one\n{long}\nthree\nfour\n")),
            (9, format!("one\n{long}\nthree\nfour\n")),
        ] {
            let mut following = Following::begin(vec![path.clone()], lines).unwrap();
            assert!(shown(&mut following) == expected, "{lines} lines");
        }
    }

    #[test]
    fn half_a_line_is_shown_when_it_is_whole() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("current");
        let mut following = Following::begin(vec![path.clone()], 10).unwrap();
        assert_eq!(shown(&mut following), "");
        write(&path, "one\ntw");
        assert_eq!(shown(&mut following), "one\n");
        write(&path, "o\n");
        assert_eq!(shown(&mut following), "two\n");
    }

    #[test]
    fn files_that_came_and_went_between_two_looks_are_shown_in_order() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("current");
        write(&path, "a\n");
        let mut following = Following::begin(vec![path.clone()], 10).unwrap();
        assert_eq!(shown(&mut following), "a\n");
        for (name, text) in [("@1.s", "b\n"), ("@2.s", "c\n"), ("@3.s", "d\n")] {
            write(&path, text);
            rename(&path, scratch.path().join(name)).unwrap();
        }
        // Nothing has the name: what is there is awaited.
        assert_eq!(shown(&mut following), "b\n");
        write(&path, "e\n");
        assert_eq!(shown(&mut following), "c\nd\ne\n");
    }

    #[test]
    fn a_file_that_was_replaced_or_emptied_is_shown_from_its_start() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("error.log");
        write(&path, "one\ntwo\n");
        let mut following = Following::begin(vec![path.clone()], 10).unwrap();
        assert_eq!(shown(&mut following), "one\ntwo\n");
        File::create(&path).unwrap().write_all(b"new\n").unwrap();
        assert_eq!(shown(&mut following), "new\n");
        rename(&path, scratch.path().join("error.log.1")).unwrap();
        write(&path, "next\n");
        assert_eq!(shown(&mut following), "next\n");
    }
}
