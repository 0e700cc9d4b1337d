//! What a run has read, so that one that was cut off goes on: a file whose first line says of which store, and a line for every
//! blob that is what its name says.
//!
//! A line that is not whole is where a run was killed: it names no blob, and that one is read again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use oci::Digest;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// As many blobs are written down at once, or what came in so much time.
const BATCH: usize = 256;
const PAUSE: Duration = Duration::from_secs(1);

/// All of it, in millionths.
const ALL: u32 = 1_000_000;

/// Which blobs are read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sample {
    /// Of a million blobs.
    millionths: u32,
    /// Which ones: every run has others.
    seed: u64,
}

impl Sample {
    /// So many of a hundred.
    #[must_use]
    pub fn percent(percent: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between none and all"
        )]
        let millionths = (percent.clamp(0.0, 100.0) * f64::from(ALL) / 100.0).round() as u32;
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let seed = Uuid::new_v4().as_u128() as u64;
        Self { millionths, seed }
    }

    /// Whether a blob is in it.
    pub(super) fn includes(self, digest: &Digest) -> bool {
        if self.millionths >= ALL {
            return true;
        }
        let front = digest.as_bytes().first_chunk().map_or(0, |front| u64::from_le_bytes(*front));
        let mixed = u128::from(front ^ self.seed) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        #[expect(clippy::cast_possible_truncation, reason = "these are the halves of a product")]
        let mixed = (mixed >> 64) as u64 ^ mixed as u64;
        mixed % u64::from(ALL) < u64::from(self.millionths)
    }
}

/// The first line.
#[derive(Debug, Deserialize, Serialize)]
struct Head {
    store: String,
    sample: Sample,
    #[serde(with = "time::serde::rfc3339")]
    begun: OffsetDateTime,
}

/// The file. One process has it at a time: whoever works on the storage.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    head: Head,
    goes_on: bool,
    file: File,
    waiting: String,
    count: usize,
    written: Instant,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`", path.display())]
pub struct StateError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl State {
    /// Opens the state of a run on this store that was cut off, with a sample of the same size; or begins one.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn open(
        path: &Path,
        store: &str,
        sample: Sample,
        restart: bool,
    ) -> Result<Self, StateError> {
        let failed = |what| move |source| StateError { what, path: path.to_owned(), source };
        let found = if restart { None } else { read_head(path).map_err(failed("read"))? };
        let fits = |head: &Head| head.store == store && head.sample.millionths == sample.millionths;
        let found = found.filter(fits);
        let goes_on = found.is_some();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        if !goes_on {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove")(error));
                }
                _ => {}
            }
        }
        let mut file = options.open(path).map_err(failed("open"))?;
        let begun = OffsetDateTime::now_utc();
        let head = found.unwrap_or(Head { store: store.to_owned(), sample, begun });
        let line = match goes_on {
            // The end of a line that was cut.
            true => String::new(),
            false => serde_json::to_string(&head).expect("texts and numbers are JSON"),
        };
        file.write_all(format!("{line}\n").as_bytes()).map_err(failed("write"))?;
        let (path, waiting, count) = (path.to_owned(), String::new(), 0);
        Ok(Self { path, head, goes_on, file, waiting, count, written: Instant::now() })
    }

    /// When the run began, if another process did.
    #[must_use]
    pub fn goes_on_since(&self) -> Option<OffsetDateTime> {
        self.goes_on.then_some(self.head.begun)
    }

    /// Forgets the run: it has come to its end.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn finish(self) -> Result<(), StateError> {
        fs::remove_file(&self.path).map_err(|source| self.failed("remove", source))
    }

    pub(super) fn sample(&self) -> Sample {
        self.head.sample
    }

    /// Tells of the blobs that were right.
    pub(super) fn each(&self, mut each: impl FnMut(Digest)) -> Result<(), StateError> {
        if !self.goes_on {
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|source| self.failed("read", source))?;
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(|source| self.failed("read", source))?;
            let digest = std::str::from_utf8(&line).ok().and_then(|text| text.parse().ok());
            digest.map(&mut each);
        }
        Ok(())
    }

    /// A blob is what its name says.
    pub(super) fn note(&mut self, digest: &Digest) -> Result<(), StateError> {
        self.waiting.push_str(&digest.to_string());
        self.waiting.push('\n');
        self.count += 1;
        match self.count >= BATCH || self.written.elapsed() >= PAUSE {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes down what waits.
    pub(super) fn flush(&mut self) -> Result<(), StateError> {
        let waiting = std::mem::take(&mut self.waiting);
        (self.count, self.written) = (0, Instant::now());
        self.file.write_all(waiting.as_bytes()).map_err(|source| self.failed("write", source))
    }

    fn failed(&self, what: &'static str, source: io::Error) -> StateError {
        StateError { what, path: self.path.clone(), source }
    }
}

/// What the first line says; none where it says nothing of use.
fn read_head(path: &Path) -> io::Result<Option<Head>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut line = Vec::new();
    BufReader::new(io::Read::take(file, 64 * 1024)).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line).ok())
}
