//! Collections of a bucket: what they ask for, and what they leave when they are told to stop.

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::site::COLLECT;
use crate::{
    faults::{Image, Rng, pull},
    supervise::{Instance, send},
    support::{
        Ran,
        daemon::Log,
        gate::{Gate, Requests},
        pusher::digest,
        seaweed::Seaweed,
    },
};

/// The rest of `[registry]` for a folder of the shared bucket.
pub(super) fn storage(endpoint: &str, folder: &str) -> String {
    format!(
        "[registry.storage.s3]\nbucket = \"{}\"\nregionendpoint = \"{endpoint}\"\nrootdirectory = \"{folder}\"\n\
         accesskey = \"{}\"\nsecretkey = \"{}\"\n[registry.storage.redirect]\ndisable = true\n",
        Seaweed::BUCKET,
        Seaweed::ACCESS_KEY,
        Seaweed::SECRET_KEY,
    )
}

/// An instance whose registry serves a folder of the bucket, and the way that its requests take.
struct Site {
    instance: Instance,
    folder: String,
    gate: Gate,
    rng: Rng,
}

impl Site {
    fn new(folder: &str) -> Self {
        let folder = format!("collect/{folder}");
        let gate = Gate::to(&Seaweed::shared().endpoint("http"));
        let instance = Instance::serving(&format!(
            "storage_delete_enabled = true\n{}",
            storage(gate.endpoint(), &folder)
        ));
        Self { instance, folder, gate, rng: Rng::new(7300) }
    }

    /// Pushes an image with two layers under a tag.
    fn push(&mut self, tag: &str) -> Image {
        let image = Image::new(&mut self.rng, &[900, 70, 8]);
        image.push(&mut self.instance.pusher(), "app", tag).unwrap();
        image
    }

    /// Pushes one that nobody needs.
    fn push_garbage(&mut self) -> Image {
        let image = self.push("gone");
        let target = format!("/v2/app/manifests/{}", image.digest());
        assert_eq!(self.instance.pusher().delete(&target).unwrap().status, 202);
        image
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = self.instance.run(&[&[COLLECT], arguments].concat());
        assert_eq!(ran.exit, 0, "{ran:?}");
        ran
    }

    fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.instance.world.command(&[&[COLLECT], arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What a run asks for.
    fn asked_by(&self, arguments: &[&str]) -> Asked {
        self.gate.take();
        self.run(arguments);
        Asked::of(self.gate.take())
    }

    /// Whether the bucket has its blobs.
    fn has(&self, image: &Image) -> bool {
        let prefix = format!("{}/docker/registry/v2/blobs/", self.folder).replace('/', "%2F");
        let query = format!("/{}?list-type=2&max-keys=1000&prefix={prefix}", Seaweed::BUCKET);
        let listed = String::from_utf8(Seaweed::shared().ask("GET", &query).stdout).unwrap();
        let there =
            image.blobs.iter().filter(|blob| listed.contains(&digest(blob)["sha256:".len()..]));
        let count = there.count();
        assert!(count == 0 || count == image.blobs.len(), "{count} of it");
        count > 0
    }

    fn is_pulled(&self, tag: &str, image: &Image) {
        assert_eq!(pull(&mut self.instance.pusher(), "app", tag), Ok(image.digest()));
    }
}

/// What a run asked for.
#[derive(Debug, Default, Eq, PartialEq)]
struct Asked {
    lists: usize,
    tags: usize,
    manifests: usize,
    deletes: usize,
    /// What nobody has thought of.
    others: BTreeSet<String>,
}

impl Asked {
    fn of(requests: Requests) -> Self {
        let mut asked = Self::default();
        for (method, target) in requests {
            let path = target.split('?').next().unwrap_or_default();
            // Who uses the bucket, and how.
            let is_lease = target.contains("regctl%2Fleases") || target.contains("regctl/leases");
            match method.as_str() {
                _ if is_lease || path.ends_with("/database-in-use") => {}
                "GET" if target.contains("list-type=2") => asked.lists += 1,
                "GET" if path.ends_with("/current/link") => asked.tags += 1,
                "GET" if path.ends_with("/data") => asked.manifests += 1,
                "POST" if target.contains("delete") => asked.deletes += 1,
                _ => drop(asked.others.insert(format!("{method} {target}"))),
            }
        }
        asked
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn each_manifest_is_read_once_in_all_runs_and_each_tag_once_in_each() {
    let mut site = Site::new("budget");
    let images: Vec<_> = (0..20).map(|number| site.push(&format!("v{number}"))).collect();
    let gone: Vec<_> = (0..5).map(|_| site.push_garbage()).collect();
    // Blobs, repositories, quarantines, and sessions of uploads.
    let lists = 4;
    let first = site.asked_by(&["-m", "--dry-run"]);
    assert_eq!(first, Asked { lists, tags: 20, manifests: 20, ..Asked::default() });
    let new = site.push("new");
    let second = site.asked_by(&["-m", "--dry-run"]);
    assert_eq!(second, Asked { lists, tags: 21, manifests: 1, ..Asked::default() });
    let third = site.asked_by(&["-m", "--stop"]);
    assert_eq!((third.tags, third.manifests, &third.others), (21, 0, &BTreeSet::new()));
    // Layers' links and blobs, whatever their number; what waits in no quarantine, and what the deletes have left of folders.
    assert!(third.deletes <= 2 && third.lists <= lists + 2, "{third:?}");
    assert!(!gone.iter().any(|image| site.has(image)));
    for (number, image) in images.iter().enumerate() {
        site.is_pulled(&format!("v{number}"), image);
    }
    site.is_pulled("new", &new);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn who_is_told_to_stop_gives_the_bucket_back_at_once() {
    let is_list = |method: &str, target: &str| {
        method == "GET" && target.contains("list-type=2") && target.contains("blobs")
    };
    let is_delete = |method: &str, target: &str| method == "POST" && target.contains("delete");
    let mut site = Site::new("told");
    let (kept, gone) = (site.push("kept"), site.push_garbage());
    for (is_held, said) in [
        (is_list as fn(&str, &str) -> bool, "stopped before anything was changed"),
        // What is under way comes to its end.
        (is_delete, "told to stop: ends what is in hand"),
    ] {
        site.gate.hold(is_held);
        let mut command = site.begin(&["-m", "--stop"]);
        let log = Log::follow(command.stderr.take().unwrap());
        site.gate.until_one_waits();
        send(command.id().try_into().unwrap(), Signal::SIGTERM);
        log.wait_for(said);
        site.gate.release();
        log.wait_for("interrupted by SIGTERM");
        assert_eq!(command.wait().unwrap().code(), Some(1));
        assert!(site.has(&gone));
        // Nobody has to wait for what it might still have done.
        site.is_pulled("kept", &kept);
        site.push("next");
    }
    site.run(&["-m", "--stop"]);
    assert!(!site.has(&gone));
    site.is_pulled("kept", &kept);
    site.push("last");
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn who_is_told_to_stop_while_something_comes_back_says_so_and_goes_on_the_next_time() {
    let mut site = Site::new("told-undo");
    let (kept, gone) = (site.push("kept"), site.push_garbage());
    let ran = site.run(&["-m", "--stop", "--quarantine", "7d", "--json"]);
    assert!(!site.has(&gone));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let undo = ["--undo", report["run"].as_str().unwrap(), "--stop"];
    // The copy of a blob to its own place.
    site.gate.hold(|method, target| method == "PUT" && target.contains("/blobs/sha256/"));
    let mut command = site.begin(&undo);
    let log = Log::follow(command.stderr.take().unwrap());
    site.gate.until_one_waits();
    send(command.id().try_into().unwrap(), Signal::SIGTERM);
    log.wait_for("stopped in the middle");
    site.gate.release();
    log.wait_for("interrupted by SIGTERM");
    assert_eq!(command.wait().unwrap().code(), Some(1));
    site.is_pulled("kept", &kept);
    site.push("next");
    site.run(&undo);
    assert!(site.has(&gone));
    site.is_pulled("kept", &kept);
}
