//! Files made from an instance. Pure: values in, text out, no disk and no clock.

mod config_yml;
mod engine;
mod starter;

pub(crate) use config_yml::config_yml;
pub(crate) use engine::Error;
pub(crate) use starter::{Starter, starter};
