//! What has no room is refused, by whatever way it comes in, and nothing else is.

use std::thread;

use super::{LIMIT, blob, configure, limit, mount, refusal, registry, used};
use crate::{
    clients::skopeo,
    faults::{Image, Rng, pull},
    support::{
        Layout, Stopped,
        http::Answer,
        program::program,
        pusher::{Pusher, digest},
    },
};

#[test]
fn a_blob_that_has_no_room_is_refused_with_the_figures_and_leaves_nothing() {
    let registry = registry(&limit("group/**", LIMIT));
    let mut pusher = registry.pusher();
    let (first, second) = (blob(1, 6000), blob(2, 6000));
    assert_eq!(pusher.push_blob("group/a", &first).unwrap().status, 201);
    // It is there once, whoever has it.
    assert_eq!(pusher.push_blob("group/b", &first).unwrap().status, 201);
    let expected = ("group/**".to_owned(), [LIMIT as u64, 6000, 6000]);
    let session = pusher.session("group/a").unwrap();
    let sent = pusher.patch(&session, &second[..4000]).unwrap();
    assert_eq!(sent.status, 202, "{sent:?}");
    let session = sent.session();
    assert_eq!(refusal(&pusher.commit(&session, &second).unwrap()), expected);
    assert_eq!(pusher.look(&session).unwrap().map(|it| it.offset), None);
    assert_eq!(refusal(&pusher.post_blob("group/b", &second).unwrap()), expected);
    let head = format!("/v2/group/a/blobs/{}", digest(&second));
    assert_eq!(pusher.send("HEAD", &head, &[], &[]).unwrap().status, 404);
    assert_eq!(registry.store().sessions(), [""; 0].map(std::path::PathBuf::from));
    assert_eq!(registry.store().blobs(), [digest(&first)]);
    // There is room for a smaller one, and elsewhere.
    assert_eq!(pusher.post_blob("group/a", &blob(3, 4000)).unwrap().status, 201);
    assert_eq!(pusher.post_blob("group/a", b"").unwrap().status, 201);
    assert_eq!(pusher.post_blob("other", &second).unwrap().status, 201);
    assert_eq!(used(&mut pusher, "group/a"), 10_000);
}

#[test]
fn a_blob_that_is_mounted_counts_where_it_comes_to() {
    let registry = registry(&limit("group/**", LIMIT));
    let mut pusher = registry.pusher();
    let (first, second) = (blob(1, 6000), blob(2, 6000));
    for content in [&first, &second] {
        assert_eq!(pusher.post_blob("other", content).unwrap().status, 201);
    }
    assert_eq!(mount(&mut pusher, "other", "group/a", &first).status, 201);
    assert_eq!(mount(&mut pusher, "other", "group/b", &first).status, 201);
    let refused = mount(&mut pusher, "other", "group/a", &second);
    assert_eq!(refusal(&refused).1, [LIMIT as u64, 6000, 6000]);
    assert_eq!(mount(&mut pusher, "group/a", "elsewhere", &first).status, 201);
    assert_eq!(used(&mut pusher, "group/a"), 6000);
}

#[test]
fn a_manifest_that_has_no_room_is_refused_and_pulls_go_on() {
    let image = Image::new(&mut Rng::new(1), &[3000]);
    let blobs: usize = image.blobs.iter().map(Vec::len).sum();
    let all = blobs + image.manifest.len();
    let mut registry = registry(&limit("group/**", all - 1));
    let mut pusher = registry.pusher();
    for blob in &image.blobs {
        assert_eq!(pusher.post_blob("group/a", blob).unwrap().status, 201);
    }
    let push = |pusher: &mut Pusher| -> Answer {
        pusher.push_manifest("group/a", "v1", &image.manifest).unwrap()
    };
    let figures = [all - 1, blobs, image.manifest.len()].map(|bytes| bytes as u64);
    assert_eq!(refusal(&push(&mut pusher)), ("group/**".to_owned(), figures));
    assert_eq!(pusher.get("/v2/group/a/manifests/v1").unwrap().status, 404);
    configure(&registry, &limit("group/**", all));
    registry.kill();
    registry.start_again();
    let mut pusher = registry.pusher();
    assert_eq!(push(&mut pusher).status, 201);
    // A quota that is smaller than what is there refuses what would add, and nothing else.
    configure(&registry, &limit("group/**", 10));
    registry.kill();
    registry.start_again();
    let mut pusher = registry.pusher();
    assert_eq!(pull(&mut pusher, "group/a", "v1"), Ok(image.digest()));
    let again = pusher.push_manifest("group/a", "v2", &image.manifest).unwrap();
    assert_eq!(again.status, 201, "{again:?}");
    assert_eq!(mount(&mut pusher, "group/a", "group/b", &image.blobs[0]).status, 201);
    assert_eq!(pull(&mut pusher, "group/a", "v2"), Ok(image.digest()));
    refusal(&pusher.post_blob("group/a", b"more").unwrap());
    assert_eq!(
        pusher.delete(&format!("/v2/group/a/manifests/{}", image.digest())).unwrap().status,
        202
    );
}

#[test]
fn all_quotas_that_are_for_a_repository_must_have_room() {
    let limits = [limit("group/**", LIMIT), limit("**", LIMIT + 2000)].join(", ");
    let registry = registry(&limits);
    let mut pusher = registry.pusher();
    assert_eq!(pusher.post_blob("other", &blob(1, 4000)).unwrap().status, 201);
    assert_eq!(pusher.post_blob("group/a", &blob(2, 5000)).unwrap().status, 201);
    let refused = pusher.post_blob("group/a", &blob(3, 4000)).unwrap();
    assert_eq!(refusal(&refused), ("**".to_owned(), [12_000, 9000, 4000]));
    let refused = pusher.post_blob("group/a", &blob(4, 6000)).unwrap();
    assert_eq!(refusal(&refused), ("group/**".to_owned(), [10_000, 5000, 6000]));
    assert_eq!(pusher.post_blob("group/a", &blob(5, 3000)).unwrap().status, 201);
}

#[test]
fn of_two_pushes_at_once_one_is_taken_where_there_is_room_for_one() {
    let registry = registry(&limit("**", LIMIT));
    let mut pusher = registry.pusher();
    assert_eq!(pusher.post_blob("a", &blob(0, 9_000)).unwrap().status, 201);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let one = |number| {
            let mut pusher = registry.pusher();
            scope.spawn(move || pusher.push_blob("a", &blob(number, 300)).unwrap().status)
        };
        let all: Vec<_> = (1..=16).map(one).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let taken = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!((taken, statuses.len()), (3, 16), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 403].contains(status)), "{statuses:?}");
    assert_eq!(used(&mut pusher, "a"), 9_900);
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn skopeo_says_why() {
    let demo =
        Stopped::with("[[quota]]\nrepositories = \"group/**\"\nmax_size = \"1KiB\"\n").start();
    let image = Layout::shared();
    let name = |name: &str| format!("docker://{}", demo.image(name));
    skopeo::copy(&[], &image.name("amd64"), &name("other/app:v1"));
    let (from, to) = (image.name("amd64"), name("group/app:v1"));
    let mut command =
        program("skopeo", &["copy", "--quiet", "--dest-tls-verify=false", &from, &to]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains(
            "the quota of `group/**` has no room: 0 B of 1.0 KiB are used, and this needs "
        ),
        "{said}"
    );
}
