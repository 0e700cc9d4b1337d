//! What the kernel's caches can answer without waiting for the disk, found out once for each store.
//!
//! `openat2` with `RESOLVE_CACHED` (Linux 5.12) and `preadv2` with `RWF_NOWAIT` say `EAGAIN` where they
//! would wait. Some kernels, containers and filesystems know neither, and on a network filesystem
//! opening a file is a message to a server whatever the cache holds.

use std::{
    fs::File,
    io::IoSliceMut,
    os::fd::OwnedFd,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, fstatfs, openat2},
    io::{Errno, ReadWriteFlags, preadv2},
};

/// NFS, SMB, CIFS, SMB2, 9P, Ceph, FUSE, AFS, Lustre, GFS2, OCFS2 (`statfs(2)`).
const REMOTE: [u32; 11] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x0102_1997,
    0x00c3_6400,
    0x6573_5546,
    0x5346_414f,
    0x0bd0_0bd0,
    0x0116_1970,
    0x7461_636f,
];

/// What the kernel's caches can answer here.
#[derive(Debug)]
pub(crate) struct Caches {
    lookups: AtomicBool,
    reads: AtomicBool,
}

impl Caches {
    pub(crate) fn of(root: &OwnedFd) -> Self {
        // The numbers are 32 bits wide, whatever type the kernel's header gives them.
        let kind = fstatfs(root).map_or(0, |stat| stat.f_type as u64 & 0xffff_ffff);
        let local = !REMOTE.iter().any(|remote| u64::from(*remote) == kind);
        Self { lookups: AtomicBool::new(local), reads: AtomicBool::new(local) }
    }

    /// Opens a file if all names on the way are cached. None: ask the disk.
    pub(crate) fn open(
        &self,
        root: &OwnedFd,
        path: &str,
        flags: OFlags,
    ) -> Option<Result<File, Errno>> {
        // Where reads cannot be cached, an open file would only be opened again for the read.
        if !self.lookups.load(Ordering::Relaxed) || !self.reads.load(Ordering::Relaxed) {
            return None;
        }
        let flags = flags | OFlags::CLOEXEC;
        match openat2(root, path, flags, Mode::empty(), ResolveFlags::CACHED) {
            Ok(descriptor) => Some(Ok(File::from(descriptor))),
            Err(Errno::AGAIN) => None,
            // No such call, no such flag, or a container that forbids it.
            Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
                self.lookups.store(false, Ordering::Relaxed);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Reads what is cached. None: ask the disk.
    pub(crate) fn read(&self, file: &File, space: &mut [u8], at: u64) -> Option<usize> {
        if !self.can_read() {
            return None;
        }
        match preadv2(file, &mut [IoSliceMut::new(space)], at, ReadWriteFlags::NOWAIT) {
            Ok(read) => Some(read),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
                self.reads.store(false, Ordering::Relaxed);
                None
            }
            Err(_) => None,
        }
    }

    pub(crate) fn can_read(&self) -> bool {
        self.reads.load(Ordering::Relaxed)
    }
}
