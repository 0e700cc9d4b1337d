//! Migrations of real folders; buckets are migrated by the tests of the whole program.

#![expect(clippy::disallowed_methods, reason = "the files of a test are nobody else's")]

mod since;

use std::{
    collections::BTreeMap,
    fs,
    num::{NonZeroU64, NonZeroUsize},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use oci::{Algorithm, Digest};
use storage::{Access, Config, FilesystemConfig, S3Config};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::{
    Copied, Difference, Error, Extra, How, Journal, Options, Pace, Phase, Progress, Reading, Sides,
    are_apart, plan,
};

/// Two folders, and a journal.
struct World {
    scratch: TempDir,
}

impl World {
    /// With a source of two repositories: tags, an untagged manifest, a large layer, a shared one, a repository without tags.
    fn new() -> Self {
        let world = Self { scratch: tempfile::tempdir().unwrap() };
        let large = "0123456789abcdef".repeat(300_000);
        world.image("group/app", "one", &[&large, "shared"], &["v1", "latest"]);
        world.image("group/app", "two", &["shared"], &[]);
        world.image("other", "three", &["shared", "own"], &["v1"]);
        fs::create_dir_all(world.source("repositories/bare/_manifests/tags")).unwrap();
        fs::create_dir_all(world.source("repositories/bare/_layers")).unwrap();
        let upload = "repositories/group/app/_uploads/b9a1a36e-7c1f-4c0e-8b3f-1c1f6b1f9a11";
        write(&world.source(&format!("{upload}/data")), b"half a layer");
        world
    }

    fn source(&self, below: &str) -> PathBuf {
        self.scratch.path().join("source/docker/registry/v2").join(below)
    }

    fn target(&self, below: &str) -> PathBuf {
        self.scratch.path().join("target/docker/registry/v2").join(below)
    }

    fn image(&self, repository: &str, name: &str, layers: &[&str], tags: &[&str]) -> Digest {
        for layer in layers {
            let digest = self.blob(layer.as_bytes());
            self.link(&format!("{repository}/_layers/sha256/{}", digest.hex()), &digest);
        }
        let manifest = self.blob(format!("manifest {name}").as_bytes());
        let at = format!("{repository}/_manifests");
        self.link(&format!("{at}/revisions/sha256/{}", manifest.hex()), &manifest);
        for tag in tags {
            self.tag(repository, tag, &manifest);
        }
        manifest
    }

    fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, bytes);
        write(&self.source(&blob(&digest)), bytes);
        digest
    }

    fn link(&self, folder: &str, digest: &Digest) {
        let path = self.source(&format!("repositories/{folder}/link"));
        write(&path, digest.to_string().as_bytes());
    }

    fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let at = format!("{repository}/_manifests/tags/{tag}");
        self.link(&format!("{at}/index/sha256/{}", digest.hex()), digest);
        self.link(&format!("{at}/current"), digest);
    }

    fn config(&self, name: &str) -> Config {
        let root_directory = self.scratch.path().join(name);
        Config::Filesystem(FilesystemConfig { root_directory, max_threads: 25 })
    }

    async fn sides(&self) -> Sides {
        Sides::open((&self.config("source"), Access::Look), &self.config("target")).await.unwrap()
    }

    async fn difference(&self) -> Difference {
        let (source, target) = (self.config("source"), self.config("target"));
        plan(&source, &target, &AtomicBool::new(false), &mut |_| ()).await.unwrap()
    }

    async fn run(&self) -> Copied {
        self.run_with(Extra::Own, &AtomicBool::new(false), &mut |_| ()).await.unwrap()
    }

    /// One pass.
    async fn run_with(
        &self,
        extra: Extra,
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Copied, Error> {
        let sides = self.sides().await;
        let path = self.scratch.path().join("journal");
        let mut journal = Journal::open(&path, &sides.identity())?;
        let difference = sides.difference(stop, watch).await?;
        let options = Options { at_once: NonZeroUsize::new(3).unwrap(), extra };
        let pace = Arc::new(Pace::new(NonZeroU64::new(1 << 40)));
        let copied = sides.copy(&difference, &mut journal, options, &pace, stop, watch).await;
        sides.close().await;
        copied
    }

    /// Files with their bytes, and empty folders, without what is no content.
    fn content(&self, side: &str) -> BTreeMap<String, Option<Vec<u8>>> {
        let top = self.scratch.path().join(side).join("docker/registry/v2");
        let own = ["regctl", "_uploads", "stranger"];
        let mut content = BTreeMap::new();
        if !top.exists() {
            return content;
        }
        let walk = WalkDir::new(&top).into_iter();
        let walk = walk.filter_entry(|it| !own.iter().any(|own| it.file_name() == *own));
        for entry in walk.map(Result::unwrap) {
            let path = entry.path().strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().is_file() {
                content.insert(path, Some(fs::read(entry.path()).unwrap()));
            } else if fs::read_dir(entry.path()).unwrap().next().is_none() {
                content.insert(path, None);
            }
        }
        content
    }

    fn assert_same(&self) {
        let (source, target) = (self.content("source"), self.content("target"));
        let paths = |content: &BTreeMap<String, _>| content.keys().cloned().collect::<Vec<_>>();
        assert_eq!(paths(&target), paths(&source));
        assert!(target == source, "paths are the same, bytes are not");
    }
}

fn blob(digest: &Digest) -> String {
    let hex = digest.to_hex();
    format!("blobs/sha256/{}/{hex}/data", &hex[..2])
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn all_arrives_and_a_second_pass_finds_nothing_to_do() {
    let world = World::new();
    let before = world.content("source");
    let plan = world.difference().await;
    assert_eq!((plan.missing, plan.target.total().objects), (plan.source, 0));
    assert!(!world.scratch.path().join("target").exists());
    let copied = world.run().await;
    assert_eq!(copied.blobs, plan.source.blobs);
    assert!(copied.problems.is_empty(), "{:?}", copied.problems);
    world.assert_same();
    assert_eq!(world.content("source"), before);
    let difference = world.difference().await;
    assert!(difference.is_none(), "{:?}", difference.named());
    assert_eq!(difference.source, difference.target);
    let again = world.run().await;
    assert_eq!((again.blobs.objects, again.links.objects, again.removed), (0, 0, 0));
    assert!(!world.target("repositories/group/app/_uploads").exists());
}

#[tokio::test]
async fn a_tag_that_was_set_anew_between_passes_is_found_by_what_it_holds() {
    let world = World::new();
    world.run().await;
    let other = world.image("group/app", "two", &[], &[]);
    world.tag("group/app", "v1", &other);
    // As a clock that is wrong would have it: nothing but the content tells.
    let link = world.source("repositories/group/app/_manifests/tags/v1/current/link");
    let old = fs::File::options().append(true).open(&link).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let difference = world.difference().await;
    assert_eq!(difference.other.tags.objects, 1);
    let named = difference.named();
    assert!(named.iter().any(|it| it.path.ends_with("v1/current/link") && it.how == How::Content));
    world.run().await;
    world.assert_same();
}

#[tokio::test]
async fn what_the_source_deletes_between_passes_goes_and_what_others_have_put_stays() {
    let world = World::new();
    world.run().await;
    let strange = "repositories/others/_manifests/tags/v1/current/link";
    write(&world.target(strange), b"sha256:somebody's");
    let tags = world.source("repositories/group/app/_manifests/tags");
    fs::remove_dir_all(tags.join("latest")).unwrap();
    let gone = Digest::of(Algorithm::Sha256, b"own");
    fs::remove_file(world.source(&blob(&gone))).unwrap();
    let difference = world.difference().await;
    assert_eq!(difference.extra.tags.objects, 3);
    assert_eq!(difference.extra.blobs.objects, 1);
    let copied = world.run().await;
    // The tag with its history, and the blob.
    assert_eq!(copied.removed, 2);
    assert!(!world.target("repositories/group/app/_manifests/tags/latest").exists());
    assert!(!world.target(&blob(&gone)).exists());
    assert!(world.target(strange).exists());
    let left = world.difference().await;
    assert!(!left.is_none());
    assert_eq!(left.extra.total().objects, 1);
    world.run_with(Extra::All, &AtomicBool::new(false), &mut |_| ()).await.unwrap();
    assert!(world.difference().await.is_none());
}

#[tokio::test]
async fn a_repository_goes_with_its_folders_unless_something_else_is_in_them() {
    let upload = "_uploads/b9a1a36e-7c1f-4c0e-8b3f-1c1f6b1f9a11/startedat";
    for other in [None, Some(upload), Some("_layers/stranger")] {
        let world = World::new();
        world.run().await;
        let put = other.map(|path| world.target(&format!("repositories/other/{path}")));
        put.iter().for_each(|path| write(path, b"2026-11-23T00:00:00Z"));
        fs::remove_dir_all(world.source("repositories/other")).unwrap();
        world.run().await;
        let left = world.target("repositories/other");
        assert_eq!(left.exists(), put.is_some(), "{other:?}");
        assert!(put.is_none_or(|path| path.exists()), "{other:?}");
        let link = left.join("_manifests/tags/v1/current/link");
        assert!(!link.exists() && world.difference().await.is_none(), "{other:?}");
    }
}

#[tokio::test]
async fn a_damaged_blob_is_named_and_never_copied() {
    for bytes in [b"shared".to_vec(), "0123456789abcdef".repeat(300_000).into_bytes()] {
        let world = World::new();
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        let mut damaged = bytes;
        damaged[3] ^= 1;
        write(&world.source(&blob(&digest)), &damaged);
        let copied = world.run().await;
        assert_eq!(copied.problems.len(), 1);
        let problem = copied.problems[0].to_string();
        assert!(problem.contains(&digest.to_hex().to_string()), "{problem}");
        assert!(problem.contains("damaged where it is copied from"), "{problem}");
        assert!(!world.target(&blob(&digest)).exists());
        let left = world.difference().await;
        assert_eq!(left.missing.total().objects, 1);
        let rest = WalkDir::new(world.target("repositories")).into_iter().map(Result::unwrap);
        let left = rest.filter(|it| it.path().to_string_lossy().contains("regctl-migration"));
        assert_eq!(left.count(), 0);
    }
}

#[tokio::test]
async fn a_blob_that_is_damaged_in_the_target_is_found_by_hashing_and_replaced() {
    let world = World::new();
    world.run().await;
    let digest = Digest::of(Algorithm::Sha256, b"shared");
    write(&world.target(&blob(&digest)), b"shaken");
    let sides = world.sides().await;
    let stop = AtomicBool::new(false);
    let mut difference = sides.difference(&stop, &mut |_| ()).await.unwrap();
    assert!(difference.is_none());
    let pace = Arc::new(Pace::new(None));
    let path = world.scratch.path().join("journal");
    let mut journal = Journal::open(&path, &sides.identity()).unwrap();
    let options = Options { at_once: NonZeroUsize::new(2).unwrap(), extra: Extra::Own };
    // What this migration has put is not read again unless all is.
    let run = || "1".to_owned();
    for (reading, found) in [
        (Reading::Nothing, 0),
        (Reading::Unknown(run()), 0),
        (Reading::All(run()), 1),
        (Reading::All(run()), 1),
    ] {
        let how = (&reading, options, &*pace);
        let mut watched = 0;
        let mut watch = |news| {
            watched += u64::from(matches!(news, Progress::Advanced { .. }));
        };
        difference = sides.difference(&stop, &mut |_| ()).await.unwrap();
        sides.read(&mut difference, &mut journal, how, &stop, &mut watch).await.unwrap();
        assert_eq!(difference.other.blobs.objects, found, "{reading:?}");
        // Those that are whole are read once.
        let blobs = difference.source.blobs.objects;
        assert!(watched == 0 || watched == 1 || watched == blobs, "{watched} of {blobs}");
    }
    assert!(!difference.is_none());
    assert!(difference.problems[0].to_string().contains(digest.to_hex().as_str()));
    sides.copy(&difference, &mut journal, options, &pace, &stop, &mut |_| ()).await.unwrap();
    drop(sides);
    world.assert_same();
}

#[tokio::test]
async fn what_somebody_else_has_put_into_the_target_is_read_once() {
    let world = World::new();
    let digest = Digest::of(Algorithm::Sha256, b"shared");
    write(&world.target(&blob(&digest)), b"shaken");
    let sides = world.sides().await;
    let stop = AtomicBool::new(false);
    let mut journal =
        Journal::open(&world.scratch.path().join("journal"), &sides.identity()).unwrap();
    let options = Options { at_once: NonZeroUsize::MIN, extra: Extra::Own };
    let pace = Pace::new(None);
    let mut difference = sides.difference(&stop, &mut |_| ()).await.unwrap();
    let how = (&Reading::Unknown("1".to_owned()), options, &pace);
    sides.read(&mut difference, &mut journal, how, &stop, &mut |_| ()).await.unwrap();
    assert_eq!(difference.other.blobs.objects, 1);
}

#[tokio::test]
async fn a_run_that_is_stopped_anywhere_is_gone_on_with() {
    let mut stops = 0;
    for steps in 0.. {
        let world = World::new();
        let stop = AtomicBool::new(false);
        let mut left = steps;
        let mut watch = |progress| {
            let counts = matches!(progress, Progress::Advanced { .. })
                || matches!(progress, Progress::Begun(Phase::Blobs | Phase::Tags, _));
            left -= i32::from(counts);
            stop.store(left < 0, Ordering::Relaxed);
        };
        match world.run_with(Extra::Own, &stop, &mut watch).await {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, Error::Stopped), "{error}"),
        }
        stops += 1;
        // Nothing leads to what is not there.
        for (path, bytes) in world.content("target") {
            if let Some(bytes) = bytes.filter(|_| path.ends_with("/link")) {
                let digest: Digest = String::from_utf8(bytes).unwrap().parse().unwrap();
                assert!(world.target(&blob(&digest)).exists(), "{path}");
            }
        }
        // Meanwhile somebody has deleted a tag that may have arrived.
        let latest = "repositories/group/app/_manifests/tags/latest";
        fs::remove_dir_all(world.source(latest)).unwrap();
        world.run().await;
        world.assert_same();
    }
    assert!(stops > 10, "{stops}");
}

#[tokio::test]
async fn what_nobody_can_look_at_is_no_proof_of_anything() {
    let world = World::new();
    world.run().await;
    write(&world.source("stranger"), b"x");
    let elsewhere = world.scratch.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, world.source("repositories/linked")).unwrap();
    let difference = world.difference().await;
    assert!(!difference.is_none());
    assert_eq!(difference.problems.len(), 1);
    assert!(difference.problems[0].to_string().contains("symbolic link"));
    assert_eq!(difference.strangers, ["docker/registry/v2/stranger"]);
}

#[tokio::test]
async fn a_source_that_is_not_there_and_a_target_that_is_served_are_refused() {
    let world = World::new();
    let config = |name| world.config(name);
    let missing =
        Sides::open((&config("none"), Access::Look), &config("target")).await.unwrap_err();
    assert!(matches!(missing, Error::Missing(_)), "{missing}");
    let _served = storage::Backend::open(&config("target")).unwrap();
    let busy = Sides::open((&config("source"), Access::Look), &config("target")).await.unwrap_err();
    assert!(matches!(busy, Error::Busy(..)), "{busy}");
}

/// A folder of a bucket, at an endpoint if it is not Amazon's.
fn bucket(name: &str, endpoint: Option<&str>, root: &str) -> Config {
    let options = S3Config {
        endpoint: endpoint.map(ToOwned::to_owned),
        root_directory: root.to_owned(),
        ..S3Config::new("eu-central-1", name)
    };
    Config::S3(options)
}

#[test]
fn a_bucket_is_the_same_however_its_endpoint_is_written() {
    let one = bucket("b", Some("http://s3.example.com"), "/a");
    for endpoint in ["http://s3.example.com/", "HTTP://S3.example.com:80", "s3.example.com"] {
        for root in ["a", "/a/", "a/b", "/", ""] {
            assert!(!are_apart(&one, &bucket("b", Some(endpoint), root)), "{endpoint} {root}");
        }
        assert!(are_apart(&one, &bucket("b", Some(endpoint), "ab")), "{endpoint}");
        assert!(are_apart(&one, &bucket("c", Some(endpoint), "a")), "{endpoint}");
    }
    assert!(are_apart(&one, &bucket("b", Some("http://s3.example.com:9000"), "a")));
    assert!(are_apart(&one, &bucket("b", None, "a")));
    let amazon = bucket("b", Some("https://s3.eu-central-1.amazonaws.com"), "a");
    assert!(!are_apart(&amazon, &bucket("b", None, "a")));
}
