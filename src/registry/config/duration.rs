//! Spans of time as Go writes them: `1h30m`, `250ms`, `1.5h`.

use std::time::Duration;

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotADuration {
    /// Not numbers with units.
    Syntax,
    /// Less than nothing.
    Negative,
    /// More than Go can count, about 292 years.
    TooLong,
}

/// Units in nanoseconds; no unit is the beginning of a later one.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads what Go's `time.ParseDuration` reads, and is not negative.
pub(crate) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(NotADuration::Syntax);
    }
    let mut total = 0_u128;
    while !rest.is_empty() {
        let (nanoseconds, after) = part(rest)?;
        total = total.checked_add(nanoseconds).ok_or(NotADuration::TooLong)?;
        rest = after;
    }
    if negative && total > 0 {
        return Err(NotADuration::Negative);
    }
    i64::try_from(total)
        .ok()
        .and_then(|nanoseconds| u64::try_from(nanoseconds).ok())
        .map(Duration::from_nanos)
        .ok_or(NotADuration::TooLong)
}

/// One number with its unit, in nanoseconds, and what follows.
fn part(text: &str) -> Result<(u128, &str), NotADuration> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(NotADuration::Syntax);
    }
    let (unit, rest) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?)))
        .ok_or(NotADuration::Syntax)?;
    let whole = if whole.is_empty() { 0 } else { number(whole)? };
    let whole = whole.checked_mul(unit).ok_or(NotADuration::TooLong)?;
    Ok((whole.saturating_add(part_of(fraction, unit)), rest))
}

/// A fraction of a unit, to the nanosecond.
fn part_of(fraction: &str, unit: u128) -> u128 {
    let mut scale = 1;
    let mut digits = 0;
    for digit in fraction.bytes().take(15) {
        digits = digits * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    digits * unit / scale
}

fn number(digits: &str) -> Result<u128, NotADuration> {
    digits.parse::<u64>().map(u128::from).map_err(|_| NotADuration::TooLong)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{NotADuration, parse};

    #[test]
    fn durations_are_those_of_go() {
        for (text, meant) in [
            ("0", Ok(Duration::ZERO)),
            ("-0s", Ok(Duration::ZERO)),
            ("250ms", Ok(Duration::from_millis(250))),
            ("1h30m", Ok(Duration::from_secs(5400))),
            ("1.5h", Ok(Duration::from_secs(5400))),
            (".5s", Ok(Duration::from_millis(500))),
            ("1.s", Ok(Duration::from_secs(1))),
            ("+10us", Ok(Duration::from_micros(10))),
            ("3µs", Ok(Duration::from_micros(3))),
            ("7ns", Ok(Duration::from_nanos(7))),
            ("1s1ms1s", Ok(Duration::from_millis(2001))),
            ("1m", Ok(Duration::from_secs(60))),
            ("1ms", Ok(Duration::from_millis(1))),
            ("168h", Ok(Duration::from_secs(604_800))),
            ("-1s", Err(NotADuration::Negative)),
            ("300000h0m", Ok(Duration::from_secs(1_080_000_000))),
            ("3000000h", Err(NotADuration::TooLong)),
            ("99999999999999999999s", Err(NotADuration::TooLong)),
            ("", Err(NotADuration::Syntax)),
            ("5", Err(NotADuration::Syntax)),
            ("5x", Err(NotADuration::Syntax)),
            ("7d", Err(NotADuration::Syntax)),
            ("s", Err(NotADuration::Syntax)),
            (".s", Err(NotADuration::Syntax)),
            ("1 s", Err(NotADuration::Syntax)),
            ("-", Err(NotADuration::Syntax)),
        ] {
            assert_eq!(parse(text), meant, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-+.0-9a-zµ]{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn milliseconds_are_read_back(milliseconds in 0_u64..1_000_000_000_000) {
            let text = format!("{milliseconds}ms");
            prop_assert_eq!(parse(&text), Ok(Duration::from_millis(milliseconds)));
        }
    }
}
