//! How the buffers of uploads come back from the allocator, and not from the kernel.

use std::hint::black_box;

/// Larger than the buffers of a connection, which are 400 KiB.
const SEEN_BYTES: usize = 2 << 20;

/// Has the C library keep freed buffers for the next piece of an upload.
///
/// glibc gives a block back to the kernel that is larger than any it has seen freed, and the end of its heap when twice
/// that is free (`mallopt(3)`, `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD`). Buffers of an upload would be taken from the
/// kernel page by page, 90,000 times in a gibibyte. So it sees a larger block freed, which nobody has touched. Other
/// allocators do not care.
pub(super) fn keep_buffers() {
    drop(black_box(Vec::<u8>::with_capacity(SEEN_BYTES)));
}
