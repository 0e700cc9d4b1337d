//! An object, or a folder of objects, that is ready but not yet there.

use bytes::Bytes;

use crate::{Item, filesystem};

/// What is ready but not yet there; dropping it leaves things as they were.
#[derive(Debug)]
pub struct Staged {
    pub(crate) place: Place,
    /// What it makes appear, as far as somebody has said so.
    items: Vec<Item>,
}

impl Staged {
    pub(crate) fn at(place: Place) -> Self {
        Self { place, items: Vec::new() }
    }

    /// Says what it makes appear.
    #[must_use]
    pub fn making(self, items: Vec<Item>) -> Self {
        Self { items, ..self }
    }

    /// What it makes appear, as [`Staged::making`] was told.
    #[must_use]
    pub fn makes(&self) -> &[Item] {
        &self.items
    }
}

#[derive(Debug)]
pub(crate) enum Place {
    File(filesystem::StagedFile),
    /// Paths and bytes, in order.
    Memory(Vec<(String, Bytes)>),
}
