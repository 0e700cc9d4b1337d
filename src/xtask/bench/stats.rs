//! Numbers of one row: medians, ranges and the ratio of the two sides, and whether the ratio meets its bar.

use std::fmt;

use super::pair::Pair;

/// The measurements of one side, sorted; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    /// Takes measurements; none, or one that is no number, makes no sample.
    pub(crate) fn new(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some(Self(values))
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            return self.0[middle];
        }
        f64::midpoint(self.0[middle - 1], self.0[middle])
    }

    fn min(&self) -> f64 {
        self.0[0]
    }

    fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&number(self.median()))?;
        if self.0.len() == 1 {
            return Ok(());
        }
        write!(f, " ({}–{})", number(self.min()), number(self.max()))
    }
}

/// Three digits that count, and no more.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 || value == 0.0 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// What a line has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    /// The most that the ratio ours/peer may be.
    AtMost(f64),
    /// The least that the ratio ours/peer may be.
    AtLeast(f64),
    /// The least that the ratio may be, unless another one reaches its own limit.
    AtLeastOr(f64, Instead),
    /// The most that our own value may be, whatever the peer's is.
    OursAtMost(f64),
}

/// A ratio to something else than the peer, which will do as well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Instead {
    pub(crate) of: &'static str,
    pub(crate) ratio: f64,
    pub(crate) limit: f64,
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
            Self::AtLeastOr(limit, Instead { of, ratio, limit: other }) => {
                write!(f, "≥ {limit}, or ≥ {other} of {of} ({})", number(*ratio))
            }
            Self::OursAtMost(limit) => write!(f, "ours ≤ {limit}"),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) title: String,
    pub(crate) samples: Pair<Sample>,
    pub(crate) bar: Option<Bar>,
}

impl Series {
    /// Returns ours divided by the peer's; none if the peer's is 0.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let ratio = self.samples.ours.median() / self.samples.peer.median();
        ratio.is_finite().then_some(ratio)
    }

    /// Tells whether the line reaches its bar; none if it has none. What has no ratio reaches none.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let ratio = self.ratio();
        Some(match self.bar? {
            Bar::AtMost(limit) => ratio.is_some_and(|ratio| ratio <= limit),
            Bar::AtLeast(limit) => ratio.is_some_and(|ratio| ratio >= limit),
            Bar::AtLeastOr(limit, instead) => {
                ratio.is_some_and(|ratio| ratio >= limit) || instead.ratio >= instead.limit
            }
            Bar::OursAtMost(limit) => self.samples.ours.median() <= limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn a_median_does_not_depend_on_the_order() {
        assert_eq!(sample(&[9.0, 1.0, 5.0]).median(), 5.0);
        assert_eq!(sample(&[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
    }

    #[test]
    fn nothing_and_no_number_are_no_sample() {
        assert_eq!(Sample::new(Vec::new()), None);
        assert_eq!(Sample::new(vec![1.0, f64::NAN]), None);
        assert_eq!(Sample::new(vec![f64::INFINITY]), None);
    }

    #[test]
    fn a_sample_shows_its_range_unless_it_is_one_value() {
        assert_eq!(sample(&[1234.5, 1.25, 20.0]).to_string(), "20.0 (1.25–1234)");
        assert_eq!(sample(&[7.0]).to_string(), "7.00");
        assert_eq!(sample(&[0.0]).to_string(), "0");
    }

    #[test]
    fn numbers_keep_three_digits_at_the_edges_too() {
        assert_eq!(number(99.96), "100");
        assert_eq!(number(99.94), "99.9");
        assert_eq!(number(9.996), "10.0");
    }

    #[test]
    fn a_ratio_is_ours_over_the_peers() {
        let samples = Pair { ours: sample(&[3.0]), peer: sample(&[2.0]) };
        let mut series = Series { title: "push".to_owned(), samples, bar: None };
        assert_eq!(series.ratio(), Some(1.5));
        series.samples.peer = sample(&[0.0]);
        assert_eq!(series.ratio(), None);
    }

    #[test]
    fn a_bar_includes_its_limit() {
        let instead = |ratio| Instead { of: "loopback", ratio, limit: 0.95 };
        for (ours, bar, met) in [
            (1.4, Bar::AtLeast(1.4), true),
            (1.39, Bar::AtLeast(1.4), false),
            (0.5, Bar::AtMost(0.5), true),
            (0.51, Bar::AtMost(0.5), false),
            (1.0, Bar::AtLeastOr(1.1, instead(0.94)), false),
            (1.0, Bar::AtLeastOr(1.1, instead(0.95)), true),
            (1.1, Bar::AtLeastOr(1.1, instead(0.1)), true),
            (128.0, Bar::OursAtMost(128.0), true),
            (129.0, Bar::OursAtMost(128.0), false),
        ] {
            let samples = Pair { ours: sample(&[ours]), peer: sample(&[1.0]) };
            let series = Series { title: "push".to_owned(), samples, bar: Some(bar) };
            assert_eq!(series.is_met(), Some(met), "{ours} {bar}");
        }
    }

    #[test]
    fn what_has_no_ratio_reaches_no_bar() {
        let samples = Pair { ours: sample(&[1.0]), peer: sample(&[0.0]) };
        let bar = Some(Bar::AtMost(0.5));
        let mut series = Series { title: "fsync".to_owned(), samples, bar };
        assert_eq!(series.is_met(), Some(false));
        series.bar = None;
        assert_eq!(series.is_met(), None);
    }
}
