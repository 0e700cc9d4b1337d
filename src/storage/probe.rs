//! Tries on a store what a migration would do there, measures how long that takes, and leaves nothing.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use oci::{Algorithm, Digest};
use tokio::task::spawn_blocking;

#[cfg(feature = "s3")]
use crate::s3::S3;
use crate::{Config, Error, Kind, UploadId, error::Context};
#[cfg(feature = "s3")]
use crate::{Driver, Folder, Key, Workplace};

/// Small objects that are put, some side by side.
const SMALL: usize = 32;

/// Bytes that are put as one object, and how many such objects side by side.
const LARGE_BYTES: usize = 6 << 20;
const LARGE: usize = 4;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// What a small object takes of the time of all that are put side by side; none where nothing could be put yet.
    pub small: Option<Duration>,
    /// How many bytes of large objects were put in a second.
    pub bytes_a_second: Option<u64>,
    /// How many bytes there is room for, where that is known.
    pub room: Option<u64>,
}

/// What the store was asked to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// To take an object.
    Write,
    /// To give it back.
    Read,
    /// To list objects.
    List,
    /// To take an object in parts.
    Parts,
    /// To delete an object.
    Delete,
}

/// What the store does not do.
#[derive(Debug)]
pub struct Refused {
    /// What it was asked.
    pub step: Step,
    /// What came of it.
    pub error: Error,
}

impl Step {
    fn refused(self) -> impl Fn(Error) -> Refused {
        move |error| Refused { step: self, error }
    }
}

/// Tries a store.
///
/// # Errors
/// It does not do something that a migration needs. What was put is removed, as far as it lets itself be removed.
pub async fn probe(config: &Config, at_once: usize) -> Result<Probe, Refused> {
    match config {
        Config::Filesystem(options) => {
            let root = options.root_directory.clone();
            let failed = |error| Error::io("try", "a folder", io::Error::other(error));
            let tried = spawn_blocking(move || folder(&root, at_once)).await;
            tried.map_err(|error| Step::Write.refused()(failed(error)))?
        }
        #[cfg(feature = "s3")]
        Config::S3(options) => {
            let bucket = S3::open(options).map_err(Step::Write.refused())?;
            in_bucket(&bucket, at_once).await
        }
        #[cfg(not(feature = "s3"))]
        Config::S3(_) => Err(nothing(config)),
        Config::InMemory => Err(nothing(config)),
    }
}

fn nothing(config: &Config) -> Refused {
    Step::Write.refused()(Error::new(Kind::NotFound, "try", config))
}

fn measured(small: Duration, large: Duration) -> (Option<Duration>, Option<u64>) {
    let bytes = (LARGE * LARGE_BYTES) as u64;
    let micros = u64::try_from(large.as_micros()).unwrap_or(u64::MAX).max(1);
    let small = small / u32::try_from(SMALL).unwrap_or(u32::MAX);
    (Some(small), Some(bytes.saturating_mul(1_000_000) / micros))
}

/// In a folder within the root, which goes again. A root that is not there is not made.
fn folder(root: &Path, at_once: usize) -> Result<Probe, Refused> {
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(root);
    let said = rustix::fs::statvfs(there).during("look at", there.display());
    let said = said.map_err(Step::Write.refused())?;
    let room = Some(said.f_bavail.saturating_mul(said.f_frsize));
    if there != root {
        return Ok(Probe { small: None, bytes_a_second: None, room });
    }
    let place = root.join(format!(".regctl-probe-{}", UploadId::random()));
    let tried = fs::create_dir(&place)
        .during("write", place.display())
        .map_err(Step::Write.refused())
        .and_then(|()| in_folder(&place, at_once));
    let gone = fs::remove_dir_all(&place).during("delete", place.display());
    let (small, bytes_a_second) = tried?;
    gone.map_err(Step::Delete.refused())?;
    Ok(Probe { small, bytes_a_second, room })
}

fn in_folder(place: &Path, at_once: usize) -> Result<(Option<Duration>, Option<u64>), Refused> {
    let put = |name: String, bytes: &[u8]| {
        let path = place.join(name);
        let put = || {
            let mut file = File::create_new(&path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            File::open(place)?.sync_all()
        };
        put().during("write", path.display()).map_err(Step::Write.refused())
    };
    let threads = at_once.clamp(1, SMALL);
    let small = Instant::now();
    side_by_side(threads, |thread| {
        let mut numbers = (thread..SMALL).step_by(threads);
        numbers.try_for_each(|number| put(format!("small-{number}"), &[b'x'; 71]))
    })?;
    let small = small.elapsed();
    let (bytes, large) = (random(LARGE_BYTES), Instant::now());
    side_by_side(LARGE, |thread| put(format!("large-{thread}"), &bytes))?;
    let large = large.elapsed();
    let path = place.join("small-0");
    let read = fs::read(&path).during("read", path.display());
    read.map_err(Step::Read.refused())?;
    let listed = fs::read_dir(place).during("list", place.display());
    listed.map_err(Step::List.refused())?;
    Ok(measured(small, large))
}

/// Does something in some threads; the first failure counts.
fn side_by_side(
    threads: usize,
    work: impl Fn(usize) -> Result<(), Refused> + Sync,
) -> Result<(), Refused> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..threads).map(|it| scope.spawn(move || work(it))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Bytes that cannot be made smaller on the way.
fn random(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 64);
    let mut digest = Digest::of(Algorithm::Sha512, UploadId::random().to_string().as_bytes());
    while bytes.len() < length {
        bytes.extend_from_slice(digest.as_bytes());
        digest = Digest::of(Algorithm::Sha512, digest.as_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(feature = "s3")]
async fn in_bucket(bucket: &S3, at_once: usize) -> Result<Probe, Refused> {
    let place = Workplace::random();
    let digest = |it: usize| Digest::of(Algorithm::Sha256, &it.to_le_bytes());
    let digests: Vec<_> = (0..SMALL + LARGE).map(digest).collect();
    let tried = try_bucket(bucket, (&place, &digests), at_once).await;
    let mut gone = Ok(());
    // By their names: perhaps nothing may be listed.
    for digest in &digests {
        match bucket.delete(Key::LayerLink(place.name(), digest)).await {
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                let is_away = error.kind() == Kind::Unavailable;
                gone = Err(Step::Delete.refused()(error));
                // Each of the others would be asked for again and again.
                if is_away {
                    break;
                }
            }
            Ok(()) => {}
        }
    }
    let (small, bytes_a_second) = tried?;
    gone?;
    let folder = Driver::delete_folder(bucket, Folder::Repository(place.name())).await;
    match folder {
        Err(error) if !error.is_not_found() => Err(Step::Delete.refused()(error)),
        _ => Ok(Probe { small, bytes_a_second, room: None }),
    }
}

#[cfg(feature = "s3")]
async fn try_bucket(
    bucket: &S3,
    (place, digests): (&Workplace, &[Digest]),
    at_once: usize,
) -> Result<(Option<Duration>, Option<u64>), Refused> {
    let (small, large) = digests.split_at(SMALL);
    let begun = Instant::now();
    for some in small.chunks(at_once.max(1)) {
        let puts = some.iter().map(|digest| {
            let (bucket, name, digest) = (bucket.clone(), place.name().clone(), *digest);
            let bytes = Bytes::from(digest.to_string());
            async move { bucket.put(Key::LayerLink(&name, &digest), bytes).await }
        });
        all(puts).await.map_err(Step::Write.refused())?;
    }
    let took = begun.elapsed();
    let (bytes, begun) = (Bytes::from(random(LARGE_BYTES)), Instant::now());
    let puts = large.iter().map(|digest| {
        let (bucket, name, bytes) = (bucket.clone(), place.name().clone(), bytes.clone());
        let digest = *digest;
        async move { bucket.put_in_parts(Key::LayerLink(&name, &digest), bytes).await }
    });
    all(puts).await.map_err(Step::Parts.refused())?;
    let measured = measured(took, begun.elapsed());
    let one = Key::LayerLink(place.name(), &digests[0]);
    bucket.get(one, LARGE_BYTES).await.map_err(Step::Read.refused())?;
    let folder = Folder::LayersOf(place.name(), Algorithm::Sha256);
    bucket.list(folder).await.map_err(Step::List.refused())?;
    bucket.delete(one).await.map_err(Step::Delete.refused())?;
    Ok(measured)
}

/// Waits for all of them; the first failure counts.
#[cfg(feature = "s3")]
async fn all(
    work: impl Iterator<Item = impl Future<Output = Result<(), Error>> + Send + 'static>,
) -> Result<(), Error> {
    let mut working: tokio::task::JoinSet<_> = work.collect();
    let mut first = Ok(());
    while let Some(done) = working.join_next().await {
        let failed = |error| Error::io("try", "a bucket", io::Error::other(error));
        first = first.and(done.map_err(failed).and_then(|done| done));
    }
    first
}
