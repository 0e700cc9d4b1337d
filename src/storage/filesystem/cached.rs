//! Reads that the kernel's caches can answer, on the calling thread.
//!
//! Each function returns none where the disk would be waited for; the caller goes to a blocking
//! thread then.

use std::fs::File;

use bytes::Bytes;
use rustix::fs::OFlags;

use super::store::{Store, object, to_stat};
use crate::{Error, Kind, Object, Stat, error::Context};

/// A small object on the stack: links are 71 bytes, most manifests less than this.
const SMALL_BYTES: usize = 4096;

pub(super) fn get(store: &Store, key: &str, limit: usize) -> Option<Result<Bytes, Error>> {
    let file = match lookup(store, key, OFlags::RDONLY, "read")? {
        Ok(file) => file,
        Err(error) => return Some(Err(error)),
    };
    let mut small = [0; SMALL_BYTES];
    let read = store.caches.read(&file, &mut small, 0)?;
    if read == SMALL_BYTES {
        return get_large(store, &file, key, limit);
    }
    Some(if read > limit {
        Err(Error::new(Kind::TooLarge, "read", key))
    } else {
        Ok(Bytes::copy_from_slice(&small[..read]))
    })
}

fn get_large(store: &Store, file: &File, key: &str, limit: usize) -> Option<Result<Bytes, Error>> {
    let size = usize::try_from(rustix::fs::fstat(file).ok()?.st_size).ok()?;
    if size > limit {
        return Some(Err(Error::new(Kind::TooLarge, "read", key)));
    }
    let mut bytes = vec![0; size];
    let mut filled = 0;
    while filled < size {
        match store.caches.read(file, &mut bytes[filled..], filled as u64)? {
            0 => return None,
            read => filled += read,
        }
    }
    Some(Ok(bytes.into()))
}

pub(super) fn open(store: &Store, key: &str) -> Option<Result<Object, Error>> {
    let file = lookup(store, key, OFlags::RDONLY, "open")?;
    Some(file.and_then(|file| object(store, file, key)))
}

pub(super) fn stat(store: &Store, key: &str) -> Option<Result<Stat, Error>> {
    let file = lookup(store, key, OFlags::PATH, "stat")?;
    Some(file.and_then(|file| {
        let stat = rustix::fs::fstat(&file).during("stat", key)?;
        Ok(to_stat(&stat))
    }))
}

fn lookup(
    store: &Store,
    key: &str,
    flags: OFlags,
    operation: &'static str,
) -> Option<Result<File, Error>> {
    let opened = store.caches.open(&store.root, key, flags)?;
    Some(opened.during(operation, key))
}
