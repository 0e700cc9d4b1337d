//! An object of a store that is asked over a network: its bytes come from a task of its own, as they are wanted.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::Error;

/// How many pieces wait for whoever reads; each is what came from the network at once, less than half a megabyte.
pub(crate) const WAITING: usize = 2;

/// An object that is sent for.
pub(crate) trait Remote: fmt::Debug + Send + Sync {
    /// Its name, for messages.
    fn key(&self) -> &str;

    /// Begins to send the bytes of a range, in order. Whoever drops the other end ends it.
    ///
    /// A piece is never empty. An end before the end of the range says that the object is shorter.
    fn send(self: Arc<Self>, range: Range<u64>, to: mpsc::Sender<Result<Bytes, Error>>);
}
