//! The reading end: the events that one process has left or is leaving, in their order.
//!
//! How far they are delivered stands in a file beside them. It is written after each delivery and never synced: after a
//! power failure some are delivered twice, and none is passed over.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    Size,
    line::{self, LONGEST, Line, Position},
    tail::{number, own_file, segment},
};

/// How much is read at once, unless one line is longer.
const CHUNK_BYTES: usize = 128 * 1024;

const POSITION: &str = "position";

/// The events of one process.
#[derive(Debug)]
pub(super) struct Run {
    folder: PathBuf,
    file: Option<(u64, File)>,
    /// Where reading goes on.
    read: Position,
    /// Up to where everything is delivered.
    done: Position,
    done_file: File,
    /// The lowest segment that may exist.
    first: u64,
}

impl Run {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let done_file =
            own_file().read(true).write(true).truncate(false).open(folder.join(POSITION))?;
        let first = segments(folder)?.into_iter().min().unwrap_or(0);
        let done = position(folder, &done_file).filter(|done| done.segment >= first);
        let done = done.unwrap_or(Position { segment: first, offset: 0 });
        Ok(Self { folder: folder.to_owned(), file: None, read: done, done, done_file, first })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The next events; none: there are no more for now.
    pub(super) fn fill(&mut self) -> io::Result<Vec<Line>> {
        self.remove_delivered();
        let mut most = CHUNK_BYTES;
        loop {
            // Asked first: what is appended before a next one begins is read before that one.
            let next = self.next_segment()?;
            let text = self.read_segment(most)?;
            let is_all = text.len() < most;
            match text.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => {
                    let lines = self.lines(&text[..=last]);
                    if !lines.is_empty() {
                        return Ok(lines);
                    }
                    most = CHUNK_BYTES;
                }
                // A longer line; or half of one, which whoever wrote it did not live to finish.
                None if !is_all && most < LONGEST => most *= 2,
                None => match next {
                    Some(next) => {
                        self.read = Position { segment: next, offset: 0 };
                        most = CHUNK_BYTES;
                    }
                    None => return Ok(Vec::new()),
                },
            }
        }
    }

    /// Notes that everything before this is delivered.
    pub(super) fn done(&mut self, position: Position) -> io::Result<()> {
        self.done = position;
        let text = format!("{:016x} {:016x}\n", position.segment, position.offset);
        self.done_file.write_all_at(text.as_bytes(), 0)
    }

    /// How much is left; reading begins where it was.
    pub(super) fn measure(&mut self) -> io::Result<Size> {
        let mut size = Size::default();
        let begin = self.read;
        loop {
            let lines = self.fill()?;
            if lines.is_empty() {
                break;
            }
            size.events += lines.len() as u64;
            size.bytes += lines.iter().map(|line| line.bytes).sum::<u64>();
        }
        self.read = begin;
        Ok(size)
    }

    /// Reads on where delivery goes on: what was read and not delivered is read again.
    pub(super) fn rewind(&mut self) {
        self.read = self.done;
    }

    fn read_segment(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let Position { segment: number, offset } = self.read;
        let file = match &self.file {
            Some((open, file)) if *open == number => file,
            _ => match File::open(segment(&self.folder, number)) {
                Ok(file) => &self.file.insert((number, file)).1,
                // Nothing has been appended yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
        };
        let mut text = vec![0; most];
        let mut filled = 0;
        while filled < most {
            match file.read_at(&mut text[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        text.truncate(filled);
        Ok(text)
    }

    /// Takes whole lines apart. What cannot be read is passed over, and said.
    fn lines(&mut self, text: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            self.read.offset += part.len() as u64;
            match line::read(part.strip_suffix(b"\n").unwrap_or(part), self.read) {
                Some(line) => lines.push(line),
                None => {
                    let (folder, segment) = (self.folder.display(), self.read.segment);
                    tracing::error!(%folder, segment, "an event was not written to its end and is lost");
                }
            }
        }
        lines
    }

    fn next_segment(&self) -> io::Result<Option<u64>> {
        let after = |number: &u64| *number > self.read.segment;
        // Only the next one matters, and it is nearly always there under the next number, or not at all.
        let next = self.read.segment + 1;
        if segment(&self.folder, next).try_exists()? {
            return Ok(Some(next));
        }
        if self.file.as_ref().is_some_and(|(open, _)| *open == self.read.segment) {
            return Ok(None);
        }
        Ok(segments(&self.folder)?.into_iter().filter(after).min())
    }

    fn remove_delivered(&mut self) {
        while self.first < self.done.segment {
            // What cannot be removed is below what is delivered, and harms nobody.
            let _ = fs::remove_file(segment(&self.folder, self.first));
            self.first += 1;
        }
    }
}

fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        numbers.extend(entry?.file_name().to_str().and_then(number));
    }
    Ok(numbers)
}

/// Where delivery goes on, if the file says a place where a line begins.
fn position(folder: &Path, file: &File) -> Option<Position> {
    let mut text = [0; 34];
    file.read_exact_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text).ok()?.strip_suffix('\n')?;
    let (number, offset) = text.split_once(' ')?;
    let number = u64::from_str_radix(number, 16).ok()?;
    let offset = u64::from_str_radix(offset, 16).ok()?;
    let begins = match offset.checked_sub(1) {
        None => true,
        Some(before) => {
            let mut byte = [0];
            let file = File::open(segment(folder, number)).ok()?;
            file.read_exact_at(&mut byte, before).is_ok() && byte == *b"\n"
        }
    };
    begins.then_some(Position { segment: number, offset })
}
