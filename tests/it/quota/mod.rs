//! Quotas: what has no room is refused wherever it comes in, what counts survives, and who counts everything corrects it.

mod corrected;
mod refused;
mod survives;

use serde_json::Value;

use crate::{
    faults::Registry,
    support::{
        World,
        http::Answer,
        pusher::{Pusher, digest},
    },
};

/// Ten kilobytes for a group.
const LIMIT: usize = 10_000;

/// A registry without an instance, with these limits.
fn registry(limits: &str) -> Registry {
    let world = World::new();
    let storage = world.path("storage");
    let mut registry = Registry::prepared(world, storage);
    configure(&registry, limits);
    registry.start_again();
    registry
}

fn configure(registry: &Registry, limits: &str) {
    let folder = registry.world().path("quotas");
    registry.rewrite(|text| {
        let bare = text.split("regctl:").next().unwrap();
        let folder = folder.display();
        format!("{bare}regctl: {{quotas: {{folder: '{folder}', limits: [{limits}]}}}}\n")
    });
}

fn limit(repositories: &str, bytes: usize) -> String {
    format!("{{repositories: ['{repositories}'], maxsize: {bytes}}}")
}

/// A refusal, with what it says: the quota, its limit, what is used and what was asked.
#[track_caller]
fn refusal(answer: &Answer) -> (String, [u64; 3]) {
    assert_eq!(answer.status, 403, "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let error = &body["errors"][0];
    assert_eq!(error["code"], "DENIED");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("the quota of `") && message.contains("` has no room: "), "{message}");
    let detail = &error["detail"];
    let figures = ["limit", "used", "asked"].map(|name| detail[name].as_u64().unwrap());
    (detail["quota"].as_str().unwrap().to_owned(), figures)
}

/// What is used of the quota of a repository, as the refusal of something larger than all of it says.
#[track_caller]
fn used(pusher: &mut Pusher, repository: &str) -> u64 {
    let huge = vec![7; 10 * LIMIT];
    let answer = pusher.post_blob(repository, &huge).unwrap();
    refusal(&answer).1[1]
}

fn mount(pusher: &mut Pusher, from: &str, to: &str, content: &[u8]) -> Answer {
    let target = format!(
        "/v2/{to}/blobs/uploads/?mount={}&from={from}",
        digest(content).replace(':', "%3A")
    );
    pusher.send("POST", &target, &[], &[]).unwrap()
}

/// Content of its own.
fn blob(number: usize, bytes: usize) -> Vec<u8> {
    let front = format!("{number:08}");
    front.bytes().chain(std::iter::repeat(b'.')).take(bytes).collect()
}
