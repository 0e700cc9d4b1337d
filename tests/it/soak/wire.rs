//! Requests of the soak, each on a connection of its own, and the one rule for every answer: no 5xx.

use std::net::SocketAddr;

use crate::support::{
    http::Answer,
    pusher::{Pusher, Session},
};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Where requests go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    address: SocketAddr,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address }
    }

    /// A client for requests that are cut off.
    pub(crate) fn pusher(self) -> Pusher {
        Pusher::new(self.address)
    }

    /// Asks once; an answer with one of these statuses is expected.
    pub(crate) fn ask(
        self,
        (method, target): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
        statuses: &[u16],
    ) -> Result<Answer, String> {
        let headers = [headers, &[("Connection", "close")]].concat();
        let answer = self.pusher().send(method, target, &headers, body);
        let answer = answer.map_err(|error| format!("{method} {target}: no answer: {error}"))?;
        if !statuses.contains(&answer.status) {
            let Answer { status, headers, .. } = &answer;
            return Err(format!("{method} {target}: {status} {headers:?} {}", answer.text()));
        }
        Ok(answer)
    }

    pub(crate) fn get(self, target: &str, statuses: &[u16]) -> Result<Answer, String> {
        self.ask(("GET", target), &[("Accept", MANIFEST)], &[], statuses)
    }

    pub(crate) fn head(self, target: &str) -> Result<Answer, String> {
        self.ask(("HEAD", target), &[("Accept", MANIFEST)], &[], &[200, 404])
    }

    pub(crate) fn delete(self, target: &str, statuses: &[u16]) -> Result<Answer, String> {
        self.ask(("DELETE", target), &[], &[], statuses)
    }

    /// Begins an upload session.
    pub(crate) fn session(self, repository: &str) -> Result<Session, String> {
        let target = format!("/v2/{repository}/blobs/uploads/");
        Ok(self.ask(("POST", &target), &[], &[], &[202])?.session())
    }

    /// Pushes a manifest under a tag.
    pub(crate) fn put(self, repository: &str, tag: &str, manifest: &[u8]) -> Result<(), String> {
        let target = format!("/v2/{repository}/manifests/{tag}");
        self.ask(("PUT", &target), &[("Content-Type", MANIFEST)], manifest, &[201]).map(drop)
    }
}
