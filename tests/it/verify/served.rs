//! Beside a registry that serves, and where none does.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;

use super::site::{Site, found, hex};
use crate::{
    faults::{Image, Rng, pull},
    support::{Peer, pusher::digest},
};

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(what, came)| ((*what).to_owned(), (*came).to_owned())).collect()
}

/// Damages the store in every way that can be repaired; returns the layer that is corrupt.
fn damage(site: &Site) -> Vec<u8> {
    let image = &site.images["group/app0:v0"];
    let corrupt = image.blobs[0].clone();
    let mut bytes = corrupt.clone();
    bytes[1000] ^= 1;
    fs::write(site.blob(&corrupt), bytes).unwrap();
    fs::remove_dir_all(site.layer("group/app0", &image.blobs[1]).parent().unwrap()).unwrap();
    let dangling = site.layer("group/app1", b"it never came");
    fs::create_dir_all(dangling.parent().unwrap()).unwrap();
    fs::write(&dangling, digest(b"it never came")).unwrap();
    let entry = format!(
        "repositories/group/app0/_manifests/tags/v2/index/sha256/{}",
        hex(&site.images["group/app0:v2"].manifest)
    );
    fs::remove_dir_all(site.top(&entry)).unwrap();
    fs::create_dir_all(site.top("repositories/bare/_layers")).unwrap();
    corrupt
}

const DAMAGE: [&str; 5] = [
    "corrupt-blob",
    "dangling-layer-link",
    "missing-folder",
    "missing-layer-link",
    "missing-tag-index",
];

#[test]
fn nothing_is_wrong_and_nothing_changes() {
    let site = Site::new("");
    let before = site.files();
    let ran = site.run(&[]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.stdout.contains("2 repositories, 3 tags"), "{ran:?}");
    assert!(ran.stdout.contains("nothing is wrong\n"), "{ran:?}");
    let report = site.report(0, &["--repair"]);
    assert_eq!((&report["schema"], &report["hashed"]), (&json!(1), &report["blobs"]));
    assert_eq!(site.files(), before);
    let sampled = site.report(0, &["--sample", "0.001%"]);
    assert_eq!(sampled["hashed"], json!(3), "the manifests: {sampled}");
    for bad in [
        &["--sample", "0"][..],
        &["--sample", "101%"],
        &["--max-rate", "0"],
        &["--concurrency", "0"],
    ] {
        assert_eq!(site.run(bad).exit, 2, "{bad:?}");
    }
}

#[test]
fn what_is_damaged_is_repaired_while_it_is_served_and_a_push_brings_back_the_rest() {
    let site = Site::new("");
    let corrupt = damage(&site);
    let before = site.files();
    let report = site.report(5, &[]);
    assert_eq!(found(&report), pairs(&DAMAGE.map(|what| (what, "found"))));
    assert_eq!(site.files(), before, "without --repair nothing changes");
    let repositories = report["repositories"].as_array().unwrap();
    let app = repositories.iter().find(|it| it["name"] == "group/app0").unwrap();
    assert_eq!(app["broken_tags"], json!(["v0"]));
    let text = site.run(&[]);
    assert!(
        text.stdout.contains("group/app0: corrupt blob: docker/registry/v2/blobs/"),
        "{text:?}"
    );
    assert!(text.stdout.contains("cannot be pulled: v0"), "{text:?}");
    assert!(
        text.stdout.contains("5 findings, 1 tags cannot be pulled completely; --repair"),
        "{text:?}"
    );
    // Pushed to and pulled from all the while.
    let is_over = AtomicBool::new(false);
    let report = thread::scope(|scope| {
        let pushing = scope.spawn(|| {
            let (mut rng, mut count) = (Rng::new(8102), 0);
            while !is_over.load(Ordering::Relaxed) || count == 0 {
                let tag = format!("new{count}");
                let image = Image::new(&mut rng, &[1000, 20]);
                image.push(&mut site.instance.pusher(), "group/app0", &tag).unwrap();
                let pulled = pull(&mut site.instance.pusher(), "group/app0", &tag);
                assert_eq!(pulled, Ok(image.digest()));
                count += 1;
            }
        });
        let report = site.report(5, &["--repair"]);
        is_over.store(true, Ordering::Relaxed);
        pushing.join().unwrap();
        report
    });
    let came = ["quarantined", "repaired", "repaired", "repaired", "repaired"];
    let expected: Vec<_> = DAMAGE.into_iter().zip(came).collect();
    assert_eq!(found(&report), pairs(&expected), "{report:#}");
    assert!(report["quarantine"].is_string(), "{report:#}");
    assert!(!site.blob(&corrupt).exists());
    assert!(site.pulled("group/app0:v0").is_err());
    let left = site.report(5, &["--repair"]);
    assert_eq!(found(&left), pairs(&[("missing-blob", "found")]));
    // The quarantine is one that collections know.
    let collected = site.instance.run(&["registry-garbage-collect", "--read-only"]);
    assert_eq!(collected.exit, 0, "{collected:?}");
    let pushed = site.instance.pusher().post_blob("group/app0", &corrupt).unwrap();
    assert_eq!(pushed.status, 201);
    site.serves();
    site.report(0, &[]);
    assert_eq!(site.instance.store().problems(), [""; 0]);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn where_nobody_serves_the_command_does_it_itself_and_upstream_serves_the_folder() {
    let site = Site::new("");
    let corrupt = damage(&site);
    assert_eq!(site.instance.run(&["stop"]).exit, 0);
    let report = site.report(5, &["--repair"]);
    let came = ["quarantined", "repaired", "repaired", "repaired", "repaired"];
    assert_eq!(found(&report), pairs(&DAMAGE.into_iter().zip(came).collect::<Vec<_>>()));
    assert!(site.instance.registry()["pid"].is_null(), "it stays down");
    let storage = site.instance.world.path("var/opt/regctl/storage");
    let collected = Peer::garbage_collect(&storage, &["--dry-run"]);
    assert!(collected.status.success(), "{collected:?}");
    let peer = Peer::start(&storage);
    let mut pusher = crate::support::pusher::Pusher::new(([127, 0, 0, 1], peer.port()).into());
    assert_eq!(pusher.push_blob("group/app0", &corrupt).unwrap().status, 201);
    let oci = [("Accept", "application/vnd.oci.image.manifest.v1+json")];
    for (name, image) in &site.images {
        let (repository, tag) = name.split_once(':').unwrap();
        let target = format!("/v2/{repository}/manifests/{tag}");
        assert_eq!(pusher.send("GET", &target, &oci, &[]).unwrap().body, image.manifest);
        for blob in &image.blobs {
            let target = format!("/v2/{repository}/blobs/{}", digest(blob));
            assert_eq!(pusher.get(&target).unwrap().body, *blob, "{name}");
        }
    }
    drop(peer);
    site.report(0, &[]);
    assert_eq!(site.instance.run(&["start"]).exit, 0);
    site.serves();
}

#[test]
fn a_registry_that_is_read_only_is_verified_and_not_repaired() {
    let site = Site::new("");
    damage(&site);
    assert_eq!(site.instance.run(&["set-readonly", "on"]).exit, 0);
    let before = site.files();
    let report = site.report(5, &["--repair"]);
    assert_eq!(found(&report), pairs(&DAMAGE.map(|what| (what, "found"))));
    let reason = report["not_repaired"].as_str().unwrap();
    assert!(reason.contains("read-only"), "{reason}");
    assert_eq!(site.files(), before);
    assert_eq!(site.instance.run(&["set-readonly", "off"]).exit, 0);
    let report = site.report(5, &["--repair"]);
    assert_eq!(report["not_repaired"], json!(null));
}

#[test]
fn an_instance_without_a_storage_has_nothing_wrong() {
    let instance = crate::supervise::Instance::configured("");
    let storage = instance.world.path("var/opt/regctl/storage");
    fs::remove_dir_all(storage).unwrap();
    for arguments in [&["verify"][..], &["verify", "--repair"]] {
        let ran = instance.run(arguments);
        assert_eq!(ran.exit, 0, "{ran:?}");
    }
}
