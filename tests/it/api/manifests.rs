//! Manifests: stored byte for byte, found by tag and digest, gone when deleted.

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use super::fixture::{
    DOCKER_LIST, DOCKER_MANIFEST, Entry, Image, OCI_INDEX, OCI_MANIFEST, Registry, descriptor,
    get_with, on_each_driver,
};
use crate::support::http::{Client, Request, sha256};

/// The four types, each as a document over the same image, with odd white space.
fn of_each_type(image: &Image) -> [(&'static str, Vec<u8>); 4] {
    let document: Value = serde_json::from_slice(&image.manifest).unwrap();
    let pretty = |kind: &str, mut document: Value| {
        document["mediaType"] = json!(kind);
        let text = serde_json::to_string_pretty(&document).unwrap();
        format!("\n{text} \n\t").into_bytes()
    };
    let children = json!({
        "schemaVersion": 2,
        "manifests": [descriptor(OCI_MANIFEST, &image.manifest)],
    });
    [
        (OCI_MANIFEST, pretty(OCI_MANIFEST, document.clone())),
        (DOCKER_MANIFEST, pretty(DOCKER_MANIFEST, document)),
        (OCI_INDEX, pretty(OCI_INDEX, children.clone())),
        (DOCKER_LIST, pretty(DOCKER_LIST, children)),
    ]
}

fn tags(client: &mut Client, name: &str) -> Value {
    client.get(&format!("/v2/{name}/tags/list")).expect(200).json()["tags"].clone()
}

/// A link under the repository `group/app`.
fn link(registry: &Registry, path: &str) -> Option<String> {
    registry.file(&format!("repositories/group/app/_manifests/{path}/link"))
}

/// OCI 1.1, pushing and pulling manifests: the bytes that were pushed; the headers are 2.8's.
#[test]
pub(crate) fn every_type_is_served_as_it_was_pushed() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("app");
        image.push(&mut client, "group/app", "base");
        for (kind, bytes) in of_each_type(&image) {
            let digest = sha256(&bytes).to_string();
            let put = client.put_manifest("group/app", "v1", kind, &bytes).expect(201);
            let location = format!("http://registry.test/v2/group/app/manifests/{digest}");
            assert_eq!(put.header("Location"), Some(&*location));
            assert_eq!(put.header("Docker-Content-Digest"), Some(&*digest));
            assert_eq!(put.header("Content-Length"), Some("0"));
            for reference in ["v1", &digest] {
                is_served(
                    &mut client,
                    &format!("/v2/group/app/manifests/{reference}"),
                    kind,
                    &bytes,
                );
            }
        }
    });
}

/// GET and HEAD say the same of it.
#[track_caller]
fn is_served(client: &mut Client, target: &str, kind: &str, bytes: &[u8]) {
    let digest = sha256(bytes).to_string();
    for method in ["GET", "HEAD"] {
        let answer = client.ask(&Request::new(method, target)).expect(200);
        assert_eq!(answer.body, if method == "GET" { bytes } else { b"" });
        for (name, value) in [
            ("Content-Type", kind),
            ("Content-Length", &bytes.len().to_string()),
            ("Docker-Content-Digest", &digest),
            ("ETag", &format!("\"{digest}\"")),
            ("Docker-Distribution-Api-Version", "registry/2.0"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{method} {target} {name}");
        }
    }
}

/// src/README.md: a manifest is served as it was pushed whatever Accept says; 2.8 answers 404.
#[test]
fn a_manifest_is_served_whatever_the_client_accepts() {
    let registry = Registry::start();
    let mut client = registry.client();
    let image = Image::of("app");
    image.push(&mut client, "group/app", "base");
    for (kind, bytes) in of_each_type(&image) {
        client.put_manifest("group/app", "v1", kind, &bytes).expect(201);
        for accept in ["*/*", OCI_MANIFEST, DOCKER_LIST, "text/html", ""] {
            let answer = get_with(&mut client, "/v2/group/app/manifests/v1", "Accept", accept);
            assert_eq!(answer.expect(200).body, bytes, "{kind} for {accept}");
        }
    }
}

/// OCI 1.1, pushing manifests: parameters are ignored; src/README.md: accept more.
#[test]
pub(crate) fn a_content_type_may_have_parameters_or_be_left_to_the_document() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("app");
        image.push_blobs(&mut client, "group/app");
        let parameters = format!("{OCI_MANIFEST}; charset=utf-8");
        client.put_manifest("group/app", "v1", &parameters, &image.manifest).expect(201);
        let put = Request::new("PUT", "/v2/group/app/manifests/v2").body(image.manifest.clone());
        client.ask(&put).expect(201);
        is_served(&mut client, "/v2/group/app/manifests/v2", OCI_MANIFEST, &image.manifest);
    });
}

/// OCI image 1.1, manifest: mediaType SHOULD be used.
#[test]
pub(crate) fn an_oci_manifest_need_not_name_its_type() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("app");
        image.push_blobs(&mut client, "group/app");
        let mut document: Value = serde_json::from_slice(&image.manifest).unwrap();
        document.as_object_mut().unwrap().remove("mediaType");
        let bytes = document.to_string().into_bytes();
        client.put_manifest("group/app", "v1", OCI_MANIFEST, &bytes).expect(201);
        is_served(&mut client, "/v2/group/app/manifests/v1", OCI_MANIFEST, &bytes);
    });
}

/// OCI 1.1, pushing manifests with subject: MUST accept.
#[test]
pub(crate) fn a_subject_need_not_be_there() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("signature");
        image.push_blobs(&mut client, "group/app");
        let mut document: Value = serde_json::from_slice(&image.manifest).unwrap();
        document["subject"] = descriptor(OCI_MANIFEST, b"to be pushed later");
        let bytes = document.to_string().into_bytes();
        client.put_manifest("group/app", "sig", OCI_MANIFEST, &bytes).expect(201);
        is_served(&mut client, "/v2/group/app/manifests/sig", OCI_MANIFEST, &bytes);
    });
}

/// OCI image 1.1, index: manifests MAY be empty.
#[test]
pub(crate) fn an_index_without_children_is_an_index() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
        let bytes = index.to_string().into_bytes();
        client.put_manifest("group/app", "empty", OCI_INDEX, &bytes).expect(201);
        is_served(&mut client, "/v2/group/app/manifests/empty", OCI_INDEX, &bytes);
    });
}

/// OCI 1.1, pushing manifests: at least 4 MiB.
#[test]
pub(crate) fn the_largest_manifest_is_accepted() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("app");
        image.push_blobs(&mut client, "group/app");
        let mut bytes = image.manifest;
        bytes.resize(4 * 1024 * 1024, b' ');
        client.put_manifest("group/app", "v1", OCI_MANIFEST, &bytes).expect(201);
        assert_eq!(client.get("/v2/group/app/manifests/v1").expect(200).body, bytes);
    });
}

/// RFC 9110, 13.1.2 and 15.4.5; 2.8 sends no `ETag` with a 304.
#[test]
pub(crate) fn what_the_client_has_is_not_sent_again() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("app");
        image.push(&mut client, "group/app", "v1");
        let etag = format!("\"{}\"", image.digest());
        let target = "/v2/group/app/manifests/v1";
        let answer = get_with(&mut client, target, "If-None-Match", &etag).expect(304);
        assert_eq!(answer.header("ETag"), Some(&*etag));
        assert_eq!(answer.header("Docker-Content-Digest"), Some(&*image.digest().to_string()));
        get_with(&mut client, target, "If-None-Match", "\"other\"").expect(200);
    });
}

/// OCI 1.1, pushing manifests; the links are 2.8's (registry/storage/paths.go).
#[test]
fn a_tag_points_to_what_was_pushed_last() {
    let registry = Registry::start();
    let mut client = registry.client();
    let (old, new) = (Image::of("old"), Image::of("new"));
    old.push(&mut client, "group/app", "v1");
    new.push(&mut client, "group/app", "v1");
    let pulled = client.get("/v2/group/app/manifests/v1").expect(200);
    assert_eq!(pulled.body, new.manifest);
    let former = client.get(&format!("/v2/group/app/manifests/{}", old.digest())).expect(200);
    assert_eq!(former.body, old.manifest);
    assert_eq!(link(&registry, "tags/v1/current"), Some(new.digest().to_string()));
    for image in [old, new] {
        let entry = format!("tags/v1/index/sha256/{}", image.digest().to_hex());
        assert_eq!(link(&registry, &entry), Some(image.digest().to_string()));
    }
}

/// OCI 1.1, listing tags: a repository without tags has an empty list; 2.8 answers 404.
#[test]
pub(crate) fn a_manifest_pushed_by_digest_has_no_tag() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("app");
        image.push(&mut client, "group/app", &image.digest().to_string());
        assert_eq!(tags(&mut client, "group/app"), json!([]));
        let target = format!("/v2/group/app/manifests/{}", image.digest());
        is_served(&mut client, &target, OCI_MANIFEST, &image.manifest);
    });
}

/// OCI image 1.1, descriptors: registered algorithms; the paths are 2.8's (registry/storage/paths.go).
#[test]
fn sha512_is_stored_under_its_own_name() {
    let registry = Registry::start();
    let mut client = registry.client();
    let image = Image::of("app");
    let digest = Digest::of(Algorithm::Sha512, &image.manifest);
    let answer = image.push(&mut client, "group/app", &digest.to_string());
    assert_eq!(answer.header("Docker-Content-Digest"), Some(&*digest.to_string()));
    let hex = digest.to_hex();
    assert_eq!(link(&registry, &format!("revisions/sha512/{hex}")), Some(digest.to_string()));
    let data = registry.file(&format!("blobs/sha512/{}/{hex}/data", &hex[..2]));
    assert_eq!(data.unwrap().as_bytes(), image.manifest);
    let pulled = client.get(&format!("/v2/group/app/manifests/{digest}")).expect(200);
    assert_eq!(pulled.body, image.manifest);
    assert_eq!(pulled.header("Docker-Content-Digest"), Some(&*digest.to_string()));
}

/// OCI 1.1, deleting tags; 2.8 deletes by digest only.
#[test]
fn a_deleted_tag_takes_its_folder_and_leaves_the_manifest() {
    let registry = Registry::start();
    let mut client = registry.client();
    let image = Image::of("app");
    image.push(&mut client, "group/app", "v1");
    image.push(&mut client, "group/app", "v2");
    let delete = Request::new("DELETE", "/v2/group/app/manifests/v1");
    client.ask(&delete).expect(202);
    assert_eq!(tags(&mut client, "group/app"), json!(["v2"]));
    assert_eq!(client.ask(&delete).expect(404).codes(), ["MANIFEST_UNKNOWN"]);
    client.get("/v2/group/app/manifests/v1").expect(404);
    client.get(&format!("/v2/group/app/manifests/{}", image.digest())).expect(200);
    let tree = registry.tree();
    assert!(tree.keys().all(|path| !path.contains("/tags/v1")), "{tree:?}");
    client.ask(&Request::new("DELETE", "/v2/group/app/manifests/v2")).expect(202);
    // Without the folder, upstream's collector takes the repository for none.
    let folder = "docker/registry/v2/repositories/group/app/_manifests/tags";
    assert_eq!(registry.tree().get(folder), Some(&Entry::Folder));
    assert_eq!(tags(&mut client, "group/app"), json!([]));
}

/// OCI 1.1, deleting manifests.
#[test]
pub(crate) fn a_deleted_manifest_takes_its_tags_and_no_others() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let (image, other) = (Image::of("app"), Image::of("other"));
        for tag in ["v1", "latest"] {
            image.push(&mut client, "group/app", tag);
        }
        other.push(&mut client, "group/app", "other");
        image.push(&mut client, "second/app", "v1");
        let target = format!("/v2/group/app/manifests/{}", image.digest());
        let deleted = client.ask(&Request::new("DELETE", &target)).expect(202);
        assert_eq!(deleted.header("Content-Length"), Some("0"));
        assert_eq!(tags(&mut client, "group/app"), json!(["other"]));
        for gone in [&target, "/v2/group/app/manifests/v1", "/v2/group/app/manifests/latest"] {
            assert_eq!(client.get(gone).expect(404).codes(), ["MANIFEST_UNKNOWN"], "{gone}");
        }
        let again = client.ask(&Request::new("DELETE", &target)).expect(404);
        assert_eq!(again.codes(), ["MANIFEST_UNKNOWN"]);
        client.get("/v2/second/app/manifests/v1").expect(200);
        image.push(&mut client, "group/app", "v1");
        client.get("/v2/group/app/manifests/v1").expect(200);
    });
}

/// 2.8 (registry/storage/manifeststore.go, Delete).
#[test]
fn deleting_a_manifest_removes_its_link_and_keeps_its_bytes() {
    let registry = Registry::start();
    let mut client = registry.client();
    let image = Image::of("app");
    image.push(&mut client, "group/app", "v1");
    let hex = image.digest().to_hex();
    let revision = format!("revisions/sha256/{hex}");
    assert!(link(&registry, &revision).is_some());
    client.ask(&Request::new("DELETE", format!("/v2/group/app/manifests/{}", image.digest())));
    assert_eq!(link(&registry, &revision), None);
    assert!(registry.file(&format!("blobs/sha256/{}/{hex}/data", &hex[..2])).is_some());
    let layer = sha256(&image.layer);
    client.get(&format!("/v2/group/app/blobs/{layer}")).expect(200);
}

/// 2.8: a delete looks at no parents.
#[test]
pub(crate) fn a_child_of_an_index_may_be_deleted() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let image = Image::of("app");
        image.push(&mut client, "group/app", "v1");
        let [.., (kind, list)] = of_each_type(&image);
        client.put_manifest("group/app", "list", kind, &list).expect(201);
        let child = format!("/v2/group/app/manifests/{}", image.digest());
        client.ask(&Request::new("DELETE", child)).expect(202);
        is_served(&mut client, "/v2/group/app/manifests/list", kind, &list);
    });
}
