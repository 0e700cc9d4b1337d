//! Sends the rows, and looks at what they left behind.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use super::row::{Peer as Word, Row, Sent};
use crate::{
    api::fixture::{Entry, Image, Registry},
    support::{
        Peer, World,
        http::{Answer, Client, Connection, Request},
    },
};

/// A registry with two images, and what the words of a row stand for in it.
///
/// `library/app:v1` has `{manifest}` and `{layer}`; `other/app:v1` has `{elsewhere}`. A row that
/// needs one gets an upload session with `hello` in it: `{upload}` is its location, made of `{id}`
/// and `{state}`; `{stale}` is the state before `hello`, `{other}` the state of another session,
/// `{foreign}` one of the same session signed with another secret, `{resigned}` the state with
/// another character in its signature, `{rewritten}` in its content, and `{half}` half of it.
pub(super) struct Scene {
    port: u16,
    client: Client,
    /// Has another `http.secret`.
    stranger: Registry,
    words: Vec<(&'static str, String)>,
}

/// What a registry did with a row.
struct Outcome {
    answer: Option<Answer>,
    /// What the session said of itself, if there was one.
    range: Option<String>,
}

impl Scene {
    fn set(port: u16, storage: &Path) -> Self {
        let stranger = Registry::with(&json!({
            "storage": { "filesystem": { "rootdirectory": storage } },
            "http": { "secret": "of another registry" },
        }));
        let mut client = Client::new(port);
        let (own, others) = (Image::of("one"), Image::of("two"));
        own.push(&mut client, "library/app", "v1");
        others.push(&mut client, "other/app", "v1");
        let digest = |bytes: &[u8]| crate::support::http::sha256(bytes).to_string();
        let words = vec![
            ("{manifest}", own.digest().to_string()),
            ("{layer}", digest(&own.layer)),
            ("{elsewhere}", digest(&others.layer)),
        ];
        Self { port, client, stranger, words }
    }

    fn play(&mut self, row: &Row) -> Outcome {
        let session = row.needs_session().then(|| self.open_session());
        let answer = match &row.sent {
            Sent::Request(request) => self.send(&request.method, &self.filled(request).bytes()),
            Sent::Bytes(bytes) => self.send("GET", bytes),
        };
        if let (true, Some(answer)) = (row.begins, &answer) {
            self.client.ask(&Request::new("DELETE", answer.location())).expect(204);
        }
        let range = session.map(|location| {
            let there = self.client.get(&location);
            self.client.ask(&Request::new("DELETE", location));
            there.header("range").unwrap_or("gone").to_owned()
        });
        Outcome { answer, range }
    }

    /// Sends bytes on a connection of their own.
    fn send(&self, method: &str, bytes: &[u8]) -> Option<Answer> {
        let mut connection = Connection::open(self.port);
        connection.send(bytes);
        connection.answer(method)
    }

    /// Opens a session and sets the words for it; returns its location.
    fn open_session(&mut self) -> String {
        let first = self.client.begin_upload("library/app");
        let location = self.client.append(&first, b"hello");
        let other = self.client.begin_upload("library/app");
        let (path, state) = location.split_once("?_state=").unwrap();
        let state_of = |location: &str| location.split_once("?_state=").unwrap().1.to_owned();
        let foreign = self.stranger.client().get(path).expect(204).location();
        self.words.truncate(3);
        self.words.extend([
            ("{upload}", location.clone()),
            ("{id}", path.rsplit('/').next().unwrap().to_owned()),
            ("{state}", state.to_owned()),
            ("{stale}", state_of(&first)),
            ("{other}", state_of(&other)),
            ("{foreign}", state_of(&foreign)),
            ("{resigned}", with_another(state, 10)),
            ("{rewritten}", with_another(state, 60)),
            ("{half}", state[..state.len() / 2].to_owned()),
        ]);
        self.client.ask(&Request::new("DELETE", other)).expect(204);
        location
    }

    fn fill(&self, text: &str) -> String {
        let fill = |text: String, (word, value): &(&str, String)| text.replace(word, value);
        self.words.iter().fold(text.to_owned(), fill)
    }

    fn filled(&self, request: &Request) -> Request {
        let mut filled = request.clone();
        filled.target = self.fill(&filled.target);
        for (_, value) in &mut filled.headers {
            *value = self.fill(value);
        }
        filled
    }

    fn is_well(&mut self) -> bool {
        Client::new(self.port).get("/v2/").text() == "{}"
    }
}

/// The text with another letter at this place.
fn with_another(text: &str, at: usize) -> String {
    let letter = if text[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{letter}{}", &text[..at], &text[at + 1..])
}

/// Sends every row to a registry, and fails with all that was wrong.
pub(super) fn check(registry: &Registry, rows: &[Row]) {
    let mut scene = Scene::set(registry.port(), &registry.storage());
    let mut wrong = Vec::new();
    for row in rows {
        let before = contents(registry);
        let outcome = scene.play(row);
        let mut problems = differences(&scene, row, &outcome);
        if !scene.is_well() {
            problems.push("the registry is not well afterwards".to_owned());
        }
        let after = contents(registry);
        problems.extend(changes(&before, &after));
        problems.extend(registry.beside_the_storage());
        let source = row.source;
        wrong.extend(problems.iter().map(|text| format!("{}: {text} ({source})", row.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sends the rows to Distribution, and fails where the table does not say what it answers.
pub(super) fn ask_distribution(rows: &[Row]) {
    let world = World::new();
    let peer = Peer::start(&world.path("data"));
    let mut scene = Scene::set(peer.port(), &world.path("data"));
    let mut wrong = Vec::new();
    for row in rows {
        let wanted = match row.peer {
            Word::Same => (row.status, row.code),
            Word::Differs(status, code) => (status, code),
            Word::NotAsked(_) => continue,
        };
        let outcome = scene.play(&Row { begins: false, ..row.clone() });
        let found = status_and_code(outcome.answer.as_ref());
        if found != (wanted.0, wanted.1.to_owned()) {
            let text = outcome.answer.as_ref().map(Answer::text).unwrap_or_default();
            wrong.push(format!("{}: {found:?} instead of {wanted:?}: {text}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn status_and_code(answer: Option<&Answer>) -> (u16, String) {
    match answer {
        None => (0, String::new()),
        Some(answer) => (answer.status, answer.codes().into_iter().next().unwrap_or_default()),
    }
}

fn differences(scene: &Scene, row: &Row, outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    let found = status_and_code(outcome.answer.as_ref());
    if found != (row.status, row.code.to_owned()) {
        let text = outcome.answer.as_ref().map(Answer::text).unwrap_or_default();
        problems.push(format!("{found:?} instead of {:?}: {text}", (row.status, row.code)));
    }
    if outcome.answer.as_ref().is_some_and(|answer| !answer.is_whole) {
        problems.push("the body is shorter than its length".to_owned());
    }
    for (name, value) in &row.headers {
        let found = outcome.answer.as_ref().and_then(|answer| answer.header(name));
        if found != Some(scene.fill(value).as_str()) {
            problems.push(format!("`{name}` is {found:?} instead of {value:?}"));
        }
    }
    if let (Some(details), Some(answer)) = (&row.details, &outcome.answer) {
        let found = answer.errors("detail");
        if found != *details {
            problems.push(format!("details are {found:?} instead of {details:?}"));
        }
    }
    let last = row.holds.len().saturating_sub(1);
    if let Some(range) = outcome.range.as_ref().filter(|range| **range != format!("0-{last}")) {
        problems.push(format!("the upload has {range} instead of 0-{last}"));
    }
    problems
}

/// The tree without the folders that sessions leave.
fn contents(registry: &Registry) -> BTreeMap<String, Entry> {
    let mut tree = registry.tree();
    tree.retain(|path, entry| *entry != Entry::Folder || !path.ends_with("/_uploads"));
    tree
}

fn changes(before: &BTreeMap<String, Entry>, after: &BTreeMap<String, Entry>) -> Vec<String> {
    let added = after.keys().filter(|path| !before.contains_key(*path));
    let added = added.map(|path| format!("`{path}` was added"));
    let removed = before.keys().filter(|path| !after.contains_key(*path));
    let removed = removed.map(|path| format!("`{path}` is gone"));
    let changed =
        after.iter().filter(|(path, entry)| before.get(*path).is_some_and(|b| b != *entry));
    let changed = changed.map(|(path, _)| format!("`{path}` has changed"));
    added.chain(removed).chain(changed).collect()
}
