//! Notifications of the real program: what Distribution tells of the same requests, what a crash leaves, and the commands.

mod commands;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Peer, Server, World,
    http::{Client, Request, sha256},
    receiver::Receiver,
};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Does something of every kind; returns how many events that is.
fn requests(port: u16) -> usize {
    let mut client = Client::new(port);
    let ask = |client: &mut Client, request: Request, status: u16| {
        client.ask(&request.header("user-agent", "test/1")).expect(status)
    };
    let config = client.push_blob("a/b", b"{}");
    let layer = client.push_blob("a/b", b"layer");
    let mount = format!("/v2/c/d/blobs/uploads/?mount={layer}&from=a/b");
    ask(&mut client, Request::new("POST", mount), 201);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": config,
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 5, "digest": layer,
        }],
    });
    let manifest = manifest.to_string();
    let digest = sha256(manifest.as_bytes());
    let list = json!({
        "schemaVersion": 2, "mediaType": LIST,
        "manifests": [{
            "mediaType": MANIFEST, "size": manifest.len(), "digest": digest,
            "platform": { "architecture": "amd64", "os": "linux" },
        }],
    });
    let put = |reference: &str, media_type: &str, body: &str| {
        let target = format!("/v2/a/b/manifests/{reference}");
        Request::new("PUT", target).header("content-type", media_type).body(body)
    };
    let by_digest = digest.to_string();
    for reference in ["t1", "t2", &by_digest] {
        ask(&mut client, put(reference, MANIFEST, &manifest), 201);
    }
    ask(&mut client, put("list", LIST, &list.to_string()), 201);
    let target = |reference: &str| format!("/v2/a/b/manifests/{reference}");
    let get = |method: &str, reference: &str| {
        Request::new(method, target(reference)).header("accept", MANIFEST)
    };
    let forwarded = get("GET", "t1")
        .header("x-forwarded-for", "10.1.2.3, 10.0.0.1")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "registry.example.com");
    ask(&mut client, forwarded, 200);
    ask(&mut client, get("HEAD", "t1").header("x-real-ip", "10.9.9.9"), 200);
    ask(&mut client, get("GET", &by_digest), 200);
    // Of a manifest that the client has nothing is told, of a blob it is.
    let etag = format!("\"{digest}\"");
    ask(&mut client, get("GET", "t1").header("if-none-match", etag), 304);
    ask(&mut client, get("GET", "none"), 404);
    let blob = |method: &str| Request::new(method, format!("/v2/a/b/blobs/{layer}"));
    ask(&mut client, blob("GET"), 200);
    ask(&mut client, blob("HEAD"), 200);
    ask(&mut client, blob("GET").header("range", "bytes=1-2"), 206);
    ask(&mut client, blob("GET").header("if-none-match", format!("\"{layer}\"")), 304);
    ask(&mut client, Request::new("DELETE", target(&by_digest)), 202);
    ask(&mut client, blob("DELETE"), 202);
    2 + 1 + 4 + 3 + 4 + 3 + 1
}

/// An event without what differs between any two.
fn comparable((media_type, mut event): (String, Value), port: u16) -> (String, Value) {
    for (part, name) in [("request", "id"), ("source", "instanceID")] {
        let id = event[part][name].take();
        assert_eq!(id.as_str().unwrap().len(), 36, "{event}");
    }
    assert_eq!(event["id"].take().as_str().unwrap().len(), 36);
    let time = event["timestamp"].take();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let text = event.to_string().replace(&format!(":{port}"), ":PORT");
    let mut event: Value = serde_json::from_str(&text).unwrap();
    let addr = event["request"]["addr"].as_str().unwrap();
    if addr.starts_with("127.0.0.1:") {
        event["request"]["addr"] = "127.0.0.1:CLIENT".into();
    }
    // Our own port is known when it is configured: 0 here, for both.
    let source = event["source"]["addr"].as_str().unwrap();
    event["source"]["addr"] = source.rsplit_once(':').unwrap().0.into();
    (media_type, event)
}

fn notifications(receiver: &Receiver) -> String {
    format!(
        "notifications:\n  events: {{includereferences: true}}\n  endpoints:\n  \
         - {{name: one, url: '{}', timeout: 5s, threshold: 1, backoff: 20ms}}\n",
        receiver.url()
    )
}

/// Our registry on a storage of its own.
fn ours(world: &World, receiver: &Receiver) -> (Server, u16) {
    let text = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{}'}}, delete: {{enabled: true}}}}\n\
         http: {{addr: '127.0.0.1:0', secret: of this test}}\n{}\
         regctl: {{notifications: {{folder: '{}'}}}}\n",
        world.path("data").display(),
        notifications(receiver),
        world.path("events").display()
    );
    std::fs::write(world.path("config.yml"), text).unwrap();
    let path = world.path("config.yml");
    let server = world.serve(&["registry", "serve", path.to_str().unwrap()]);
    let port = server.greeting.trim_end().rsplit(':').next().unwrap().parse().unwrap();
    (server, port)
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_same_requests_make_the_same_events_as_distributions() {
    let receiver = Receiver::start(200);
    let world = World::new();
    let peer = Peer::with_more(&world.path("theirs"), &notifications(&receiver));
    let count = requests(peer.port());
    let theirs = receiver.take(count);
    let (_server, port) = ours(&world, &receiver);
    requests(port);
    let ours = receiver.take(count);
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        assert_eq!(comparable(ours, port), comparable(theirs, peer.port()));
    }
    assert_eq!(receiver.waiting(), 0);
}

#[test]
fn events_survive_a_kill_and_come_in_their_order() {
    let receiver = Receiver::start(503);
    let world = World::new();
    let (server, port) = ours(&world, &receiver);
    let mut client = Client::new(port);
    let digests: Vec<_> =
        (0..20).map(|number| client.push_blob("a", format!("{number}").as_bytes())).collect();
    assert_eq!(server.stop(Signal::SIGKILL).exit, 128 + 9);
    receiver.take(receiver.waiting());
    receiver.answer(200);
    let (_server, _) = ours(&world, &receiver);
    let mut told: Vec<Value> = receiver.take(20).into_iter().map(|(_, event)| event).collect();
    if receiver.waiting() > 0 {
        // One was on its way to a refusal when the process was killed.
        told.extend(receiver.take(1).into_iter().map(|(_, event)| event));
        told.dedup();
    }
    let told: Vec<_> = told.iter().map(|event| event["target"]["digest"].clone()).collect();
    assert_eq!(told, digests.iter().map(|digest| json!(digest)).collect::<Vec<_>>());
}

const TOLD: &str = r#"
[registry]
default_notifications_headers = { Authorization = "Bearer hunter2hunter2" }
[registry.events]
includereferences = true
maxage = "2h"
[[registry.notifications]]
name = "gitlab"
url = "https://user:hunter3@gitlab.example.com/api/v4/container_registry_event/events?token=hunter4"
threshold = 5
[[registry.notifications]]
name = "ours"
url = "http://127.0.0.1:9/hook"
timeout = "2s"
disabled = true
[registry.notifications.headers]
X-Api-Key = ["hunter5hunter5"]
"#;

#[test]
fn the_settings_are_rendered_and_no_secret_is_shown() {
    let world = World::with(TOLD);
    for command in [&["reconfigure", "--dry-run"][..], &["show-config"], &["diff-config"]] {
        let ran = world.run(command);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        assert!(!format!("{ran:?}").contains("hunter"), "{command:?}: {}", ran.stdout);
        assert!(ran.stdout.contains("gitlab.example.com"), "{command:?}: {}", ran.stdout);
    }
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`threshold` of endpoint `gitlab` is the old name"),
        "{}",
        ran.stderr
    );
    assert!(!format!("{ran:?}").contains("hunter"), "{ran:?}");
    let text = world.read("var/opt/regctl/registry/config.yml");
    let text = text
        .split_once("notifications:\n")
        .unwrap()
        .1
        .replace(world.root().to_str().unwrap(), "[ROOT]");
    assert_eq!(
        text,
        r#"  events:
    includereferences: true
  endpoints:
    - name: "gitlab"
      url: "https://user:hunter3@gitlab.example.com/api/v4/container_registry_event/events?token=hunter4"
      timeout: 500ms
      maxretries: 5
      backoff: 1s
      headers: {"Authorization":["Bearer hunter2hunter2"]}
    - name: "ours"
      url: "http://127.0.0.1:9/hook"
      disabled: true
      timeout: 2s
      backoff: 1s
      headers: {"Authorization":["Bearer hunter2hunter2"],"X-Api-Key":["hunter5hunter5"]}
# What Distribution cannot say, and does not mind.
regctl:
  notifications:
    folder: "[ROOT]/var/opt/regctl/registry/events"
    format: v1
    maxbytes: 67108864
    maxevents: 100000
    maxage: 2h
"#
    );
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn debians_registry_takes_what_is_rendered() {
    let world = World::with(TOLD);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let peer = Peer::rendered(&world);
    assert_eq!(crate::support::client().get(peer.url("/v2/")).send().unwrap().status(), 200);
}

#[test]
fn nobody_is_asked_where_no_registry_runs() {
    let world = World::with("[registry]\n");
    let ran = world.run(&["events", "list"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.stderr.contains("the registry does not run"), "{}", ran.stderr);
    let ran = world.run(&["events", "drop", "one"]);
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
}
