//! From an instance's settings to its files: the first `instance.toml`, and everything rendered from it.
//!
//! [`Desired`] is what the files should be, [`Plan`] the difference to what they are, and [`converge`] the
//! way from one to the other.

mod apply;
mod certificates;
mod converge;
mod copies;
mod desired;
mod diff;
mod disk;
mod generate;
mod handover;
mod init;
mod nginx;
mod plan;

pub(crate) use apply::Error as ApplyError;
pub(crate) use certificates::Error as CertificatesError;
pub(crate) use converge::{Claim, Error, converge, preview};
pub(crate) use copies::Error as CopiesError;
pub(crate) use desired::{Desired, Error as DesiredError};
pub(crate) use diff::unified;
pub(crate) use generate::{Error as GenerateError, generate_secrets, write_secrets};
pub(crate) use handover::Error as HandoverError;
pub(crate) use init::{InitError, Initialized, Request, init};
pub(crate) use nginx::Error as NginxError;
pub(crate) use plan::{Change, Plan};
