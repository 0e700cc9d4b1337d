//! An instance on a bucket.

use std::sync::atomic::{AtomicU32, Ordering};

use super::site::{Site, blob, found, layer};
use crate::support::{pusher::digest, seaweed::Seaweed};

/// The folder in the bucket, and the site.
fn site() -> (String, Site) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let root = format!("verified/{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let site = Site::new(&format!(
        "storage_delete_enabled = true\n[registry.storage.s3]\nbucket = \"{}\"\nregionendpoint = \"{}\"\n\
         rootdirectory = \"{root}\"\naccesskey = \"{}\"\nsecretkey = \"{}\"\n\
         [registry.storage.redirect]\ndisable = true\n",
        Seaweed::BUCKET,
        Seaweed::shared().endpoint("http"),
        Seaweed::ACCESS_KEY,
        Seaweed::SECRET_KEY,
    ));
    (root, site)
}

/// Puts an empty object, or deletes one.
fn change(method: &str, root: &str, below: &str) {
    let path = format!("/{}/{root}/docker/registry/v2/{below}", Seaweed::BUCKET);
    let ran = Seaweed::shared().ask(method, &path);
    assert!(ran.status.success(), "{method} {path}: {ran:?}");
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_bucket_is_verified_and_repaired_as_a_folder_is() {
    let (root, site) = site();
    let clean = site.report(0, &[]);
    assert_eq!(clean["hashed"], clean["blobs"]);
    let image = &site.images["group/app0:v0"];
    let (corrupt, unlinked) = (&image.blobs[0], &image.blobs[1]);
    change("PUT", &root, &blob(corrupt));
    change("DELETE", &root, &format!("repositories/{}", layer("group/app0", unlinked)));
    change("PUT", &root, &format!("repositories/{}", layer("group/app1", b"never came")));
    let report = site.report(5, &[]);
    let whats: Vec<_> = found(&report).into_iter().map(|(what, _)| what).collect();
    assert_eq!(whats, ["corrupt-blob", "dangling-layer-link", "missing-layer-link"]);
    let report = site.report(5, &["--repair"]);
    let came: Vec<_> = found(&report).into_iter().map(|(_, came)| came).collect();
    assert_eq!(came, ["quarantined", "repaired", "repaired"], "{report:#}");
    let left = site.report(5, &[]);
    let left: Vec<_> = found(&left).into_iter().map(|(what, _)| what).collect();
    assert_eq!(left, ["missing-blob"]);
    let pushed = site.instance.pusher().post_blob("group/app0", corrupt).unwrap();
    assert_eq!(pushed.status, 201);
    site.report(0, &[]);
    site.serves();
    // And where nobody serves it.
    let entry = "repositories/group/app0/_manifests/tags/v2/index/sha256";
    let manifest = digest(&site.images["group/app0:v2"].manifest);
    let hex = manifest.strip_prefix("sha256:").unwrap();
    assert_eq!(site.instance.run(&["stop"]).exit, 0);
    change("DELETE", &root, &format!("{entry}/{hex}/link"));
    change("PUT", &root, &blob(corrupt));
    let report = site.report(5, &["--repair"]);
    let expected = [("corrupt-blob", "quarantined"), ("missing-tag-index", "repaired")];
    let expected = expected.map(|(what, came)| (what.to_owned(), came.to_owned()));
    assert_eq!(found(&report), expected, "{report:#}");
    assert_eq!(site.instance.run(&["start"]).exit, 0);
    assert_eq!(site.instance.pusher().post_blob("group/app0", corrupt).unwrap().status, 201);
    site.report(0, &["--repair"]);
    site.serves();
}
