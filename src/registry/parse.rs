//! Readers of what clients and files say, with no registry behind them: for fuzzing, and for nothing else.

use bytes::Bytes;
use http::{HeaderValue, request::Parts};
use oci::{Algorithm, Descriptor, Digest};

use crate::{
    api,
    config::Http,
    route,
    schema1::{self, OwnKey},
};
pub use crate::{
    api::{ByteRanges, RangeError},
    auth::{TokenReader, read_passwords},
    upload::{ChunkRange, ChunkRangeError, Signer, State, StateError},
};

/// Whether a path names a resource.
pub fn names_a_resource(path: &str) -> bool {
    route::parse("/", path).is_ok()
}

/// Reads every header that shapes an answer; `list` is the manifest that is asked for. Returns a location for the client.
pub fn read_headers(http: &Http, parts: &Parts, list: &[u8]) -> HeaderValue {
    api::read_headers(http, parts, list)
}

/// Schema 1, read and written with a key of its own.
#[derive(Debug, Default)]
pub struct Schema1(OwnKey);

impl Schema1 {
    /// What is stored of a document that is pushed, or why it is refused.
    ///
    /// # Errors
    /// Says what the client is told.
    pub fn payload(&self, document: &[u8]) -> Result<Bytes, String> {
        schema1::pushed(document)
            .map(|pushed| pushed.payload)
            .map_err(|refused| refused.to_string())
    }

    /// What a client gets for a stored payload; none if it is no object of JSON.
    pub fn signed(&self, payload: &[u8]) -> Option<Vec<u8>> {
        schema1::sign(payload, self.0.get().ok()?)
    }

    /// What is signed for an old client, of an image with this configuration and this many layers.
    pub fn converted(&self, config: &[u8], layers: usize) -> Option<Vec<u8>> {
        let digest = Digest::of(Algorithm::Sha256, b"a layer");
        let layer = Descriptor::new("application/vnd.docker.image.rootfs.diff.tar.gzip", digest, 7);
        let (name, tag) = ("group/app".parse().ok()?, "v1".parse().ok()?);
        let converted = schema1::convert(&name, &tag, &vec![layer; layers], config);
        converted.ok().map(|converted| converted.payload)
    }
}
