//! What a registry does is told, in order, to everybody who wants to know, whoever else is away.

use std::{fmt::Write as _, time::Duration};

use registry::{EndpointStatistics, EventsError, EventsWish};
use serde_json::{Value, json};

use crate::{
    receiver::{
        Mood::{Answers, Hangs, Moves},
        Receiver,
    },
    server::{Running, eventually},
};

/// Of `{}`.
const CONFIG: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

const IMAGE: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

/// `notifications`, with these endpoints and a folder for their queues.
fn lines(folder: &tempfile::TempDir, endpoints: &[(&str, String, &str)]) -> String {
    let mut lines = "notifications:\n  endpoints:\n".to_owned();
    for (name, url, more) in endpoints {
        writeln!(lines, "  - {{name: {name}, url: '{url}', timeout: 2s, backoff: 10ms, {more}}}")
            .unwrap();
    }
    let queues = folder.path().join("events");
    write!(lines, "regctl: {{notifications: {{folder: '{}'}}}}", queues.display()).unwrap();
    lines
}

/// A registry with these endpoints, each with a threshold of 1.
fn start(endpoints: &[(&str, String, &str)]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let lines = lines(&folder, endpoints);
    Running::in_folder(folder, &lines)
}

fn numbers(running: &Running, name: &str) -> EndpointStatistics {
    running.control.events().into_iter().find(|endpoint| endpoint.name == name).unwrap()
}

/// Does something that is told.
async fn pushes(running: &Running, count: usize) {
    let mut client = running.client().await;
    for _ in 0..count {
        let target = format!("/v2/app/blobs/uploads/?digest={CONFIG}");
        client.ask("POST", &target, "{}").await.expect(201);
    }
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_told_as_what_it_did() {
    let receiver = Receiver::start(Answers(200)).await;
    let headers = "headers: {Authorization: [Bearer hunter3], X-A: [b, c]}";
    let running = start(&[("one", receiver.url(), headers)]);
    pushes(&running, 1).await;
    let mut client = running.client().await;
    let mount = format!("/v2/other/blobs/uploads/?mount={CONFIG}&from=app");
    client.ask("POST", &mount, "").await.expect(201);
    let digest = client.ask("PUT", "/v2/app/manifests/v1", IMAGE).await.expect(201);
    let digest = digest.header("docker-content-digest").unwrap().to_owned();
    client.ask("PUT", "/v2/app/manifests/v2", IMAGE).await.expect(201);
    client.ask("GET", "/v2/app/manifests/v1", "").await.expect(200);
    client.ask("GET", &format!("/v2/app/blobs/{CONFIG}"), "").await.expect(200);
    client.ask("GET", "/v2/app/manifests/none", "").await.expect(404);
    client.ask("DELETE", "/v2/app/manifests/v2", "").await.expect(202);
    client.ask("DELETE", &format!("/v2/app/manifests/{digest}"), "").await.expect(202);
    client.ask("DELETE", &format!("/v2/app/blobs/{CONFIG}"), "").await.expect(202);
    eventually("all are told", || receiver.events().len() == 10).await;
    let blob = json!({
        "mediaType": "application/octet-stream", "size": 2, "length": 2, "digest": CONFIG,
        "repository": "app", "url": format!("http://test/v2/app/blobs/{CONFIG}"),
    });
    let mut mounted = blob.clone();
    mounted["repository"] = "other".into();
    mounted["fromRepository"] = "app".into();
    mounted["url"] = format!("http://test/v2/other/blobs/{CONFIG}").into();
    let size = IMAGE.len();
    let manifest = |tag: &str| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": size, "length": size,
            "digest": digest, "repository": "app", "tag": tag,
            "url": format!("http://test/v2/app/manifests/{digest}"),
        })
    };
    let expected = [
        ("push", blob.clone()),
        ("mount", mounted),
        ("push", manifest("v1")),
        ("push", manifest("v2")),
        ("pull", manifest("v1")),
        ("pull", blob),
        ("delete", json!({ "repository": "app", "tag": "v2" })),
        ("delete", json!({ "repository": "app", "digest": digest })),
        ("delete", json!({ "repository": "app", "tag": "v1" })),
        ("delete", json!({ "repository": "app", "digest": CONFIG })),
    ];
    for (request, (action, target)) in receiver.requests().iter().zip(expected) {
        let [event] = request.events.as_slice() else { panic!("one event a request") };
        assert_eq!((&event["action"], &event["target"]), (&json!(action), &target));
        assert_eq!(event["request"]["host"], "test");
        assert!(event["request"]["addr"].as_str().unwrap().starts_with("127.0.0.1:"), "{event}");
        let header = |name: &str| {
            let values = request.headers.iter().filter(move |(known, _)| known == name);
            values.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        let v1 = "application/vnd.docker.distribution.events.v1+json";
        assert_eq!(header("content-type"), [v1]);
        assert_eq!(header("authorization"), ["Bearer hunter3"]);
        assert_eq!(header("x-a"), ["b", "c"]);
    }
    let shown = format!("{:?}", running.control);
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(!numbers(&running, "one").url.contains("hunter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_away_or_hangs_holds_up_nobody_else() {
    let (good, hanging) = (Receiver::start(Answers(200)).await, Receiver::start(Hangs).await);
    let gone = Receiver::start(Answers(200)).await.end().await;
    let gone_url = format!("http://{gone}/hook?token=hunter2");
    let running = start(&[
        ("gone", gone_url, "threshold: 1"),
        ("hanging", hanging.url(), "threshold: 1"),
        ("good", good.url(), "threshold: 1"),
    ]);
    pushes(&running, 20).await;
    eventually("the good one has all", || good.events().len() == 20).await;
    assert_eq!(numbers(&running, "gone").pending, 20);
    assert_eq!(numbers(&running, "hanging").pending, 20);
    eventually("it is said", || numbers(&running, "gone").trouble.is_some()).await;
    // Both come back, and nothing is missing or out of order.
    hanging.turn(Answers(200));
    let back = Receiver::at(gone, Answers(200)).await;
    eventually("the one that was gone has all", || numbers(&running, "gone").pending == 0).await;
    eventually("the one that hung has all", || numbers(&running, "hanging").pending == 0).await;
    let expected = good.events();
    assert_eq!(ids(&back.events()), ids(&expected));
    let mut seen = hanging.events();
    // What it had read before it hung is sent again: at least once is not once.
    seen.dedup();
    assert_eq!(ids(&seen), ids(&expected));
    assert_eq!(numbers(&running, "gone").trouble, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_outlives_the_server() {
    let receiver = Receiver::start(Answers(503)).await;
    let running = start(&[("one", receiver.url(), "threshold: 1")]);
    pushes(&running, 5).await;
    eventually("it is tried", || numbers(&running, "one").failures > 2).await;
    let attempts = receiver.events();
    assert!(attempts.iter().all(|event| event["id"] == attempts[0]["id"]), "the first one first");
    let lines = lines_of(&running, &receiver);
    let folder = running.into_folder().await;
    let running = Running::in_folder(folder, &lines);
    pushes(&running, 1).await;
    receiver.turn(Answers(200));
    eventually("all are delivered", || numbers(&running, "one").delivered == 6).await;
    let mut events = receiver.events();
    events.dedup();
    assert_eq!(events.len(), 6);
    assert_eq!(events[0]["id"], attempts[0]["id"]);
}

/// The lines of [`start`] for a folder that is there.
fn lines_of(running: &Running, receiver: &Receiver) -> String {
    let queues = running.admin_socket().parent().unwrap().join("events");
    format!(
        "notifications: {{endpoints: [{{name: one, url: '{}', timeout: 2s, backoff: 10ms, threshold: 1}}]}}\n\
         regctl: {{notifications: {{folder: '{}'}}}}",
        receiver.url(),
        queues.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_replayed_when_somebody_wants_it() {
    let receiver = Receiver::start(Answers(500)).await;
    let running = start(&[("one", receiver.url(), "maxretries: 2")]);
    pushes(&running, 2).await;
    eventually("both are given up", || numbers(&running, "one").dead == 2).await;
    assert_eq!(receiver.events().len(), 6, "each has one attempt and two more");
    assert_eq!(numbers(&running, "one").statuses[&500], 6);
    receiver.turn(Answers(200));
    let mut admin = running.admin().await;
    let wish = r#"{"endpoint": "one", "wish": "replay"}"#;
    let done = admin.ask("POST", "/v1/events", wish).await.expect(200).json();
    assert_eq!(done, json!({ "schema": 1, "events": 2 }));
    eventually("both are delivered", || numbers(&running, "one").delivered == 2).await;
    let events = receiver.events();
    assert_eq!(ids(&events)[6..], [ids(&events)[0], ids(&events)[3]]);
    let listed = admin.ask("GET", "/v1/events", "").await.expect(200).json();
    assert_eq!(listed["endpoints"][0]["name"], "one");
    assert_eq!(
        (&listed["endpoints"][0]["dead"], &listed["endpoints"][0]["given_up"]),
        (&json!(0), &json!(2))
    );
    let wish = r#"{"endpoint": "two", "wish": "forget-dead"}"#;
    let unknown = admin.ask("POST", "/v1/events", wish).await.expect(404).json();
    assert!(unknown["error"].as_str().unwrap().contains("there are: one"), "{unknown}");
    admin.ask("POST", "/v1/events", r#"{"endpoint": "one"}"#).await.expect(400);
    admin.ask("PUT", "/v1/events", "").await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_can_be_forgotten() {
    let receiver = Receiver::start(Answers(503)).await;
    let running = start(&[("one", receiver.url(), "threshold: 1")]);
    pushes(&running, 7).await;
    let forgotten = running.control.command_events("one", EventsWish::ForgetPending).await.unwrap();
    assert_eq!(forgotten, 7);
    assert_eq!(numbers(&running, "one").pending, 0);
    receiver.turn(Answers(200));
    pushes(&running, 1).await;
    eventually("the next one is delivered", || numbers(&running, "one").delivered == 1).await;
    let unknown = running.control.command_events("none", EventsWish::Replay).await.unwrap_err();
    assert!(matches!(unknown, EventsError::Unknown { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_no_success() {
    let receiver = Receiver::start(Answers(302)).await;
    let running = start(&[("one", receiver.url(), "threshold: 1")]);
    pushes(&running, 1).await;
    eventually("it has failed", || numbers(&running, "one").failures > 0).await;
    let trouble = numbers(&running, "one").trouble.unwrap();
    assert!(trouble.contains("302, a redirect"), "{trouble}");
    assert_eq!(numbers(&running, "one").pending, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_that_leaves_the_request_as_it_is_is_followed_on_the_same_host() {
    for status in [307, 308] {
        let receiver = Receiver::start(Moves(status)).await;
        let headers = "headers: {Authorization: [Bearer hunter3]}";
        let running = start(&[("one", receiver.url(), headers)]);
        pushes(&running, 1).await;
        eventually("it is delivered", || numbers(&running, "one").delivered == 1).await;
        let [asked, moved] = receiver.requests().try_into().unwrap();
        assert_eq!(ids(&asked.events), ids(&moved.events));
        let header = |name: &str| moved.headers.iter().find(|(known, _)| known == name);
        assert_eq!(header("authorization").unwrap().1, "Bearer hunter3");
        assert_eq!(header("referer"), None, "the URL that was left may have a secret");
    }
    // A GET's success would mean nothing.
    let receiver = Receiver::start(Moves(303)).await;
    let running = start(&[("one", receiver.url(), "threshold: 1")]);
    pushes(&running, 1).await;
    eventually("it has failed", || numbers(&running, "one").failures > 0).await;
    assert_eq!(numbers(&running, "one").delivered, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_is_fulfilled_while_an_endpoint_takes_its_time() {
    let receiver = Receiver::start(Hangs).await;
    let running = start(&[("one", receiver.url(), "timeout: 1h")]);
    pushes(&running, 5).await;
    eventually("it is told", || receiver.events().len() == 1).await;
    let bound = Duration::from_secs(10);
    let wish = |wish| tokio::time::timeout(bound, running.control.command_events("one", wish));
    assert_eq!(wish(EventsWish::Replay).await.unwrap().unwrap(), 0);
    assert_eq!(wish(EventsWish::ForgetDead).await.unwrap().unwrap(), 0);
    assert_eq!(wish(EventsWish::ForgetPending).await.unwrap().unwrap(), 5);
    receiver.turn(Answers(200));
    pushes(&running, 1).await;
    eventually("the next one is delivered", || numbers(&running, "one").delivered == 1).await;
    assert_eq!(numbers(&running, "one").pending, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_say_what_is_not_told() {
    let receiver = Receiver::start(Answers(200)).await;
    let rules = "ignoredmediatypes: [application/octet-stream], ignore: {actions: [pull]}";
    let running = start(&[("one", receiver.url(), rules)]);
    pushes(&running, 1).await;
    let mut client = running.client().await;
    client.ask("PUT", "/v2/app/manifests/v1", IMAGE).await.expect(201);
    client.ask("GET", "/v2/app/manifests/v1", "").await.expect(200);
    client.ask("DELETE", "/v2/app/manifests/v1", "").await.expect(202);
    eventually("both are told", || receiver.events().len() == 2).await;
    let actions: Vec<_> = receiver.events().iter().map(|event| event["action"].clone()).collect();
    assert_eq!(actions, ["push", "delete"]);
    assert_eq!(numbers(&running, "one").delivered + numbers(&running, "one").pending, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_who_is_told_and_ends_a_long_pause() {
    let (wrong, right) = (Receiver::start(Answers(404)).await, Receiver::start(Answers(200)).await);
    let running = start(&[("one", wrong.url(), "threshold: 1, backoff: 1h")]);
    pushes(&running, 1).await;
    eventually("it has failed", || numbers(&running, "one").failures == 1).await;
    running.rewrite(|text| text.replace(&wrong.url(), &right.url()));
    let mut admin = running.admin().await;
    let reloaded = admin.ask("POST", "/v1/reload", "").await.expect(200).json();
    assert_eq!(reloaded["applied"], json!(["notifications.endpoints"]));
    eventually("the right one has it", || right.events().len() == 1).await;
    let bound = Duration::from_secs(5);
    tokio::time::timeout(bound, pushes(&running, 3)).await.expect("a push waits for nobody");
    eventually("it has all", || right.events().len() == 4).await;
}
