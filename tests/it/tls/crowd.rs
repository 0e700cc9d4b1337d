//! A crowd of clients that pull and push through nginx all the time, and remember what went wrong.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    client::Client,
    fixture::{Site, until},
};
use crate::support::http::{Answer, Request, sha256};

const PULLERS: usize = 16;
const PUSHERS: usize = 8;

/// What is pulled and pushed: more than fits into the buffers on the way.
const LAYER_BYTES: usize = 300_000;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// How long a client that repeats requests goes on with one, and its pause between two attempts.
const PERSISTENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// What clients make of a request that fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    /// None may fail.
    None,
    /// It is repeated, as Docker does: what was the matter is noted.
    Repeats,
}

/// The clients.
pub(super) struct Crowd {
    members: Vec<Member>,
    is_over: Arc<AtomicBool>,
    noted: Arc<Noted>,
}

struct Member {
    thread: JoinHandle<()>,
    rounds: Arc<AtomicUsize>,
}

/// What happened to requests.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Why requests were repeated: a status, or `no answer`.
    repeated: Mutex<BTreeSet<String>>,
    failed: Mutex<Vec<String>>,
}

/// What one client needs.
#[derive(Clone)]
struct Visitor {
    client: Client,
    patience: Patience,
    noted: Arc<Noted>,
    number: usize,
}

impl Crowd {
    /// Puts an image there to be pulled, and begins.
    pub(super) fn start(site: &Site, patience: Patience) -> Self {
        let noted = Arc::new(Noted::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let visitor = |number| {
            let (client, noted) = (site.client(), Arc::clone(&noted));
            Visitor { client, patience, noted, number }
        };
        visitor(0).push("pulled", "v1").unwrap();
        let members = (0..PULLERS + PUSHERS).map(|number| {
            let rounds = Arc::new(AtomicUsize::new(0));
            let (visitor, counted, is_over) =
                (visitor(number), Arc::clone(&rounds), Arc::clone(&is_over));
            let thread = thread::spawn(move || visitor.live(&counted, &is_over));
            Member { thread, rounds }
        });
        Self { members: members.collect(), is_over, noted: Arc::clone(&noted) }
    }

    /// Returns when every client has done something from its beginning to its end since.
    pub(super) fn goes_on(&self) {
        for member in &self.members {
            let before = member.rounds.load(Ordering::Relaxed);
            until("a client goes on", || {
                member.thread.is_finished() || member.rounds.load(Ordering::Relaxed) >= before + 2
            });
        }
    }

    /// Lets the clients end; returns why requests were repeated.
    #[track_caller]
    pub(super) fn end(self) -> BTreeSet<String> {
        self.is_over.store(true, Ordering::Relaxed);
        for member in self.members {
            member.thread.join().unwrap();
        }
        let failed = self.noted.failed.lock().unwrap();
        assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
        self.noted.repeated.lock().unwrap().clone()
    }
}

impl Visitor {
    /// Pulls or pushes until it is over.
    fn live(&self, rounds: &AtomicUsize, is_over: &AtomicBool) {
        for round in 0.. {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            let done = match self.number < PULLERS {
                true => self.pull("pulled", "v1"),
                false => self.push("pushed", &format!("{}-{round}", self.number)),
            };
            if let Err(reason) = done {
                self.noted.failed.lock().unwrap().push(reason);
                return;
            }
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks until the answer has this status.
    fn ask(&self, request: &Request, status: u16) -> Result<Answer, String> {
        let deadline = Instant::now() + PERSISTENCE;
        loop {
            let (reason, whole) = match self.client.ask(request) {
                Ok(answered) if answered.answer.status == status => return Ok(answered.answer),
                Ok(answered) => (answered.answer.status.to_string(), answered.answer.text()),
                Err(error) => ("no answer".to_owned(), error.to_string()),
            };
            let Request { method, target, .. } = request;
            if self.patience == Patience::None || Instant::now() > deadline {
                return Err(format!("{method} {target}: {reason}: {whole}"));
            }
            self.noted.repeated.lock().unwrap().insert(format!("{method}: {reason}"));
            thread::sleep(PAUSE);
        }
    }

    fn pull(&self, repository: &str, tag: &str) -> Result<(), String> {
        let target = format!("/v2/{repository}/manifests/{tag}");
        let manifest = self.ask(&Request::get(target).header("Accept", MANIFEST), 200)?.json();
        for part in [&manifest["config"], &manifest["layers"][0]] {
            let digest = part["digest"].as_str().unwrap();
            let blob = self.ask(&Request::get(format!("/v2/{repository}/blobs/{digest}")), 200)?;
            if sha256(&blob.body).to_string() != digest {
                return Err(format!("{digest} came with {} other bytes", blob.body.len()));
            }
        }
        Ok(())
    }

    /// Pushes an image of this client's own and pulls it again.
    fn push(&self, repository: &str, tag: &str) -> Result<(), String> {
        let mut layer = format!("{repository}:{tag} ").into_bytes();
        layer.resize(LAYER_BYTES, b'.');
        let config = format!("{{\"created by\":\"{tag}\"}}").into_bytes();
        let mut descriptors = Vec::new();
        for content in [config, layer] {
            let digest = sha256(&content);
            descriptors.push(json!({ "digest": digest.to_string(), "size": content.len() }));
            let target = format!("/v2/{repository}/blobs/uploads/");
            let begun = self.ask(&Request::new("POST", target).body(""), 202)?;
            let target = format!("{}&digest={digest}", begun.location());
            self.ask(&Request::new("PUT", target).body(content), 201)?;
        }
        let [config, layer] = [0, 1].map(|index| descriptors[index].clone());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        let request = Request::new("PUT", format!("/v2/{repository}/manifests/{tag}"));
        let request = request.header("Content-Type", MANIFEST);
        self.ask(&request.body(manifest.to_string()), 201)?;
        self.pull(repository, tag)
    }
}
