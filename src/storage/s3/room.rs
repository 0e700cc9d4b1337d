//! How much of the uploads of this process is in memory.
//!
//! An upload that finds it full makes smaller parts and waits for its own to leave; it never waits for another one,
//! which may belong to a client that sends nothing. So each may have the bytes of the smallest part beyond it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What all uploads have in memory together, before they are short of it.
const ENOUGH: usize = 128 << 20;

/// Counts what is in memory.
#[derive(Debug, Default)]
pub(super) struct Room {
    taken: AtomicUsize,
}

/// Some of it. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(super) fn is_full(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= ENOUGH
    }

    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Taken {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        Taken { room: Arc::clone(self), bytes }
    }
}

impl Taken {
    pub(super) fn grow(&mut self, bytes: usize) {
        self.room.taken.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }

    /// Takes a part of it off.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { room: Arc::clone(&self.room), bytes }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_given_back_in_its_parts() {
        let room = Arc::new(Room::default());
        let mut taken = room.take(ENOUGH - 1);
        assert!(!room.is_full());
        taken.grow(1);
        assert!(room.is_full());
        let part = taken.split(10);
        drop(taken);
        assert!(!room.is_full());
        assert_eq!(room.taken.load(Ordering::Relaxed), 10);
        drop(part);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
