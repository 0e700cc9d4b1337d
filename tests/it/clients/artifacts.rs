//! What is no image: artifacts as ORAS pushes them, and signatures as cosign does, under a tag and as referrers.

use serde_json::{Value, json};

use super::{
    curl::{curl, push_blob, put_manifest},
    skopeo,
};
use crate::support::{Demo, Layout, program::run};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Pushes the image that others refer to, and returns its descriptor.
fn push_image(demo: &Demo) -> Value {
    let image = Layout::shared();
    let name = format!("docker://{}", demo.image("group/app:v1"));
    skopeo::copy(&[], &image.name("arm64"), &name);
    let digest = image.digest("arm64");
    let size = image.blob(&digest).len();
    json!({"mediaType": MANIFEST, "digest": digest.to_string(), "size": size})
}

/// Pushes an artifact of one file, and returns its digest.
fn push_artifact(demo: &Demo, kind: &str, subject: &Value, reference: Option<&str>) -> String {
    let (empty, file) = (b"{}", format!("a file of the type {kind}"));
    let config = push_blob(demo, "group/app", empty);
    let layer = push_blob(demo, "group/app", file.as_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": {"mediaType": EMPTY, "digest": config, "size": empty.len(), "data": "e30="},
        "layers": [{"mediaType": kind, "digest": layer, "size": file.len()}],
        "subject": subject,
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    });
    let digest = crate::support::pusher::digest(manifest.to_string().as_bytes());
    let answer = put_manifest(demo, "group/app", reference.unwrap_or(&digest), &manifest);
    assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
    assert_eq!(answer.header("oci-subject"), subject["digest"].as_str());
    digest
}

fn referrers(demo: &Demo, subject: &Value, query: &str) -> (Vec<String>, Option<String>) {
    let subject = subject["digest"].as_str().unwrap();
    let target = format!("/v2/group/app/referrers/{subject}{query}");
    let answer = curl(demo, &target, &[], &[]).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/vnd.oci.image.index.v1+json"));
    let listed = answer.json()["manifests"].as_array().unwrap().clone();
    let digests = listed.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned());
    (digests.collect(), answer.header("oci-filters-applied").map(str::to_owned))
}

#[test]
#[ignore = "needs skopeo and curl: run cargo xtask test"]
fn artifacts_are_found_by_what_they_are_attached_to() {
    let demo = Demo::start();
    let subject = push_image(&demo);
    assert_eq!(referrers(&demo, &subject, "").0, [""; 0]);
    let sbom = push_artifact(&demo, "application/spdx+json", &subject, None);
    let bundle = push_artifact(&demo, BUNDLE, &subject, None);
    let mut all = vec![sbom.clone(), bundle.clone()];
    all.sort();
    assert_eq!(referrers(&demo, &subject, ""), (all.clone(), None));
    let filter = "?artifactType=application%2Fspdx%2Bjson";
    let applied = Some("artifactType".to_owned());
    assert_eq!(referrers(&demo, &subject, filter), (vec![sbom.clone()], applied));
    // Clients that know no referrers API look at a tag.
    let hex = subject["digest"].as_str().unwrap().replace(':', "-");
    let index = curl(&demo, &format!("/v2/group/app/manifests/{hex}"), &[], &[]).expect(200).json();
    let mut tagged: Vec<_> =
        index["manifests"].as_array().unwrap().iter().map(|entry| &entry["digest"]).collect();
    tagged.sort_by_key(|digest| digest.as_str().unwrap());
    assert_eq!(tagged, all.iter().collect::<Vec<_>>());
    // Artifacts are manifests as others are: skopeo copies them.
    let raw = run(
        "skopeo",
        &[
            "inspect",
            "--raw",
            "--tls-verify=false",
            &format!("docker://{}", demo.image(&format!("group/app@{sbom}"))),
        ],
    );
    assert_eq!(crate::support::pusher::digest(raw.as_bytes()), sbom);
    let target = format!("/v2/group/app/manifests/{sbom}");
    curl(&demo, &target, &["--request", "DELETE"], &[]).expect(202);
    assert_eq!(referrers(&demo, &subject, "").0, [bundle]);
}

#[test]
#[ignore = "needs skopeo and curl: run cargo xtask test"]
fn a_signature_is_kept_under_the_tag_that_cosign_gives_it() {
    let demo = Demo::start();
    let subject = push_image(&demo);
    let payload = json!({"critical": {"image": {"docker-manifest-digest": subject["digest"]}}});
    let (config, payload) = (b"{\"architecture\":\"\",\"os\":\"\"}", payload.to_string());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": push_blob(&demo, "group/app", config),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": SIGNATURE,
            "digest": push_blob(&demo, "group/app", payload.as_bytes()),
            "size": payload.len(),
            "annotations": {"dev.cosignproject.cosign/signature": "MEUCIQ=="},
        }],
    });
    let tag = format!("{}.sig", subject["digest"].as_str().unwrap().replace(':', "-"));
    put_manifest(&demo, "group/app", &tag, &manifest);
    let answer = curl(&demo, &format!("/v2/group/app/manifests/{tag}"), &[], &[]).expect(200);
    assert_eq!(answer.text(), manifest.to_string());
    let name = format!("docker://{}", demo.image(&format!("group/app:{tag}")));
    let raw = run("skopeo", &["inspect", "--raw", "--tls-verify=false", &name]);
    assert_eq!(raw, manifest.to_string());
    let listed = curl(&demo, "/v2/group/app/tags/list", &[], &[]).expect(200).json();
    assert_eq!(listed["tags"], json!([tag, "v1"]));
    // It is no referrer: it names no subject.
    assert_eq!(referrers(&demo, &subject, "").0, [""; 0]);
}

#[test]
#[ignore = "needs skopeo and curl: run cargo xtask test"]
fn a_tagged_artifact_is_a_referrer_too() {
    let demo = Demo::start();
    let subject = push_image(&demo);
    let digest = push_artifact(&demo, BUNDLE, &subject, Some("bundle"));
    assert_eq!(referrers(&demo, &subject, "").0, [digest]);
}
