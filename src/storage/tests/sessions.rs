//! Upload sessions in a bucket that several processes share: each driver here stands for a process.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its files are its own"
)]

use std::{
    future::poll_fn,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use oci::{Algorithm, Digest, RepositoryName};
use storage::{Backend, Driver, Error, Folder, Key, Kind, S3, S3Config, Strays, UploadId, Writer};
use tokio::task::yield_now;

mod shared_bucket;

use shared_bucket::seaweed::Seaweed;

const MIB: usize = 1 << 20;

/// Several processes on a folder of the shared bucket that is this test's own.
struct World {
    first: S3,
    second: S3,
    options: S3Config,
    name: RepositoryName,
}

impl World {
    fn new() -> Self {
        let options = shared_bucket::options("sessions");
        let [first, second] = [(); 2].map(|()| S3::open(&options).unwrap());
        Self { first, second, options, name: "group/app".parse().unwrap() }
    }

    async fn begin(&self) -> UploadId {
        let id = UploadId::random();
        self.first.begin_upload(&self.name, id, "2026-01-02T03:04:05Z").await.unwrap();
        id
    }

    /// Writes to a session, as one request does.
    async fn append(&self, process: &S3, id: UploadId, bytes: &[u8]) {
        let mut writer = process.append(&self.name, id).await.unwrap();
        write(&mut writer, bytes).await.unwrap();
        writer.close().await.unwrap();
    }

    async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let object = self.second.open(Key::Blob(digest)).await?;
        let mut chunks = object.chunks(0..u64::MAX);
        let mut bytes = Vec::new();
        while let Some(piece) = poll_fn(|context| chunks.poll_next(context)).await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    /// The multipart uploads that are open.
    fn multiparts(&self) -> usize {
        self.list_multiparts().matches("<UploadId>").count()
    }

    /// The parts that have arrived for the one multipart upload that is open.
    fn parts(&self) -> usize {
        let listed = self.list_multiparts();
        let value = |name: &str| {
            let (_, upload) = listed.split_once("<Upload>")?;
            upload.split_once(&format!("<{name}>"))?.1.split('<').next()
        };
        let (Some(key), Some(id)) = (value("Key"), value("UploadId")) else { return 0 };
        let listed = ask(&format!("/{}/{key}?uploadId={id}", Seaweed::BUCKET));
        listed.matches("<PartNumber>").count()
    }

    fn list_multiparts(&self) -> String {
        let folder = self.options.root_directory.replace('/', "%2F");
        ask(&format!("/{}?prefix={folder}%2F&uploads=", Seaweed::BUCKET))
    }
}

fn ask(path: &str) -> String {
    let answered = Seaweed::shared().ask("GET", path);
    assert!(answered.status.success(), "{answered:?}");
    String::from_utf8(answered.stdout).unwrap()
}

async fn write(writer: &mut Writer, bytes: &[u8]) -> Result<(), Error> {
    for piece in bytes.chunks(300_000) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    Ok(())
}

/// Bytes that are like no others.
fn pattern(seed: usize, length: usize) -> Vec<u8> {
    let byte = |index: usize| (index * 7 + index / 251 + seed * 13 + (index >> 16) * seed) % 256;
    (0..length).map(|index| u8::try_from(byte(index)).unwrap()).collect()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn any_process_goes_on_where_another_one_stopped() {
    let world = World::new();
    let id = world.begin().await;
    let bytes = pattern(1, 27 * MIB + 5);
    // The one that has not begun it receives its first bytes; so it is behind a balancer.
    assert_eq!(world.first.stat(Key::UploadData(&world.name, &id)).await.unwrap().size, 0);
    let (mut at, mut process) = (0, [&world.second, &world.first].into_iter().cycle());
    for length in [1, 100, 6 * MIB, 4 * MIB, 0, 12 * MIB] {
        world.append(process.next().unwrap(), id, &bytes[at..at + length]).await;
        at += length;
        for process in [&world.first, &world.second] {
            let stat = process.stat(Key::UploadData(&world.name, &id)).await.unwrap();
            assert_eq!(stat.size, at as u64);
        }
    }
    let mut writer = world.second.append(&world.name, id).await.unwrap();
    write(&mut writer, &bytes[at..]).await.unwrap();
    assert_eq!(writer.digest(Algorithm::Sha256).await.unwrap(), digest(&bytes));
    writer.sync().await.unwrap();
    world.second.publish(writer, &digest(&bytes)).await.unwrap();
    assert_eq!(world.blob(&digest(&bytes)).await.unwrap(), bytes);
    world.first.end_upload(&world.name, id).await.unwrap();
    let gone = world.second.append(&world.name, id).await.unwrap_err();
    assert_eq!((gone.kind(), world.multiparts()), (Kind::NotFound, 0));
    assert!(!world.first.folder_exists(Folder::Uploads(&world.name)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn of_two_processes_that_write_at_once_the_later_one_is_refused() {
    let world = World::new();
    let id = world.begin().await;
    world.append(&world.first, id, b"begun").await;
    let mut first = world.first.append(&world.name, id).await.unwrap();
    let mut second = world.second.append(&world.name, id).await.unwrap();
    let (ours, theirs) = (pattern(1, 12 * MIB), pattern(2, 13 * MIB));
    write(&mut first, &ours).await.unwrap();
    write(&mut second, &theirs).await.unwrap();
    first.close().await.unwrap();
    assert_eq!(second.close().await.unwrap_err().kind(), Kind::Busy);
    let mut writer = world.second.append(&world.name, id).await.unwrap();
    assert_eq!(writer.offset().await.unwrap(), 5 + 12 * MIB as u64);
    let whole = [b"begun".as_slice(), &ours].concat();
    assert_eq!(writer.digest(Algorithm::Sha256).await.unwrap(), digest(&whole));
    world.second.publish(writer, &digest(&whole)).await.unwrap();
    assert_eq!(world.blob(&digest(&whole)).await.unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_part_that_another_process_has_sent_instead_is_never_put_together() {
    let world = World::new();
    let id = world.begin().await;
    let begun = pattern(3, 6 * MIB);
    world.append(&world.first, id, &begun).await;
    // Both go on with the same multipart upload, and number their parts alike.
    let mut first = world.first.append(&world.name, id).await.unwrap();
    let mut second = world.second.append(&world.name, id).await.unwrap();
    let (ours, theirs) = (pattern(1, 10 * MIB), pattern(2, 10 * MIB));
    write(&mut first, &ours).await.unwrap();
    let promised = digest(&[begun.as_slice(), &ours].concat());
    assert_eq!(first.digest(Algorithm::Sha256).await.unwrap(), promised);
    first.flush().await.unwrap();
    write(&mut second, &theirs).await.unwrap();
    assert_eq!(second.flush().await.unwrap_err().kind(), Kind::Busy);
    // Some stores keep both parts, and take the one that is meant.
    match (world.first.publish(first, &promised).await, world.blob(&promised).await) {
        (Ok(()), blob) => assert_eq!(blob.unwrap(), [begun, ours].concat()),
        (Err(_), blob) => assert!(blob.unwrap_err().is_not_found()),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn what_is_to_be_a_blob_is_at_its_place_only_once_it_is_whole() {
    let world = World::new();
    let bytes = pattern(1, 23 * MIB);
    let id = world.begin().await;
    let mut writer = world.first.append(&world.name, id).await.unwrap();
    writer.become_blob(&digest(&bytes)).await.unwrap();
    write(&mut writer, &bytes[..15 * MIB]).await.unwrap();
    writer.close().await.unwrap();
    assert!(world.blob(&digest(&bytes)).await.unwrap_err().is_not_found());
    let mut writer = world.second.append(&world.name, id).await.unwrap();
    // Nobody can move what is there already.
    let moved = writer.become_blob(&digest(b"another")).await.unwrap_err();
    assert_eq!(moved.kind(), Kind::NotFound);
    writer.become_blob(&digest(&bytes)).await.unwrap();
    write(&mut writer, &bytes[15 * MIB..]).await.unwrap();
    assert_eq!(writer.digest(Algorithm::Sha256).await.unwrap(), digest(&bytes));
    writer.sync().await.unwrap();
    assert!(world.blob(&digest(&bytes)).await.unwrap_err().is_not_found());
    world.second.publish(writer, &digest(&bytes)).await.unwrap();
    assert_eq!(world.blob(&digest(&bytes)).await.unwrap(), bytes);
    world.second.end_upload(&world.name, id).await.unwrap();
    assert_eq!(world.multiparts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_hash_that_nobody_has_kept_is_made_of_what_is_stored() {
    let world = World::new();
    let bytes = pattern(1, 17 * MIB);
    for algorithm in [Algorithm::Sha512, Algorithm::Sha256] {
        let id = world.begin().await;
        world.append(&world.first, id, &bytes).await;
        let hash = Key::UploadHash(&world.name, &id, Algorithm::Sha256, 17 * MIB as u64);
        world.first.delete(hash).await.unwrap();
        let mut writer = world.second.append(&world.name, id).await.unwrap();
        let promised = Digest::of(algorithm, &bytes);
        assert_eq!(writer.digest(algorithm).await.unwrap(), promised);
        // It is an object by now, and says how long it is to whoever asks.
        let more = writer.write(Bytes::from_static(b"more")).await.unwrap_err();
        assert_eq!(more.kind(), Kind::NotFound);
        writer.close().await.unwrap();
        let writer = world.first.append(&world.name, id).await.unwrap();
        world.first.publish(writer, &promised).await.unwrap();
        assert_eq!(world.blob(&promised).await.unwrap(), bytes);
        world.first.end_upload(&world.name, id).await.unwrap();
    }
    assert_eq!(world.multiparts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_session_that_is_given_up_leaves_no_parts() {
    for aimed in [false, true] {
        let world = World::new();
        let id = world.begin().await;
        let mut writer = world.first.append(&world.name, id).await.unwrap();
        if aimed {
            writer.become_blob(&digest(b"never")).await.unwrap();
        }
        write(&mut writer, &pattern(1, 22 * MIB)).await.unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while world.parts() < 2 {
            assert!(Instant::now() < until, "the parts do not arrive");
            yield_now().await;
        }
        // The process dies; nothing was written down since the first part had left.
        drop(writer);
        assert_eq!(world.multiparts(), 1);
        world.second.end_upload(&world.name, id).await.unwrap();
        assert_eq!(world.multiparts(), 0);
        let again = world.second.end_upload(&world.name, id).await.unwrap_err();
        assert!(again.is_not_found());
    }
}

/// What the store was taking when a process died may arrive after the session has ended, and bring its parts back.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_part_that_arrives_after_the_end_of_its_session_goes_with_a_purge() {
    for aimed in [false, true] {
        let world = World::new();
        let id = world.begin().await;
        let mut writer = world.first.append(&world.name, id).await.unwrap();
        if aimed {
            writer.become_blob(&digest(b"never")).await.unwrap();
        }
        write(&mut writer, &pattern(1, 22 * MIB)).await.unwrap();
        drop(writer);
        world.second.end_upload(&world.name, id).await.unwrap();
        let backend = Backend::S3(world.second.clone());
        let later = SystemTime::now() + Duration::from_secs(3600);
        let until = Instant::now() + Duration::from_secs(30);
        while world.multiparts() > 0 {
            assert!(Instant::now() < until, "parts are left");
            backend.end_strays(later, Some(Vec::new()), Strays::End).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn parts_that_no_session_names_go_once_they_are_old() {
    let world = World::new();
    let backend = Backend::S3(world.second.clone());
    let old = SystemTime::now() + Duration::from_secs(3600);
    let mut sessions = Vec::new();
    for (aimed, is_known) in [(false, false), (true, false), (false, true), (true, true)] {
        let id = world.begin().await;
        let mut writer = world.first.append(&world.name, id).await.unwrap();
        if aimed {
            writer.become_blob(&digest(b"never")).await.unwrap();
        }
        write(&mut writer, &pattern(1, 11 * MIB)).await.unwrap();
        writer.close().await.unwrap();
        if is_known {
            sessions.push((world.name.clone(), id));
        } else {
            // Nothing of the session is left but its parts.
            world.first.delete_folder(Folder::Upload(&world.name, &id)).await.unwrap();
        }
    }
    assert_eq!(world.multiparts(), 4);
    let young = SystemTime::now() - Duration::from_secs(3600);
    let end = |before, sessions| backend.end_strays(before, sessions, Strays::End);
    assert_eq!(end(young, Some(sessions.clone())).await.unwrap(), 0);
    let counted = backend.end_strays(old, Some(sessions.clone()), Strays::Count).await.unwrap();
    assert_eq!((counted, world.multiparts()), (2, 4));
    // What a session may name stays while not all sessions are known.
    assert_eq!(end(old, None).await.unwrap(), 1);
    assert_eq!(end(old, Some(sessions.clone())).await.unwrap(), 1);
    assert_eq!(world.multiparts(), 2);
    for (name, id) in sessions {
        let mut writer = world.second.append(&name, id).await.unwrap();
        assert_eq!(writer.offset().await.unwrap(), 11 * MIB as u64);
        drop(writer);
        world.second.end_upload(&name, id).await.unwrap();
    }
    assert_eq!(world.multiparts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_large_object_is_copied_in_parts() {
    let world = World::new();
    let options = S3Config {
        copy_threshold: Some(1),
        copy_chunk_size: 5 * MIB as u64,
        copy_concurrency: 2,
        ..world.options.clone()
    };
    let copying = S3::open(&options).unwrap();
    let (id, bytes) = (world.begin().await, pattern(1, 23 * MIB + 1));
    world.append(&world.first, id, &bytes).await;
    let writer = copying.append(&world.name, id).await.unwrap();
    copying.publish(writer, &digest(&bytes)).await.unwrap();
    assert_eq!(world.blob(&digest(&bytes)).await.unwrap(), bytes);
}
