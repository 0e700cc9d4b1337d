//! `kill -9` while clients sign one image: what was acknowledged is listed, and what is listed is there.

use std::{
    io,
    sync::mpsc::{Sender, channel},
    thread,
};

use serde_json::json;

use super::{BOUND, Registry, Rng, is_full_run};
use crate::support::pusher::{Pusher, digest};

const CLIENTS: usize = 6;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SUBJECT: &[u8] = b"the image";

/// A signature of the subject.
fn signature(rng: &mut Rng) -> Vec<u8> {
    let config = json!({ "mediaType": "text/plain", "digest": digest(b"{}"), "size": 2 });
    let subject = json!({ "mediaType": MANIFEST, "digest": digest(SUBJECT), "size": 9 });
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [],
        "subject": subject,
        "annotations": { "number": rng.next().to_string() },
    })
    .to_string()
    .into_bytes()
}

/// Pushes signatures by tag, one after the other, until the connection breaks; returns what was acknowledged.
fn push_until_killed(mut pusher: Pusher, mut rng: Rng, acknowledged: &Sender<()>) -> Vec<String> {
    let mut digests = Vec::new();
    let mut push = || -> io::Result<String> {
        let manifest = signature(&mut rng);
        let tag = format!("signature-{}", rng.between(0, 1 << 30));
        let answer = pusher.push_manifest("app", &tag, &manifest)?;
        assert_eq!(answer.status, 201, "{answer:?}");
        Ok(digest(&manifest))
    };
    while let Ok(pushed) = push() {
        digests.push(pushed);
        // Nobody listens when the test has failed elsewhere.
        let _ = acknowledged.send(());
    }
    digests
}

fn listed(pusher: &mut Pusher) -> Vec<String> {
    let answer = pusher.get(&format!("/v2/app/referrers/{}", digest(SUBJECT))).unwrap();
    let manifests = answer.expect(200).json()["manifests"].as_array().unwrap().clone();
    manifests.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_acknowledged_referrer_is_listed_after_a_kill_and_what_is_listed_is_there() {
    let rounds = if is_full_run() { 30 } else { 4 };
    let mut rng = Rng::new(20);
    let mut registry = Registry::start();
    registry.pusher().post_blob("app", b"{}").unwrap().expect(201);
    let mut all = Vec::new();
    for round in 0..rounds {
        let (sender, receiver) = channel();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (pusher, rng, sender) = (registry.pusher(), rng.fork(), sender.clone());
                thread::spawn(move || push_until_killed(pusher, rng, &sender))
            })
            .collect();
        for _ in 0..rng.between(1, 12) {
            receiver.recv_timeout(BOUND * 8).unwrap();
        }
        registry.kill();
        all.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
        assert_eq!(registry.store().problems(), [""; 0], "round {round}");
        assert!(registry.store().half_tags().is_empty(), "round {round}");
        registry.start_again();
        let mut pusher = registry.pusher();
        let listed = listed(&mut pusher);
        for pushed in &all {
            assert!(listed.contains(pushed), "round {round}: {pushed} is lost");
        }
        for listed in &listed {
            pusher.get(&format!("/v2/app/manifests/{listed}")).unwrap().expect(200);
        }
    }
}
