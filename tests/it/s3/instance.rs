//! An instance whose `instance.toml` names a bucket: rendered, served, collected, and read by Debian's registry.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;

use super::bucket::Bucket;
use crate::{
    interop::wire::expect,
    supervise::Instance,
    support::{Peer, seaweed::Seaweed},
};

fn instance(bucket: &Bucket, secret: &str) -> Instance {
    instance_with(bucket, secret, "")
}

/// The same with further tables.
fn instance_with(bucket: &Bucket, secret: &str, more: &str) -> Instance {
    Instance::serving(&format!(
        "storage_delete_enabled = true\n[registry.storage.s3]\nbucket = \"{}\"\nregionendpoint = \"{}\"\nrootdirectory = \"{}\"\n\
         accesskey = \"{}\"\n{secret}\n[registry.storage.redirect]\ndisable = true\n{more}",
        Seaweed::BUCKET,
        Seaweed::shared().endpoint("http"),
        bucket.root,
        Seaweed::ACCESS_KEY,
    ))
}

#[test]
#[ignore = "needs weed and docker-registry: run cargo xtask test"]
fn it_serves_the_bucket_and_collects_it_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, format!("{}\n", Seaweed::SECRET_KEY)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let bucket = Bucket::new();
    let site = instance(&bucket, &format!("secretkey_file = \"{}\"", file.display()));
    let mut pusher = site.pusher();
    assert_eq!(pusher.post_blob("app", b"nobody needs it").unwrap().status, 201);
    assert_eq!(bucket.names("blobs/").len(), 1);
    // Debian's takes what is rendered, and serves the same.
    let peer = Peer::rendered(&site.world);
    let digest = oci::Digest::of(oci::Algorithm::Sha256, b"nobody needs it");
    let client = crate::support::client();
    let blob = expect(200, client.get(peer.url(&format!("/v2/app/blobs/{digest}"))));
    assert_eq!(blob.bytes().unwrap(), "nobody needs it");
    for command in [&["status"][..], &["check-config"], &["show-config"], &["diff-config"]] {
        let ran = site.run(command);
        assert_eq!(ran.exit, 0, "{ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains(Seaweed::SECRET_KEY), "{command:?}: {said}");
    }
    // A bucket of the same name in another store is not this one.
    let (own, other) = (Seaweed::shared().endpoint("http"), "http://127.0.0.1:1");
    let config = site.world.read("var/opt/regctl/registry/config.yml");
    let elsewhere = site.world.path("elsewhere.yml");
    fs::write(&elsewhere, config.replace(&own, other)).unwrap();
    let ran = site.run(&["registry-garbage-collect", elsewhere.to_str().unwrap()]);
    assert_eq!(ran.exit, 2, "{ran:?}");
    for words in [format!("at `{own}`"), format!("at `{other}`")] {
        assert!(ran.stderr.contains(&words), "{words}: {ran:?}");
    }
    assert_eq!(bucket.names("blobs/").len(), 1);
    // Others may push to a bucket, so it is not collected beside them.
    let ran = site.run(&["registry-garbage-collect", "--online"]);
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert_eq!(bucket.names("blobs/").len(), 1);
    for mode in ["--read-only", "--stop"] {
        let ran = site.run(&["registry-garbage-collect", mode, "--grace", "0s"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert_eq!(bucket.names("blobs/"), [""; 0], "{mode}");
        // A registry that was stopped has closed its connections.
        let pushed = site.pusher().post_blob("app", b"nobody needs it");
        assert_eq!(pushed.unwrap().status, 201);
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn each_node_counts_what_it_takes_and_knows_the_rest_after_du() {
    let bucket = Bucket::new();
    let secret = format!("secretkey = \"{}\"", Seaweed::SECRET_KEY);
    let quota = "[[quota]]\nrepositories = \"group/**\"\nmax_size = 10000\n";
    let [one, other] = [(); 2].map(|()| instance_with(&bucket, &secret, quota));
    let used = |site: &Instance, command: &[&str]| {
        let ran = site.run(&[command, &["--json"]].concat());
        assert_eq!(ran.exit, 0, "{ran:?}");
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        document["quotas"][0]["used"].as_u64().unwrap()
    };
    let mut pusher = one.pusher();
    pusher.post_blob("group/a", &[1; 6000]).unwrap().expect(201);
    // What is refused leaves neither an upload nor a blob.
    let session = pusher.session("group/a").unwrap();
    let session = pusher.patch(&session, &[2; 3000]).unwrap().expect(202).session();
    pusher.commit(&session, &[2; 6000]).unwrap().expect(403);
    assert_eq!(pusher.look(&session).unwrap().map(|it| it.offset), None);
    assert_eq!(bucket.names("repositories/group/a/_uploads/"), [""; 0]);
    assert_eq!(bucket.names("blobs/").len(), 1);
    let mut pusher = other.pusher();
    pusher.post_blob("group/b", &[3; 5000]).unwrap().expect(201);
    assert_eq!([used(&one, &["status"]), used(&other, &["status"])], [6000, 5000]);
    assert_eq!([used(&one, &["du"]), used(&other, &["du"])], [11_000, 11_000]);
    assert_eq!([used(&one, &["status"]), used(&other, &["status"])], [11_000, 11_000]);
    pusher.post_blob("group/b", &[4; 1]).unwrap().expect(403);
    // What a registry of Distribution has taken away leaves no folder here.
    let target =
        format!("/v2/group/b/blobs/{}", oci::Digest::of(oci::Algorithm::Sha256, &[3; 5000]));
    pusher.delete(&target).unwrap().expect(202);
    assert_eq!(used(&other, &["du"]), 6000);
    pusher.post_blob("group/b", &[4; 1]).unwrap().expect(201);
}
