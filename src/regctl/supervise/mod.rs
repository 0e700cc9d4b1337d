//! Keeping services up.
//!
//! [`Supervisor`] is the one process that starts the services of an instance and starts them again; each
//! service is this program once more ([`become_service`]), and so is the process that writes its log
//! ([`write_log`]). Everybody else [`ask`]s. [`serve`] is one registry in the foreground, without all that.

mod act;
mod change;
mod client;
mod control;
mod events;
mod follow;
mod foreground;
mod health;
mod journal;
mod line;
mod log;
mod machine;
mod pull;
mod reload;
mod service;
mod shim;
mod supervisor;
mod tail;
mod workers;

pub(crate) use act::{Act, ActError, act, is_running, reload_nginx, unsettled, wait};
pub(crate) use change::{Change, Changed, Told, tell, wait_for};
pub(crate) use client::{AskError, ask};
pub(crate) use control::{Condition, Outdated, Overview, Request, Sent, ServiceStatus, Wanted};
pub(crate) use events::{EndpointState, EventsError, EventsWish, do_with_events, events};
pub(crate) use follow::{FollowError, Following, More};
pub(crate) use foreground::{Error, bind, problems, serve};
pub(crate) use health::{Health, ask as ask_health};
pub(crate) use journal::Journal;
pub(crate) use line::{Line, LineWithLog};
pub(crate) use log::{Error as LogError, keep as keep_log, run as write_log};
pub(crate) use pull::{PullError, Pulled, pull};
pub(crate) use reload::{ReloadError, Reloaded, failing_checks, is_read_only, quotas, reload};
pub(crate) use service::{Echo, LOG_COMMAND, SERVICE_COMMAND};
pub(crate) use shim::{Error as ServiceError, become_registry, run as become_service};
pub(crate) use supervisor::{Error as SupervisorError, Supervisor};
pub(crate) use tail::last as last_lines;
