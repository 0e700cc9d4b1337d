//! Buffers for reading blobs: 256 KiB each, taken from a pool and given back when the last byte has left.
//!
//! A buffer of that size costs a page fault per page when it is fresh; a pooled one costs none. The
//! pool keeps a bounded number, so an idle process is small again. Clients that take nothing hold theirs: when many are in
//! use, further ones are small, so that a thousand such clients cost little more than a few hundred.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// Large enough that a system call costs nothing per byte, small enough for a processor's cache.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// What the pool keeps at most: 4 MiB.
const KEPT_BUFFERS: usize = 16;

/// What may be in use before buffers get small: 256 of the large ones.
const PLENTY_BYTES: usize = 64 << 20;

/// A small one: some of them wait for a client together.
const SMALL_BYTES: usize = 4 * 1024;

/// Buffers that are free now, and how many bytes are not.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Mutex<Vec<Box<[u8]>>>,
    in_use: AtomicUsize,
}

/// A buffer in use; it goes back to its pool when dropped.
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
    pool: Arc<Pool>,
}

impl Pool {
    /// A buffer of [`BUFFER_BYTES`], or of `wanted` bytes where that is less: a small object needs no large buffer.
    /// It is smaller while many are in use.
    pub(crate) fn take(self: &Arc<Self>, wanted: usize) -> Buffer {
        let most = match self.in_use.load(Ordering::Relaxed) {
            ..PLENTY_BYTES => BUFFER_BYTES,
            PLENTY_BYTES.. => SMALL_BYTES,
        };
        let wanted = wanted.min(most);
        self.in_use.fetch_add(wanted, Ordering::Relaxed);
        let bytes = if wanted < BUFFER_BYTES {
            vec![0; wanted].into_boxed_slice()
        } else {
            let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            free.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice())
        };
        Buffer { bytes, filled: 0, pool: Arc::clone(self) }
    }

    fn give_back(&self, bytes: Box<[u8]>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT_BUFFERS {
            free.push(bytes);
        }
    }
}

impl Buffer {
    /// The whole buffer, to be read into.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Its first `filled` bytes, shared without a copy.
    pub(crate) fn into_bytes(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.bytes.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.in_use.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        if self.bytes.len() == BUFFER_BYTES {
            self.pool.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_returns_to_the_pool_when_its_bytes_are_gone() {
        let pool = Arc::new(Pool::default());
        let mut buffer = pool.take(usize::MAX);
        buffer.space()[..2].copy_from_slice(b"ab");
        let bytes = buffer.into_bytes(2);
        assert_eq!(&bytes[..], b"ab");
        assert_eq!(pool.free.lock().unwrap().len(), 0);
        drop(bytes);
        assert_eq!(pool.free.lock().unwrap().len(), 1);
    }

    #[test]
    fn buffers_are_small_while_many_are_in_use() {
        let pool = Arc::new(Pool::default());
        let taken: Vec<_> = (0..300).map(|_| pool.take(usize::MAX)).collect();
        let large = taken.iter().filter(|buffer| buffer.bytes.len() == BUFFER_BYTES).count();
        assert_eq!(large, 256);
        assert_eq!(taken.iter().map(|buffer| buffer.bytes.len()).min(), Some(SMALL_BYTES));
        drop(taken);
        assert_eq!(pool.in_use.load(Ordering::Relaxed), 0);
        assert_eq!(pool.take(usize::MAX).bytes.len(), BUFFER_BYTES);
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool = Arc::new(Pool::default());
        let taken: Vec<_> = (0..2 * KEPT_BUFFERS).map(|_| pool.take(BUFFER_BYTES)).collect();
        drop(taken);
        assert_eq!(pool.free.lock().unwrap().len(), KEPT_BUFFERS);
    }
}
