//! What is no image: artifacts as ORAS pushes them, charts as Helm does, and signatures as cosign does, under a tag and
//! as referrers.

use serde_json::{Value, json};

use super::{
    Way,
    curl::{curl, push_blob, push_blob_in_two, put_manifest},
    skopeo,
};
use crate::support::{Demo, Layout, pusher};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Pushes the image that others refer to, and returns its descriptor.
fn push_image(way: &dyn Way, image: &Layout, repository: &str) -> Value {
    let name = format!("docker://{}", way.image(&format!("{repository}:v1")));
    skopeo::transfer(way, &[], &image.name("arm64"), &name);
    let digest = image.digest("arm64");
    let size = image.blob(&digest).len();
    json!({"mediaType": MANIFEST, "digest": digest.to_string(), "size": size})
}

/// Pushes an artifact of one file, and returns its digest.
fn push_artifact(
    (way, repository): (&dyn Way, &str),
    kind: &str,
    subject: &Value,
    reference: Option<&str>,
) -> String {
    let (empty, file) = (b"{}", format!("a file of the type {kind}"));
    let config = push_blob(way, repository, empty);
    let layer = push_blob(way, repository, file.as_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": {"mediaType": EMPTY, "digest": config, "size": empty.len(), "data": "e30="},
        "layers": [{"mediaType": kind, "digest": layer, "size": file.len()}],
        "subject": subject,
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    });
    let digest = pusher::digest(manifest.to_string().as_bytes());
    let answer = put_manifest(way, repository, reference.unwrap_or(&digest), &manifest);
    assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
    assert_eq!(answer.header("oci-subject"), subject["digest"].as_str());
    digest
}

fn referrers(
    (way, repository): (&dyn Way, &str),
    subject: &Value,
    query: &str,
) -> (Vec<String>, Option<String>) {
    let subject = subject["digest"].as_str().unwrap();
    let target = format!("/v2/{repository}/referrers/{subject}{query}");
    let answer = curl(way, &target, &[], &[]).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/vnd.oci.image.index.v1+json"));
    let listed = answer.json()["manifests"].as_array().unwrap().clone();
    let digests = listed.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned());
    (digests.collect(), answer.header("oci-filters-applied").map(str::to_owned))
}

/// Attaches an SBOM and a bundle to an image, and finds and deletes them as ORAS and cosign do.
pub(crate) fn artifacts_are_attached(way: &dyn Way, image: &Layout) {
    let at = (way, "attached/app");
    let subject = push_image(way, image, at.1);
    assert_eq!(referrers(at, &subject, "").0, [""; 0]);
    let sbom = push_artifact(at, "application/spdx+json", &subject, None);
    let bundle = push_artifact(at, BUNDLE, &subject, None);
    let mut all = vec![sbom.clone(), bundle.clone()];
    all.sort();
    assert_eq!(referrers(at, &subject, ""), (all.clone(), None));
    let filter = "?artifactType=application%2Fspdx%2Bjson";
    let applied = Some("artifactType".to_owned());
    assert_eq!(referrers(at, &subject, filter), (vec![sbom.clone()], applied));
    // Clients that know no referrers API look at a tag.
    let hex = subject["digest"].as_str().unwrap().replace(':', "-");
    let index = curl(way, &format!("/v2/{}/manifests/{hex}", at.1), &[], &[]).expect(200).json();
    let mut tagged: Vec<_> =
        index["manifests"].as_array().unwrap().iter().map(|entry| &entry["digest"]).collect();
    tagged.sort_by_key(|digest| digest.as_str().unwrap());
    assert_eq!(tagged, all.iter().collect::<Vec<_>>());
    // Artifacts are manifests as others are: skopeo reads them.
    let raw = skopeo::raw(way, &format!("{}@{sbom}", at.1));
    assert_eq!(pusher::digest(raw.as_bytes()), sbom);
    let target = format!("/v2/{}/manifests/{sbom}", at.1);
    curl(way, &target, &["--request", "DELETE"], &[]).expect(202);
    assert_eq!(referrers(at, &subject, "").0, [bundle]);
}

/// Signs an image as cosign does where it knows of no referrers: under a tag that is made of the digest.
pub(crate) fn a_signature_is_tagged(way: &dyn Way, image: &Layout) {
    let at = (way, "signed/app");
    let subject = push_image(way, image, at.1);
    let payload = json!({"critical": {"image": {"docker-manifest-digest": subject["digest"]}}});
    let (config, payload) = (b"{\"architecture\":\"\",\"os\":\"\"}", payload.to_string());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": push_blob(way, at.1, config),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": SIGNATURE,
            "digest": push_blob(way, at.1, payload.as_bytes()),
            "size": payload.len(),
            "annotations": {"dev.cosignproject.cosign/signature": "MEUCIQ=="},
        }],
    });
    let tag = format!("{}.sig", subject["digest"].as_str().unwrap().replace(':', "-"));
    put_manifest(way, at.1, &tag, &manifest);
    let answer = curl(way, &format!("/v2/{}/manifests/{tag}", at.1), &[], &[]).expect(200);
    assert_eq!(answer.text(), manifest.to_string());
    assert_eq!(skopeo::raw(way, &format!("{}:{tag}", at.1)), manifest.to_string());
    let listed = curl(way, &format!("/v2/{}/tags/list", at.1), &[], &[]).expect(200).json();
    assert_eq!(listed["tags"], json!([tag, "v1"]));
    // It is no referrer: it names no subject.
    assert_eq!(referrers(at, &subject, "").0, [""; 0]);
}

/// Pushes a chart and its provenance as `helm push` does, and pulls them as `helm pull` does.
///
/// Helm's own client (ORAS' library): HEAD, then POST and PUT for each blob, the manifest under the version, with `+` as `_`;
/// a pull resolves the tag by HEAD and reads by digest.
pub(crate) fn a_chart_is_pushed_and_pulled(way: &dyn Way) {
    let repository = "charts/app";
    let config = json!({"name": "app", "version": "1.2.3+build.5", "apiVersion": "v2"}).to_string();
    let chart: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let provenance = b"-----BEGIN PGP SIGNED MESSAGE-----\n".to_vec();
    let described = |kind: &str, bytes: &[u8]| {
        let head = format!("/v2/{repository}/blobs/{}", pusher::digest(bytes));
        assert_eq!(curl(way, &head, &["--head"], &[]).status, 404, "{kind}");
        let digest = push_blob_in_two(way, repository, bytes);
        curl(way, &head, &["--head"], &[]).expect(200);
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CHART_CONFIG, config.as_bytes()),
        "layers": [
            described(CHART, &chart),
            described("application/vnd.cncf.helm.chart.provenance.v1.prov", &provenance),
        ],
        "annotations": {"org.opencontainers.image.version": "1.2.3+build.5"},
    });
    put_manifest(way, repository, "1.2.3_build.5", &manifest);
    let listed = curl(way, &format!("/v2/{repository}/tags/list"), &[], &[]).expect(200).json();
    assert_eq!(listed["tags"], json!(["1.2.3_build.5"]));
    let accept =
        format!("Accept: {MANIFEST}, application/vnd.docker.distribution.manifest.v2+json, */*");
    let target = format!("/v2/{repository}/manifests/1.2.3_build.5");
    let resolved = curl(way, &target, &["--head", "--header", &accept], &[]).expect(200);
    assert_eq!(resolved.header("content-type"), Some(MANIFEST));
    let digest = resolved.header("docker-content-digest").unwrap();
    let target = format!("/v2/{repository}/manifests/{digest}");
    let pulled = curl(way, &target, &["--header", &accept], &[]).expect(200);
    assert_eq!(pulled.text(), manifest.to_string());
    let layers = manifest["layers"].as_array().unwrap();
    let blobs =
        [(&manifest["config"], config.as_bytes()), (&layers[0], &chart), (&layers[1], &provenance)];
    for (descriptor, bytes) in blobs {
        let target = format!("/v2/{repository}/blobs/{}", descriptor["digest"].as_str().unwrap());
        assert!(curl(way, &target, &[], &[]).expect(200).body == bytes, "{descriptor}");
    }
}

#[test]
#[ignore = "needs skopeo and curl: run cargo xtask test"]
fn artifacts_are_found_by_what_they_are_attached_to() {
    artifacts_are_attached(&Demo::start(), &Layout::shared());
}

#[test]
#[ignore = "needs skopeo and curl: run cargo xtask test"]
fn a_signature_is_kept_under_the_tag_that_cosign_gives_it() {
    a_signature_is_tagged(&Demo::start(), &Layout::shared());
}

#[test]
#[ignore = "needs curl: run cargo xtask test"]
fn a_chart_is_what_helm_makes_of_it() {
    a_chart_is_pushed_and_pulled(&Demo::start());
}

#[test]
#[ignore = "needs skopeo and curl: run cargo xtask test"]
fn a_tagged_artifact_is_a_referrer_too() {
    let demo = Demo::start();
    let at: (&dyn Way, &str) = (&demo, "group/app");
    let subject = push_image(&demo, &Layout::shared(), at.1);
    let digest = push_artifact(at, BUNDLE, &subject, Some("bundle"));
    assert_eq!(referrers(at, &subject, "").0, [digest]);
}
