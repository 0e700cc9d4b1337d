//! Uploads: what a client is told at their beginning, and hashed with which algorithm.

use oci::{Algorithm, Digest};

use crate::{pusher::push_blob, server::Running};

#[tokio::test]
async fn an_upload_is_hashed_as_its_beginning_says() {
    let server = Running::start();
    let mut client = server.client().await;
    let digest = Digest::of(Algorithm::Sha512, b"onetwo");
    for algorithm in ["", "?digest-algorithm=sha256", "?digest-algorithm=sha512"] {
        let target = format!("/v2/app/blobs/uploads/{algorithm}");
        let begun = client.ask("POST", &target, "").await.expect(202);
        let first = client.ask("PATCH", &begun.location(), "one").await.expect(202);
        let second = client.ask("PATCH", &first.location(), "two").await.expect(202);
        let is_kept = second.location().contains("&digest-algorithm=sha512");
        assert_eq!(is_kept, algorithm.ends_with("512"), "{algorithm}");
        let last = format!("{}&digest={digest}", second.location());
        let blob = client.ask("PUT", &last, "").await.expect(201);
        assert_eq!(blob.header("docker-content-digest"), Some(&*digest.to_string()));
        let pulled = client.ask("GET", &blob.location(), "").await.expect(200);
        assert_eq!(pulled.body, b"onetwo");
    }
    let unknown = "/v2/app/blobs/uploads/?digest-algorithm=md5";
    assert_eq!(client.ask("POST", unknown, "").await.expect(400).code(), "DIGEST_INVALID");
}

#[tokio::test]
async fn the_least_length_of_chunks_is_told_and_smaller_ones_are_taken() {
    let server = Running::start();
    let mut client = server.client().await;
    let begun = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202);
    assert_eq!(begun.header("oci-chunk-min-length"), Some("1048576"));
    let headers = [("Content-Range", "0-2")];
    let patched = client.ask_with(("PATCH", &begun.location()), &headers, "one").await.expect(202);
    assert_eq!(patched.header("range"), Some("0-2"));
    let out_of_order = [("Content-Range", "5-7")];
    let refused = client.ask_with(("PATCH", &patched.location()), &out_of_order, "two").await;
    assert_eq!(refused.expect(416).header("range"), Some("0-2"));
}

#[tokio::test]
async fn a_mount_without_a_source_takes_the_blob_from_where_it_is() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "first", "shared").await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, b"shared");
        let target = format!("/v2/second/blobs/uploads/?mount={digest}");
        let status = if algorithm == Algorithm::Sha256 { 201 } else { 202 };
        client.ask("POST", &target, "").await.expect(status);
    }
}

#[tokio::test]
async fn a_blob_is_read_only_as_what_if_match_names() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let digest = Digest::of(Algorithm::Sha256, b"{}");
    let target = format!("/v2/app/blobs/{digest}");
    for (named, status) in [
        (format!("\"{digest}\""), 200),
        (format!("\"x\", \"{digest}\""), 200),
        ("*".to_owned(), 200),
        ("\"x\"".to_owned(), 412),
        (format!("W/\"{digest}\""), 412),
    ] {
        client.get(&target, &format!("If-Match: {named}\r\n")).await.expect(status);
    }
}
