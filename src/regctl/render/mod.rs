//! Files made from an instance. Pure: values in, text out, no disk and no clock.

mod config_yml;
mod engine;
mod file;
mod gitlab_rb;
mod nginx;
mod outside;
mod read_only;
mod sendfile;
mod services;
mod starter;
mod system;
mod template;

pub(crate) use engine::Error;
pub(crate) use file::{Content, File, Inputs, View, files};
pub(crate) use nginx::{NginxPlaces, NginxVersion, Workers, nginx_conf, registry_conf};
pub(crate) use read_only::with_read_only;
pub(crate) use sendfile::{Sendfile, blobs, lost_header};
pub(crate) use starter::{Starter, starter};
pub(crate) use system::{MARK as SYSTEM_MARK, System};
pub(crate) use template::{Copy, Name, Templates};
