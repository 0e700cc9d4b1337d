//! Blobs that nginx sends: the registry answers with every header and the file's place instead of its bytes
//! (`X-Accel-Redirect`), and the kernel carries them past both.
//!
//! Only the nginx that knows the secret gets such an answer, whatever a client sends. And only what nginx answers exactly
//! as the registry would: a whole blob to a GET. Ranges, conditions that do not hold, small blobs and every mistake are
//! the registry's own answers.

use hmac::{Hmac, KeyInit, Mac};
use http::{
    HeaderMap, HeaderName, Method, Response, StatusCode,
    header::{ACCEPT_RANGES, CACHE_CONTROL, IF_MATCH, IF_UNMODIFIED_SINCE},
    request::Parts,
};
use sha2::Sha256;

use super::{Body, blob, settings::API_VERSION};
use crate::{config, content::Object, statistics::HandedOver};

/// What nginx proves itself with; it says so in each request, so that a client's own word never arrives.
const PROOF: HeaderName = HeaderName::from_static("x-regctl-sendfile");

/// Stands before the secret where nginx asks for a second time: the bytes are wanted then.
const AGAIN: &[u8] = b"again ";

const REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// Below that, a second look at the file costs nginx more than passing the bytes on.
const SMALLEST: u64 = 64 * 1024;

/// The nginx in front of this registry.
#[derive(Clone)]
pub(super) struct Nginx {
    secret: Hmac<Sha256>,
    /// The code of the secret itself: comparing codes tells nothing of how much of a guess was right.
    proof: Vec<u8>,
    location: String,
}

impl std::fmt::Debug for Nginx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nginx").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Nginx {
    /// None where nginx would leave out one of the headers of every answer, or say only the first of several values.
    pub(super) fn new(config: &config::Sendfile, headers: &HeaderMap) -> Option<Self> {
        let is_said_again = |name: &HeaderName| {
            let is_known = *name == API_VERSION || config.headers.contains(name);
            let is_of_blobs = [CACHE_CONTROL, ACCEPT_RANGES].contains(name);
            is_known && !is_of_blobs && headers.get_all(name).iter().count() == 1
        };
        if !headers.keys().all(is_said_again) {
            return None;
        }
        let key = config.secret.expose().as_bytes();
        let secret: Hmac<Sha256> =
            Hmac::new_from_slice(key).expect("an HMAC takes a key of any length");
        let proof = secret.clone().chain_update(key).finalize().into_bytes().to_vec();
        Some(Self { secret, proof, location: config.location.clone() })
    }

    /// Has nginx send the blob of an answer, if it is nginx who asks and it would send the same.
    pub(super) fn hand_over(&self, parts: &Parts, object: &Object, response: &mut Response<Body>) {
        let is_whole = parts.method == Method::GET && response.status() == StatusCode::OK;
        // The registry knows no such condition, and nginx does.
        let is_conditional =
            [IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| parts.headers.contains_key(name));
        let Some(file) = object.file().filter(|_| is_whole && !is_conditional) else { return };
        if object.size() < SMALLEST || !self.is_asking(&parts.headers) {
            return;
        }
        let place = blob::value(&format!("{}{file}", self.location));
        let headers = response.headers_mut();
        headers.insert(REDIRECT, place);
        // nginx would take them over at once, and say them twice if it has to come back; they are the same of every
        // blob, and stand in its configuration.
        headers.remove(CACHE_CONTROL);
        headers.remove(ACCEPT_RANGES);
        response.extensions_mut().insert(HandedOver { bytes: object.size() });
        *response.body_mut() = Body::empty();
    }

    /// Whether nginx asks again for what was handed over to it, and is told of already: it could not read the file.
    pub(super) fn asks_again(&self, headers: &HeaderMap) -> bool {
        said(headers)
            .and_then(|said| said.strip_prefix(AGAIN))
            .is_some_and(|said| self.is_proof(said))
    }

    fn is_asking(&self, headers: &HeaderMap) -> bool {
        said(headers).is_some_and(|said| self.is_proof(said))
    }

    fn is_proof(&self, said: &[u8]) -> bool {
        self.secret.clone().chain_update(said).verify_slice(&self.proof).is_ok()
    }
}

/// The one value with which somebody proves to be nginx.
fn said(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(PROOF).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    Some(value.as_bytes())
}
