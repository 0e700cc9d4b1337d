//! What was found out lately: a bounded map that forgets the oldest.
//!
//! Two generations: what is added goes into the young one; when that is full it becomes the old one, and
//! the old one is forgotten. Nothing has to be kept in order, and everything is kept for at least as
//! many additions as a generation holds.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The hash of what must not be kept itself.
pub(super) type Mark = [u8; 32];

/// A map that holds twice `capacity` at most.
pub(super) struct Recent<V> {
    capacity: usize,
    generations: Mutex<Generations<V>>,
}

struct Generations<V> {
    young: HashMap<Mark, V>,
    old: HashMap<Mark, V>,
}

impl<V> fmt::Debug for Recent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl<V: Clone> Recent<V> {
    pub(super) fn new(capacity: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { capacity, generations: Mutex::new(generations) }
    }

    pub(super) fn get(&self, mark: &Mark) -> Option<V> {
        let generations = self.lock();
        generations.young.get(mark).or_else(|| generations.old.get(mark)).cloned()
    }

    pub(super) fn add(&self, mark: Mark, value: V) {
        let mut generations = self.lock();
        if generations.young.len() >= self.capacity {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(mark, value);
    }

    fn lock(&self) -> MutexGuard<'_, Generations<V>> {
        // A map is whole between two calls, whoever panicked.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn the_last_ones_are_there_and_the_first_ones_are_not() {
        let recent = Recent::new(3);
        for number in 0..10 {
            recent.add([number; 32], number);
            for known in number.saturating_sub(2)..=number {
                assert_eq!(recent.get(&[known; 32]), Some(known));
            }
        }
        let known: Vec<_> = (0..10).filter(|number| recent.get(&[*number; 32]).is_some()).collect();
        assert_eq!(known, [6, 7, 8, 9]);
    }
}
