//! How much there is of each kind of object.

use serde::{Deserialize, Serialize};
use storage::Item;

/// Objects and bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Count {
    /// Objects, each a file of a folder.
    pub objects: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Counts of each kind.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Kinds {
    /// Blobs.
    pub blobs: Count,
    /// Links to manifests.
    pub revisions: Count,
    /// Links to blobs.
    pub layers: Count,
    /// Tags and their histories.
    pub tags: Count,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }

    fn sum(counts: [Self; 4]) -> Self {
        counts.into_iter().fold(Self::default(), |sum, count| Self {
            objects: sum.objects + count.objects,
            bytes: sum.bytes + count.bytes,
        })
    }
}

impl Kinds {
    pub(super) fn add(&mut self, item: &Item, bytes: u64) {
        match item {
            Item::Blob(_) => self.blobs.add(bytes),
            Item::Revision(..) => self.revisions.add(bytes),
            Item::Layer(..) => self.layers.add(bytes),
            Item::Tag(..) | Item::TagIndex(..) => self.tags.add(bytes),
            Item::UploadStartedAt(..) | Item::Repository(_) => {}
        }
    }

    pub(super) fn remove(&mut self, item: &Item, bytes: u64) {
        let mut one = Self::default();
        one.add(item, bytes);
        for (all, one) in [
            (&mut self.blobs, one.blobs),
            (&mut self.revisions, one.revisions),
            (&mut self.layers, one.layers),
            (&mut self.tags, one.tags),
        ] {
            all.objects = all.objects.saturating_sub(one.objects);
            all.bytes = all.bytes.saturating_sub(one.bytes);
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> Count {
        Count::sum([self.blobs, self.revisions, self.layers, self.tags])
    }
}
