//! `regctl events` beside a registry that serves, and the media type that `format` chooses, as the receiver sees it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Server, World, free_port, http::Client, receiver::Receiver};

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An instance that tells `ours`, which gives up after one more attempt, and `away`, where nobody listens.
struct Site {
    world: World,
    _server: Server,
    port: u16,
}

impl Site {
    fn start(receiver: &Receiver, format: &str) -> Self {
        let (port, nobody) = (free_port(), free_port());
        let world = World::with(&format!(
            "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n\
             [registry.events]\n{format}\n\
             [[registry.notifications]]\nname = \"ours\"\nurl = \"{}\"\nmaxretries = 1\nbackoff = \"10ms\"\n\
             [[registry.notifications]]\nname = \"away\"\nurl = \"http://127.0.0.1:{nobody}/\"\nbackoff = \"10ms\"\n",
            receiver.url()
        ));
        let server = world.serve(&["run"]);
        Self { world, _server: server, port }
    }

    /// What `events list` says of an endpoint, and its exit code.
    fn listed(&self, name: &str) -> (Value, i32) {
        let ran = self.world.run(&["events", "list", "--json"]);
        let document: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let endpoints = document["endpoints"].as_array().unwrap();
        (endpoints.iter().find(|it| it["name"] == name).unwrap().clone(), ran.exit)
    }

    /// Looks until a number of an endpoint is so.
    #[track_caller]
    fn until(&self, name: &str, field: &str, is_so: impl Fn(u64) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self.listed(name).0[field].as_u64().unwrap()) {
            assert!(Instant::now() < end, "{field} of {name}: {:#}", self.listed(name).0);
        }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let ran = self.world.run(arguments);
        assert_eq!(ran.exit, 0, "{ran:?}");
        ran.stdout
    }
}

/// The digests of all events that a receiver has been sent.
fn digests(receiver: &Receiver) -> BTreeSet<String> {
    let events = receiver.take(receiver.waiting());
    events.iter().map(|(_, event)| event["target"]["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_receiver_refuses_is_listed_and_replayed_while_pushes_go_on() {
    let receiver = Receiver::start(500);
    let site = Site::start(&receiver, "");
    let is_over = Arc::new(AtomicBool::new(false));
    let (port, end) = (site.port, Arc::clone(&is_over));
    let pusher = thread::spawn(move || {
        let mut client = Client::new(port);
        let mut pushed = BTreeSet::new();
        while !end.load(Ordering::Relaxed) {
            let text = format!("blob {}", pushed.len());
            pushed.insert(client.push_blob("busy/app", text.as_bytes()).to_string());
        }
        pushed
    });
    site.until("ours", "dead", |dead| dead >= 3);
    let (ours, exit) = site.listed("ours");
    assert_eq!(exit, 5, "{ours}");
    assert!(ours["statuses"]["500"].as_u64() >= Some(6), "{ours}");
    let said = site.world.run(&["events", "list"]).stdout;
    assert!(said.contains(" given up, 0 delivered"), "{said}");
    // What it refused before counts no more: only what comes from here on is looked at.
    receiver.answer(200);
    let replayed = site.run(&["events", "replay", "ours"]);
    assert!(replayed.starts_with("ours: ") && replayed.contains(", back in the queue"));
    site.until("ours", "delivered", |delivered| delivered >= 5);
    is_over.store(true, Ordering::Relaxed);
    let pushed = pusher.join().unwrap();
    // One may have been on its way to a refusal as it was replayed.
    site.until("ours", "pending", |pending| pending == 0);
    site.run(&["events", "replay", "ours"]);
    site.until("ours", "delivered", |delivered| delivered == pushed.len() as u64);
    let (ours, _) = site.listed("ours");
    assert_eq!((&ours["dead"], &ours["lost"]), (&0.into(), &0.into()), "{ours}");
    assert_eq!(digests(&receiver), pushed);
}

#[test]
fn what_was_given_up_and_what_waits_is_dropped() {
    let receiver = Receiver::start(500);
    let site = Site::start(&receiver, "");
    let mut client = Client::new(site.port);
    for text in ["one", "two"] {
        client.push_blob("app", text.as_bytes());
    }
    site.until("ours", "dead", |dead| dead == 2);
    assert_eq!(site.run(&["events", "drop", "ours", "--yes"]), "ours: 2 events, dropped\n");
    assert_eq!(site.listed("ours").0["dead"], 0);
    assert_eq!(site.run(&["events", "replay", "ours"]), "ours: 0 events, back in the queue\n");
    // Nobody has answered for the other endpoint, so its events wait still.
    assert_eq!(site.listed("away").0["pending"], 2);
    let dropped = site.run(&["events", "drop", "away", "--pending", "--yes"]);
    assert_eq!(dropped, "away: 2 events, dropped\n");
    assert_eq!(site.listed("away").0["pending"], 0);
    receiver.answer(200);
    client.push_blob("app", b"three");
    site.until("ours", "delivered", |delivered| delivered == 1);
    let ran = site.world.run(&["events", "replay", "nobody"]);
    assert!(ran.exit != 0 && ran.stderr.contains("nobody"), "{ran:?}");
}

#[test]
fn a_receiver_sees_the_media_type_of_the_format() {
    const ENVELOPE: &str = "application/vnd.docker.distribution.events";
    for (format, version) in [("", "v1"), ("format = \"v1\"", "v1"), ("format = \"v2\"", "v2")] {
        let receiver = Receiver::start(200);
        let site = Site::start(&receiver, format);
        let digest = Client::new(site.port).push_blob("app", b"bytes").to_string();
        let [(media_type, event)] = receiver.take(1).try_into().unwrap();
        assert_eq!(media_type, format!("{ENVELOPE}.{version}+json"), "{format}");
        assert_eq!(
            (&event["action"], &event["target"]["digest"]),
            (&"push".into(), &digest.into())
        );
    }
}
