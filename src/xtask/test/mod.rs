//! `cargo xtask test`: everything that must hold before a change is proposed, with what the tests need to run.

mod component;
mod options;
mod steps;

pub(crate) use options::Options;

use crate::{failure::Failure, packages};

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    packages::ensure(packages::TEST, options.install)?;
    packages::ensure_wheels(packages::TEST_WHEELS, options.install)?;
    component::ensure(options.install)?;
    steps::run(options)
}
