//! `du` and collections know all links: what a record has too little or too much is right after them.

use std::thread;

use serde_json::{Value, json};

use super::{blob, refusal};
use crate::{
    faults::{Image, Rng},
    supervise::Instance,
    support::{Peer, Ran, World},
};

const QUOTA: &str = "storage_delete_enabled = true

[[quota]]
repositories = \"group/**\"
max_size = \"100KiB\"
";

const RECORDS: &str = "var/opt/regctl/registry/quotas";

fn documented(ran: &Ran) -> Value {
    assert_eq!(ran.exit, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// What `du` finds of the only quota.
fn found(instance: &Instance) -> u64 {
    let document = documented(&instance.run(&["du", "--json"]));
    let fill = &document["quotas"][0];
    assert_eq!((&fill["repositories"], &fill["problem"]), (&json!("group/**"), &Value::Null));
    assert!(fill["counted"].is_u64(), "{fill}");
    fill["used"].as_u64().unwrap()
}

/// What the registry counts.
fn counted(instance: &Instance) -> Value {
    documented(&instance.run(&["status", "--json"]))["quotas"][0]["used"].clone()
}

fn size(image: &Image) -> u64 {
    (image.blobs.iter().map(Vec::len).sum::<usize>() + image.manifest.len()) as u64
}

#[test]
fn a_new_quota_counts_what_is_pushed_and_all_of_it_after_du() {
    let mut instance = Instance::serving("storage_delete_enabled = true\n");
    let mut pusher = instance.pusher();
    let (first, second) =
        (Image::new(&mut Rng::new(1), &[50_000]), Image::new(&mut Rng::new(2), &[60_000]));
    first.push(&mut pusher, "group/a", "v1").unwrap();
    first.push(&mut pusher, "group/b", "v1").unwrap();
    first.push(&mut pusher, "other", "v1").unwrap();
    let bare = documented(&instance.run(&["du", "--json"]));
    assert_eq!(bare["quotas"], json!([]));
    instance.edit(|text| text.replace("storage_delete_enabled = true\n", QUOTA));
    let ran = instance.run(&["reconfigure"]);
    assert!(ran.exit == 0 && ran.stdout.contains("reloaded registry"), "{ran:?}");
    let hint =
        "quota group/**: only what was pushed since it is there counts: run `regctl du` once";
    assert!(ran.stderr.contains(hint), "{ran:?}");
    assert!(instance.run(&["status"]).stdout.contains(hint));
    // It is not known to be there.
    assert_eq!(counted(&instance), 0);
    let dry = instance.run(&["registry-garbage-collect", "--dry-run", "--json"]);
    assert!(documented(&dry)["quotas"].is_null());
    assert_eq!(found(&instance), size(&first));
    assert_eq!(counted(&instance), size(&first));
    assert!(!instance.run(&["status"]).stdout.contains("quota group"));
    let text = instance.run(&["du"]).stdout;
    let row = text
        .lines()
        .find(|line| line.trim_start().starts_with("group/**"))
        .unwrap_or_else(|| panic!("{text}"));
    assert!(row.contains("KiB") && row.contains(" 49 %"), "{text}");
    refusal(&pusher.post_blob("group/a", &second.blobs[0]).unwrap());
    pusher.post_blob("group/c", &blob(1, 45_000)).unwrap().expect(201);
    let status = instance.run(&["status"]).stdout;
    assert!(
        status.contains("quota group/**: 93 % full: 93.") && status.contains(" of 100.0 KiB"),
        "{status}"
    );

    // Another limit counts at once, and nothing is restarted.
    instance.edit(|text| text.replace("100KiB", "1MiB"));
    let ran = instance.run(&["reconfigure"]);
    assert!(ran.exit == 0 && ran.stdout.contains("reloaded registry"), "{ran:?}");
    assert!(!ran.stderr.contains("regctl du"), "{ran:?}");
    second.push(&mut pusher, "group/a", "v2").unwrap();

    // Without a quota nothing is written down, and what was is gone.
    instance.edit(|text| text.split("[[quota]]").next().unwrap().to_owned());
    let ran = instance.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let records = std::fs::read_dir(instance.world.path(RECORDS)).unwrap();
    let records: Vec<_> = records.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(records, ["lock"]);
    assert_eq!(instance.run(&["reconfigure"]).stdout, "nothing to change\n");
}

#[test]
fn what_is_deleted_counts_until_it_is_collected() {
    let instance = Instance::serving(QUOTA);
    let mut pusher = instance.pusher();
    let (kept, gone) =
        (Image::new(&mut Rng::new(1), &[20_000]), Image::new(&mut Rng::new(2), &[60_000]));
    kept.push(&mut pusher, "group/a", "kept").unwrap();
    gone.push(&mut pusher, "group/a", "gone").unwrap();
    gone.push(&mut pusher, "group/b", "gone").unwrap();
    gone.push(&mut pusher, "other", "gone").unwrap();
    let both = size(&kept) + size(&gone);
    assert_eq!(counted(&instance), both);
    for name in ["group/a", "group/b"] {
        let target = format!("/v2/{name}/manifests/{}", gone.digest());
        assert_eq!(pusher.delete(&target).unwrap().status, 202);
    }
    assert_eq!(counted(&instance), both);
    refusal(&pusher.post_blob("group/a", &blob(1, 50_000)).unwrap());
    // Its links to blobs stay as long as somebody needs the blobs, and the manifest is no more.
    let words = ["registry-garbage-collect", "--read-only", "--json"];
    let collected = documented(&instance.run(&words));
    let left = both - gone.manifest.len() as u64;
    assert_eq!(collected["quotas"][0]["used"], json!(left), "{collected}");
    assert_eq!(counted(&instance), left);
    let target = format!("/v2/other/manifests/{}", gone.digest());
    assert_eq!(pusher.delete(&target).unwrap().status, 202);
    let collected = documented(&instance.run(&["registry-garbage-collect", "--json"]));
    assert_eq!(collected["quotas"][0]["used"], json!(size(&kept)), "{collected}");
    assert_eq!(counted(&instance), size(&kept));
    let mut pusher = instance.pusher();
    pusher.post_blob("group/a", &blob(1, 50_000)).unwrap().expect(201);
    assert_eq!(found(&instance), size(&kept) + 50_000);
    // A link that is taken away is known to nobody before that, either.
    let target = format!("/v2/group/a/blobs/{}", crate::support::pusher::digest(&blob(1, 50_000)));
    assert_eq!(pusher.delete(&target).unwrap().status, 202);
    assert_eq!(counted(&instance), size(&kept) + 50_000);
    assert_eq!(found(&instance), size(&kept));
    assert_eq!(counted(&instance), size(&kept));
}

#[test]
fn pushes_go_on_while_somebody_counts() {
    let instance = Instance::serving(&QUOTA.replace("100KiB", "1GiB"));
    let pushed: u64 = thread::scope(|scope| {
        let one = |number: usize| {
            let mut pusher = instance.pusher();
            scope.spawn(move || {
                for index in 0..60 {
                    let content = blob(number * 1000 + index, 500 + index);
                    let name = format!("group/{}", index % 7);
                    pusher.post_blob(&name, &content).unwrap().expect(201);
                    pusher.post_blob("group/again", &content).unwrap().expect(201);
                }
                (0..60).map(|index| 500 + index).sum::<u64>()
            })
        };
        let all: Vec<_> = (0..3).map(one).collect();
        while !all.iter().all(|one| one.is_finished()) {
            found(&instance);
        }
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(counted(&instance), pushed);
    assert_eq!(found(&instance), pushed);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn docker_registry_takes_what_is_rendered() {
    let instance = Instance::serving(QUOTA);
    let mut pusher = instance.pusher();
    Image::new(&mut Rng::new(1), &[2000]).push(&mut pusher, "group/a", "v1").unwrap();
    let peer = Peer::rendered(&instance.world);
    let answer = crate::support::client().get(peer.url("/v2/group/a/manifests/v1"));
    let answer = answer.header("Accept", "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(answer.send().unwrap().status(), 200);
}

#[test]
fn a_quota_that_cannot_be_is_named() {
    for (text, words) in [
        (
            "[[quota]]\nrepositories = []\nmax_size = 1\n",
            "`quota.repositories` is empty, so that the quota is for nothing",
        ),
        (
            "[[quota]]\nrepositories = \"a\"\n",
            "`quota.max_size = [[quota]]`: must be written: it cannot do without",
        ),
        (
            "[[quota]]\nrepositories = \"a\"\nmax_size = \"much\"\n",
            "must be a size in bytes, or with a unit",
        ),
        (
            "[[quota]]\nrepositories = \"a\"\nmax_size = 1\n[[quota]]\nrepositories = [\"a\"]\nmax_size = 2\n",
            "`quota.repositories`: the quota on line 1 is for the same names",
        ),
        (
            "[[quota]]\nrepositories = \"a\"\nmax_size = 1\n[registry.proxy]\nremoteurl = \"https://registry.example.com\"\n",
            "[[quota]] is not for a cache of another registry",
        ),
    ] {
        let ran = World::with(text).run(&["check-config"]);
        assert!(ran.exit == 78 && ran.stdout.contains(words), "{words}: {ran:?}");
    }
}
