//! The terminal: data on stdout, talk on stderr. A reader that has gone away is not an error.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    time::Duration,
};

/// Writes what was asked for.
pub(crate) fn data(text: &str) {
    let mut out = stdout().lock();
    // A closed pipe means that nobody reads on: there is no one left to tell.
    let _ = writeln!(out, "{}", text.trim_end());
    let _ = out.flush();
}

/// Writes what is going on.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

pub(crate) fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// Renders a duration for people: tenths of seconds, minutes from one on.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rendered_for_people() {
        assert_eq!(duration(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
    }
}
