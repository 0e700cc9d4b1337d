//! One request and its right answer.

use serde_json::Value;

use crate::support::http::Request;

/// One row of a table.
///
/// In targets and headers, words in braces stand for what the registry holds: see
/// [`Scene`](super::run::Scene).
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// A sentence that is true.
    pub(super) name: &'static str,
    pub(super) sent: Sent,
    /// 0: the connection ends without an answer.
    pub(super) status: u16,
    /// The code of the first error; empty: the body is no error document.
    pub(super) code: &'static str,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// The `detail` of each error.
    pub(super) details: Option<Vec<Value>>,
    /// Who says that this is the right answer.
    pub(super) source: &'static str,
    pub(super) peer: Peer,
    /// What the upload session of the row holds afterwards.
    pub(super) holds: &'static str,
    /// Whether the answer is the location of a new upload session.
    pub(super) begins: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Sent {
    Request(Request),
    /// As they are.
    Bytes(Vec<u8>),
}

/// What Distribution 2.8.2 answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// The same status and code.
    Same,
    /// This status and code.
    Differs(u16, &'static str),
    /// There is nothing to ask, for this reason.
    NotAsked(&'static str),
}

impl From<Request> for Sent {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<&str> for Sent {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Sent {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

impl Row {
    pub(super) fn new(name: &'static str, sent: impl Into<Sent>) -> Self {
        Self {
            name,
            sent: sent.into(),
            status: 0,
            code: "",
            headers: Vec::new(),
            details: None,
            source: "",
            peer: Peer::Same,
            holds: "hello",
            begins: false,
        }
    }

    pub(super) fn gets(mut self, status: u16, code: &'static str, source: &'static str) -> Self {
        (self.status, self.code, self.source) = (status, code, source);
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn details<const N: usize>(mut self, details: [Value; N]) -> Self {
        self.details = Some(details.to_vec());
        self
    }

    pub(super) fn peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    pub(super) fn holds(mut self, bytes: &'static str) -> Self {
        self.holds = bytes;
        self
    }

    pub(super) fn begins(mut self) -> Self {
        self.begins = true;
        self
    }

    /// Whether its request speaks of an open upload session.
    pub(super) fn needs_session(&self) -> bool {
        let Sent::Request(request) = &self.sent else { return false };
        ["{upload}", "{id}", "{state}"].iter().any(|word| request.target.contains(word))
    }
}
