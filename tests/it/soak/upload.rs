//! The ways in which clients bring a blob: in one request, in two, in chunks, by a mount, or not at all.

use super::{
    client::Client,
    content::{Blob, REPOSITORIES},
};
use crate::support::pusher::{Session, content_range};

/// Chunks of an upload, at most.
const CHUNKS: usize = 5;

impl Client {
    /// Sees to it that a repository has a blob.
    pub(super) fn push_blob(&mut self, repository: &str, blob: &Blob) -> Result<(), String> {
        match self.rng.between(0, 9) {
            0..=2 => self.post(repository, blob),
            3..=4 => self.post_and_put(repository, blob),
            5..=6 => self.patch(repository, blob),
            7 => self.mount(repository, blob),
            _ => self.look_and_push(repository, blob),
        }
    }

    fn post(&self, repository: &str, blob: &Blob) -> Result<(), String> {
        let target = format!("/v2/{repository}/blobs/uploads/?digest={}", blob.digest);
        self.wire.ask(("POST", &target), &[], &blob.bytes, &[201]).map(drop)
    }

    pub(super) fn post_and_put(&self, repository: &str, blob: &Blob) -> Result<(), String> {
        let session = self.wire.session(repository)?;
        self.put(&session, blob)
    }

    /// Ends an upload with all that it lacks.
    pub(super) fn put(&self, session: &Session, blob: &Blob) -> Result<(), String> {
        let target = format!("{}&digest={}", session.location, blob.digest);
        self.wire.ask(("PUT", &target), &[], &blob.bytes[session.offset..], &[201]).map(drop)
    }

    fn patch(&mut self, repository: &str, blob: &Blob) -> Result<(), String> {
        let mut session = self.wire.session(repository)?;
        let length = blob.bytes.len().div_ceil(self.rng.between(1, CHUNKS)).max(2);
        for (index, chunk) in blob.bytes.chunks(length).enumerate() {
            let range = content_range(index * length, chunk);
            let headers = [("Content-Range", range.as_str())];
            let request = ("PATCH", session.location.as_str());
            let answer = self.wire.ask(request, &headers, chunk, &[202])?;
            session = answer.session();
        }
        // One byte and none look the same in `Range`.
        self.put(&Session { offset: blob.bytes.len(), ..session }, blob)
    }

    /// Asks for the blob of another repository, which may have it or not.
    fn mount(&mut self, repository: &str, blob: &Blob) -> Result<(), String> {
        let from = REPOSITORIES[self.rng.between(0, REPOSITORIES.len() - 1)];
        let target = format!("/v2/{repository}/blobs/uploads/?mount={}&from={from}", blob.digest);
        let answer = self.wire.ask(("POST", &target), &[], &[], &[201, 202])?;
        if answer.status == 201 { Ok(()) } else { self.put(&answer.session(), blob) }
    }

    /// Pushes nothing that is there, as Docker does.
    fn look_and_push(&self, repository: &str, blob: &Blob) -> Result<(), String> {
        match self.wire.head(&format!("/v2/{repository}/blobs/{}", blob.digest))?.status {
            200 => Ok(()),
            _ => self.post_and_put(repository, blob),
        }
    }
}
