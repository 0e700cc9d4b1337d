//! curl, which does what it is told: the requests of clients that are not on this machine, as they send them.

use std::{fs, process::Stdio};

use crate::support::{Demo, http::Answer, program};

/// Sends a request and returns the answer. `body` is sent as `flags` say: `--data-binary=@-` or `--upload-file=-`.
pub(super) fn curl(demo: &Demo, target: &str, flags: &[&str], body: &[u8]) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in"), body).unwrap();
    let mut command = program::program("curl", &["--silent", "--show-error", "--max-time", "60"]);
    command.arg("--dump-header").arg(path("head")).arg("--output").arg(path("out")).args(flags);
    command.arg(format!("http://127.0.0.1:{}{target}", demo.port()));
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
pub(super) fn push_blob(demo: &Demo, repository: &str, bytes: &[u8]) -> String {
    let digest = crate::support::pusher::digest(bytes);
    let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
    let kind = "Content-Type: application/octet-stream";
    curl(demo, &target, &["--header", kind, "--data-binary", "@-"], bytes).expect(201);
    digest
}

/// Pushes a manifest; returns the answer.
pub(super) fn put_manifest(
    demo: &Demo,
    repository: &str,
    reference: &str,
    manifest: &serde_json::Value,
) -> Answer {
    let kind = format!("Content-Type: {}", manifest["mediaType"].as_str().unwrap());
    let flags = ["--request", "PUT", "--header", &kind, "--data-binary", "@-"];
    let target = format!("/v2/{repository}/manifests/{reference}");
    curl(demo, &target, &flags, manifest.to_string().as_bytes()).expect(201)
}
