//! The only way out: what is data goes to stdout, what is talk goes to stderr.

mod printer;
mod prompt;
mod report;

pub(crate) use printer::{Format, Printer, Volume};
pub(crate) use prompt::{Typed, confirm, password};
pub(crate) use report::{Document, Report, Verdict};
