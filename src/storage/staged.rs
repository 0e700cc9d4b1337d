//! An object, or a folder of objects, that is ready but not yet there.

use bytes::Bytes;

use crate::filesystem;

/// What is ready but not yet there; dropping it leaves things as they were.
#[derive(Debug)]
pub struct Staged {
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum Place {
    File(filesystem::StagedFile),
    /// Paths and bytes, in order.
    Memory(Vec<(String, Bytes)>),
}
