//! Events that wait in memory, for a registry without a folder for them.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::line::{self, Line, Position};

/// How many are taken at once.
const BATCH: usize = 64;

/// Lines with their breaks, as in a file.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<VecDeque<Bytes>>);

impl Memory {
    pub(super) fn push(&self, line: &Bytes) {
        self.lines().push_back(line.clone());
    }

    /// The first ones, which stay.
    pub(super) fn batch(&self) -> Vec<Line> {
        let lines = self.lines();
        let texts = lines.iter().take(BATCH).map(|line| &line[..line.len().saturating_sub(1)]);
        texts.filter_map(|text| line::read(text, Position::default())).collect()
    }

    /// Takes the first one away.
    pub(super) fn pop(&self) {
        self.lines().pop_front();
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<Bytes>> {
        // The list is whole between two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
