//! From an instance's settings to its files: the first `instance.toml`, and everything rendered from it.

mod init;
mod plan;

pub(crate) use init::{InitError, Initialized, Request, complete, init};
pub(crate) use plan::{Plan, PlanError};
