//! What clients and the registry say to each other about upload sessions: the signed state in URLs, and
//! the ranges of chunks. The sessions themselves are [`content`](crate::content)'s.

mod chunk;
mod state;

pub use chunk::{ChunkRange, ChunkRangeError};
pub use state::{Signer, State, StateError};
