//! curl, which does what it is told: the requests of clients that are not on this machine, as they send them.

use std::{fs, process::Stdio};

use super::Way;
use crate::support::{http::Answer, program, pusher};

/// Sends a request and returns the answer. `body` is sent as `flags` say: `--data-binary=@-` or `--upload-file=-`.
///
/// It comes without credentials first, and with what the registry asks for then, as clients do.
pub(crate) fn curl(way: &dyn Way, target: &str, flags: &[&str], body: &[u8]) -> Answer {
    let answer = send(way, target, flags, body);
    let challenge = answer.header("www-authenticate").filter(|_| answer.status == 401);
    let (Some(challenge), Some(user)) = (challenge, way.user()) else { return answer };
    let proof = match challenge.strip_prefix("Bearer ") {
        Some(wanted) => {
            ["--header".to_owned(), format!("Authorization: Bearer {}", token(wanted, &user))]
        }
        None => ["--user".to_owned(), user],
    };
    send(way, target, &[flags, &[&proof[0], &proof[1]]].concat(), body)
}

/// Gets what a challenge asks for from its realm.
fn token(challenge: &str, user: &str) -> String {
    let of = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let mut arguments = vec!["--silent", "--fail", "--max-time", "60", "--get", "--user", user];
    let scopes = of("scope");
    let service = format!("service={}", of("service"));
    let scopes: Vec<_> = scopes.split(' ').map(|scope| format!("scope={scope}")).collect();
    for field in [&service].into_iter().chain(&scopes) {
        arguments.extend(["--data", field]);
    }
    let realm = of("realm");
    arguments.push(&realm);
    let answer: serde_json::Value =
        serde_json::from_str(&program::run("curl", &arguments)).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

fn send(way: &dyn Way, target: &str, flags: &[&str], body: &[u8]) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in"), body).unwrap();
    let mut command = program::program("curl", &["--silent", "--show-error", "--max-time", "60"]);
    command.arg("--dump-header").arg(path("head")).arg("--output").arg(path("out"));
    command.args(way.flags_of_curl()).args(flags).arg(format!("{}{target}", way.origin()));
    let input = fs::File::open(path("in")).unwrap();
    program::succeed(command.stdin(Stdio::from(input)));
    let head = fs::read_to_string(path("head")).unwrap();
    // Interim answers come before it.
    let head = head.trim_end().rsplit("\r\n\r\n").next().unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.lines().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let status = status.split(' ').nth(1).unwrap().parse().unwrap();
    let body = fs::read(path("out")).unwrap_or_default();
    Answer { status, headers: headers.collect(), body, is_whole: true }
}

/// Pushes a blob in one request, as ORAS does where it can.
pub(crate) fn push_blob(way: &dyn Way, repository: &str, bytes: &[u8]) -> String {
    let digest = pusher::digest(bytes);
    let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
    let kind = "Content-Type: application/octet-stream";
    curl(way, &target, &["--header", kind, "--data-binary", "@-"], bytes).expect(201);
    digest
}

/// Where the rest of an upload goes, with the digest of all of it.
fn ending(answer: &Answer, digest: &str) -> String {
    let location = answer.location();
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}

/// Pushes a blob by POST and PUT, as ORAS and Helm do.
pub(crate) fn push_blob_in_two(way: &dyn Way, repository: &str, bytes: &[u8]) -> String {
    let digest = pusher::digest(bytes);
    let target = format!("/v2/{repository}/blobs/uploads/");
    let begun = curl(way, &target, &["--request", "POST"], &[]).expect(202);
    let kind = "Content-Type: application/octet-stream";
    let flags = ["--request", "PUT", "--header", kind, "--data-binary", "@-"];
    let done = curl(way, &ending(&begun, &digest), &flags, bytes).expect(201);
    assert_eq!(done.header("docker-content-digest"), Some(digest.as_str()));
    digest
}

/// Pushes a blob as kaniko does: nothing is known of it before it is over.
pub(crate) fn stream_blob(way: &dyn Way, repository: &str, bytes: &[u8]) -> String {
    let target = format!("/v2/{repository}/blobs/uploads/");
    let json = "Content-Type: application/json";
    let begun = curl(way, &target, &["--request", "POST", "--header", json], &[]).expect(202);
    // The body comes in chunks of HTTP, and no header says which part of the blob it is.
    let flags = ["--request", "PATCH", "--header", "Expect:", "--upload-file", "-"];
    let chunked = ["--header", "Transfer-Encoding: chunked"];
    let flags = [&flags[..], &chunked].concat();
    let patched = curl(way, &begun.location(), &flags, bytes).expect(202);
    let digest = pusher::digest(bytes);
    let done = curl(way, &ending(&patched, &digest), &["--request", "PUT"], &[]).expect(201);
    assert_eq!(done.header("docker-content-digest"), Some(digest.as_str()));
    digest
}

/// Pushes a manifest; returns the answer.
pub(crate) fn put_manifest(
    way: &dyn Way,
    repository: &str,
    reference: &str,
    manifest: &serde_json::Value,
) -> Answer {
    let kind = format!("Content-Type: {}", manifest["mediaType"].as_str().unwrap());
    let flags = ["--request", "PUT", "--header", &kind, "--data-binary", "@-"];
    let target = format!("/v2/{repository}/manifests/{reference}");
    curl(way, &target, &flags, manifest.to_string().as_bytes()).expect(201)
}
