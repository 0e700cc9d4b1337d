//! Keeping services up. For now that is one registry in the foreground, in this process.

mod foreground;

pub(crate) use foreground::{Error, serve, serve_reloading};
