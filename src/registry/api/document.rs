//! A JSON document that is made for its answer: a list. Its entity tag is its digest, so a client that
//! asks again for what has not changed is told so.

use http::{
    HeaderValue, Response,
    header::{CONTENT_TYPE, ETAG},
    request::Parts,
};
use oci::{Algorithm, Digest};

use super::{
    Body,
    blob::{etag, matches_etag, not_modified},
};

pub(super) fn answer(parts: &Parts, content_type: HeaderValue, json: Vec<u8>) -> Response<Body> {
    let digest = Digest::of(Algorithm::Sha256, &json);
    let mut response = if matches_etag(&parts.headers, &digest) {
        not_modified()
    } else {
        let mut response = Response::new(Body::full(json));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    };
    response.headers_mut().insert(ETAG, etag(&digest));
    response
}
