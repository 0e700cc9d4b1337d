//! Reads that the kernel's caches can answer, on the calling thread.
//!
//! `openat2` with `RESOLVE_CACHED` (Linux 5.12) fails with `EAGAIN` where a lookup would wait for the
//! disk, and so does `preadv2` with `RWF_NOWAIT`. Each function here returns none then, and the caller
//! goes to a blocking thread. A kernel or container without these calls is noticed once.

use std::{fs::File, io::IoSliceMut};

use bytes::Bytes;
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat2},
    io::{Errno, ReadWriteFlags, preadv2},
};

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
    let read = read_now(&file, &mut small, 0)?;
    if read < SMALL_BYTES {
        let too_large = || Error::new(Kind::TooLarge, "read", key);
        return Some(if read > limit {
            Err(too_large())
        } else {
            Ok(Bytes::copy_from_slice(&small[..read]))
        });
    }
    get_large(&file, key, limit)
}

fn get_large(file: &File, key: &str, limit: usize) -> Option<Result<Bytes, Error>> {
    let size = usize::try_from(rustix::fs::fstat(file).ok()?.st_size).ok()?;
    if size > limit {
        return Some(Err(Error::new(Kind::TooLarge, "read", key)));
    }
    let mut bytes = vec![0; size];
    let mut filled = 0;
    while filled < size {
        match read_now(file, &mut bytes[filled..], filled as u64)? {
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
    if store.uncached.get().is_some() {
        return None;
    }
    let flags = flags | OFlags::CLOEXEC;
    match openat2(&store.root, key, flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(descriptor) => Some(Ok(File::from(descriptor))),
        Err(Errno::AGAIN) => None,
        // No such call, no such flag, or a container that forbids it.
        Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
            let _ = store.uncached.set(());
            None
        }
        Err(error) => Some(Err(error).during(operation, key)),
    }
}

fn read_now(file: &File, space: &mut [u8], at: u64) -> Option<usize> {
    preadv2(file, &mut [IoSliceMut::new(space)], at, ReadWriteFlags::NOWAIT).ok()
}
