//! Manifests: who gets which of them, and under which conditions one is written or goes.

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use crate::{
    client::Client,
    pusher::{
        DOCKER, INDEX, LIST, MANIFEST, descriptor, image, push, push_blob, put, sha256, with,
    },
    server::Running,
};

fn child(document: &Value, architecture: &str) -> Value {
    let kind = document["mediaType"].as_str().unwrap();
    let platform = json!({ "platform": { "architecture": architecture, "os": "linux" } });
    with(descriptor(kind, &document.to_string()), platform)
}

async fn accepted(client: &mut Client, reference: &str, accept: &[&str]) -> (String, String) {
    let headers: Vec<_> = accept.iter().map(|accept| ("Accept", *accept)).collect();
    let target = format!("/v2/app/manifests/{reference}");
    let answer = client.ask_with(("GET", &target), &headers, "").await.expect(200);
    let header = |name: &str| answer.header(name).unwrap().to_owned();
    let digest = header("docker-content-digest");
    assert_eq!(sha256(std::str::from_utf8(&answer.body).unwrap()).to_string(), digest);
    assert_eq!(header("etag"), format!("\"{digest}\""));
    (header("content-type"), digest)
}

#[tokio::test]
async fn a_list_pulled_by_tag_by_a_client_that_reads_none_is_the_image_for_linux_amd64() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let (amd64, arm64) = (image(DOCKER, "amd64"), image(DOCKER, "arm64"));
    push(&mut client, "app", &amd64).await;
    push(&mut client, "app", &arm64).await;
    let children = [child(&arm64, "arm64"), child(&amd64, "amd64")];
    let list = json!({ "schemaVersion": 2, "mediaType": LIST, "manifests": children });
    let digest = put(&mut client, "/v2/app/manifests/list", &list, &[]).await.expect(201);
    let digest = digest.header("docker-content-digest").unwrap().to_owned();
    let whole = (LIST.to_owned(), digest.clone());
    let part = (DOCKER.to_owned(), sha256(&amd64.to_string()).to_string());
    for (accept, expected) in [
        (&[DOCKER][..], &part),
        (&[DOCKER, MANIFEST, "application/vnd.docker.distribution.manifest.v1+json"], &part),
        (&[DOCKER, LIST], &whole),
        (&[LIST], &whole),
        (&[DOCKER, "*/*"], &whole),
        (&["*/*"], &whole),
        (&["text/html"], &whole),
        (&[], &whole),
    ] {
        assert_eq!(&accepted(&mut client, "list", accept).await, expected, "{accept:?}");
        assert_eq!(accepted(&mut client, &digest, accept).await, whole, "by digest: {accept:?}");
    }
    let etag = format!("\"{}\"", part.1);
    let headers = [("Accept", DOCKER), ("If-None-Match", etag.as_str())];
    client.ask_with(("GET", "/v2/app/manifests/list"), &headers, "").await.expect(304);
    let head = client.ask_with(("HEAD", "/v2/app/manifests/list"), &headers[..1], "").await;
    assert_eq!(head.header("docker-content-digest"), Some(part.1.as_str()));
    assert_eq!(head.header("vary"), Some("Accept"));
}

#[tokio::test]
async fn what_is_there_is_served_whatever_is_accepted() {
    let server = Running::deleting("");
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let docker = image(DOCKER, "arm64");
    push(&mut client, "app", &docker).await;
    let children = json!([child(&docker, "arm64")]);
    let gone = image(DOCKER, "amd64");
    let deleted = push(&mut client, "app", &gone).await;
    let list = |kind: &str, children: &Value| json!({ "schemaVersion": 2, "mediaType": kind, "manifests": children });
    let half_gone = list(LIST, &json!([child(&gone, "amd64")]));
    for document in [
        image(MANIFEST, "oci"),
        image(DOCKER, "docker"),
        list(INDEX, &children),
        list(LIST, &children),
        half_gone,
    ] {
        put(&mut client, "/v2/app/manifests/v1", &document, &[]).await.expect(201);
        if document == list(LIST, &json!([child(&gone, "amd64")])) {
            let target = format!("/v2/app/manifests/{deleted}");
            client.ask("DELETE", &target, "").await.expect(202);
        }
        let expected = document["mediaType"].as_str().unwrap();
        for accept in [&[][..], &["*/*"], &["text/html"], &[DOCKER], &[MANIFEST], &["", "x;q"]] {
            let (kind, _) = accepted(&mut client, "v1", accept).await;
            assert_eq!(kind, expected, "{accept:?}");
        }
    }
}

#[tokio::test]
async fn a_push_by_digest_gives_the_manifest_every_tag_it_names() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let document = image(MANIFEST, "tagged");
    for digest in [
        sha256(&document.to_string()),
        Digest::of(Algorithm::Sha512, document.to_string().as_bytes()),
    ] {
        let target = format!("/v2/app/manifests/{digest}?tag=1.2.3&tag=1.2&tag=1.2.3&tag=latest");
        let pushed = put(&mut client, &target, &document, &[]).await.expect(201);
        assert_eq!(pushed.headers("oci-tag"), ["1.2.3", "1.2", "latest"]);
        let list = client.ask("GET", "/v2/app/tags/list", "").await.expect(200).json();
        assert_eq!(list["tags"], json!(["1.2", "1.2.3", "latest"]));
        for tag in ["1.2", "1.2.3", "latest"] {
            let target = format!("/v2/app/manifests/{tag}");
            let pulled = client.ask("GET", &target, "").await.expect(200);
            assert_eq!(pulled.header("docker-content-digest"), Some(&*digest.to_string()));
        }
    }
    let digest = sha256(&document.to_string());
    let bad = format!("/v2/app/manifests/{digest}?tag=fine&tag=.bad");
    let refused = put(&mut client, &bad, &document, &[]).await.expect(400);
    assert_eq!(refused.code(), "TAG_INVALID");
    client.ask("GET", "/v2/app/manifests/fine", "").await.expect(404);
    let many: String = (0..101).map(|tag| format!("&tag={tag}")).collect();
    let many = format!("/v2/app/manifests/{digest}?{many}");
    put(&mut client, &many, &document, &[]).await.expect(414);
    // Where the path names the tag, it is the only one.
    let by_tag = put(&mut client, "/v2/app/manifests/a?tag=b", &document, &[]).await.expect(201);
    assert_eq!(by_tag.header("oci-tag"), None);
    client.ask("GET", "/v2/app/manifests/b", "").await.expect(404);
}

#[tokio::test]
async fn a_write_happens_only_under_its_condition() {
    let server = Running::deleting("");
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let (old, new) = (image(MANIFEST, "old"), image(MANIFEST, "new"));
    let etag = |document: &Value| format!("\"{}\"", sha256(&document.to_string()));
    let (of_old, of_new) = (etag(&old), etag(&new));
    let target = "/v2/app/manifests/v1";
    for (document, header, tag, status) in [
        (&old, "If-Match", "*", 412),
        (&old, "If-Match", of_old.as_str(), 412),
        (&old, "If-None-Match", "*", 201),
        (&new, "If-None-Match", "*", 412),
        (&new, "If-Match", &of_new, 412),
        (&new, "If-Match", "\"something else\"", 412),
        (&new, "If-None-Match", &of_old, 412),
        (&new, "If-Match", &of_old, 201),
        (&new, "If-Match", "*", 201),
    ] {
        put(&mut client, target, document, &[(header, tag)]).await.expect(status);
    }
    let stale = [("If-Match", of_old.as_str())];
    client.ask_with(("DELETE", target), &stale, "").await.expect(412);
    client.ask_with(("DELETE", target), &[("If-Match", &of_new)], "").await.expect(202);
    let by_digest = format!("/v2/app/manifests/{}", sha256(&new.to_string()));
    put(&mut client, &by_digest, &new, &[("If-None-Match", "*")]).await.expect(412);
    put(&mut client, &by_digest, &new, &[("If-Match", "*")]).await.expect(201);
}

#[tokio::test]
async fn of_pushes_that_must_not_overwrite_one_wins() {
    let server = Running::start();
    push_blob(&mut server.client().await, "app", "{}").await;
    let mut pushes = Vec::new();
    for index in 0..8 {
        let mut client = server.client().await;
        let document = image(MANIFEST, &format!("number {index}"));
        pushes.push(tokio::spawn(async move {
            let headers = [("If-None-Match", "*")];
            put(&mut client, "/v2/app/manifests/v1", &document, &headers).await.status
        }));
    }
    let mut statuses = Vec::new();
    for push in pushes {
        statuses.push(push.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412, 412, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn embedded_data_and_empty_descriptors_are_taken_as_they_are() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let empty =
        with(descriptor("application/vnd.oci.empty.v1+json", "{}"), json!({ "data": "e30=" }));
    let artifact = with(
        image(MANIFEST, "artifact"),
        json!({ "artifactType": "text/x", "config": empty, "layers": [empty] }),
    );
    let digest = push(&mut client, "app", &artifact).await;
    let pulled = client.ask("GET", &format!("/v2/app/manifests/{digest}"), "").await.expect(200);
    assert_eq!(pulled.json(), artifact);
    // What is embedded in a manifest is no blob of the repository: upstream would serve the manifest without it.
    let missing = put(&mut client, "/v2/other/manifests/v1", &artifact, &[]).await.expect(400);
    assert_eq!(missing.code(), "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn gitlab_finds_out_that_tags_can_be_deleted_and_deletes_them() {
    let server = Running::deleting("");
    let mut client = server.client().await;
    let base = client.ask("GET", "/v2/", "").await.expect(200);
    assert_eq!(base.header("gitlab-container-registry-features"), Some("tag_delete"));
    assert_eq!(base.header("gitlab-container-registry-database-enabled"), Some("false"));
    assert!(base.header("gitlab-container-registry-version").is_some());
    client.ask("GET", "/gitlab/v1/", "").await.expect(404);
    push_blob(&mut client, "app", "{}").await;
    for (target, allowed) in [
        ("/v2/app/tags/reference/v1", "DELETE"),
        ("/v2/app/manifests/v1", "DELETE, GET, HEAD, PUT"),
    ] {
        put(&mut client, "/v2/app/manifests/v1", &image(MANIFEST, "v1"), &[]).await.expect(201);
        let options = client.ask("OPTIONS", target, "").await.expect(200);
        assert_eq!(options.header("allow"), Some(allowed));
        client.ask("DELETE", target, "").await.expect(202);
        client.ask("DELETE", target, "").await.expect(404);
    }
    client.ask("GET", "/v2/app/tags/reference/v1", "").await.expect(405);
    client.ask("DELETE", "/v2/app/tags/reference/.x", "").await.expect(404);
    assert!(!server.control.is_read_only());
    let without = Running::start();
    let mut client = without.client().await;
    let base = client.ask("GET", "/v2/", "").await.expect(200);
    assert_eq!(base.header("gitlab-container-registry-features"), None);
    let options = client.ask("OPTIONS", "/v2/app/tags/reference/v1", "").await.expect(200);
    assert_eq!(options.header("allow"), Some(""));
    client.ask("DELETE", "/v2/app/tags/reference/v1", "").await.expect(405);
}

#[tokio::test]
async fn a_bad_name_is_told_with_its_rule_and_a_spelling_that_would_do() {
    let server = Running::start();
    let mut client = server.client().await;
    for (name, component, valid) in [
        ("group/_app", "_app", "group/app"),
        ("group/app-", "app-", "group/app"),
        ("Group/app", "Group", "group/app"),
        ("group/a..b", "a..b", "group/a-b"),
        ("group/a.-b/c", "a.-b", "group/a-b/c"),
    ] {
        let target = format!("/v2/{name}/blobs/uploads/");
        let refused = client.ask("POST", &target, "").await.expect(400);
        assert_eq!(refused.code(), "NAME_INVALID");
        let error = &refused.json()["errors"][0];
        let detail = &error["detail"];
        assert_eq!((&detail["component"], &detail["valid"]), (&json!(component), &json!(valid)));
        assert!(detail["rule"].is_string(), "{detail}");
        let message = error["message"].as_str().unwrap();
        assert!(message.ends_with(&format!("; `{valid}` would do")), "{message}");
    }
}
