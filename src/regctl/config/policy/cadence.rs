//! How often a policy runs: GitLab's five words, or a time as cron has it.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month, OffsetDateTime, Time, UtcOffset};

use super::{super::values, pattern::Unfit};

/// How often.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Cadence {
    /// `1d`, `7d`, `14d`.
    Days(u16),
    /// `1month`, `3month`.
    Months(u8),
    /// Five fields, in UTC.
    Cron { text: String, fields: Box<Fields> },
}

/// The minutes that a crontab's five fields mean, a bit for each number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether both fields of days say something: then one of them is enough.
    either_day: bool,
}

const EXPECTED: &str = "one of \"1d\", \"7d\", \"14d\", \"1month\", \"3month\", or five fields as cron has them, in UTC, such as \"30 2 * * 0\"";

/// A line of cron comes a little early or late, and a policy is not to miss its turn for that.
const SLACK_PARTS: i32 = 8;

/// The next time is looked for so many days ahead: 29 February may be eight years away.
const DAYS_AHEAD: usize = 366 * 9;

impl Cadence {
    pub(crate) fn parse(text: &str) -> Result<Self, Unfit> {
        Ok(match text {
            "1d" => Self::Days(1),
            "7d" => Self::Days(7),
            "14d" => Self::Days(14),
            "1month" => Self::Months(1),
            "3month" => Self::Months(3),
            other => {
                let text = values::schedule(other).ok_or_else(|| Unfit(EXPECTED.to_owned()))?;
                let fields = Box::new(Fields::of(&text));
                Self::Cron { text, fields }
            }
        })
    }

    /// When a policy runs next that has begun at `last`; none: never.
    pub(crate) fn next(&self, last: OffsetDateTime) -> Option<OffsetDateTime> {
        let last = last.to_offset(UtcOffset::UTC);
        match self {
            Self::Days(days) => last.checked_add(Duration::days(i64::from(*days))),
            Self::Months(months) => months_later(last, *months),
            Self::Cron { fields, .. } => fields.next(last),
        }
    }

    /// Whether a policy that has begun at `last` is to run now.
    pub(crate) fn is_due(&self, last: Option<OffsetDateTime>, now: OffsetDateTime) -> bool {
        let Some(last) = last.filter(|last| *last <= now) else { return true };
        let Some(next) = self.next(last) else { return false };
        let slack = match self {
            Self::Days(_) | Self::Months(_) => {
                ((next - last) / SLACK_PARTS).min(Duration::hours(3))
            }
            Self::Cron { .. } => Duration::ZERO,
        };
        now >= next - slack
    }
}

fn months_later(from: OffsetDateTime, months: u8) -> Option<OffsetDateTime> {
    let (mut year, mut month) = (from.year(), from.month());
    for _ in 0..months {
        month = month.next();
        year += i32::from(month == Month::January);
    }
    let day = from.day().min(month.length(year));
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(from.replace_date(date))
}

impl Fields {
    /// Reads what [`values::schedule`] has found to be right.
    fn of(text: &str) -> Self {
        let text = match text {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            fields => fields,
        };
        let words: Vec<&str> = text.split(' ').collect();
        let word = |index: usize| words.get(index).copied().unwrap_or("*");
        let weekdays = bits(word(4), 0, 7);
        Self {
            minutes: bits(word(0), 0, 59),
            hours: bits(word(1), 0, 23),
            days: bits(word(2), 1, 31),
            months: bits(word(3), 1, 12),
            // Both 0 and 7 are Sunday.
            weekdays: weekdays | (weekdays >> 7 & 1),
            either_day: !word(2).starts_with('*') && !word(4).starts_with('*'),
        }
    }

    fn is_day(&self, date: Date) -> bool {
        let day = self.days >> date.day() & 1 == 1;
        let weekday = self.weekdays >> date.weekday().number_days_from_sunday() & 1 == 1;
        let is_day = if self.either_day { day || weekday } else { day && weekday };
        is_day && self.months >> u8::from(date.month()) & 1 == 1
    }

    /// The first minute after this time.
    fn next(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        let first = after.checked_add(Duration::minutes(1))?;
        let mut date = first.date();
        let mut earliest = (first.hour(), first.minute());
        for _ in 0..DAYS_AHEAD {
            if self.is_day(date)
                && let Some((hour, minute)) = self.first_minute(earliest)
            {
                let time = Time::from_hms(hour, minute, 0).ok()?;
                return Some(date.with_time(time).assume_utc());
            }
            (date, earliest) = (date.next_day()?, (0, 0));
        }
        None
    }

    fn first_minute(&self, (hour, minute): (u8, u8)) -> Option<(u8, u8)> {
        let from = |bits: u64, least: u8| (least..64).find(|number| bits >> number & 1 == 1);
        if self.hours >> hour & 1 == 1
            && let Some(minute) = from(self.minutes, minute)
        {
            return Some((hour, minute));
        }
        Some((from(self.hours, hour + 1)?, from(self.minutes, 0)?))
    }
}

/// The numbers that one field means.
fn bits(field: &str, least: u32, most: u32) -> u64 {
    let number = |word: &str| match word.parse() {
        Ok(number) => Some(number),
        Err(_) => named(word),
    };
    let mut bits = 0;
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step = step.parse().ok().filter(|step| *step > 0).unwrap_or(1);
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from), number(to)),
            None if range == "*" => (Some(least), Some(most)),
            None => (number(range), number(range)),
        };
        let (from, to) = (from.unwrap_or(least), to.unwrap_or(least));
        for number in (from..=to.min(most)).step_by(step) {
            bits |= 1 << number;
        }
    }
    bits
}

fn named(word: &str) -> Option<u32> {
    const NAMES: [(&str, u32); 19] = [
        ("jan", 1),
        ("feb", 2),
        ("mar", 3),
        ("apr", 4),
        ("may", 5),
        ("jun", 6),
        ("jul", 7),
        ("aug", 8),
        ("sep", 9),
        ("oct", 10),
        ("nov", 11),
        ("dec", 12),
        ("sun", 0),
        ("mon", 1),
        ("tue", 2),
        ("wed", 3),
        ("thu", 4),
        ("fri", 5),
        ("sat", 6),
    ];
    NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, number)| *number)
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::Months(months) => write!(f, "{months}month"),
            Self::Cron { text, .. } => f.write_str(text),
        }
    }
}

impl TryFrom<String> for Cadence {
    type Error = Unfit;

    fn try_from(text: String) -> Result<Self, Unfit> {
        Self::parse(&text)
    }
}

impl From<Cadence> for String {
    fn from(cadence: Cadence) -> Self {
        cadence.to_string()
    }
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    #[test]
    fn a_policy_runs_again_when_its_time_has_passed() {
        let rows = [
            ("1d", "2026-11-23T02:25:07Z", "2026-11-24T02:25:07Z"),
            ("7d", "2026-11-23T02:25:07Z", "2026-11-30T02:25:07Z"),
            ("14d", "2026-12-25T00:00:00Z", "2027-01-08T00:00:00Z"),
            ("1month", "2026-01-31T01:00:00Z", "2026-02-28T01:00:00Z"),
            ("1month", "2026-12-05T01:00:00Z", "2027-01-05T01:00:00Z"),
            ("3month", "2026-11-30T01:00:00Z", "2027-02-28T01:00:00Z"),
            ("30 2 * * 0", "2026-11-23T02:25:07Z", "2026-11-29T02:30:00Z"),
            ("30 2 * * 7", "2026-11-23T02:25:07Z", "2026-11-29T02:30:00Z"),
            ("0 4 1 * *", "2026-11-23T02:25:07Z", "2026-12-01T04:00:00Z"),
            ("0 4 29 feb *", "2026-11-23T02:25:07Z", "2028-02-29T04:00:00Z"),
            ("*/15 9-17 * * mon-fri", "2026-11-20T17:50:00Z", "2026-11-23T09:00:00Z"),
            ("*/15 * * * *", "2026-11-20T17:50:00Z", "2026-11-20T18:00:00Z"),
            ("0 0 13 * fri", "2026-11-20T17:50:00Z", "2026-11-27T00:00:00Z"),
            ("@daily", "2026-11-20T17:50:00Z", "2026-11-21T00:00:00Z"),
        ];
        for (text, last, next) in rows {
            let cadence = Cadence::parse(text).unwrap();
            assert_eq!(cadence.next(at(last)), Some(at(next)), "{text}");
            assert!(cadence.is_due(Some(at(last)), at(next)), "{text}");
            assert!(!cadence.is_due(Some(at(last)), at(last)), "{text}");
            assert!(cadence.is_due(None, at(last)), "{text}");
            assert_eq!(Cadence::parse(&cadence.to_string()), Ok(cadence));
        }
        assert_eq!(Cadence::parse("0 0 31 2 *").unwrap().next(at("2026-11-20T17:50:00Z")), None);
    }

    #[test]
    fn a_line_of_cron_that_comes_a_moment_early_does_not_skip_a_day() {
        let daily = Cadence::parse("1d").unwrap();
        let last = Some(at("2026-11-22T02:25:09Z"));
        assert!(daily.is_due(last, at("2026-11-23T02:25:02Z")));
        assert!(!daily.is_due(last, at("2026-11-22T20:00:00Z")));
    }

    #[test]
    fn a_clock_that_went_back_does_not_hold_a_policy_up() {
        let last = Some(at("2036-11-22T02:25:09Z"));
        assert!(Cadence::parse("3month").unwrap().is_due(last, at("2026-11-23T02:25:02Z")));
    }

    #[test]
    fn what_gitlab_does_not_know_is_refused_with_what_it_does() {
        for bad in ["", "2d", "1w", "1months", "daily", "60 * * * *", "* * * *"] {
            let Unfit(said) = Cadence::parse(bad).unwrap_err();
            assert_eq!(said, EXPECTED, "{bad}");
        }
    }
}
