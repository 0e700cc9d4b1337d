//! What files say, read again when they change.
//!
//! Every question looks at the files' metadata first, so that a change counts for the next request. What
//! cannot be used leaves what was read before in force: an administrator who saves half a file locks
//! nobody out.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};
use tokio::{sync, task, time::Instant};

use super::Unusable;

/// The longest file that is read.
const LONGEST: u64 = 8 * 1024 * 1024;

/// A file that changed so lately and makes no sense, or ends in the middle of a line, may be in the making.
const IN_THE_MAKING: Duration = Duration::from_secs(2);

/// So shortly after a change another one may leave the same times behind: clocks of filesystems are coarse.
const COARSE: Duration = Duration::from_millis(100);

/// How long nobody tries again where a file could not be read for a reason that passes, such as too many open files.
const PASSES: Duration = Duration::from_secs(1);

/// A file with its bytes.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// The value of some files.
pub(crate) struct Watched<T> {
    shared: Arc<Shared<T>>,
    /// One reads, the others wait for what it finds.
    turn: sync::Mutex<()>,
}

/// Makes a value of the files, which come in the order of their paths.
type Parse<T> = dyn Fn(&[Contents]) -> Result<T, Unusable> + Send + Sync;

struct Shared<T> {
    paths: Vec<PathBuf>,
    parse: Box<Parse<T>>,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: Arc<T>,
    /// Of the bytes that gave the value.
    digest: [u8; 32],
    stamps: Vec<Stamp>,
    /// Whether files with these stamps have nothing more to say.
    is_settled: bool,
    /// Until when what is not settled is left alone.
    quiet_until: Option<Instant>,
}

/// What tells one state of a file from another.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Stamp {
    There { device: u64, inode: u64, size: u64, modified: (i64, i64), changed: (i64, i64) },
    NotThere(io::ErrorKind),
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads the files for the first time.
    pub(crate) fn open(
        paths: Vec<PathBuf>,
        parse: impl Fn(&[Contents]) -> Result<T, Unusable> + Send + Sync + 'static,
    ) -> Result<Self, Unusable> {
        let stamps = stamps(&paths);
        let contents = read(&paths)?;
        let is_settled = !is_within(COARSE, &stamps);
        let value = Arc::new(parse(&contents)?);
        let digest = digest(&contents);
        let state = State { value, digest, stamps, is_settled, quiet_until: None };
        let shared = Arc::new(Shared { paths, parse: Box::new(parse), state: Mutex::new(state) });
        Ok(Self { shared, turn: sync::Mutex::default() })
    }

    /// The value of the files as they are now.
    pub(crate) async fn current(&self) -> Arc<T> {
        if let Some(value) = self.shared.unchanged() {
            return value;
        }
        let _turn = self.turn.lock().await;
        if let Some(value) = self.shared.unchanged() {
            return value;
        }
        let shared = Arc::clone(&self.shared);
        // If it panics, the old value stays.
        let _ = task::spawn_blocking(move || shared.read_again()).await;
        Arc::clone(&self.shared.lock().value)
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A state is replaced by assignments only: it is whole, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unchanged(&self) -> Option<Arc<T>> {
        let stamps = stamps(&self.paths);
        let state = self.lock();
        let is_quiet = state.quiet_until.is_some_and(|until| Instant::now() < until);
        ((state.is_settled || is_quiet) && state.stamps == stamps).then(|| Arc::clone(&state.value))
    }

    fn read_again(&self) {
        let stamps = stamps(&self.paths);
        self.take(stamps, read(&self.paths));
    }

    /// Takes what files with these stamps say.
    fn take(&self, stamps: Vec<Stamp>, read: Result<Vec<Contents>, Unusable>) {
        let known = self.lock().digest;
        let read = read.and_then(|contents| {
            let digest = digest(&contents);
            match digest == known {
                true => Ok((None, digest, contents)),
                false => Ok((Some((self.parse)(&contents)?), digest, contents)),
            }
        });
        let may_be_half = match &read {
            Ok((None, ..)) => false,
            Ok((Some(_), _, contents)) => contents.iter().any(Contents::ends_early),
            Err(_) => true,
        };
        let mut state = self.lock();
        state.is_settled = true;
        state.quiet_until = None;
        if may_be_half && is_within(IN_THE_MAKING, &stamps) {
            state.is_settled = false;
            return;
        }
        match read {
            Ok((value, digest, _)) => {
                state.is_settled = !is_within(COARSE, &stamps);
                state.digest = digest;
                if let Some(value) = value {
                    state.value = Arc::new(value);
                    tracing::info!(files = %shown(&self.paths), "read again, since it changed");
                }
            }
            Err(error) => {
                if passes(&error) {
                    state.is_settled = false;
                    state.quiet_until = Some(Instant::now() + PASSES);
                }
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "what was known before stays in force");
            }
        }
        state.stamps = stamps;
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("paths", &self.shared.paths).finish_non_exhaustive()
    }
}

impl Contents {
    /// Says that the file is not what it should be.
    pub(crate) fn unusable(&self, wrong: impl Into<String>) -> Unusable {
        Unusable::contents(&self.path, wrong)
    }

    fn ends_early(&self) -> bool {
        self.bytes.last() != Some(&b'\n')
    }
}

/// `` `/a` and `/b` ``.
pub(super) fn shown<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> String {
    let paths = paths.into_iter().map(|path| format!("`{}`", path.as_ref().display()));
    paths.collect::<Vec<_>>().join(" and ")
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths.iter().map(|path| Stamp::of(path)).collect()
}

impl Stamp {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(found) => Self::There {
                device: found.dev(),
                inode: found.ino(),
                size: found.size(),
                modified: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            },
            Err(error) => Self::NotThere(error.kind()),
        }
    }

    /// When the file was changed: this time nobody but the kernel can set.
    fn changed(&self) -> Option<SystemTime> {
        let Self::There { changed: (seconds, nanoseconds), .. } = self else { return None };
        let seconds = u64::try_from(*seconds).ok()?;
        Some(UNIX_EPOCH + Duration::new(seconds, u32::try_from(*nanoseconds).ok()?))
    }
}

/// Whether one of the files changed that lately.
fn is_within(age: Duration, stamps: &[Stamp]) -> bool {
    let now = SystemTime::now();
    let ages = stamps.iter().filter_map(Stamp::changed).map(|changed| now.duration_since(changed));
    ages.flatten().any(|found| found < age)
}

fn read(paths: &[PathBuf]) -> Result<Vec<Contents>, Unusable> {
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<Contents, Unusable> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    match read {
        Ok(read) if u64::try_from(read).is_ok_and(|read| read <= LONGEST) => {
            Ok(Contents { path: path.to_owned(), bytes })
        }
        Ok(_) => Err(Unusable::TooLong { path: path.to_owned(), limit: LONGEST }),
        Err(source) => Err(Unusable::Read { path: path.to_owned(), source }),
    }
}

/// Whether another try may find what this one did not, with the file as it is.
fn passes(error: &Unusable) -> bool {
    let Unusable::Read { source, .. } = error else { return false };
    !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

fn digest(contents: &[Contents]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for file in contents {
        hasher.update(Sha256::digest(&file.bytes));
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests;
