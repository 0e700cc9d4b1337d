//! Readers of what clients and files say, with no registry behind them: for fuzzing, and for nothing else.

use http::{HeaderValue, request::Parts};

use crate::{api, config::Http, route};
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
