//! The last lines of a service's log.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use crate::state::{Layout, ServiceName};

/// How far back it is looked, in bytes.
const LOOK_BACK: u64 = 32 << 10;

/// Returns the last lines of a service's current log; none when it cannot be read.
pub(crate) fn last(layout: &Layout, name: ServiceName, lines: usize) -> Vec<String> {
    let read = || {
        let mut file = File::open(layout.log(name.as_str()).join("current"))?;
        let from = file.metadata()?.len().saturating_sub(LOOK_BACK);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(LOOK_BACK).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>((bytes, from))
    };
    let Ok((bytes, from)) = read() else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    // The first line is whole only where the file begins with it.
    let whole = text.lines().skip(usize::from(from > 0));
    let whole: Vec<_> = whole.map(str::to_owned).collect();
    whole[whole.len().saturating_sub(lines)..].to_vec()
}
