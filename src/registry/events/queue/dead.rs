//! Events that were given up, kept for somebody who wants them delivered after all.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    line::{self, Line},
    tail::own_file,
};

/// One JSON document a line: when and why it was given up, and the event last.
const FILE: &str = "dead.events";

/// What is on its way back to the queue.
const TAKEN: &str = "replayed.events";

/// What stands between what is said of an event and the event; no text in JSON has it, for its quotes.
const EVENT: &str = ",\"event\":";

#[derive(Debug)]
pub(super) struct DeadLetters {
    folder: PathBuf,
    count: u64,
    bytes: u64,
}

impl DeadLetters {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let mut letters = Self { folder: folder.to_owned(), count: 0, bytes: 0 };
        letters.put_back()?;
        Ok(letters)
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds an event, unless that would be too much.
    pub(super) fn add(
        &mut self,
        line: &Line,
        attempts: u32,
        reason: &str,
        most: u64,
    ) -> io::Result<bool> {
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let mut text =
            json!({ "attempts": attempts, "given_up_at": now, "reason": reason }).to_string();
        text.pop();
        text.push_str(EVENT);
        text.push_str(&String::from_utf8_lossy(&line.event));
        text.push_str("}\n");
        let bytes = text.len() as u64;
        if self.bytes + bytes > most {
            return Ok(false);
        }
        let file = own_file().read(true).append(true).open(self.path(FILE))?;
        let before = file.metadata()?.len();
        if is_torn(&file)? {
            // A loss of power has left a part of a letter. It stays apart.
            text.insert(0, '\n');
        }
        let written = (&file).write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if let Err(error) = written {
            let _ = file.set_len(before);
            return Err(error);
        }
        self.count += 1;
        self.bytes += bytes;
        Ok(true)
    }

    /// Hands the events to `queue`, the first ones first, until it says no; the others are kept.
    ///
    /// They are gone for good with [`Self::forget_taken`]: until then a crash brings all of them back.
    pub(super) fn take(
        &mut self,
        mut queue: impl FnMut(&Bytes) -> io::Result<bool>,
    ) -> io::Result<u64> {
        match fs::rename(self.path(FILE), self.path(TAKEN)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            renamed => renamed?,
        }
        let taken = self.hand_over(&mut queue);
        match &taken {
            Ok(_) => self.measure()?,
            Err(_) => self.put_back()?,
        }
        taken
    }

    fn hand_over(&self, queue: &mut impl FnMut(&Bytes) -> io::Result<bool>) -> io::Result<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut taken = 0;
        let mut is_room = true;
        let mut kept = own_file().append(true).open(self.path(FILE))?;
        for text in BufReader::new(File::open(self.path(TAKEN))?).split(b'\n') {
            let text = text?;
            let event = event_of(&text);
            if event.is_none() {
                let file = self.path(FILE);
                tracing::error!(file = %file.display(), "a line holds no whole event; it stays there");
            }
            if let Some(event) = event.filter(|_| is_room) {
                is_room = queue(&line::write(now, event))?;
                if is_room {
                    taken += 1;
                    continue;
                }
            }
            kept.write_all(&[&text[..], b"\n"].concat())?;
        }
        kept.sync_all()?;
        Ok(taken)
    }

    pub(super) fn forget_taken(&self) -> io::Result<()> {
        match fs::remove_file(self.path(TAKEN)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) -> io::Result<u64> {
        let count = self.count;
        match fs::remove_file(self.path(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        (self.count, self.bytes) = (0, 0);
        Ok(count)
    }

    /// Undoes a replay that did not come to its end: what it had kept is part of what it took.
    pub(super) fn put_back(&mut self) -> io::Result<()> {
        match fs::rename(self.path(TAKEN), self.path(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.measure()
    }

    fn measure(&mut self) -> io::Result<()> {
        (self.count, self.bytes) = (0, 0);
        let file = match File::open(self.path(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        for text in BufReader::new(file).split(b'\n') {
            self.count += 1;
            self.bytes += text?.len() as u64 + 1;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The event of a letter; none if the letter was not written to its end.
fn event_of(text: &[u8]) -> Option<&str> {
    // One that a loss of power has cut may end within a letter.
    let (_, event) = std::str::from_utf8(text).ok()?.split_once(EVENT)?;
    let event = event.strip_suffix('}')?;
    serde_json::from_str::<IgnoredAny>(event).is_ok().then_some(event)
}

/// Whether a file ends in the middle of a line.
fn is_torn(mut file: &File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
