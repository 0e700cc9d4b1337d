//! What another program says on stdin: read whole, and in bounds.

use std::io::{self, ErrorKind, Read as _};

use crate::Secret;

/// Far more than any secret that is typed or generated.
const BYTES_MAX: u64 = 4096;

/// Reads a secret up to the end of stdin; the end of its line does not belong to it.
pub(crate) fn secret() -> io::Result<Secret> {
    let mut text = String::new();
    io::stdin().lock().take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > BYTES_MAX) {
        let reason = format!("it has more than {BYTES_MAX} bytes");
        return Err(io::Error::new(ErrorKind::InvalidData, reason));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

/// More than any command sends to a process that works for it.
const TEXT_BYTES_MAX: u64 = 1 << 30;

/// Reads what the command that has started this process sends.
pub(crate) fn text() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().take(TEXT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}
