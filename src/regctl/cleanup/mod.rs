//! Which tags of a repository go: GitLab's rules, decided for the whole repository at once.
//!
//! `date` is how old a tag is, `rules` what one policy says of tags, `subject` the tags that follow a manifest, and `decide` what comes
//! of all of that, with a reason for each tag: no I/O. `order` is what the command and the process that does the work say to each
//! other; `record` is when each policy has run, and `runs` what each run has deleted, by which it can be undone.

mod date;
mod decide;
mod order;
mod record;
mod rules;
mod runs;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use decide::{Decision, applying, decide};
pub(crate) use order::{Counts, Gone, Order, Told, Work};
pub(crate) use record::{PolicyRecord, Record};
pub(crate) use runs::{Error as RunsError, Run};
