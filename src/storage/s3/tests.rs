//! The driver against a server that answers as these tests say.

use std::sync::Arc;

use bytes::Bytes;
use oci::{Algorithm, Digest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::{S3, client, store::Store};
use crate::{Disposal, Driver as _, Folder, Item, Key, Kind, Removed, S3Config, S3Credentials};

/// A bucket at an endpoint, of which nothing is asked until it is used.
pub(super) fn store(endpoint: &str) -> Arc<Store> {
    let credentials = S3Credentials {
        access_key: "access".to_owned(),
        secret_key: "hidden".to_owned(),
        session_token: None,
    };
    let options = S3Config {
        credentials: Some(credentials),
        endpoint: Some(endpoint.to_owned()),
        max_retries: 3,
        ..S3Config::new("us-east-1", "registry")
    };
    Arc::new(client::open(&options).unwrap())
}

/// An answer: a status, further headers, and a body, which may be shorter than the length that is said.
type Answer = (&'static str, String, &'static str);

/// A driver whose requests get these answers in turn; the requests come out of the other end.
async fn answering(answers: Vec<Answer>) -> (S3, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for (status, headers, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            tell.send(request(&mut stream).await).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (S3 { store: store(&endpoint), claim: None }, asked)
}

/// A whole request, its headers in lower case.
async fn request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{text}");
    }
}

fn length(bytes: usize) -> String {
    format!("Content-Length: {bytes}\r\n")
}

fn refusal(status: &'static str, code: &str) -> Answer {
    let body = match code {
        "SlowDown" => "<Error><Code>SlowDown</Code><Message>Please reduce it.</Message></Error>",
        "AccessDenied" => "<Error><Code>AccessDenied</Code><Message>No.\nNever.</Message></Error>",
        "NoSuchBucket" => "<Error><Code>NoSuchBucket</Code><Message>Where?</Message></Error>",
        "NoSuchUpload" => "<Error><Code>NoSuchUpload</Code><Message>Which?</Message></Error>",
        other => panic!("{other}"),
    };
    (status, length(body.len()), body)
}

fn digest() -> Digest {
    Digest::of(Algorithm::Sha256, b"x")
}

/// The error as a log has it: with its causes.
fn told(error: &crate::Error) -> String {
    let source = std::error::Error::source(error).unwrap();
    assert!(std::error::Error::source(source).is_none());
    format!("{error}: {source}")
}

#[tokio::test]
async fn a_store_in_need_is_asked_again_and_later() {
    let answers = vec![
        refusal("503 Slow Down", "SlowDown"),
        ("429 Too Many Requests", length(0), ""),
        ("500 Internal Server Error", length(0), ""),
        ("200 OK", length(5), "bytes"),
    ];
    let (s3, mut asked) = answering(answers).await;
    assert_eq!(s3.get(Key::Blob(&digest()), 10).await.unwrap(), "bytes");
    for _ in 0..4 {
        assert!(asked.recv().await.unwrap().starts_with("get /registry/docker/registry/v2/blobs"));
    }
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_twice_and_says_what_is_lacking() {
    let (s3, mut asked) = answering(vec![refusal("403 Forbidden", "AccessDenied")]).await;
    let error = s3.put(Key::Fetched, Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert_eq!(
        told(&error),
        "failed to write `s3://registry/scheduler-state.json`: AccessDenied (403): No. Never \
         (the credentials lack s3:PutObject on the bucket's objects)"
    );
    assert!(asked.recv().await.is_some() && asked.recv().await.is_none());
    let (s3, _asked) = answering(vec![("403 Forbidden", String::new(), "")]).await;
    let error = s3.stat(Key::Fetched).await.unwrap_err();
    assert_eq!(
        told(&error),
        "failed to stat `s3://registry/scheduler-state.json`: status 403 \
         (the credentials lack s3:GetObject, or s3:ListBucket on the bucket)"
    );
    assert!(!format!("{s3:?} {error:?}").contains("hidden"));
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_missing_object() {
    let (s3, _asked) = answering(vec![refusal("404 Not Found", "NoSuchBucket")]).await;
    let error = s3.get(Key::Fetched, 10).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Other);
    assert_eq!(
        told(&error),
        "failed to read `s3://registry/scheduler-state.json`: NoSuchBucket (404): Where? \
         (there is no such bucket: create it, or correct `bucket`)"
    );
}

#[tokio::test]
async fn nobody_there_is_said_as_such() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let s3 = S3 { store: store(&format!("http://{free}")), claim: None };
    let error = told(&s3.get(Key::Fetched, 10).await.unwrap_err());
    assert!(error.contains("Connection refused"), "{error}");
    assert_eq!(s3.stat(Key::Fetched).await.unwrap_err().kind(), Kind::Unavailable);
    assert!(error.ends_with("is the store up, and `regionendpoint` right?)"), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_gone_on_with_where_it_broke() {
    let tagged = |extra: &str| format!("ETag: \"t\"\r\n{extra}");
    let answers = vec![
        ("200 OK", tagged(&length(10)), ""),
        ("206 Partial Content", tagged(&length(8)), "2345"),
        ("206 Partial Content", tagged(&length(4)), "6789"),
    ];
    let (s3, mut asked) = answering(answers).await;
    let object = s3.open(Key::Blob(&digest())).await.unwrap();
    let mut chunks = object.chunks(2..10);
    let mut read = Vec::new();
    while let Some(piece) = std::future::poll_fn(|context| chunks.poll_next(context)).await {
        read.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(read, b"23456789");
    assert!(asked.recv().await.unwrap().starts_with("head "));
    for range in ["range: bytes=2-9", "range: bytes=6-9"] {
        let request = asked.recv().await.unwrap();
        assert!(request.contains(range) && request.contains("if-match: \"t\""), "{request}");
    }
}

#[tokio::test]
async fn an_object_that_was_replaced_is_not_gone_on_with() {
    let answers = vec![
        ("200 OK", format!("ETag: \"t\"\r\n{}", length(10)), ""),
        ("206 Partial Content", length(10), "01"),
        ("412 Precondition Failed", length(0), ""),
    ];
    let (s3, _asked) = answering(answers).await;
    let object = s3.open(Key::Blob(&digest())).await.unwrap();
    let mut chunks = object.chunks(0..10);
    let first = std::future::poll_fn(|context| chunks.poll_next(context)).await.unwrap();
    assert_eq!(first.unwrap(), "01");
    let second = std::future::poll_fn(|context| chunks.poll_next(context)).await.unwrap();
    assert_eq!(second.unwrap_err().kind(), Kind::Truncated);
}

#[tokio::test]
async fn a_multipart_upload_that_was_completed_unheard_is_complete() {
    let answers = || vec![refusal("404 Not Found", "NoSuchUpload"), ("200 OK", length(10), "")];
    let tags = ["\"t\"".to_owned()];
    let (s3, _asked) = answering(answers()).await;
    s3.store.complete(("a", "id"), &tags, 10).await.unwrap();
    let (s3, _asked) = answering(answers()).await;
    let error = s3.store.complete(("a", "id"), &tags, 11).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn what_became_of_a_delete_is_looked_up_after_a_failure() {
    let listed = "<ListBucketResult><IsTruncated>false</IsTruncated>\
         <Contents><Key>docker/registry/v2/repositories/a/_layers/x</Key></Contents>\
         <Contents><Key>docker/registry/v2/repositories/a/_layers/y</Key></Contents>\
         </ListBucketResult>";
    let failed = "<DeleteResult><Error><Key>docker/registry/v2/repositories/a/_layers/x</Key>\
         <Code>InternalError</Code><Message>Perhaps.</Message></Error></DeleteResult>";
    let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let answer = |body: &'static str| ("200 OK", length(body.len()), body);
    let name = "a".parse().unwrap();
    let answers = vec![answer(listed), answer(failed), answer(empty)];
    let (s3, mut asked) = answering(answers).await;
    s3.delete_folder(Folder::Layers(&name)).await.unwrap();
    asked.recv().await.unwrap();
    let request = asked.recv().await.unwrap();
    // The folder goes too, where a store keeps folders, and nothing above it.
    assert!(request.contains("<key>docker/registry/v2/repositories/a/_layers/</key>"));
    assert!(!request.contains("<key>docker/registry/v2/repositories/a/</key>"));
    let (s3, _asked) = answering(vec![answer(listed), answer(failed), answer(listed)]).await;
    let error = s3.delete_folder(Folder::Layers(&name)).await.unwrap_err();
    assert_eq!(
        told(&error),
        "failed to delete `s3://registry/docker/registry/v2/repositories/a/_layers/x`: \
         InternalError: Perhaps"
    );
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page() {
    let first = "<ListBucketResult><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>next</NextContinuationToken>\
         <CommonPrefixes><Prefix>docker/registry/v2/repositories/b/</Prefix></CommonPrefixes>\
         </ListBucketResult>";
    let last = "<ListBucketResult><IsTruncated>false</IsTruncated>\
         <Contents><Key>docker/registry/v2/repositories/</Key></Contents>\
         <CommonPrefixes><Prefix>docker/registry/v2/repositories/a/</Prefix></CommonPrefixes>\
         </ListBucketResult>";
    let early = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    let answer = |body: &'static str| ("200 OK", length(body.len()), body);
    let (s3, mut asked) = answering(vec![answer(first), answer(last)]).await;
    let entries = s3.list(Folder::Repositories).await.unwrap();
    let names: Vec<_> =
        entries.iter().map(|entry| (entry.name.as_str(), entry.is_folder)).collect();
    assert_eq!(names, [("a", true), ("b", true)]);
    asked.recv().await.unwrap();
    assert!(asked.recv().await.unwrap().contains("continuation-token=next"));
    let (s3, _asked) = answering(vec![answer(early)]).await;
    assert_eq!(s3.list(Folder::Repositories).await.unwrap_err().kind(), Kind::Truncated);
}

/// A list of leases, each with its age in seconds.
fn leases(ages: &[(&str, u32)]) -> Answer {
    let listed: String = ages
        .iter()
        .map(|(name, age)| {
            let (minute, second) = ((600 - age) / 60, (600 - age) % 60);
            format!(
                "<Contents><Key>docker/registry/v2/regctl/leases/{name}</Key>\
                 <LastModified>2026-01-02T03:{minute:02}:{second:02}Z</LastModified></Contents>"
            )
        })
        .collect();
    let body =
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>");
    ("200 OK", length(body.len()), body.leak())
}

fn lease(host: &str, using: &str) -> Answer {
    let text = format!(
        "regctl lease 1\nusing {using}\nhost {host}\npid 1\nsince 0\nboot b\nprocesses p\nstarted s\n"
    );
    ("200 OK", length(text.len()), text.leak())
}

#[tokio::test]
async fn a_lease_is_believed_in_for_two_and_a_half_minutes_by_the_clock_of_the_store() {
    let id = crate::UploadId::random();
    let ours = id.to_string();
    let alone = super::Using::Alone;
    let listed = leases(&[("dead", 150), (&ours, 0), ("alive", 149)]);
    let (s3, mut asked) = answering(vec![listed, lease("node-2", "writes")]).await;
    let other = s3.store.in_the_way(id, alone).await.unwrap().unwrap();
    let said = "a registry serves it: host `node-2`, pid 1, since 1970-01-01T00:00:00Z";
    assert_eq!(other.to_string(), said);
    asked.recv().await.unwrap();
    assert!(asked.recv().await.unwrap().contains("leases/alive"));
    // One that cannot be read may be anybody's.
    let listed = leases(&[(&ours, 0), ("strange", 0)]);
    let (s3, _asked) = answering(vec![listed, ("200 OK", length(3), "???")]).await;
    assert!(s3.store.in_the_way(id, alone).await.unwrap().is_some());
    // One that is gone by now is nobody's.
    let listed = leases(&[(&ours, 0), ("gone", 0)]);
    let (s3, _asked) = answering(vec![listed, ("404 Not Found", String::new(), "")]).await;
    assert!(s3.store.in_the_way(id, alone).await.unwrap().is_none());
}

/// The lease of a process of this machine that has ended.
fn lease_of_the_dead(using: &str) -> Answer {
    let text =
        String::from_utf8(super::holder::Holder::this(super::Using::Alone).to_bytes().into());
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = format!("pid {}\n", child.id());
    child.wait().unwrap();
    let text = text.unwrap().replace(&format!("pid {}\n", std::process::id()), &pid);
    let text = text.replace("using alone", &format!("using {using}"));
    ("200 OK", length(text.len()), text.leak())
}

#[tokio::test]
async fn the_last_deletes_of_a_collection_that_was_killed_are_waited_for_by_who_takes_pushes() {
    use super::Using::{Alone, Writes};
    let id = crate::UploadId::random();
    let ours = id.to_string();
    for (using, dead, age, is_in_the_way) in [
        (Writes, "alone", 44, true),
        (Writes, "collects", 0, true),
        (Writes, "alone", 45, false),
        // It has copied, or served: nothing that it may still do takes anything away.
        (Writes, "fills", 0, false),
        (Alone, "writes", 0, false),
        // Who collects next promises nobody anything.
        (Alone, "alone", 0, false),
    ] {
        let listed = leases(&[(&ours, 0), ("another", age)]);
        let (s3, _asked) = answering(vec![listed, lease_of_the_dead(dead)]).await;
        let found = s3.store.in_the_way(id, using).await.unwrap();
        assert_eq!(found.is_some(), is_in_the_way, "{dead} {age}: {found:?}");
    }
}

#[tokio::test]
async fn a_registry_is_not_in_its_own_way_and_every_other_one_is() {
    let (id, serving) = (crate::UploadId::random(), crate::UploadId::random());
    let (ours, own) = (id.to_string(), serving.to_string());
    for (others, is_in_the_way) in [
        (&[(&*ours, 0), (&*own, 0)][..], false),
        (&[(&*ours, 0), (&*own, 0), ("another", 0)], true),
    ] {
        let (s3, _asked) = answering(vec![leases(others), lease("node-2", "writes")]).await;
        s3.store.own.add(serving);
        let beside = client::beside(&s3.store);
        let found = beside.in_the_way(id, super::Using::Sweeps).await.unwrap();
        assert_eq!(found.is_some(), is_in_the_way, "{found:?}");
    }
}

#[tokio::test]
async fn a_delete_beside_writes_is_asked_for_once_and_what_becomes_of_it_is_not_relied_on() {
    let blobs = [digest(), Digest::of(Algorithm::Sha256, b"y")].map(Item::Blob).to_vec();
    let lost = ("500 Internal Server Error", length(0), "");
    let gone = ("404 Not Found", String::new(), "");
    let (s3, asked) = answering(vec![lost, gone.clone(), gone]).await;
    let beside = S3 { store: Arc::new(client::beside(&s3.store)), claim: None };
    assert_eq!(beside.doubt(), None);
    let removed = crate::Bulk::remove(&beside, blobs, Disposal::Delete).await.unwrap();
    assert!(removed.iter().all(|removed| matches!(removed, Ok(Removed::Gone))), "{removed:?}");
    let doubt = beside.doubt().unwrap();
    s3.settle(doubt);
    let error = s3.put(Key::Fetched, Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(told(&error).contains("a delete of a collection was not answered"), "{}", told(&error));
    let asked = all(asked).await;
    let methods: Vec<&str> = asked.iter().map(|it| it.split(' ').next().unwrap()).collect();
    assert_eq!(methods, ["post", "head", "head"]);
}

#[tokio::test]
async fn a_delete_that_the_store_has_refused_is_no_doubt() {
    let (s3, _asked) = answering(vec![refusal("403 Forbidden", "AccessDenied")]).await;
    let beside = S3 { store: Arc::new(client::beside(&s3.store)), claim: None };
    let removed = crate::Bulk::remove(&beside, vec![Item::Blob(digest())], Disposal::Delete).await;
    assert!(removed.is_ok_and(|removed| removed[0].is_err()) && beside.doubt().is_none());
}

#[tokio::test]
async fn where_ones_own_lease_is_not_listed_nobody_knows_of_others() {
    let (s3, _asked) = answering(vec![leases(&[("another", 300)])]).await;
    let id = crate::UploadId::random();
    let error = s3.store.in_the_way(id, super::Using::Alone).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(told(&error).contains("does not list what was just written"), "{}", told(&error));
}

/// A list of the multipart uploads of `a`, as one page of several where another one follows.
fn uploads(ids: &[&str], more: bool) -> Answer {
    let listed: String = ids
        .iter()
        .map(|id| format!("<Upload><Key>a</Key><UploadId>{id}</UploadId></Upload>"))
        .collect();
    let next = if more { "<NextUploadIdMarker>next</NextUploadIdMarker>" } else { "" };
    let body = format!(
        "<ListMultipartUploadsResult><IsTruncated>{more}</IsTruncated>{next}{listed}</ListMultipartUploadsResult>"
    );
    ("200 OK", length(body.len()), body.leak())
}

fn no_parts() -> Answer {
    refusal("404 Not Found", "NoSuchUpload")
}

fn a_part(modified: &str) -> Answer {
    let body = format!(
        "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber>\
         <LastModified>{modified}</LastModified><Size>1</Size></Part></ListPartsResult>"
    );
    ("200 OK", length(body.len()), body.leak())
}

/// The methods and targets of all requests.
async fn all(mut asked: mpsc::UnboundedReceiver<String>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(request) = asked.recv().await {
        lines.push(request.lines().next().unwrap().to_owned());
    }
    lines
}

#[tokio::test]
async fn an_upload_that_a_late_part_brings_back_is_aborted_again() {
    let aborted = || ("204 No Content", String::new(), "");
    let mut answers = vec![a_part("2999-01-01T00:00:00Z"), aborted()];
    // It is gone, and then it is not.
    answers.extend([no_parts(), uploads(&[], false), no_parts(), uploads(&["id"], false)]);
    answers.push(aborted());
    // Its parts alone are seen.
    answers.extend([a_part("2999-01-01T00:00:00Z"), aborted()]);
    answers.extend((0..4).flat_map(|_| [no_parts(), uploads(&["another"], false)]));
    let expected = answers.len();
    let (s3, asked) = answering(answers).await;
    s3.store.end_multipart("a", "id").await.unwrap();
    let asked = all(asked).await;
    assert_eq!(asked.len(), expected);
    assert_eq!(asked.iter().filter(|line| line.starts_with("delete")).count(), 3, "{asked:#?}");
}

#[tokio::test]
async fn an_upload_of_long_ago_is_aborted_once() {
    let answers = vec![a_part("2001-01-01T00:00:00Z"), ("204 No Content", String::new(), "")];
    let (s3, asked) = answering(answers).await;
    s3.store.end_multipart("a", "id").await.unwrap();
    assert_eq!(all(asked).await.len(), 2);
}

#[tokio::test]
async fn uploads_are_ended_to_the_last_page() {
    let long_ago = || a_part("2001-01-01T00:00:00Z");
    let aborted = || ("204 No Content", String::new(), "");
    let lists = [uploads(&["one"], true), uploads(&["two"], false)];
    let ends = [long_ago(), aborted(), long_ago(), aborted()];
    let (s3, asked) = answering(lists.into_iter().chain(ends).collect()).await;
    s3.store.end_multiparts("a").await.unwrap();
    let asked = all(asked).await;
    assert!(asked[1].contains("upload-id-marker=next"), "{asked:#?}");
    assert!(asked[3].contains("uploadid=one") && asked[5].contains("uploadid=two"), "{asked:#?}");
    // A page that leads nowhere is no end.
    let (s3, _asked) = answering(vec![uploads(&[], true), uploads(&[], true)]).await;
    let error = s3.store.end_multiparts("a").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Truncated);
}
