//! Files that change under a reader.

use std::{
    fs,
    io::Write,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use super::*;

/// A file that holds a number and a newline.
fn number(contents: &[Contents]) -> Result<u32, Unusable> {
    let [file] = contents else { panic!("one file") };
    let text = std::str::from_utf8(&file.bytes).ok();
    let number = text.and_then(|text| text.trim_end().parse().ok());
    number.ok_or_else(|| Unusable::contents(&file.path, "holds no number"))
}

struct Fixture {
    folder: TempDir,
    watched: Watched<u32>,
}

impl Fixture {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("file"), text);
        let watched = Watched::open(vec![folder.path().join("file")], number).unwrap();
        Self { folder, watched }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    async fn value(&self) -> u32 {
        *self.watched.current().await
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own file, written in place on purpose")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_change_counts_for_the_next_question() {
    let fixture = Fixture::of("1\n");
    assert_eq!(fixture.value().await, 1);
    // Of the same length, in place, at once: the times may be the same.
    for expected in 2..10 {
        write(&fixture.path(), &format!("{expected}\n"));
        assert_eq!(fixture.value().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_passes_is_not_what_the_file_says() {
    let fixture = Fixture::of("1\n");
    write(&fixture.path(), "2\n");
    let shared = &fixture.watched.shared;
    let long_ago = |stamp| match stamp {
        Stamp::There { device, inode, size, modified, .. } => {
            Stamp::There { device, inode, size, modified, changed: (1, 0) }
        }
        missing @ Stamp::NotThere(_) => missing,
    };
    for (kind, tries_again) in [
        (io::ErrorKind::PermissionDenied, false),
        (io::ErrorKind::NotFound, false),
        (io::ErrorKind::Other, true),
    ] {
        let failed = Unusable::Read { path: fixture.path(), source: kind.into() };
        shared.take(stamps(&shared.paths).into_iter().map(long_ago).collect(), Err(failed));
        let state = shared.lock();
        assert_eq!((state.is_settled, *state.value), (!tries_again, 1), "{kind}");
        assert_eq!(state.quiet_until, tries_again.then(|| Instant::now() + PASSES));
    }
    // Nothing of the file changes; a second later it can be read.
    shared.lock().stamps = stamps(&shared.paths);
    assert_eq!(fixture.value().await, 1);
    tokio::time::advance(PASSES).await;
    assert_eq!(fixture.value().await, 2);
}

#[tokio::test]
async fn a_file_that_is_replaced_counts_as_changed() {
    let fixture = Fixture::of("1\n");
    let other = fixture.folder.path().join("other");
    write(&other, "2\n");
    fs::rename(&other, fixture.path()).unwrap();
    assert_eq!(fixture.value().await, 2);
}

#[tokio::test]
async fn half_a_file_a_wrong_one_and_none_leave_the_old_value() {
    let fixture = Fixture::of("12\n");
    for text in ["", "1", "x\n", "12"] {
        write(&fixture.path(), text);
        assert_eq!(fixture.value().await, 12, "{text:?}");
    }
    fs::remove_file(fixture.path()).unwrap();
    assert_eq!(fixture.value().await, 12);
    write(&fixture.path(), "13\n");
    assert_eq!(fixture.value().await, 13);
}

#[tokio::test]
async fn what_is_written_in_pieces_counts_when_it_is_whole() {
    let fixture = Fixture::of("7\n");
    let mut file = File::create(fixture.path()).unwrap();
    assert_eq!(fixture.value().await, 7);
    file.write_all(b"8").unwrap();
    assert_eq!(fixture.value().await, 7);
    file.write_all(b"9\n").unwrap();
    assert_eq!(fixture.value().await, 89);
}

#[tokio::test]
async fn the_same_bytes_are_the_same_value() {
    let fixture = Fixture::of("1\n");
    let before = fixture.watched.current().await;
    write(&fixture.path(), "1\n");
    assert!(Arc::ptr_eq(&before, &fixture.watched.current().await));
}

#[test]
fn only_what_changed_lately_may_be_in_the_making() {
    let stamp = |ago: Duration| {
        let changed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - ago;
        let changed = (changed.as_secs().try_into().unwrap(), changed.subsec_nanos().into());
        Stamp::There { device: 0, inode: 0, size: 0, modified: (0, 0), changed }
    };
    assert!(is_within(IN_THE_MAKING, &[stamp(Duration::from_secs(1))]));
    assert!(!is_within(IN_THE_MAKING, &[stamp(Duration::from_secs(3))]));
    assert!(!is_within(IN_THE_MAKING, &[Stamp::NotThere(io::ErrorKind::NotFound)]));
}

#[test]
fn a_file_that_is_too_long_or_not_there_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let missing = Watched::open(vec![path.clone()], number).unwrap_err();
    assert_eq!(missing.to_string(), format!("failed to read `{}`", path.display()));
    File::create(&path).unwrap().set_len(LONGEST + 1).unwrap();
    let long = Watched::open(vec![path.clone()], number).unwrap_err();
    assert!(long.to_string().contains("is longer than 8388608 bytes"), "{long}");
}
