//! From an instance's settings to its files: the first `instance.toml`, and everything rendered from it.
//!
//! [`Desired`] is what the files should be, [`Plan`] the difference to what they are, and [`converge`] the
//! way from one to the other.

mod accounts;
mod apply;
mod certificates;
mod converge;
mod copies;
mod desired;
mod diff;
mod disk;
mod former;
mod generate;
mod handover;
mod init;
mod key_place;
mod nginx;
mod plan;
mod read_only;
mod readable;
mod storage_folder;
mod switch;
mod system;
mod trust;
mod undisturbed;

pub(crate) use accounts::Error as AccountsError;
pub(crate) use apply::Error as ApplyError;
pub(crate) use certificates::Error as CertificatesError;
pub(crate) use converge::{Claim, Converged, Error, Services, converge, preview};
pub(crate) use desired::{Desired, Error as DesiredError, Seen};
pub(crate) use diff::{accesses, unified};
pub(crate) use generate::{Error as GenerateError, generate_secrets, write_secrets};
pub(crate) use handover::Error as HandoverError;
pub(crate) use init::{InitError, Initialized, Request, init};
pub(crate) use nginx::Error as NginxError;
pub(crate) use plan::{Change, FolderChange, Plan};
pub(crate) use read_only::{
    Error as ReadOnlyError, Pending, Reach, Supervision, Switched, follow_holds, read_only_status,
    set_read_only,
};
pub(crate) use storage_folder::Error as StorageFolderError;
pub(crate) use switch::{Candidate, Error as SwitchError};
pub(crate) use system::{Activation, Error as SystemError};
pub(crate) use trust::Error as TrustError;
pub(crate) use undisturbed::Error as DisturbsError;
