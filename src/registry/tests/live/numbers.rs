//! What the debug server counts: the storage's work, events, and what a cache was asked for.

use oci::{Algorithm, Digest};
use serde_json::json;

use crate::{
    client::Client,
    receiver::{Mood::Answers, Receiver},
    server::{Running, eventually},
    upstream::{Reply, Upstream},
};

/// Of `{}`.
const CONFIG: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

const PUSH: &str = "/v2/app/blobs/uploads/?digest=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// A server with metrics and these sections, and the address of its debug server.
async fn start(sections: &str) -> (Running, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let debug = format!("debug: {{addr: '{address}', prometheus: {{enabled: true}}}}");
    let running = Running::with_more(&debug, sections);
    eventually("it listens", || std::net::TcpStream::connect(&address).is_ok()).await;
    (running, address)
}

async fn read(address: &str, path: &str) -> String {
    let answer = Client::tcp(address).await.ask("GET", path, "").await.expect(200);
    String::from_utf8(answer.body).unwrap()
}

fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line}\nis not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_of_the_storage_are_timed_and_its_failures_counted() {
    let (running, debug) = start("").await;
    let mut client = running.client().await;
    client.ask("POST", PUSH, "{}").await.expect(201);
    client.ask("GET", &format!("/v2/app/blobs/{CONFIG}"), "").await.expect(200);
    client.ask("GET", "/v2/app/manifests/none", "").await.expect(404);
    let metrics = read(&debug, "/metrics").await;
    for action in ["Reader", "Writer", "PutContent", "Move", "Stat"] {
        let sample = format!(
            "registry_storage_action_seconds_count{{action=\"{action}\",driver=\"filesystem\"}} "
        );
        let count = metrics.lines().find_map(|line| line.strip_prefix(&sample));
        assert!(count.is_some_and(|count| count != "0"), "{action} in\n{metrics}");
    }
    // What is not there is no failure.
    assert_lines(
        &metrics,
        &["registry_storage_errors_total{action=\"GetContent\",driver=\"filesystem\"} 0"],
    );
    assert!(!metrics.contains("registry_storage_cache"), "there is no such cache");
    assert!(!metrics.contains("registry_proxy_"), "this is no cache");
    assert!(!metrics.contains("registry_notifications_"), "nobody is told");
    // A link that leads to itself.
    let current = running.repository("broken").join("_manifests/tags/v1/current");
    std::fs::create_dir_all(&current).unwrap();
    std::os::unix::fs::symlink("link", current.join("link")).unwrap();
    client.ask("GET", "/v2/broken/manifests/v1", "").await.expect(500);
    let metrics = read(&debug, "/metrics").await;
    assert_lines(
        &metrics,
        &["registry_storage_errors_total{action=\"GetContent\",driver=\"filesystem\"} 1"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_for_each_endpoint() {
    let good = Receiver::start(Answers(200)).await;
    let bad = Receiver::start(Answers(500)).await;
    let endpoint = |name: &str, url: String| {
        format!(
            "{{name: {name}, url: '{url}', timeout: 2s, threshold: 1, backoff: 1h, headers: {{Authorization: [hunter2]}}}}"
        )
    };
    let endpoints = [endpoint("good", good.url()), endpoint("bad", bad.url())].join(", ");
    let (running, debug) = start(&format!("notifications: {{endpoints: [{endpoints}]}}")).await;
    running.client().await.ask("POST", PUSH, "{}").await.expect(201);
    eventually("both have answered", || {
        running.control.events().iter().all(|endpoint| !endpoint.statuses.is_empty())
    })
    .await;
    let delivered = || running.control.events().iter().all(|it| it.pending == 0 || it.failures > 0);
    eventually("it is counted", delivered).await;
    assert_lines(
        &read(&debug, "/metrics").await,
        &[
            "registry_notifications_events_total{endpoint=\"good\",type=\"Events\"} 1",
            "registry_notifications_events_total{endpoint=\"good\",type=\"Successes\"} 1",
            "registry_notifications_events_total{endpoint=\"bad\",type=\"Failures\"} 1",
            "registry_notifications_events_total{endpoint=\"bad\",type=\"Errors\"} 0",
            "registry_notifications_status_total{code=\"200 OK\",endpoint=\"good\"} 1",
            "registry_notifications_status_total{code=\"500 Internal Server Error\",endpoint=\"bad\"} 1",
            "registry_notifications_pending_total{endpoint=\"good\"} 0",
            "registry_notifications_pending_total{endpoint=\"bad\"} 1",
            "registry_notifications_dead{endpoint=\"bad\"} 0",
        ],
    );
    let text = read(&debug, "/debug/vars").await;
    assert!(!text.contains("hunter2"), "{text}");
    let variables: serde_json::Value = serde_json::from_str(&text).unwrap();
    let endpoint = &variables["registry"]["notifications"]["endpoints"][1];
    assert_eq!(endpoint["name"], "bad");
    let expected = json!({
        "Pending": 1, "Events": 1, "Successes": 0, "Failures": 1, "Errors": 0,
        "Statuses": { "500 Internal Server Error": 1 },
    });
    assert_eq!(endpoint["Metrics"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_counts_what_it_had_and_what_it_fetched() {
    let upstream = Running::start();
    upstream.client().await.ask("POST", PUSH, "{}").await.expect(201);
    let (cache, debug) =
        start(&format!("proxy: {{remoteurl: 'http://{}'}}", upstream.address)).await;
    let blob = format!("/v2/app/blobs/{CONFIG}");
    assert_eq!(cache.client().await.ask("GET", &blob, "").await.expect(200).body, b"{}");
    let repository = cache.repository("app");
    eventually("it is kept", || {
        repository.join("_layers/sha256").join(&CONFIG[7..]).join("link").exists()
    })
    .await;
    cache.client().await.ask("GET", &blob, "").await.expect(200);
    cache.client().await.ask("HEAD", &blob, "").await.expect(200);
    assert_lines(
        &read(&debug, "/metrics").await,
        &[
            "registry_proxy_requests_total{type=\"blob\"} 2",
            "registry_proxy_hits_total{type=\"blob\"} 1",
            "registry_proxy_misses_total{type=\"blob\"} 1",
            "registry_proxy_pulled_bytes_total{type=\"blob\"} 2",
            "registry_proxy_pushed_bytes_total{type=\"blob\"} 4",
            "registry_proxy_requests_total{type=\"manifest\"} 0",
        ],
    );
    let variables: serde_json::Value =
        serde_json::from_str(&read(&debug, "/debug/vars").await).unwrap();
    let blobs =
        json!({ "Requests": 2, "Hits": 1, "Misses": 1, "BytesPulled": 2, "BytesPushed": 4 });
    assert_eq!(variables["registry"]["proxy"]["blobs"], blobs);
}

/// A manifest for each of these tags.
fn index(tag: &str) -> String {
    let kind = "application/vnd.oci.image.index.v1+json";
    let annotations = json!({ "tag": tag });
    json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [], "annotations": annotations })
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_in_which_all_tags_expire_reads_each_of_them_now_and_then() {
    const TAGS: usize = 150;
    let upstream = Upstream::start(|asked| {
        let reference = asked.target.rsplit('/').next().unwrap();
        let digest = |tag: &str| Digest::of(Algorithm::Sha256, index(tag).as_bytes()).to_string();
        let mut tags = (0..TAGS).map(|number| format!("v{number}"));
        let tag = tags.find(|tag| tag == reference || digest(tag) == reference).unwrap();
        Reply::body(index(&tag).as_bytes())
            .header("Content-Type", "application/vnd.oci.image.index.v1+json")
            .header("Docker-Content-Digest", digest(&tag))
    })
    .await;
    let sections = format!("proxy: {{remoteurl: '{}', ttl: 3s}}", upstream.url());
    let (cache, debug) = start(&sections).await;
    let mut client = cache.client().await;
    for number in 0..TAGS {
        client.ask("GET", &format!("/v2/app/manifests/v{number}"), "").await.expect(200);
    }
    let tags = cache.repository("app").join("_manifests/tags");
    let is_empty = || std::fs::read_dir(&tags).is_ok_and(|mut tags| tags.next().is_none());
    eventually("all have gone", is_empty).await;
    let metrics = read(&debug, "/metrics").await;
    let sample =
        "registry_storage_action_seconds_count{action=\"GetContent\",driver=\"filesystem\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(sample)).unwrap();
    let count: usize = count.parse().unwrap();
    // All tags for each of them would be more than ten thousand.
    assert!(count < 20 * TAGS, "{count} files were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_have_their_figures_and_what_the_registry_writes_itself_is_never_refused() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": CONFIG, "size": 2 },
        "layers": [],
        "subject": { "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": CONFIG, "size": 2 },
    })
    .to_string();
    let room = 2 + manifest.len();
    let quotas = |limit: usize| {
        let folder = folder.path().join("quotas");
        let folder = folder.display();
        format!(
            "regctl: {{quotas: {{folder: '{folder}', limits: [{{repositories: ['app', 'b/**'], maxsize: {limit}}}]}}}}"
        )
    };
    let (running, debug) = start(&quotas(room)).await;
    let mut client = running.client().await;
    client.ask("POST", PUSH, "{}").await.expect(201);
    let used =
        |bytes: usize| format!("registry_quota_used_bytes{{repositories=\"app, b/**\"}} {bytes}");
    let limit =
        |bytes: usize| format!("registry_quota_limit_bytes{{repositories=\"app, b/**\"}} {bytes}");
    assert_lines(&read(&debug, "/metrics").await, &[&used(2), &limit(room)]);
    // The list of its referrers comes with it.
    let digest = Digest::of(Algorithm::Sha256, manifest.as_bytes());
    let target = format!("/v2/app/manifests/{digest}");
    client.ask("PUT", &target, &manifest).await.expect(201);
    let status = running.admin().await.ask("GET", "/v1/status", "").await.expect(200).json();
    let quota = &status["quotas"][0];
    assert_eq!((&quota["max_size"], &quota["counted"]), (&json!(room), &json!(null)));
    let full = usize::try_from(quota["used"].as_u64().unwrap()).unwrap();
    assert!(full > room, "{quota}");
    let blob = "/v2/app/blobs/uploads/?digest=sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    client.ask("POST", blob, "x").await.expect(403);
    // Another limit counts from now on.
    running.rewrite(|text| text.replace(&quotas(room), &quotas(full + 1)));
    let admin = running.admin().await.ask("POST", "/v1/reload", "").await.expect(200).json();
    assert_eq!(admin["applied"], json!(["regctl.quotas"]));
    client.ask("POST", blob, "x").await.expect(201);
    assert_lines(&read(&debug, "/metrics").await, &[&used(full + 1), &limit(full + 1)]);
    // What would add is refused, and what is there goes on.
    running.rewrite(|text| text.replace(&quotas(full + 1), &quotas(1)));
    running.admin().await.ask("POST", "/v1/reload", "").await.expect(200);
    let annotated = manifest.replace("\"layers\"", "\"annotations\":{\"a\":\"b\"},\"layers\"");
    let other = Digest::of(Algorithm::Sha256, annotated.as_bytes());
    client.ask("PUT", &format!("/v2/app/manifests/{other}"), &annotated).await.expect(403);
    client.ask("GET", &target, "").await.expect(200);
    client.ask("PUT", &target, &manifest).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_written_refuses_pushes_for_a_while_and_no_pulls() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("quotas");
    std::fs::write(&place, "in the way").unwrap();
    let quotas = format!(
        "regctl: {{quotas: {{folder: '{}', limits: [{{repositories: [app], maxsize: 10}}]}}}}",
        place.display()
    );
    let (running, _) = start(&quotas).await;
    let mut client = running.client().await;
    let refused = client.ask("POST", PUSH, "{}").await.expect(503);
    assert_eq!(refused.header("retry-after"), Some("60"));
    client.ask("POST", &PUSH.replace("/app/", "/other/"), "{}").await.expect(201);
    std::fs::remove_file(&place).unwrap();
    client.ask("POST", PUSH, "{}").await.expect(201);
    client.ask("GET", &format!("/v2/app/blobs/{CONFIG}"), "").await.expect(200);
}
