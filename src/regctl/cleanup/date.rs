//! How old a tag is, and who says so.

use std::fmt;

use registry::collect::Tagged;
use serde::{Serialize, Serializer};
use time::{Month, OffsetDateTime};

/// A date, and where it is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Date {
    #[serde(serialize_with = "rfc_3339")]
    pub(crate) at: OffsetDateTime,
    pub(crate) source: Source,
}

/// Where a date is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// `created` of the image's configuration; of an index, of the newest of its images.
    ImageConfig,
    /// When the tag was pushed: the image says nothing, or nothing that can be.
    Push,
}

/// The first year with images.
const FIRST_YEAR: i32 = 2013;

impl Date {
    /// The date of a tag; none where nobody knows one.
    pub(super) fn of(tagged: &Tagged, now: OffsetDateTime) -> Option<Self> {
        let can_be = |at: &OffsetDateTime| {
            *at <= now && (at.year(), at.month()) >= (FIRST_YEAR, Month::January)
        };
        let created = tagged.target.iter().flat_map(|target| target.created.iter().copied());
        let created =
            created.filter(can_be).max().map(|at| Self { at, source: Source::ImageConfig });
        created.or_else(|| tagged.pushed.map(|at| Self { at, source: Source::Push }))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.at.date();
        match self.source {
            Source::ImageConfig => write!(f, "created {day}, from image config"),
            Source::Push => write!(f, "pushed {day}, from the tag's link"),
        }
    }
}

fn rfc_3339<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let at = at.replace_nanosecond(0).unwrap_or(*at);
    serializer
        .collect_str(&at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default())
}
