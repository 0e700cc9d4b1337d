//! The only way out: what is data goes to stdout, what is talk goes to stderr.

mod printer;
mod progress;
mod prompt;
mod report;
mod table;

pub(crate) use printer::{Format, Printer, Volume};
pub(crate) use progress::Progress;
pub(crate) use prompt::{Typed, confirm, password, typed};
pub(crate) use registry::size;
pub(crate) use report::{Document, Report, Verdict};
pub(crate) use table::{Table, bar};
