//! What the kernel's caches can answer without waiting for the disk, found out once for each store.
//!
//! `openat2` with `RESOLVE_CACHED` (Linux 5.12) and `preadv2` with `RWF_NOWAIT` say `EAGAIN` where they
//! would wait. Some kernels, containers and filesystems know neither, and on a network filesystem
//! opening a file is a message to a server whatever the cache holds. `sendfile` says nothing of the kind: it waits,
//! so the cache is looked at before.

use std::{
    fs::File,
    io::IoSliceMut,
    ops::Range,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, fstatfs, openat2, sendfile},
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

/// tmpfs and ramfs, which are the cache.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// How far apart the looks at the cache are: what was read or written together is there or gone together.
const STEP: usize = 256 * 1024;

/// What the kernel's caches can answer here.
#[derive(Debug)]
pub(crate) struct Caches {
    lookups: AtomicBool,
    reads: AtomicBool,
    /// Whether files can be sent from here.
    sends: AtomicBool,
    is_in_memory: bool,
}

impl Caches {
    pub(crate) fn of(root: &OwnedFd) -> Self {
        // The numbers are 32 bits wide, whatever type the kernel's header gives them.
        let kind = fstatfs(root).map_or(0, |stat| stat.f_type as u64 & 0xffff_ffff);
        let is_one_of = |kinds: &[u32]| kinds.iter().any(|one| u64::from(*one) == kind);
        let local = !is_one_of(&REMOTE);
        Self {
            lookups: AtomicBool::new(local),
            reads: AtomicBool::new(local),
            sends: AtomicBool::new(local),
            is_in_memory: is_one_of(&IN_MEMORY),
        }
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

    /// Whether files leave by `sendfile`, as far as is known.
    pub(crate) fn can_send(&self) -> bool {
        self.sends.load(Ordering::Relaxed) && (self.is_in_memory || self.can_read())
    }

    /// Whether a part of a file is there, as far as looks at it in steps tell.
    pub(crate) fn hold(&self, file: &File, part: Range<u64>) -> bool {
        if self.is_in_memory {
            return true;
        }
        let is_there = |at| self.read(file, &mut [0], at) == Some(1);
        let Some(last) = part.end.checked_sub(1) else { return true };
        // The last one first: what is read from its beginning comes to its end at last.
        is_there(last) && part.step_by(STEP).all(is_there)
    }

    /// Has the kernel send a part of a file. None: not from this filesystem, not by this kernel.
    pub(crate) fn send(
        &self,
        file: &File,
        socket: BorrowedFd<'_>,
        (at, length): (u64, usize),
    ) -> Option<Result<usize, Errno>> {
        if !self.sends.load(Ordering::Relaxed) {
            return None;
        }
        let mut at = at;
        loop {
            match sendfile(socket, file, Some(&mut at), length) {
                Err(Errno::INTR) => {}
                Err(
                    Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::OVERFLOW | Errno::PERM,
                ) => {
                    self.sends.store(false, Ordering::Relaxed);
                    return None;
                }
                result => return Some(result),
            }
        }
    }

    /// As a filesystem or a kernel would have it that sends no files.
    #[cfg(test)]
    pub(crate) fn refuse_to_send(&self) {
        self.sends.store(false, Ordering::Relaxed);
    }
}
