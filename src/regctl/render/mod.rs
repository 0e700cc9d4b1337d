//! Files made from an instance. Pure: values in, text out, no disk and no clock.

mod config_yml;
mod engine;
mod file;
mod gitlab_rb;
mod nginx;
mod starter;
mod template;

pub(crate) use engine::Error;
pub(crate) use file::{Content, File, Inputs, files};
pub(crate) use nginx::{NginxPlaces, NginxVersion, nginx_conf, registry_conf};
pub(crate) use starter::{Starter, starter};
pub(crate) use template::{Copy, Name, Templates};
