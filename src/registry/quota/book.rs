//! What a record says, added up: which digests count, and how many bytes they are.

use std::collections::{HashMap, HashSet};

use super::entry::{Entry, Id};

/// As many digests are remembered: beyond it a blob counts again for each link to it, until all links are counted.
pub(super) const MOST: usize = 4 << 20;

/// The sum of a record's entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    ids: HashSet<Id>,
    total: u64,
    /// The last that somebody has begun to count by, and what was linked since.
    count: Option<Count>,
}

/// What whoever counts may not have seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) run: u64,
    pub(super) since: HashMap<Id, u64>,
    pub(super) loose: u64,
}

impl Book {
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Add { id, bytes } => {
                if self.ids.insert(id) {
                    self.total = self.total.saturating_add(bytes);
                }
                if let Some(count) = &mut self.count {
                    count.since.insert(id, bytes);
                }
            }
            Entry::Take { id, bytes } => {
                if self.ids.remove(&id) {
                    self.total = self.total.saturating_sub(bytes);
                }
                if let Some(count) = &mut self.count {
                    count.since.remove(&id);
                }
            }
            Entry::Loose { bytes } => {
                self.total = self.total.saturating_add(bytes);
                if let Some(count) = &mut self.count {
                    count.loose = count.loose.saturating_add(bytes);
                }
            }
            Entry::Mark { run } => self.count = Some(Count { run, ..Count::default() }),
        }
    }

    /// Bytes that count.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn holds(&self, id: Id) -> bool {
        self.ids.contains(&id)
    }

    /// How many digests are remembered.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The count that has begun, if one has.
    pub(super) fn count(&self) -> Option<&Count> {
        self.count.as_ref()
    }

    /// Whether an entry about a digest changes anything, the sum or what a count is to know.
    pub(super) fn lacks(&self, id: Id) -> bool {
        let is_noted = |count: &Count| count.since.contains_key(&id);
        !self.holds(id) || !self.count.as_ref().is_none_or(is_noted)
    }

    /// The entry by which a digest is added.
    pub(super) fn adding(&self, id: Id, bytes: u64) -> Entry {
        match self.holds(id) || self.len() < MOST {
            true => Entry::Add { id, bytes },
            false => Entry::Loose { bytes },
        }
    }
}
