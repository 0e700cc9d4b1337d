//! One suite for all drivers: what `Driver` promises, asked of each.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its files are its own"
)]

use std::{
    future::poll_fn,
    path::Path,
    pin::pin,
    task::{Context, Waker},
};

use bytes::Bytes;
use oci::{Algorithm, Digest, Digester, RepositoryName, Tag};
use storage::{
    Backend, Config, Driver, FilesystemConfig, Folder, Key, Kind, Object, UploadId, Writer,
};

mod shared_bucket;

/// Runs every question against every driver.
macro_rules! conformance {
    ($($question:ident),+ $(,)?) => {
        mod inmemory {
            $(#[tokio::test]
            async fn $question() {
                super::$question(super::Backend::open(&super::Config::InMemory).unwrap()).await;
            })+
        }
        mod s3 {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs weed: run cargo xtask test"]
            async fn $question() {
                super::$question(super::bucket()).await;
            })+
        }
        mod filesystem {
            $(#[tokio::test]
            async fn $question() {
                let scratch = tempfile::tempdir().unwrap();
                super::$question(super::filesystem_at(scratch.path())).await;
            })+
        }
    };
}

conformance! {
    a_missing_object_is_not_found,
    what_was_put_is_read_back,
    put_replaces,
    what_is_staged_is_there_only_once_committed,
    a_staged_folder_appears_with_all_its_objects,
    get_refuses_what_is_larger_than_its_limit,
    a_deleted_object_is_gone_and_a_second_delete_is_not_found,
    an_open_object_outlives_its_deletion,
    ranges_hold_exactly_their_bytes,
    a_folder_lists_its_children_in_the_order_of_their_bytes,
    a_folder_is_there_once_it_was_made,
    a_folder_says_when_it_changed_or_that_it_does_not_know,
    a_deleted_folder_takes_its_content_and_leaves_its_siblings,
    an_upload_becomes_a_blob,
    an_upload_goes_on_where_it_stopped,
    an_upload_loses_nothing_to_a_future_that_is_dropped,
    an_upload_has_one_writer,
    an_upload_is_free_when_its_writer_is_closed,
    small_pieces_keep_their_order,
    an_upload_resumed_with_its_hash_has_the_right_digest,
    a_blob_of_another_size_is_replaced,
    an_unknown_upload_is_not_found,
    writers_of_one_key_leave_one_of_their_values,
}

/// A folder of the shared bucket that is this test's own.
fn bucket() -> Backend {
    Backend::open(&Config::S3(shared_bucket::options("conformance"))).unwrap()
}

fn filesystem_at(path: &Path) -> Backend {
    let options = FilesystemConfig { root_directory: path.to_owned(), max_threads: 100 };
    Backend::open(&Config::Filesystem(options)).unwrap()
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// Bytes that repeat only after a long time, so that a shifted range shows.
fn pattern(length: usize) -> Bytes {
    (0..length).map(|index| u8::try_from((index * 7 + index / 251) % 256).unwrap()).collect()
}

async fn read(object: &Object, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut chunks = object.chunks(range);
    let mut bytes = Vec::new();
    while let Some(chunk) = poll_fn(|context| chunks.poll_next(context)).await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    bytes
}

async fn begin(driver: &Backend, repository: &RepositoryName) -> (UploadId, Writer) {
    let id = UploadId::random();
    driver.begin_upload(repository, id, "2026-01-02T03:04:05Z").await.unwrap();
    (id, driver.append(repository, id).await.unwrap())
}

async fn a_missing_object_is_not_found(driver: Backend) {
    let (name, digest) = (name("a"), Digest::of(Algorithm::Sha256, b"x"));
    let key = Key::LayerLink(&name, &digest);
    assert_eq!(driver.get(key, 100).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(driver.open(key).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(driver.stat(key).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(driver.delete(key).await.unwrap_err().kind(), Kind::NotFound);
    let folder = Folder::Tags(&name);
    assert!(!driver.folder_exists(folder).await.unwrap());
    assert_eq!(driver.list(folder).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(driver.delete_folder(folder).await.unwrap_err().kind(), Kind::NotFound);
}

async fn what_was_put_is_read_back(driver: Backend) {
    for size in [0, 1, 71, 4095, 4096, 4097, 300_000] {
        let bytes = pattern(size);
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        let key = Key::Blob(&digest);
        driver.put(key, bytes.clone()).await.unwrap();
        assert_eq!(driver.get(key, size).await.unwrap(), bytes, "{size}");
        assert_eq!(driver.stat(key).await.unwrap().size, size as u64);
        let object = driver.open(key).await.unwrap();
        assert_eq!(object.size(), size as u64);
        assert_eq!(read(&object, 0..u64::MAX).await, bytes);
    }
}

async fn put_replaces(driver: Backend) {
    let (name, tag) = (name("a/b"), tag("v1"));
    let key = Key::TagLink(&name, &tag);
    driver.put(key, Bytes::from_static(b"a longer first value")).await.unwrap();
    driver.put(key, Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(driver.get(key, 100).await.unwrap(), "second");
    // So it is with the one object that stands in no folder.
    assert!(driver.get(Key::Fetched, 100).await.unwrap_err().is_not_found());
    driver.put(Key::Fetched, Bytes::from_static(b"first")).await.unwrap();
    driver.put(Key::Fetched, Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(driver.get(Key::Fetched, 100).await.unwrap(), "second");
    driver.delete(Key::Fetched).await.unwrap();
}

async fn what_is_staged_is_there_only_once_committed(driver: Backend) {
    let (name, tag) = (name("a/b"), tag("v1"));
    let key = Key::TagLink(&name, &tag);
    driver.put(key, Bytes::from_static(b"old")).await.unwrap();
    let staged = driver.stage(key, Bytes::from_static(b"new")).await.unwrap();
    let dropped = driver.stage(key, Bytes::from_static(b"dropped")).await.unwrap();
    assert_eq!(driver.get(key, 100).await.unwrap(), "old");
    drop(dropped);
    driver.commit(staged).await.unwrap();
    assert_eq!(driver.get(key, 100).await.unwrap(), "new");
}

async fn a_staged_folder_appears_with_all_its_objects(driver: Backend) {
    let (name, tag) = (name("a/b"), tag("v1"));
    let digest = Digest::of(Algorithm::Sha256, b"x");
    let folder = Folder::Tag(&name, &tag);
    let (index, current) = (Key::TagIndexLink(&name, &tag, &digest), Key::TagLink(&name, &tag));
    let objects = || vec![(index, Bytes::from_static(b"1")), (current, Bytes::from_static(b"2"))];
    drop(driver.stage_folder(folder, objects()).await.unwrap());
    assert!(!driver.folder_exists(folder).await.unwrap());
    let staged = driver.stage_folder(folder, objects()).await.unwrap();
    assert!(!driver.folder_exists(folder).await.unwrap());
    driver.commit(staged).await.unwrap();
    assert_eq!(driver.get(index, 100).await.unwrap(), "1");
    assert_eq!(driver.get(current, 100).await.unwrap(), "2");
    assert_eq!(driver.list(folder).await.unwrap().len(), 2);
}

async fn get_refuses_what_is_larger_than_its_limit(driver: Backend) {
    for size in [101, 5000] {
        let bytes = pattern(size);
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        driver.put(Key::Blob(&digest), bytes).await.unwrap();
        let error = driver.get(Key::Blob(&digest), 100).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
    }
}

async fn a_deleted_object_is_gone_and_a_second_delete_is_not_found(driver: Backend) {
    let (name, digest) = (name("a"), Digest::of(Algorithm::Sha512, b"x"));
    let key = Key::RevisionLink(&name, &digest);
    driver.put(key, Bytes::from_static(b"link")).await.unwrap();
    driver.delete(key).await.unwrap();
    assert_eq!(driver.stat(key).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(driver.delete(key).await.unwrap_err().kind(), Kind::NotFound);
}

async fn an_open_object_outlives_its_deletion(driver: Backend) {
    let bytes = pattern(600_000);
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    driver.put(Key::Blob(&digest), bytes.clone()).await.unwrap();
    let object = driver.open(Key::Blob(&digest)).await.unwrap();
    driver.delete(Key::Blob(&digest)).await.unwrap();
    if driver.name() == "s3" {
        // A bucket has nothing like an open file; what has gone ends, and is never something else.
        driver.put(Key::Blob(&digest), pattern(600_001).slice(1..)).await.unwrap();
        let mut chunks = object.chunks(0..u64::MAX);
        let first = poll_fn(|context| chunks.poll_next(context)).await.unwrap();
        assert_eq!(first.unwrap_err().kind(), Kind::Truncated);
        return;
    }
    assert_eq!(read(&object, 0..u64::MAX).await, bytes);
}

async fn ranges_hold_exactly_their_bytes(driver: Backend) {
    let bytes = pattern(700_001);
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    driver.put(Key::Blob(&digest), bytes.clone()).await.unwrap();
    let object = driver.open(Key::Blob(&digest)).await.unwrap();
    for (start, end) in [(0, 1), (0, 0), (262_143, 262_146), (1, 700_001), (700_000, 800_000)] {
        let wanted = &bytes[start..end.min(bytes.len())];
        assert_eq!(read(&object, start as u64..end as u64).await, wanted, "{start}..{end}");
    }
    assert!(read(&object, 800_000..900_000).await.is_empty());
}

async fn a_folder_lists_its_children_in_the_order_of_their_bytes(driver: Backend) {
    let name = name("a");
    for text in ["b", "a-b", "a.b", "B", "a"] {
        let tag = tag(text);
        driver.put(Key::TagLink(&name, &tag), Bytes::from_static(b"x")).await.unwrap();
    }
    let entries = driver.list(Folder::Tags(&name)).await.unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["B", "a", "a-b", "a.b", "b"]);
    assert!(entries.iter().all(|entry| entry.is_folder));
}

async fn a_folder_is_there_once_it_was_made(driver: Backend) {
    let name = name("a/b");
    driver.create_folder(Folder::Tags(&name)).await.unwrap();
    driver.create_folder(Folder::Tags(&name)).await.unwrap();
    if driver.name() == "s3" {
        // A bucket has folders only while something is in them.
        assert!(!driver.folder_exists(Folder::Tags(&name)).await.unwrap());
        driver.put(Key::TagLink(&name, &tag("v1")), Bytes::from_static(b"x")).await.unwrap();
        assert!(driver.folder_exists(Folder::Manifests(&name)).await.unwrap());
        assert!(!driver.folder_exists(Folder::Layers(&name)).await.unwrap());
        return;
    }
    assert!(driver.folder_exists(Folder::Tags(&name)).await.unwrap());
    assert!(driver.folder_exists(Folder::Manifests(&name)).await.unwrap());
    assert!(!driver.folder_exists(Folder::Layers(&name)).await.unwrap());
    assert!(driver.list(Folder::Tags(&name)).await.unwrap().is_empty());
}

async fn a_folder_says_when_it_changed_or_that_it_does_not_know(driver: Backend) {
    let (name, begun) = (name("a"), std::time::SystemTime::now());
    driver.put(Key::TagLink(&name, &tag("v1")), Bytes::from_static(b"x")).await.unwrap();
    if let Some(first) = driver.changed(Folder::Tags(&name)).await.unwrap() {
        // The clock of a filesystem ticks a few times in a hundredth of a second.
        assert!(first + std::time::Duration::from_secs(1) > begun);
        assert_eq!(driver.changed(Folder::Tags(&name)).await.unwrap(), Some(first));
        driver.delete_folder(Folder::Tag(&name, &tag("v1"))).await.unwrap();
        assert!(driver.changed(Folder::Tags(&name)).await.unwrap() >= Some(first));
    }
}

async fn a_deleted_folder_takes_its_content_and_leaves_its_siblings(driver: Backend) {
    let (name, gone, sibling) = (name("a"), tag("v1"), tag("v10"));
    let digest = Digest::of(Algorithm::Sha256, b"x");
    for tag in [&gone, &sibling] {
        driver.put(Key::TagLink(&name, tag), Bytes::from_static(b"x")).await.unwrap();
        let index = Key::TagIndexLink(&name, tag, &digest);
        driver.put(index, Bytes::from_static(b"x")).await.unwrap();
    }
    driver.delete_folder(Folder::Tag(&name, &gone)).await.unwrap();
    assert!(!driver.folder_exists(Folder::Tag(&name, &gone)).await.unwrap());
    assert!(driver.stat(Key::TagLink(&name, &sibling)).await.is_ok());
    // It can be made again at once.
    driver.put(Key::TagLink(&name, &gone), Bytes::from_static(b"y")).await.unwrap();
    assert_eq!(driver.get(Key::TagLink(&name, &gone), 10).await.unwrap(), "y");
}

async fn an_upload_becomes_a_blob(driver: Backend) {
    let repository = name("a/b");
    let bytes = pattern(3_000_000);
    let (id, mut writer) = begin(&driver, &repository).await;
    writer.hash_with(Algorithm::Sha256).await.unwrap();
    for chunk in bytes.chunks(100_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    let digest = writer.digest(Algorithm::Sha256).await.unwrap();
    assert_eq!(digest, Digest::of(Algorithm::Sha256, &bytes));
    driver.publish(writer, &digest).await.unwrap();
    let blob = driver.open(Key::Blob(&digest)).await.unwrap();
    assert_eq!(read(&blob, 0..u64::MAX).await, bytes);
    driver.end_upload(&repository, id).await.unwrap();
    let again = driver.end_upload(&repository, id).await.unwrap_err();
    assert_eq!(again.kind(), Kind::NotFound);
    assert!(driver.list(Folder::Uploads(&repository)).await.unwrap_or_default().is_empty());
}

async fn an_upload_goes_on_where_it_stopped(driver: Backend) {
    let repository = name("a");
    let (id, mut writer) = begin(&driver, &repository).await;
    writer.write(Bytes::from_static(b"first ")).await.unwrap();
    let (length, _) = writer.close().await.unwrap();
    assert_eq!(length, 6);
    assert_eq!(driver.stat(Key::UploadData(&repository, &id)).await.unwrap().size, 6);
    let started = driver.get(Key::UploadStartedAt(&repository, &id), 100).await.unwrap();
    assert_eq!(started, "2026-01-02T03:04:05Z");

    let mut writer = driver.append(&repository, id).await.unwrap();
    assert_eq!(writer.offset().await.unwrap(), 6);
    writer.write(Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(writer.offset().await.unwrap(), 12);
    for algorithm in [Algorithm::Sha512, Algorithm::Sha256] {
        let digest = writer.digest(algorithm).await.unwrap();
        assert_eq!(digest, Digest::of(algorithm, b"first second"));
    }
}

async fn an_upload_loses_nothing_to_a_future_that_is_dropped(driver: Backend) {
    let repository = name("a");
    let (_, mut writer) = begin(&driver, &repository).await;
    writer.hash_with(Algorithm::Sha256).await.unwrap();
    let bytes = pattern(8_000_000);
    for (number, chunk) in bytes.chunks(300_000).enumerate() {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        // Some batches are written by then, some hashed, and some neither.
        if number % 3 == 0 {
            let mut context = Context::from_waker(Waker::noop());
            let _ = pin!(writer.flush()).poll(&mut context);
        }
    }
    let digest = writer.digest(Algorithm::Sha256).await.unwrap();
    assert_eq!(digest, Digest::of(Algorithm::Sha256, &bytes));
    assert_eq!(writer.offset().await.unwrap(), 8_000_000);
}

async fn an_upload_has_one_writer(driver: Backend) {
    let repository = name("a");
    let (id, writer) = begin(&driver, &repository).await;
    assert_eq!(driver.append(&repository, id).await.unwrap_err().kind(), Kind::Busy);
    drop(writer);
    driver.append(&repository, id).await.unwrap();
}

async fn an_upload_is_free_when_its_writer_is_closed(driver: Backend) {
    let repository = name("a");
    let (id, mut writer) = begin(&driver, &repository).await;
    let piece = pattern(1024 * 1024);
    // Enough for the store to work ahead.
    for _ in 0..80 {
        writer.write(piece.clone()).await.unwrap();
    }
    writer.close().await.unwrap();
    let mut writer = driver.append(&repository, id).await.unwrap();
    assert_eq!(writer.offset().await.unwrap(), 80 * 1024 * 1024);
}

async fn small_pieces_keep_their_order(driver: Backend) {
    let repository = name("a");
    let (_, mut writer) = begin(&driver, &repository).await;
    let bytes = pattern(200_000);
    let mut rest = bytes.clone();
    for size in [1, 20_000, 3, 4, 16_383, 16_384, 1, 50_000].into_iter().cycle() {
        let piece = rest.split_to(size.min(rest.len()));
        writer.write(piece).await.unwrap();
        if rest.is_empty() {
            break;
        }
    }
    let digest = writer.digest(Algorithm::Sha256).await.unwrap();
    assert_eq!(digest, Digest::of(Algorithm::Sha256, &bytes));
}

async fn an_upload_resumed_with_its_hash_has_the_right_digest(driver: Backend) {
    let repository = name("a");
    let (id, mut writer) = begin(&driver, &repository).await;
    writer.hash_with(Algorithm::Sha256).await.unwrap();
    writer.write(Bytes::from_static(b"one ")).await.unwrap();
    let (offset, digester) = writer.close().await.unwrap();
    // Where the store keeps the hash, nobody else needs to.
    assert_eq!(digester.is_none(), driver.name() == "s3");
    let digester = digester.unwrap_or_else(|| Digester::new(Algorithm::Sha256));

    let mut writer = driver.append(&repository, id).await.unwrap();
    writer.resume(offset, digester.clone()).await.unwrap();
    writer.write(Bytes::from_static(b"two")).await.unwrap();
    writer.close().await.unwrap();

    // A hash that stands for another length is not believed.
    let mut writer = driver.append(&repository, id).await.unwrap();
    writer.resume(offset, digester).await.unwrap();
    let digest = writer.digest(Algorithm::Sha256).await.unwrap();
    assert_eq!(digest, Digest::of(Algorithm::Sha256, b"one two"));
}

async fn a_blob_of_another_size_is_replaced(driver: Backend) {
    let repository = name("a");
    let digest = Digest::of(Algorithm::Sha256, b"whole");
    driver.put(Key::Blob(&digest), Bytes::from_static(b"who")).await.unwrap();
    for _ in 0..2 {
        let (_, mut writer) = begin(&driver, &repository).await;
        writer.write(Bytes::from_static(b"whole")).await.unwrap();
        driver.publish(writer, &digest).await.unwrap();
        assert_eq!(driver.get(Key::Blob(&digest), 10).await.unwrap(), "whole");
    }
}

async fn an_unknown_upload_is_not_found(driver: Backend) {
    let error = driver.append(&name("a"), UploadId::random()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

async fn writers_of_one_key_leave_one_of_their_values(driver: Backend) {
    let (name, tag) = (name("a"), tag("latest"));
    let values: Vec<_> = (0..16).map(|index| Bytes::from(format!("value {index}"))).collect();
    let tasks: Vec<_> = values
        .iter()
        .map(|value| {
            let (driver, name, tag, value) =
                (driver.clone(), name.clone(), tag.clone(), value.clone());
            tokio::spawn(async move { driver.put(Key::TagLink(&name, &tag), value).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let left = driver.get(Key::TagLink(&name, &tag), 100).await.unwrap();
    assert!(values.contains(&left));
}

#[tokio::test]
async fn a_crashed_process_leaves_a_stage_that_the_next_start_sweeps() {
    let scratch = tempfile::tempdir().unwrap();
    let stages = scratch.path().join("docker/registry/v2/regctl");
    let left = stages.join("0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5");
    std::fs::create_dir_all(left.join("3/current")).unwrap();
    std::fs::File::create(left.join("3/current/link")).unwrap();
    std::fs::File::create(left.join("4")).unwrap();

    let living = filesystem_at(scratch.path());
    assert!(!left.exists());
    let digest = Digest::of(Algorithm::Sha256, b"x");
    living.put(Key::Blob(&digest), Bytes::from_static(b"x")).await.unwrap();
    let stage = std::fs::read_dir(&stages).unwrap().next().unwrap().unwrap().path();
    let staged = living.stage(Key::Blob(&digest), Bytes::from_static(b"z")).await.unwrap();
    assert_eq!(std::fs::read_dir(&stage).unwrap().count(), 1);
    drop(staged);
    assert_eq!(std::fs::read_dir(&stage).unwrap().count(), 0);
    // Somebody tidies up: the next write makes another stage.
    std::fs::remove_dir_all(&stages).unwrap();
    living.put(Key::Blob(&digest), Bytes::from_static(b"x")).await.unwrap();
    std::fs::remove_dir_all(&stages).unwrap();
    let name = name("a");
    living.create_folder(Folder::Tags(&name)).await.unwrap();
    living.delete_folder(Folder::Tags(&name)).await.unwrap();
    // A second process on the same folder leaves the living one's stage alone.
    let _second = filesystem_at(scratch.path());
    assert_eq!(std::fs::read_dir(&stages).unwrap().count(), 1);
    living.put(Key::Blob(&digest), Bytes::from_static(b"y")).await.unwrap();
}

#[tokio::test]
async fn opening_a_store_writes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let _driver = filesystem_at(scratch.path());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_another_program_appended_is_not_published() {
    let scratch = tempfile::tempdir().unwrap();
    let driver = filesystem_at(scratch.path());
    let repository = name("a");
    let (id, mut writer) = begin(&driver, &repository).await;
    writer.write(Bytes::from_static(b"hello")).await.unwrap();
    let digest = writer.digest(Algorithm::Sha256).await.unwrap();
    let path = scratch.path().join(Key::UploadData(&repository, &id).to_string());
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, b" world").unwrap();
    let error = driver.publish(writer, &digest).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(driver.stat(Key::Blob(&digest)).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn no_hash_speaks_for_what_the_disk_did_not_take() {
    let scratch = tempfile::tempdir().unwrap();
    let driver = filesystem_at(scratch.path());
    let repository = name("a");
    let (id, writer) = begin(&driver, &repository).await;
    drop(writer);
    let path = scratch.path().join(Key::UploadData(&repository, &id).to_string());
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();

    let mut writer = driver.append(&repository, id).await.unwrap();
    writer.hash_with(Algorithm::Sha256).await.unwrap();
    let batch = pattern(1024 * 1024);
    writer.write(batch.clone()).await.unwrap();
    let error = writer.write(batch).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoSpace);
    let (length, digester) = writer.close().await.unwrap();
    assert_eq!((length, digester.is_none()), (0, true));
}
