//! One folder, two registries: what one wrote, the other serves, continues and collects.

mod collected;
mod ours;
mod referrers;
mod schema1;
mod seen;
mod session;
mod sha512;
mod states;
mod theirs;
mod wire;
