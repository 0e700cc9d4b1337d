//! Pushes and pulls as clients do them, with every answer checked: the status, and the digest that the registry says it
//! has stored or sends.

use std::io::Write;

use anyhow::{Context, Result, ensure};

use super::{
    client::{Connection, Head, Request},
    content::Blob,
};

/// The chunk that most clients send when they send chunks.
const CHUNK_BYTES: u64 = 5 << 20;
const OCTETS: (&str, &str) = ("Content-Type", "application/octet-stream");
pub(crate) const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Pushes a blob as one PUT after a POST.
pub(crate) fn monolithic(
    connection: &mut Connection,
    repository: &str,
    blob: &Blob<'_>,
) -> Result<()> {
    let upload = begin(connection, repository)?;
    let target = with_digest(&upload, &blob.digest);
    let request =
        Request { headers: &[OCTETS], body_bytes: blob.size(), ..Request::new("PUT", &target) };
    let head = connection.send(request, |out| blob.write(0, blob.size(), out))?;
    connection.expect(&head, 201).context("PUT of a blob")?;
    check_digest(&head, &blob.digest)
}

/// Pushes a blob as PATCH requests of one chunk each, ended by a PUT.
pub(crate) fn chunked(
    connection: &mut Connection,
    repository: &str,
    blob: &Blob<'_>,
) -> Result<()> {
    let mut upload = begin(connection, repository)?;
    let mut from = 0;
    while from < blob.size() {
        let to = blob.size().min(from + CHUNK_BYTES);
        let range = format!("{from}-{}", to - 1);
        let headers = [OCTETS, ("Content-Range", range.as_str())];
        let request =
            Request { headers: &headers, body_bytes: to - from, ..Request::new("PATCH", &upload) };
        let head = connection.send(request, |out| blob.write(from, to, out))?;
        connection.expect(&head, 202).context("PATCH of a chunk")?;
        upload = location(&head)?;
        from = to;
    }
    let target = with_digest(&upload, &blob.digest);
    let (head, _) = connection.call(Request::new("PUT", &target), &[], 201)?;
    check_digest(&head, &blob.digest)
}

/// Pushes a manifest under a tag, and returns its digest.
pub(crate) fn manifest(
    connection: &mut Connection,
    repository: &str,
    tag: &str,
    body: &[u8],
) -> Result<String> {
    let target = format!("/v2/{repository}/manifests/{tag}");
    let headers = [("Content-Type", MANIFEST_TYPE)];
    let request = Request {
        headers: &headers,
        body_bytes: body.len() as u64,
        ..Request::new("PUT", &target)
    };
    let head = connection.send(request, |out| out.write_all(body))?;
    connection.expect(&head, 201).context("PUT of a manifest")?;
    Ok(digest_header(&head)?.to_owned())
}

/// Reads an object that has a digest, hands its bytes to `take` and returns their number.
pub(crate) fn pull(
    connection: &mut Connection,
    target: &str,
    digest: &str,
    take: impl FnMut(&[u8]),
) -> Result<u64> {
    let head = ask(connection, target, digest)?;
    connection.body(&head, take)
}

/// Asks for an object that has a digest, and leaves its bytes to be read.
pub(crate) fn ask(connection: &mut Connection, target: &str, digest: &str) -> Result<Head> {
    let headers = [("Accept", MANIFEST_TYPE)];
    let head = connection
        .send(Request { headers: &headers, ..Request::new("GET", target) }, |_| Ok(()))?;
    if head.status != 200 {
        connection.expect(&head, 200).with_context(|| format!("GET {target}"))?;
    }
    check_digest(&head, digest)?;
    Ok(head)
}

fn begin(connection: &mut Connection, repository: &str) -> Result<String> {
    let target = format!("/v2/{repository}/blobs/uploads/");
    let (head, _) = connection.call(Request::new("POST", &target), &[], 202)?;
    location(&head)
}

/// Returns what follows the host in the `Location` of an answer.
fn location(head: &Head) -> Result<String> {
    let location = head.header("location").context("an answer has no Location")?;
    let target = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map(|at| &rest[at..]),
        None => location.starts_with('/').then_some(location),
    };
    Ok(target.with_context(|| format!("Location `{location}` has no path"))?.to_owned())
}

fn with_digest(upload: &str, digest: &str) -> String {
    let separator = if upload.contains('?') { '&' } else { '?' };
    format!("{upload}{separator}digest={digest}")
}

fn digest_header(head: &Head) -> Result<&str> {
    head.header("docker-content-digest").context("an answer has no Docker-Content-Digest")
}

fn check_digest(head: &Head, expected: &str) -> Result<()> {
    let said = digest_header(head)?;
    ensure!(said == expected, "the registry says digest `{said}` instead of `{expected}`");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read},
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;
    use crate::bench::content::Pattern;

    /// Answers each request with the next of `answers`, and returns the first lines it was sent.
    fn serve(answers: Vec<String>) -> (Connection, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = Connection::open(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            answers.iter().map(|answer| exchange(&mut stream, answer)).collect()
        });
        (connection, server)
    }

    fn exchange(stream: &mut BufReader<TcpStream>, answer: &str) -> String {
        let mut lines = Vec::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        lines.remove(0)
    }

    fn answer(status: &str, headers: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}\r\n")
    }

    #[test]
    fn absolute_and_relative_locations_are_followed() {
        for location in ["http://registry.test:5000/v2/a/u?_state=x", "/v2/a/u?_state=x"] {
            let pattern = Pattern::new(64);
            let blob = pattern.blob();
            let digest = format!("Docker-Content-Digest: {}\r\n", blob.digest);
            let (mut connection, server) = serve(vec![
                answer("202 Accepted", &format!("Location: {location}\r\n")),
                answer("201 Created", &digest),
            ]);
            monolithic(&mut connection, "a", &blob).unwrap();
            let lines = server.join().unwrap();
            assert_eq!(lines[1], format!("PUT /v2/a/u?_state=x&digest={} HTTP/1.1", blob.digest));
        }
    }

    #[test]
    fn a_push_is_no_success_if_the_registry_names_another_digest() {
        let pattern = Pattern::new(64);
        let blob = pattern.blob();
        let (mut connection, server) = serve(vec![
            answer("202 Accepted", "Location: /v2/a/u\r\n"),
            answer("201 Created", "Docker-Content-Digest: sha256:00\r\n"),
        ]);
        let error = monolithic(&mut connection, "a", &blob).unwrap_err();
        assert!(error.to_string().starts_with("the registry says digest `sha256:00`"), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn chunks_follow_the_location_of_the_answer_before() {
        let pattern = Pattern::new(CHUNK_BYTES + 1);
        let blob = pattern.blob();
        let digest = format!("Docker-Content-Digest: {}\r\n", blob.digest);
        let (mut connection, server) = serve(vec![
            answer("202 Accepted", "Location: /one\r\n"),
            answer("202 Accepted", "Location: /two\r\n"),
            answer("202 Accepted", "Location: /three\r\n"),
            answer("201 Created", &digest),
        ]);
        chunked(&mut connection, "a", &blob).unwrap();
        let lines = server.join().unwrap();
        assert_eq!(lines[1..3], ["PATCH /one HTTP/1.1", "PATCH /two HTTP/1.1"]);
        assert_eq!(lines[3], format!("PUT /three?digest={} HTTP/1.1", blob.digest));
    }

    #[test]
    fn an_error_answer_is_an_error_with_its_body() {
        let (mut connection, server) =
            serve(vec!["HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\ndenied".to_owned()]);
        let error = pull(&mut connection, "/v2/a/blobs/x", "sha256:00", |_| ()).unwrap_err();
        assert!(format!("{error:#}").ends_with("answered 401 instead of 200: denied"), "{error:#}");
        server.join().unwrap();
    }
}
