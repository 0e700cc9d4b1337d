//! The wall clock, for what a person reads and for whether a certificate counts. Nothing else is decided by
//! it.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_SECONDS: u64 = 86_400;

/// Returns the time as RFC 3339 in UTC: `2026-11-22T17:20:09Z`.
pub(crate) fn now() -> String {
    rfc_3339(seconds())
}

/// Returns the seconds since 1970, as certificates count them.
pub(crate) fn unix_time() -> i64 {
    i64::try_from(seconds()).unwrap_or(i64::MAX)
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Returns a time as svlogd writes it before a line, in UTC: `2026-11-22_17:20:09.12345 `.
pub(crate) fn log_stamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = rfc_3339(since.as_secs()).replace('T', "_");
    format!("{}.{:05} ", text.trim_end_matches('Z'), since.subsec_micros() / 10)
}

/// Returns the time as an external TAI64N label, by which names sort.
pub(crate) fn tai64n_now() -> String {
    /// TAI is ahead of UTC, by ten seconds in 1970.
    const EPOCH: u64 = (1 << 62) + 10;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:016x}{:08x}", EPOCH + since.as_secs(), since.subsec_nanos())
}

fn rfc_3339(seconds: u64) -> String {
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let time = seconds % DAY_SECONDS;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Turns days since 1970 into a date, in years that begin in March, so that leap days come last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_in_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_583_020_799, "2020-02-29T23:59:59Z"),
            (1_583_020_800, "2020-03-01T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc_3339(seconds), text);
        }
    }
}
