//! Programs that tests and benchmarks drive, and the Debian packages that bring them. A missing program is installed
//! or is an error that says which command installs it; nothing is left out in silence.

mod apt;
mod list;
mod service;

pub(crate) use apt::{Install, ensure};
pub(crate) use list::{BENCH, TEST};
