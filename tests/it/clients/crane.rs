//! The requests of go-containerregistry, which crane, kaniko and ko are made of: each as its library sends it.

use serde_json::json;

use super::{
    Way,
    curl::{curl, put_manifest, stream_blob},
    skopeo,
};
use crate::support::{Demo, Layout, pusher::digest};

const ACCEPT: &str = "Accept: application/vnd.docker.distribution.manifest.v1+json,application/vnd.docker.distribution.manifest.v1+prettyjws,application/vnd.docker.distribution.manifest.v2+json,application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.list.v2+json,application/vnd.oci.image.index.v1+json";

/// Pushes an image whose blobs are streamed while they are made, and has skopeo pull it.
pub(crate) fn an_image_is_streamed(way: &dyn Way) {
    let (config, layer) = (b"{}".to_vec(), vec![7; 6_000_000]);
    let head = format!("/v2/built/app/blobs/{}", digest(&layer));
    assert_eq!(curl(way, &head, &["--head"], &[]).status, 404);
    let described = |kind: &str, bytes: &[u8]| {
        let digest = stream_blob(way, "built/app", bytes);
        json!({"mediaType": format!("application/vnd.docker.{kind}"), "digest": digest, "size": bytes.len()})
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": described("container.image.v1+json", &config),
        "layers": [described("image.rootfs.diff.tar.gzip", &layer)],
    });
    assert_eq!(curl(way, &head, &["--head"], &[]).status, 200);
    put_manifest(way, "built/app", "v1", &manifest);
    let folder = tempfile::tempdir().unwrap();
    let kept = format!("dir:{}", folder.path().display());
    skopeo::transfer(way, &[], &format!("docker://{}", way.image("built/app:v1")), &kept);
    let hex = digest(&layer);
    let file = folder.path().join(hex.trim_start_matches("sha256:"));
    assert_eq!(std::fs::read(file).unwrap(), layer);
}

/// Asks for the digest of an image's `arm64`, lists and sets tags, copies it to another repository, and deletes it.
pub(crate) fn an_image_is_copied_and_deleted(way: &dyn Way, image: &Layout) {
    let source = format!("docker://{}", way.image("from/app:v1"));
    skopeo::transfer(way, &[], &image.name("arm64"), &source);
    let wanted = image.digest("arm64").to_string();
    let accept = ["--header", ACCEPT];
    // crane digest
    let head = [&["--head"], &accept[..]].concat();
    let answer = curl(way, "/v2/from/app/manifests/v1", &head, &[]).expect(200);
    assert_eq!(answer.header("docker-content-digest"), Some(wanted.as_str()));
    let length = image.blob(&image.digest("arm64")).len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    // crane tag
    let manifest = curl(way, "/v2/from/app/manifests/v1", &accept, &[]).expect(200);
    let manifest = manifest.json();
    put_manifest(way, "from/app", "v2", &image.document(&image.digest("arm64")));
    let listed = curl(way, "/v2/from/app/tags/list?n=1000", &[], &[]).expect(200).json();
    assert_eq!(listed["tags"], json!(["v1", "v2"]));
    // crane copy
    let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
    for blob in layers {
        let digest = blob["digest"].as_str().unwrap();
        let target = format!("/v2/to/app/blobs/uploads/?from=from%2Fapp&mount={digest}&origin=x");
        curl(way, &target, &["--request", "POST"], &[]).expect(201);
    }
    put_manifest(way, "to/app", "v1", &image.document(&image.digest("arm64")));
    let catalog = curl(way, "/v2/_catalog?n=100", &[], &[]).expect(200).json();
    let names = catalog["repositories"].as_array().unwrap();
    assert!(["from/app", "to/app"].iter().all(|name| names.contains(&json!(name))), "{catalog}");
    // crane delete
    let target = format!("/v2/from/app/manifests/{wanted}");
    curl(way, &target, &["--request", "DELETE"], &[]).expect(202);
    assert_eq!(curl(way, &target, &accept, &[]).status, 404);
    assert_eq!(curl(way, "/v2/to/app/manifests/v1", &accept, &[]).status, 200);
}

#[test]
#[ignore = "needs curl and skopeo: run cargo xtask test"]
fn an_image_that_is_streamed_while_it_is_made_is_pulled_again() {
    an_image_is_streamed(&Demo::start());
}

#[test]
#[ignore = "needs curl and skopeo: run cargo xtask test"]
fn digest_list_tag_copy_and_delete_work_as_crane_asks() {
    an_image_is_copied_and_deleted(&Demo::start(), &Layout::shared());
}
