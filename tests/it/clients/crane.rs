//! The requests of go-containerregistry, which crane, kaniko and ko are made of: each as its library sends it.

use serde_json::json;

use super::{
    curl::{curl, put_manifest},
    skopeo,
};
use crate::support::{Demo, Layout, http::Answer, pusher::digest};

const ACCEPT: &str = "Accept: application/vnd.docker.distribution.manifest.v1+json,application/vnd.docker.distribution.manifest.v1+prettyjws,application/vnd.docker.distribution.manifest.v2+json,application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.list.v2+json,application/vnd.oci.image.index.v1+json";

/// Where the next request of an upload goes.
fn next(answer: &Answer) -> String {
    answer.location()
}

/// Pushes a blob as kaniko does: nothing is known of it before it is over.
fn stream(demo: &Demo, repository: &str, bytes: &[u8]) -> String {
    let target = format!("/v2/{repository}/blobs/uploads/");
    let json = "Content-Type: application/json";
    let begun = curl(demo, &target, &["--request", "POST", "--header", json], &[]).expect(202);
    // The body comes in chunks of HTTP, and no header says which part of the blob it is.
    let flags = ["--request", "PATCH", "--header", "Expect:", "--upload-file", "-"];
    let chunked = ["--header", "Transfer-Encoding: chunked"];
    let patched = curl(demo, &next(&begun), &[&flags[..], &chunked].concat(), bytes).expect(202);
    let (location, digest) = (next(&patched), digest(bytes));
    let separator = if location.contains('?') { '&' } else { '?' };
    let target = format!("{location}{separator}digest={digest}");
    let done = curl(demo, &target, &["--request", "PUT"], &[]).expect(201);
    assert_eq!(done.header("docker-content-digest"), Some(digest.as_str()));
    digest
}

#[test]
#[ignore = "needs curl and skopeo: run cargo xtask test"]
fn an_image_that_is_streamed_while_it_is_made_is_pulled_again() {
    let demo = Demo::start();
    let (config, layer) = (b"{}".to_vec(), vec![7; 6_000_000]);
    let head = format!("/v2/built/app/blobs/{}", digest(&layer));
    assert_eq!(curl(&demo, &head, &["--head"], &[]).status, 404);
    let described = |kind: &str, bytes: &[u8]| {
        let digest = stream(&demo, "built/app", bytes);
        json!({"mediaType": format!("application/vnd.docker.{kind}"), "digest": digest, "size": bytes.len()})
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": described("container.image.v1+json", &config),
        "layers": [described("image.rootfs.diff.tar.gzip", &layer)],
    });
    assert_eq!(curl(&demo, &head, &["--head"], &[]).status, 200);
    put_manifest(&demo, "built/app", "v1", &manifest);
    let folder = tempfile::tempdir().unwrap();
    let kept = format!("dir:{}", folder.path().display());
    skopeo::copy(&[], &format!("docker://{}", demo.image("built/app:v1")), &kept);
    let hex = digest(&layer);
    let file = folder.path().join(hex.trim_start_matches("sha256:"));
    assert_eq!(std::fs::read(file).unwrap(), layer);
}

#[test]
#[ignore = "needs curl and skopeo: run cargo xtask test"]
fn digest_list_tag_copy_and_delete_work_as_crane_asks() {
    let (demo, image) = (Demo::start(), Layout::shared());
    skopeo::copy(&[], &image.name("arm64"), &format!("docker://{}", demo.image("from/app:v1")));
    let wanted = image.digest("arm64").to_string();
    let accept = ["--header", ACCEPT];
    // crane digest
    let head = [&["--head"], &accept[..]].concat();
    let answer = curl(&demo, "/v2/from/app/manifests/v1", &head, &[]).expect(200);
    assert_eq!(answer.header("docker-content-digest"), Some(wanted.as_str()));
    let length = image.blob(&image.digest("arm64")).len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    // crane tag
    let manifest = curl(&demo, "/v2/from/app/manifests/v1", &accept, &[]).expect(200);
    let manifest = manifest.json();
    put_manifest(&demo, "from/app", "v2", &image.document(&image.digest("arm64")));
    let listed = curl(&demo, "/v2/from/app/tags/list?n=1000", &[], &[]).expect(200).json();
    assert_eq!(listed["tags"], json!(["v1", "v2"]));
    // crane copy
    let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
    for blob in layers {
        let digest = blob["digest"].as_str().unwrap();
        let target = format!("/v2/to/app/blobs/uploads/?from=from%2Fapp&mount={digest}&origin=x");
        curl(&demo, &target, &["--request", "POST"], &[]).expect(201);
    }
    put_manifest(&demo, "to/app", "v1", &image.document(&image.digest("arm64")));
    let catalog = curl(&demo, "/v2/_catalog?n=1000", &[], &[]).expect(200).json();
    assert_eq!(catalog["repositories"], json!(["from/app", "to/app"]));
    // crane delete
    let target = format!("/v2/from/app/manifests/{wanted}");
    curl(&demo, &target, &["--request", "DELETE"], &[]).expect(202);
    assert_eq!(curl(&demo, &target, &accept, &[]).status, 404);
    assert_eq!(curl(&demo, "/v2/to/app/manifests/v1", &accept, &[]).status, 200);
}
