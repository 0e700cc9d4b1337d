//! What keeps a migration from switching, and what is said of it.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use nix::fcntl::{Flock, FlockArg};
use walkdir::WalkDir;

use super::site::{INSTANCE_TOML, MIGRATE, Site};
use crate::{
    faults::{Image, Rng, pull},
    supervise::Instance,
    support::seaweed::Seaweed,
};

/// Nothing has changed, and nobody is kept from anything.
fn is_as_before(site: &Site, text: &str) {
    assert_eq!(site.instance_toml(), text);
    site.serves();
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_target_that_cannot_be_used_is_named_and_nothing_changes() {
    for (secret, bucket, expected) in [
        ("wrong", Seaweed::BUCKET, "secretkey"),
        (Seaweed::SECRET_KEY, "no-such-bucket", "no-such-bucket"),
    ] {
        let site = Site::with_secret(secret, bucket);
        let text = site.instance_toml();
        let ran = site.run(&["--to", "s3", "--switch"]);
        assert_eq!(ran.exit, 1, "{ran:?}");
        assert!(ran.stderr.contains("the target failed"), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
        assert!(!ran.stderr.contains(Seaweed::SECRET_KEY), "{ran:?}");
        is_as_before(&site, &text);
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_difference_keeps_it_from_switching_and_is_named() {
    let site = Site::new();
    assert_eq!(site.run(&["--to", "s3", "--only", "copy"]).exit, 0);
    let text = site.instance_toml();
    // Somebody damages an object without changing its length.
    let mut blobs = site.objects().into_iter().filter(|name| name.starts_with("blobs/"));
    let small = blobs.find(|name| size(&site, name) == 20).unwrap();
    put(&site, &small, "twenty bytes of lies");
    let fast = site.run(&["--to", "s3", "--only", "verify"]);
    assert_eq!(fast.exit, 0, "sizes are the same: {fast:?}");
    let ran = site.run(&["--to", "s3", "--only", "verify", "--verify", "full"]);
    assert_eq!(ran.exit, 5, "{ran:?}");
    let hex = small.split('/').nth(3).unwrap();
    assert!(ran.stdout.contains(hex) && ran.stdout.contains("damaged"), "{ran:?}");
    is_as_before(&site, &text);
    // An object that nobody has put there in this way is not the migration's to remove.
    put(&site, "repositories/strange/_manifests/tags/v1/current/link", "sha256:whatever");
    let ran = site.run(&["--to", "s3", "--switch"]);
    assert_eq!(ran.exit, 5, "{ran:?}");
    assert!(ran.stdout.contains("only in the target: docker/registry/v2/repositories/strange"));
    assert!(ran.stdout.contains("nothing was switched"), "{ran:?}");
    is_as_before(&site, &text);
    let report = site.report(0, &["--to", "s3", "--delete", "--verify", "full", "--switch"]);
    assert_eq!(report["switched"], true);
    site.serves();
}

fn size(site: &Site, name: &str) -> usize {
    let path = format!("/{}/{}/docker/registry/v2/{name}", Seaweed::BUCKET, site.root);
    Seaweed::shared().ask("GET", &path).stdout.len()
}

fn put(site: &Site, name: &str, text: &str) {
    let seaweed = Seaweed::shared().endpoint("http");
    let keys = format!("{}:{}", Seaweed::ACCESS_KEY, Seaweed::SECRET_KEY);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("object");
    fs::write(&file, text).unwrap();
    let put = Command::new("curl")
        .args(["-sSf", "--max-time", "30", "--aws-sigv4", "aws:amz:us-east-1:s3"])
        .args(["--user", &keys, "-T"])
        .arg(file)
        .arg(format!("{seaweed}/{}/{}/docker/registry/v2/{name}", Seaweed::BUCKET, site.root))
        .output()
        .unwrap();
    assert!(put.status.success(), "{put:?}");
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_source_that_looks_like_the_target_deletes_nothing() {
    let site = Site::new();
    assert_eq!(site.run(&["--to", "s3", "--only", "copy"]).exit, 0);
    let objects = site.objects().len();
    let storage = site.instance.world.path("var/opt/regctl/storage/docker/registry/v2");
    fs::remove_dir_all(storage.join("repositories/group")).unwrap();
    fs::remove_dir_all(storage.join("blobs")).unwrap();
    for (words, said) in [
        (&["--to", "s3", "--delete"][..], "--confirm registry"),
        (&["--to", "s3", "--delete", "--confirm", "registri"], "is not the name of the bucket"),
    ] {
        let ran = site.run(words);
        assert!(ran.exit == 2 && ran.stderr.contains(said), "{ran:?}");
        assert_eq!(site.objects().len(), objects);
    }
    let ran = site.run(&["--to", "s3", "--delete", "--confirm", "registry"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(site.objects().len() < objects);
}

#[test]
fn a_registry_that_does_not_serve_from_the_target_goes_back() {
    let mut instance = Instance::serving("");
    let image = Image::new(&mut Rng::new(8200), &[900_000, 70]);
    image.push(&mut instance.pusher(), "app", "v1").unwrap();
    let target = instance.world.path("target");
    fs::create_dir(&target).unwrap();
    instance.edit(|text| {
        format!("{text}[migrate.to.filesystem]\nrootdirectory = \"{}\"\n", target.display())
    });
    let text = instance.world.read(INSTANCE_TOML);
    let holds = instance.world.path("var/opt/regctl/state/holds.json");
    let is_held = || fs::read_to_string(&holds).is_ok_and(|text| text.contains("migrate-storage"));
    // Somebody takes the target for themselves as soon as the migration has compared it.
    for _ in 0..20 {
        let command = [MIGRATE, "--to", "filesystem", "--switch"];
        let mut command = instance.world.command(&command);
        let mut command = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut was_busy, mut taken) = (false, None);
        while command.try_wait().unwrap().is_none() && taken.is_none() {
            if !is_held() {
                thread::yield_now();
                continue;
            }
            let folder = File::open(&target).unwrap();
            match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
                Ok(lock) if was_busy => taken = Some(lock),
                // The comparison has not begun: it must not be kept from it.
                Ok(lock) => {
                    drop(lock);
                    thread::sleep(Duration::from_millis(1));
                }
                Err(_) => was_busy = true,
            }
        }
        let output = command.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        drop(taken);
        if !said.contains("the registry is started on the target") {
            // It was kept from comparing, and says so.
            assert!(!output.status.success() && said.contains("in use"), "{said}");
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("the change was undone"), "{said}");
        assert_eq!(instance.world.read(INSTANCE_TOML), text);
        assert_eq!(pull(&mut instance.pusher(), "app", "v1"), Ok(image.digest()));
        assert_eq!(instance.pusher().post_blob("app", b"new").unwrap().status, 201);
        // Nobody is in the way any more.
        let ran = instance.run(&[MIGRATE, "--to", "filesystem", "--switch"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert_eq!(pull(&mut instance.pusher(), "app", "v1"), Ok(image.digest()));
        return;
    }
    panic!("the registry was never started on the target");
}

#[test]
fn a_registry_that_cannot_pull_from_the_target_goes_back_and_stays_as_read_only_as_it_was() {
    let mut instance = Instance::serving("");
    let image = Image::new(&mut Rng::new(8400), &[90_000, 70]);
    image.push(&mut instance.pusher(), "app", "v1").unwrap();
    let target = instance.world.path("target");
    instance.edit(|text| {
        format!("{text}[migrate.to.filesystem]\nrootdirectory = \"{}\"\n", target.display())
    });
    assert_eq!(instance.run(&["set-readonly", "on"]).exit, 0);
    let text = instance.world.read(INSTANCE_TOML);
    let mut command = instance.world.command(&[MIGRATE, "--to", "filesystem", "--switch"]);
    let mut command = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(command.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("the registry is started on the target") {
            damage(&target.join("docker/registry/v2/blobs"), 90_000);
        }
        said = said + &line + "\n";
    }
    assert_eq!(command.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("app:v1` cannot be pulled: the bytes of sha256:"), "{said}");
    assert!(said.contains("the change was undone"), "{said}");
    assert_eq!(instance.world.read(INSTANCE_TOML), text);
    assert_eq!(pull(&mut instance.pusher(), "app", "v1"), Ok(image.digest()));
    assert_eq!(instance.pusher().post_blob("app", b"new").unwrap().status, 405);
    assert_eq!(instance.run(&["set-readonly", "off"]).exit, 0);
    assert_eq!(instance.pusher().post_blob("app", b"new").unwrap().status, 201);
}

/// Turns a bit of the file that is so long.
fn damage(folder: &Path, length: u64) {
    let files = WalkDir::new(folder).into_iter().map(Result::unwrap);
    let mut files = files.filter(|it| it.file_type().is_file());
    let found = files.find(|it| it.metadata().unwrap().len() == length).unwrap();
    let mut bytes = fs::read(found.path()).unwrap();
    bytes[1000] ^= 1;
    fs::write(found.path(), bytes).unwrap();
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_blob_that_is_damaged_in_the_source_is_named_and_nothing_switches() {
    let site = Site::new();
    let text = site.instance_toml();
    let top = site.instance.world.path("var/opt/regctl/storage/docker/registry/v2");
    let (path, _) = site.files().into_iter().find(|(_, bytes)| bytes.len() == 20).unwrap();
    fs::write(top.join(&path), "twenty bytes of lies").unwrap();
    for words in [&["--only", "copy"][..], &["--switch"]] {
        let ran = site.run(&[&["--to", "s3"], words].concat());
        assert_eq!(ran.exit, 5, "{ran:?}");
        assert!(ran.stdout.contains(&path) && ran.stdout.contains("damaged"), "{ran:?}");
        assert_eq!(site.instance_toml(), text);
        assert!(!site.objects().contains(&path));
    }
}

#[test]
fn a_target_within_the_source_is_refused() {
    let mut instance = Instance::serving("");
    let inside = instance.world.path("var/opt/regctl/storage/docker");
    fs::create_dir_all(&inside).unwrap();
    let link = instance.world.path("link");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    let before = instance.world.read("etc/regctl/instance.toml");
    for place in [&inside, &link, &instance.world.path("var/opt/regctl/storage/")] {
        let target = format!("[migrate.to.filesystem]\nrootdirectory = \"{}\"\n", place.display());
        instance.edit(|_| format!("{before}{target}"));
        let ran = instance.run(&["migrate-storage", "--to", "filesystem", "--switch"]);
        assert_eq!(ran.exit, 78, "{ran:?}");
        assert!(ran.stderr.contains("is within"), "{ran:?}");
    }
    instance.edit(|_| before.clone());
    let ran = instance.run(&["migrate-storage", "--to", "s3"]);
    assert!(ran.exit == 78 && ran.stderr.contains("[migrate.to.s3]"), "{ran:?}");
}

#[test]
fn edits_that_were_not_applied_do_not_go_live_with_a_switch() {
    let mut instance = Instance::serving("");
    let image = Image::new(&mut Rng::new(8300), &[2_000]);
    image.push(&mut instance.pusher(), "app", "v1").unwrap();
    let target = instance.world.path("target");
    let to = format!("[migrate.to.filesystem]\nrootdirectory = \"{}\"\n", target.display());
    let applied = instance.world.read(INSTANCE_TOML);
    instance.edit(|text| format!("{text}log_level = \"warn\"\n{to}"));
    let text = instance.world.read(INSTANCE_TOML);
    let config = instance.world.read("var/opt/regctl/registry/config.yml");
    let ran = instance.run(&[MIGRATE, "--to", "filesystem", "--switch"]);
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.stderr.contains("are not applied") && ran.stderr.contains("config.yml"), "{ran:?}");
    assert_eq!(instance.world.read(INSTANCE_TOML), text);
    assert_eq!(instance.world.read("var/opt/regctl/registry/config.yml"), config);
    // Nothing is copied for a switch that would be refused.
    assert!(!target.join("docker").exists());
    // A copy needs no switch, and the edit taken back is no hindrance.
    assert_eq!(instance.run(&[MIGRATE, "--to", "filesystem", "--only", "copy"]).exit, 0);
    instance.edit(|_| format!("{applied}{to}"));
    let ran = instance.run(&[MIGRATE, "--to", "filesystem", "--switch"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(pull(&mut instance.pusher(), "app", "v1"), Ok(image.digest()));
}
