//! What moves, and what is seen of it meanwhile.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::site::{MIGRATE, Site, pulled};
use crate::{
    api::fixture::Registry,
    faults::{Image, Rng},
    interop::wire::expect,
    support::{
        Peer,
        http::Answer,
        pusher::{self, Pusher},
    },
};

/// Pushes and pulls until it is told to stop.
struct Users {
    over: AtomicBool,
    /// Every tag that was acknowledged last, with its digest.
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// When pushes were refused.
    refused: Mutex<Vec<Instant>>,
}

impl Users {
    fn push(&self, pusher: &mut Pusher, number: u64) {
        let mut rng = Rng::new(9000 + number);
        let image = Image::new(&mut rng, &[1000, 30]);
        // The same few tags are set again and again.
        let (repository, tag) = (format!("users/{}", number % 3), format!("t{}", number % 5));
        let blobs = image.blobs.iter().map(|blob| pusher.post_blob(&repository, blob));
        let mut answers: Vec<_> = blobs.collect();
        let is_taken =
            |answer: &io::Result<Answer>| answer.as_ref().is_ok_and(|it| it.status == 201);
        if answers.iter().all(is_taken) {
            answers.push(pusher.push_manifest(&repository, &tag, &image.manifest));
            if answers.last().is_some_and(is_taken) {
                let name = format!("{repository}:{tag}");
                self.acknowledged.lock().unwrap().insert(name, image.digest());
                return;
            }
        }
        // It has waited, or was on a connection that was closed when the registry started anew.
        let is_allowed = |answer: &io::Result<Answer>| match answer {
            Ok(answer) => [201, 503].contains(&answer.status),
            Err(error) => is_closed(&error.to_string()),
        };
        assert!(answers.iter().all(is_allowed), "{answers:?}");
        self.refused.lock().unwrap().push(Instant::now());
        thread::sleep(Duration::from_millis(20));
    }

    /// Pulls as Go's client does: who finds that its idle connection was closed asks again on another one.
    fn pull(site: &Site, image: &str) -> Result<String, String> {
        match pulled(&mut site.instance.pusher(), image) {
            Err(error) if is_closed(&error) => pulled(&mut site.instance.pusher(), image),
            pulled => pulled,
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Whether no answer came on a connection.
fn is_closed(error: &str) -> bool {
    ["unexpected end of file", "Connection reset", "Broken pipe"]
        .iter()
        .any(|it| error.contains(it))
}

/// Moves a site with users; returns how many pulls there were meanwhile.
fn move_with_users(site: &Site, to: &str, first: u64) -> (serde_json::Value, u64) {
    let users = Users {
        over: AtomicBool::new(false),
        acknowledged: Mutex::default(),
        refused: Mutex::default(),
    };
    let (report, pulls) = thread::scope(|scope| {
        let pushing = scope.spawn(|| {
            let mut number = first;
            while !users.is_over() {
                // A server that starts anew closes what it had open.
                users.push(&mut site.instance.pusher(), number);
                number += 1;
            }
        });
        let pulling = scope.spawn(|| {
            let mut pulls = 0;
            while !users.is_over() {
                for (image, digest) in &site.pushed {
                    assert_eq!(Users::pull(site, image).as_ref(), Ok(digest), "{image}");
                    pulls += 1;
                }
            }
            pulls
        });
        let is_busy = || users.acknowledged.lock().unwrap().len() > 5;
        site.instance.until("there are users", is_busy);
        let report = site.report(0, &["--to", to, "--switch"]);
        // They go on for a while on the new storage.
        users.acknowledged.lock().unwrap().retain(|name, _| !name.ends_with("t0"));
        let is_used = || users.acknowledged.lock().unwrap().keys().any(|it| it.ends_with("t0"));
        site.instance.until("somebody has pushed after it", is_used);
        users.over.store(true, Ordering::Relaxed);
        pushing.join().unwrap();
        (report, pulling.join().unwrap())
    });
    for (image, digest) in users.acknowledged.into_inner().unwrap() {
        assert_eq!(pulled(&mut site.instance.pusher(), &image), Ok(digest), "{image}");
    }
    (report, pulls)
}

/// Upstream's registry serves an image with all that it names.
fn is_served_by(peer: &Peer, image: &str, digest: &str) {
    let (repository, tag) = image.split_once(':').unwrap();
    let client = reqwest::blocking::Client::new();
    let accept = "application/vnd.oci.image.manifest.v1+json";
    let target = peer.url(&format!("/v2/{repository}/manifests/{tag}"));
    let manifest = expect(200, client.get(target).header("Accept", accept)).bytes().unwrap();
    assert_eq!(pusher::digest(&manifest), digest);
    let fields: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    for descriptor in fields["layers"].as_array().unwrap().iter().chain([&fields["config"]]) {
        let named = descriptor["digest"].as_str().unwrap();
        let target = peer.url(&format!("/v2/{repository}/blobs/{named}"));
        let blob = expect(200, client.get(target)).bytes().unwrap();
        assert_eq!(pusher::digest(&blob), named);
    }
}

#[test]
#[ignore = "needs weed and docker-registry: run cargo xtask test"]
fn a_registry_that_is_used_moves_to_a_bucket_and_back() {
    let site = Site::new();
    let before = site.instance_toml();
    let (report, pulls) = move_with_users(&site, "s3", 0);
    assert_eq!(report["switched"], true, "{report:#}");
    assert!(report["read_only_seconds"].as_f64().unwrap() > 0.0 && pulls > 0, "{report:#}");
    // One of its tags was read from there before anybody could push.
    let pulled = &report["pulled"];
    assert!(pulled["bytes"].as_u64() > Some(0) && pulled["blobs"].as_u64() > Some(1), "{report:#}");
    let last = report["passes"].as_array().unwrap().last().unwrap();
    assert_eq!(last["source"], last["target"], "{report:#}");
    // The registry knew what had changed meanwhile.
    assert!(last["looked_at"].as_u64() > Some(0), "{report:#}");
    assert_eq!(site.storage(), "s3");
    site.serves();
    // What others read in the bucket is a registry.
    let peer = Peer::on(&site.bucket());
    for (image, digest) in &site.pushed {
        is_served_by(&peer, image, digest);
    }
    drop(peer);
    let (report, _) = move_with_users(&site, "filesystem", 10_000);
    assert_eq!(report["switched"], true, "{report:#}");
    let last = report["passes"].as_array().unwrap().last().unwrap();
    assert!(last["looked_at"].as_u64() > Some(0), "{report:#}");
    assert_eq!(site.storage(), "filesystem");
    let back = site.instance_toml();
    assert!(back.starts_with(&before) && back.contains("[registry.storage.filesystem]"), "{back}");
    site.serves();
    assert_eq!(site.instance.store().problems(), [""; 0]);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_registry_that_has_started_anew_meanwhile_is_compared_as_a_whole() {
    let site = Site::new();
    // The 3 MB of the largest layer take some seconds.
    let command = [MIGRATE, "--to", "s3", "--switch", "--json", "--max-rate", "1MB"];
    let mut command = site.instance.world.command(&command);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    site.instance.until("it copies", || !site.objects().is_empty());
    assert_eq!(site.instance.run(&["restart", "registry"]).exit, 0);
    let image = Image::new(&mut Rng::new(8500), &[1000]);
    image.push(&mut site.instance.pusher(), "late", "v1").unwrap();
    let output = command.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all is compared again"), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let last = report["passes"].as_array().unwrap().last().unwrap();
    assert!(last["looked_at"].is_null() && report["switched"] == true, "{report:#}");
    assert_eq!(pulled(&mut site.instance.pusher(), "late:v1"), Ok(image.digest()));
    site.serves();
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn another_registry_that_begins_to_serve_the_folder_meanwhile_is_seen() {
    let site = Site::new();
    let command = [MIGRATE, "--to", "s3", "--json", "--max-rate", "1MB"];
    let mut command = site.instance.world.command(&command);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    site.instance.until("it copies", || !site.objects().is_empty());
    let folder = site.instance.world.path("var/opt/regctl/storage");
    let other =
        Registry::with(&json!({ "storage": { "filesystem": { "rootdirectory": folder } } }));
    let digest = other.client().push_blob("beside", b"what the first one does not know of");
    let output = command.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all is compared again"), "{said}");
    assert!(site.objects().iter().any(|name| name.contains(digest.hex().as_str())));
    site.serves();
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_tag_that_is_set_anew_or_deleted_between_passes_is_so_in_the_target() {
    let site = Site::new();
    assert_eq!(site.run(&["--to", "s3", "--only", "copy"]).exit, 0);
    let tags = |objects: Vec<String>, tag: &str| {
        let below = format!("repositories/group/app0/_manifests/tags/{tag}/");
        objects.into_iter().filter(|name| name.starts_with(&below)).count()
    };
    assert_eq!((tags(site.objects(), "v0"), tags(site.objects(), "v2")), (2, 2));
    let other = Image::new(&mut Rng::new(8600), &[70]);
    let mut pusher = site.instance.pusher();
    other.push(&mut pusher, "group/app0", "v0").unwrap();
    let deleted = pusher.delete("/v2/group/app0/manifests/v2").unwrap();
    assert_eq!(deleted.status, 202, "{deleted:?}");
    let report = site.report(0, &["--to", "s3", "--switch"]);
    assert_eq!(report["switched"], true, "{report:#}");
    assert_eq!(pulled(&mut site.instance.pusher(), "group/app0:v0"), Ok(other.digest()));
    let gone = site.instance.pusher().get("/v2/group/app0/manifests/v2").unwrap();
    assert_eq!(gone.status, 404);
    assert_eq!((tags(site.objects(), "v0"), tags(site.objects(), "v2")), (3, 0));
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_plan_changes_nothing_and_parts_do_what_they_say() {
    let site = Site::new();
    let (files, text) = (site.files(), site.instance_toml());
    let plan = site.report(0, &["--to", "s3", "--dry-run"]);
    let probed = &plan["probed"];
    assert!(probed["objects_a_second"].as_f64() > Some(0.0), "{plan:#}");
    assert!(probed["bytes_a_second"].as_u64() > Some(0), "{plan:#}");
    assert!(plan["estimated_seconds"].as_f64() > Some(0.0), "{plan:#}");
    let plan = &plan["passes"][0];
    assert_eq!(plan["missing"], plan["source"]);
    assert_eq!(plan["target"]["blobs"], json!({ "objects": 0, "bytes": 0 }));
    assert_eq!(site.objects(), [""; 0]);
    // How far it is, for programs: one document a line.
    let ran = site.run(&["--to", "s3", "--dry-run", "--json"]);
    let lines = ran.stderr.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<serde_json::Value> =
        lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let phases = lines.iter().map(|line| line["progress"]["phase"].as_str().unwrap());
    assert!(phases.clone().any(|phase| phase == "listing the source"), "{ran:?}");
    assert!(lines.iter().any(|line| line["progress"]["objects"].as_u64() > Some(0)), "{ran:?}");
    // Before there is anything to compare, it is not the same.
    let ran = site.run(&["--to", "s3", "--only", "verify"]);
    assert!(ran.exit == 5 && ran.stdout.contains("missing in the target:"), "{ran:?}");
    site.serves();
    let copied = site.run(&["--to", "s3", "--only", "copy"]);
    assert!(copied.exit == 0 && copied.stdout.contains("copied while it served:"), "{copied:?}");
    let verified = site.run(&["--to", "s3", "--only", "verify", "--verify", "full"]);
    assert!(verified.stdout.contains("every blob was read again"), "{verified:?}");
    assert_eq!((verified.exit, site.storage()), (0, "filesystem"));
    let same = site.run(&["--to", "s3"]);
    assert!(same.exit == 0 && same.stdout.contains("--to s3 --switch"), "{same:?}");
    site.serves();
    assert_eq!(site.instance_toml(), text);
    let now = site.files();
    assert!(files.iter().all(|(path, bytes)| now.get(path) == Some(bytes)));
    for said in [&ran.stdout, &ran.stderr, &copied.stderr, &verified.stderr] {
        assert!(!said.contains("test-secret"), "{said}");
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_run_that_is_killed_is_gone_on_with_by_the_next() {
    let site = Site::new();
    let mut rng = Rng::new(8100);
    let mut kills = 0;
    loop {
        let mut command = site.instance.world.command(&[MIGRATE, "--to", "s3", "--switch"]);
        let mut command = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // Small steps at first: a fast machine is done within a tenth of a second.
        let pause = 3 + kills * 2 + kills * kills / 4 + rng.next() % 4;
        let until = Instant::now() + Duration::from_millis(pause);
        while Instant::now() < until && command.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(2));
        }
        if command.try_wait().unwrap().is_some_and(|status| status.success()) {
            break;
        }
        // Nothing if it has ended by itself.
        let _ = command.kill();
        let mut said = String::new();
        command.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        command.wait().unwrap();
        kills += 1;
        for (image, digest) in &site.pushed {
            let pulled = pulled(&mut site.instance.pusher(), image);
            assert_eq!(pulled.as_ref(), Ok(digest), "after {pause} ms: {said}");
        }
        // Whoever comes next brings back what was left.
        let _ = site.instance.run(&["reconfigure"]);
        let off = site.instance.run(&["set-readonly", "off"]);
        assert_eq!(off.exit, 0, "{off:?} after {pause} ms: {said}");
        site.serves();
        if site.storage() == "s3" {
            break;
        }
        assert!(kills < 100, "{said}");
    }
    assert!(kills > 5, "{kills}");
    assert_eq!(site.storage(), "s3");
    site.serves();
}
