//! What clients do that go away: in the middle of what they send, of what they are sent, and before they are answered.

use std::{sync::Arc, thread, time::Duration};

use super::{
    client::Client,
    content::{Blob, Image},
    ledger::{Doubt, Place},
    wire::MANIFEST,
};
use crate::support::pusher::{Session, Vanish, content_range};

/// What an interrupted upload has, at least: more than one batch of the registry's.
const UPLOAD_BYTES: usize = 1_100_000;

/// How often somebody tries to go on with an upload that the registry still writes what came before to.
const TRIES: usize = 200;

/// No answer is an error here that the client could tell: it has gone.
fn gone(error: std::io::Error) -> String {
    format!("a client could not even begin: {error}")
}

impl Client {
    /// Goes away in the middle of a chunk; one of two comes back, and goes on where it is told.
    pub(super) fn vanish_in_an_upload(&mut self) -> Result<(), String> {
        let (repository, how) = (self.repository(), self.way());
        let shared = Arc::clone(&self.shared);
        let blob = &shared.bases[self.rng.between(4, 5)];
        let session = self.wire.session(repository)?;
        let sent = self.rng.between(1, UPLOAD_BYTES - 1);
        let part = (&blob.bytes[..sent], blob.bytes.len());
        let request = ("PATCH", session.location.as_str());
        let vanished = self.wire.pusher().vanish(how, request, part).map_err(gone)?;
        self.keep(vanished);
        if self.rng.between(0, 1) == 0 { self.come_back(session, blob) } else { Ok(()) }
    }

    fn way(&mut self) -> Vanish {
        [Vanish::Fin, Vanish::Reset, Vanish::Silent][self.rng.between(0, 2)]
    }

    /// Asks how far the upload is, and sends the rest.
    fn come_back(&self, session: Session, blob: &Blob) -> Result<(), String> {
        for _ in 0..TRIES {
            let session = self.wire.get(&session.location, &[204])?.session();
            let target = format!("{}&digest={}", session.location, blob.digest);
            let rest = &blob.bytes[session.offset..];
            let range = content_range(session.offset, rest);
            let headers = [("Content-Range", range.as_str())];
            let answer = self.wire.ask(("PUT", &target), &headers, rest, &[201, 400, 416])?;
            match answer.status {
                201 => return Ok(()),
                // Its own former request came by way of nginx only now, so that it is the newest.
                400 if answer.text().contains("another request has taken over") => {}
                416 => {}
                _ => return Err(format!("{target}: {}", answer.text())),
            }
            // What was sent before still arrives.
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("{}: nobody can go on with it", session.location))
    }

    pub(super) fn vanish_in_a_download(&mut self) -> Result<(), String> {
        let (shared, repository) = (Arc::clone(&self.shared), self.repository());
        let blob = &shared.bases[self.rng.between(3, 5)];
        self.push_blob(repository, blob)?;
        let target = format!("/v2/{repository}/blobs/{}", blob.digest);
        let mut pusher = self.wire.pusher();
        let mut sending = pusher.begin("GET", &target, &[], 0).map_err(gone)?;
        let read = self.rng.between(0, blob.bytes.len() / 2);
        sending.read_some(read).map(drop).map_err(gone)
    }

    /// Moves a tag, and does not wait for the answer.
    pub(super) fn push_without_waiting(&mut self) -> Result<(), String> {
        let place = self.fresh_place();
        self.push_to(place.clone())?;
        let image = self.push_untagged(place.0)?;
        self.send_and_leave("PUT", &place, &image.manifest)?;
        self.doubt(place, Some(image));
        Ok(())
    }

    /// Deletes a tag, and does not wait for the answer.
    pub(super) fn delete_without_waiting(&mut self) -> Result<(), String> {
        let place = self.fresh_place();
        self.push_to(place.clone())?;
        self.send_and_leave("DELETE", &place, &[])?;
        self.doubt(place, None);
        Ok(())
    }

    fn send_and_leave(&self, method: &str, place: &Place, body: &[u8]) -> Result<(), String> {
        let target = format!("/v2/{}/manifests/{}", place.0, place.1);
        let mut pusher = self.wire.pusher();
        let headers = [("Content-Type", MANIFEST)];
        let mut sending = pusher.begin(method, &target, &headers, body.len()).map_err(gone)?;
        sending.write(body).map_err(gone)
    }

    /// A tag that was acknowledged may now be moved to this image, or gone if there is none.
    fn doubt(&mut self, place: Place, image: Option<Arc<Image>>) {
        let may_be_gone = image.is_none();
        let images = self.ledger.tags.remove(&place).into_iter().chain(image).collect();
        self.ledger.doubtful.insert(place, Doubt { images, may_be_gone });
    }
}
