//! One folder, two registries: what one wrote, the other serves, continues and collects.

mod collected;
mod ours;
mod referrers;
mod schema1;
pub(crate) mod seen;
mod session;
mod sha512;
pub(crate) mod states;
mod theirs;
pub(crate) mod wire;
