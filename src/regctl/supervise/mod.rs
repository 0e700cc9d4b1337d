//! Keeping services up.
//!
//! [`Supervisor`] is the one process that starts the services of an instance and starts them again; each
//! service is this program once more ([`become_service`]), and so is the process that writes its log
//! ([`write_log`]). Everybody else [`ask`]s. [`serve`] is one registry in the foreground, without all that.

mod client;
mod control;
mod foreground;
mod log;
mod machine;
mod service;
mod shim;
mod supervisor;

pub(crate) use client::{AskError, ask};
pub(crate) use control::{Condition, Overview, Request, Sent, ServiceStatus, Wanted};
pub(crate) use foreground::{Error, bind, problems, serve};
pub(crate) use log::{Error as LogError, run as write_log};
pub(crate) use service::Echo;
pub(crate) use shim::{Error as ServiceError, run as become_service};
pub(crate) use supervisor::{Error as SupervisorError, Supervisor};
