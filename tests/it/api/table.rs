//! Tables: requests in their order, what must come back, and who says so, sent to this registry and to Distribution 2.8.2.
//!
//! In targets, headers and expected values `{of TEXT}` stands for the digest of a text, and words in braces for what the
//! table's [`Words`] say, or for what an answer before has said: a row [`keep`](Row::keep)s the path and query of its
//! `Location` under a name.

use crate::support::{
    Peer,
    http::{Answer, Client, Connection, Request, sha256},
};

use super::fixture::Registry;

/// One sentence.
pub(super) struct Row {
    /// Who says that it is right: a section of OCI 1.1 unless it names something else.
    source: &'static str,
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
    /// What the answer must hold.
    expected: &'static [Expected],
    /// What Distribution 2.8.2 answers.
    theirs: Theirs,
    /// What the path and query of its location are called.
    kept: &'static str,
}

pub(super) enum Theirs {
    /// The same.
    Same,
    /// This status, this in the answer, for this reason.
    Other(u16, &'static [Expected], &'static str),
}

pub(super) enum Expected {
    /// A header with this value.
    Is(&'static str, &'static str),
    /// A header whose value begins like this.
    Begins(&'static str, &'static str),
    /// A header, whatever it says.
    Has(&'static str),
    /// No such header.
    Lacks(&'static str),
    /// The code of the first error.
    Code(&'static str),
    /// This body.
    Body(&'static str),
    /// This document, however it is spaced.
    Json(&'static str),
}

use Expected::{Begins, Body, Code, Has, Is, Json, Lacks};

pub(super) const fn row(
    source: &'static str,
    method: &'static str,
    target: &'static str,
    status: u16,
    expected: &'static [Expected],
) -> Row {
    let theirs = Theirs::Same;
    Row { source, method, target, headers: &[], body: "", status, expected, theirs, kept: "" }
}

impl Row {
    pub(super) const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    pub(super) const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    pub(super) const fn but(self, theirs: Theirs) -> Self {
        Self { theirs, ..self }
    }

    /// Keeps where the answer leads to under this name, in braces.
    pub(super) const fn keep(self, name: &'static str) -> Self {
        Self { kept: name, ..self }
    }
}

/// What stands for what: words within texts, and bodies.
#[derive(Default)]
pub(super) struct Words {
    pub(super) words: Vec<(&'static str, String)>,
    pub(super) documents: Vec<(&'static str, String)>,
}

impl Words {
    fn fill(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        let mut text = self.words.iter().fold(text.to_owned(), fill);
        while let Some((before, rest)) = text.split_once("{of ") {
            let (of, after) = rest.split_once('}').unwrap();
            text = format!("{before}{}{after}", sha256(of.as_bytes()));
        }
        text
    }

    fn document(&self, text: &str) -> String {
        let found = self.documents.iter().find(|(name, _)| *name == text);
        found.map_or_else(|| text.to_owned(), |(_, document)| document.clone())
    }

    fn request(&self, row: &Row) -> Request {
        let mut request = Request::new(row.method, self.fill(row.target));
        for (name, value) in row.headers {
            request = request.header(name, self.fill(value));
        }
        if !["GET", "HEAD", "OPTIONS"].contains(&row.method) {
            request = request.body(self.document(row.body));
        }
        request
    }

    /// Holds an answer against what was expected.
    fn hold(&self, answer: &Answer, (status, expected): (u16, &[Expected]), said: &str) {
        assert_eq!(answer.status, status, "{said}");
        for expected in expected {
            match expected {
                Is(name, value) => {
                    assert_eq!(answer.header(name), Some(&*self.fill(value)), "{name} {said}");
                }
                Begins(name, value) => {
                    let found = answer.header(name).unwrap_or_default();
                    assert!(found.starts_with(&self.fill(value)), "{name} {said}");
                }
                Has(name) => assert!(answer.header(name).is_some(), "{name} {said}"),
                Lacks(name) => assert_eq!(answer.header(name), None, "{name} {said}"),
                Code(code) => assert_eq!(answer.codes().first().unwrap(), code, "{said}"),
                Body(body) => assert_eq!(answer.text(), self.document(body), "{said}"),
                Json(text) => {
                    let wanted: serde_json::Value = serde_json::from_str(text).unwrap();
                    assert_eq!(answer.json(), wanted, "{said}");
                }
            }
        }
    }

    fn keep(&mut self, row: &Row, answer: &Answer) {
        if !row.kept.is_empty() {
            self.words.retain(|(name, _)| *name != row.kept);
            self.words.push((row.kept, answer.location()));
        }
    }
}

/// Sends the rows to this registry; `prepare` pushes what they need, and says what their words are.
pub(super) fn ask_ours(
    registry: &Registry,
    rows: &[Row],
    prepare: impl FnOnce(&mut Client) -> Words,
) {
    let mut client = registry.client();
    let mut words = prepare(&mut client);
    for row in rows {
        let answer = client.ask(&words.request(row));
        let said = format!("{}: {} {}: {answer:?}", row.source, row.method, row.target);
        words.hold(&answer, (row.status, row.expected), &said);
        words.keep(row, &answer);
    }
}

/// Sends them to Distribution 2.8.2.
pub(super) fn ask_theirs(peer: &Peer, rows: &[Row], prepare: impl FnOnce(&mut Client) -> Words) {
    let mut words = prepare(&mut Client::new(peer.port()));
    for row in rows {
        let (status, expected, why) = match row.theirs {
            Theirs::Same => (row.status, row.expected, "alike"),
            Theirs::Other(status, expected, why) => (status, expected, why),
        };
        // It promises more bytes with a 416 than it sends, and ends the connection.
        let mut connection = Connection::open(peer.port());
        connection.send(&words.request(row).bytes());
        let answer = connection.answer(row.method).unwrap();
        let said = format!("{why}: {}: {} {}: {answer:?}", row.source, row.method, row.target);
        words.hold(&answer, (status, expected), &said);
        words.keep(row, &answer);
    }
}
