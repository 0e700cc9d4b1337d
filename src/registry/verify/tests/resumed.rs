//! Runs that were cut off, samples, and changes while a store is read.

use std::fs;

use oci::{Algorithm, Digest};

use super::{
    super::{Phase, Progress, Sample, State, What},
    world::{World, digest, told, write},
};

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_and_reads_what_was_not_right_again() {
    let world = World::new();
    write(&world.blob_path(&digest("shared")), b"scared");
    let mut state = world.state(100.0, false);
    let first = world.read_with(&mut state, &mut |_| ()).await;
    assert_eq!((first.hashed, first.hashed_before), (11, 0));
    // It ends without a word, in the middle of a line.
    drop(state);
    let path = world.scratch.path().join("state");
    let cut = fs::read_to_string(&path).unwrap();
    write(&path, &cut.as_bytes()[..cut.len() - 20]);
    let mut state = world.state(100.0, false);
    assert!(state.goes_on_since().is_some());
    let second = world.read_with(&mut state, &mut |_| ()).await;
    assert_eq!(second.hashed + second.hashed_before, 11);
    // Five manifests are read each time, the corrupt one, and the one whose line was cut.
    assert_eq!(second.hashed, 7);
    assert_eq!(told(&second), told(&first));
    state.finish().unwrap();
    assert!(!path.exists());
    let mut state = world.state(100.0, false);
    assert!(state.goes_on_since().is_none());
    assert_eq!(world.read_with(&mut state, &mut |_| ()).await.hashed, 11);
}

#[test]
fn another_store_another_sample_and_a_restart_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let open = |store: &str, percent, restart| {
        let state = State::open(&path, store, Sample::percent(percent), restart).unwrap();
        state.goes_on_since().is_some()
    };
    assert!(!open("a", 100.0, false));
    assert!(open("a", 100.0, false));
    assert!(!open("a", 5.0, false));
    assert!(!open("b", 5.0, false));
    assert!(open("b", 5.0, false));
    assert!(!open("b", 5.0, true));
    write(&path, b"{\"store\": ");
    assert!(!open("b", 5.0, false));
}

#[test]
fn a_sample_is_about_as_large_as_was_said_and_another_one_each_time() {
    let blobs: Vec<_> =
        (0_u32..10_000).map(|n| Digest::of(Algorithm::Sha256, &n.to_le_bytes())).collect();
    let chosen =
        |sample: Sample| -> Vec<bool> { blobs.iter().map(|blob| sample.includes(blob)).collect() };
    let count = |chosen: &[bool]| chosen.iter().filter(|it| **it).count();
    let one = chosen(Sample::percent(10.0));
    assert!((800..1200).contains(&count(&one)), "{}", count(&one));
    let other = chosen(Sample::percent(10.0));
    let both = one.iter().zip(&other).filter(|(one, other)| **one && **other).count();
    assert!(both < 300, "{both}");
    assert_eq!(count(&chosen(Sample::percent(100.0))), blobs.len());
    assert_eq!(count(&chosen(Sample::percent(0.0))), 0);
}

#[tokio::test]
async fn a_sample_still_reads_what_has_not_its_length() {
    let world = World::new();
    write(&world.blob_path(&digest("shared")), b"shar");
    write(&world.blob_path(&digest("only one")), b"0nly one");
    let mut state = world.state(0.000_000_1, true);
    let report = world.read_with(&mut state, &mut |_| ()).await;
    // Manifests, and the truncated one.
    assert_eq!(report.hashed, 6);
    let found: Vec<_> = report.findings().map(|it| it.what).collect();
    assert_eq!(found, [What::CorruptBlob; 2], "{report:?}");
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_no_finding() {
    let world = World::new();
    let never = digest("never came");
    world.link(&world.layer_path("other", "never came"), &never);
    fs::remove_file(world.tag_path("group/app", "latest", "current/link")).unwrap();
    write(&world.blob_path(&digest("shared")), b"scared");
    let mut state = world.state(100.0, true);
    let report = {
        let world = &world;
        let mut watch = |news| {
            if news == Progress::Begun(Phase::Again, Some((4, 0))) {
                world.blob(b"never came");
                world.blob(b"shared");
                fs::remove_dir_all(world.tag_path("group/app", "latest", "")).unwrap();
            }
        };
        world.read_with(&mut state, &mut watch).await
    };
    assert_eq!(told(&report), []);
    assert!(report.repositories.iter().all(|it| it.broken_tags.is_empty()));
}
