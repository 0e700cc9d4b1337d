//! What an instance keeps on disk besides its configuration: its layout and who owns it, its generated secrets,
//! its users, its locks, the holds on its registry, records of what was done last, and the journal of a change that has begun.

pub(crate) mod holds;
pub(crate) mod journal;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod owner;
pub(crate) mod record;
pub(crate) mod secrets;
pub(crate) mod services;
pub(crate) mod users;

pub(crate) use holds::Holds;
pub(crate) use journal::Journal;
pub(crate) use layout::{Folder, Layout, STATE_MODE};
pub(crate) use lock::{Lock, Patience};
pub(crate) use owner::{Owner, Owners};
pub(crate) use record::Error as RecordError;
pub(crate) use secrets::Secrets;
pub(crate) use services::{Account, LogPolicy, Service, ServiceName, Services};
