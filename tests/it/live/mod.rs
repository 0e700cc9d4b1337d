//! What changes while a registry serves, with the real program: its settings by HUP, its being read-only, its end.

mod drain;
mod hup;
pub(crate) mod switches;
