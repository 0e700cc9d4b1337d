//! Random bytes from the kernel, for secrets and names that must not collide.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
};

/// Returns `bytes` random bytes as lowercase hexadecimal.
pub(crate) fn hex(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().fold(String::with_capacity(bytes * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    }))
}
