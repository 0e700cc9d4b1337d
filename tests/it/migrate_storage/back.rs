//! The way back, and other ways than from a folder to a bucket.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::site::{INSTANCE_TOML, MIGRATE, Site, pulled};
use crate::{
    faults::{Image, Rng, is_full_run, pull},
    supervise::Instance,
    support::seaweed::Seaweed,
};

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn it_goes_back_with_what_was_pushed_since_or_without() {
    let site = Site::new();
    let never = site.run(&["--back"]);
    assert!(never.exit == 2 && never.stderr.contains("no migration has moved"), "{never:?}");
    let [first, second] = [8700, 8701].map(|seed| Image::new(&mut Rng::new(seed), &[500, 20]));
    site.report(0, &["--to", "s3", "--switch"]);
    first.push(&mut site.instance.pusher(), "since", "v1").unwrap();
    let plan = site.report(0, &["--back", "--dry-run"]);
    assert!(plan["passes"][0]["missing"]["blobs"]["objects"].as_u64() >= Some(3), "{plan:#}");
    let back = site.report(0, &["--back"]);
    assert_eq!((&back["switched"], site.storage()), (&true.into(), "filesystem"), "{back:#}");
    assert_eq!(pulled(&mut site.instance.pusher(), "since:v1"), Ok(first.digest()));
    site.serves();
    // And there again: what was pushed in the folder goes along.
    let there = site.report(0, &["--back"]);
    assert_eq!((&there["switched"], site.storage()), (&true.into(), "s3"), "{there:#}");
    second.push(&mut site.instance.pusher(), "since", "v2").unwrap();
    second.push(&mut site.instance.pusher(), "since", "v1").unwrap();
    let text = site.instance_toml();
    let ran = site.run(&["--back", "--discard"]);
    assert!(ran.exit == 2 && ran.stderr.contains("--confirm registry"), "{ran:?}");
    let ran = site.run(&["--back", "--discard", "--confirm", "other"]);
    assert_eq!((ran.exit, site.instance_toml()), (2, text), "{ran:?}");
    let report = site.report(0, &["--back", "--discard", "--confirm", "registry"]);
    assert_eq!((&report["switched"], site.storage()), (&true.into(), "filesystem"), "{report:#}");
    assert!(report["pulled"]["bytes"].as_u64() > Some(0), "{report:#}");
    let mut pusher = site.instance.pusher();
    assert_eq!(pulled(&mut pusher, "since:v1"), Ok(first.digest()));
    assert_eq!(pusher.get("/v2/since/manifests/v2").unwrap().status, 404);
    site.serves();
    assert_eq!(site.instance.store().problems(), [""; 0]);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn it_moves_within_a_bucket_and_from_there_to_a_folder() {
    let site = Site::new();
    site.report(0, &["--to", "s3", "--switch"]);
    // What follows is another root of the same driver, in place of the way back.
    let root = format!("{}-again", site.root);
    let instance = site.instance.world.path(INSTANCE_TOML);
    let text = fs::read_to_string(&instance).unwrap();
    let (text, _) = text.split_once("[migrate.to.filesystem]").unwrap();
    let endpoint = Seaweed::shared().endpoint("http");
    let other = format!(
        "[migrate.to.s3]\nbucket = \"{}\"\nregionendpoint = \"{endpoint}\"\nrootdirectory = \"{root}\"\n\
         accesskey = \"{}\"\nsecretkey = \"{}\"\n",
        Seaweed::BUCKET,
        Seaweed::ACCESS_KEY,
        Seaweed::SECRET_KEY
    );
    fs::write(&instance, format!("{text}{other}")).unwrap();
    let report = site.report(0, &["--to", "s3", "--switch"]);
    assert_eq!(report["target"], format!("`s3://registry/{root}`"), "{report:#}");
    assert_eq!(report["passes"][1]["source"], report["passes"][1]["target"]);
    site.serves();
    let folder = site.instance.world.path("var/opt/regctl/moved");
    let text = fs::read_to_string(&instance).unwrap();
    let (before, left) = text.split_once("[migrate.to.s3]").unwrap();
    let (_, now) = left.split_once("[registry.storage.s3]").unwrap();
    let text = format!("{before}[registry.storage.s3]{now}");
    let to = format!("[migrate.to.filesystem]\nrootdirectory = \"{}\"\n", folder.display());
    fs::write(&instance, format!("{text}{to}")).unwrap();
    site.report(0, &["--to", "filesystem", "--switch"]);
    site.serves();
    assert!(folder.join("docker/registry/v2/repositories/group/app0").exists());
}

/// A registry with as many tags as a large project, of which some change while it is copied.
#[test]
fn the_read_only_window_depends_on_what_has_changed() {
    let mut instance = Instance::serving("");
    let image = Image::new(&mut Rng::new(8800), &[40]);
    let mut pusher = instance.pusher();
    image.push(&mut pusher, "many", "t0").unwrap();
    let (all, changed) = if is_full_run() { (10_000, 100) } else { (600, 20) };
    for tag in 1..all {
        let pushed = pusher.push_manifest("many", &format!("t{tag}"), &image.manifest).unwrap();
        assert_eq!(pushed.status, 201);
    }
    let target = instance.world.path("target");
    let to = format!("[migrate.to.filesystem]\nrootdirectory = \"{}\"\n", target.display());
    instance.edit(|text| format!("{text}{to}"));
    assert_eq!(instance.run(&[MIGRATE, "--to", "filesystem", "--only", "copy"]).exit, 0);
    let other = Image::new(&mut Rng::new(8801), &[41]);
    for tag in 0..changed {
        other.push(&mut pusher, "many", &format!("t{tag}")).unwrap();
    }
    let begun = Instant::now();
    let ran = instance.run(&[MIGRATE, "--to", "filesystem", "--switch", "--json"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let seconds = report["read_only_seconds"].as_f64().unwrap();
    assert!(seconds < 3.0, "{seconds} s of {:?}: {report:#}", begun.elapsed());
    assert_eq!(
        pull(&mut instance.pusher(), "many", &format!("t{}", changed - 1)),
        Ok(other.digest())
    );
    assert_eq!(pull(&mut instance.pusher(), "many", &format!("t{changed}")), Ok(image.digest()));
    assert!(begun.elapsed() > Duration::from_secs_f64(seconds));
}
