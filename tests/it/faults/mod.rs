//! What stays true when things go wrong: processes killed, disks full, clients gone, requests that
//! collide. Real processes on real folders; every claim is checked through the API and on the disk.
//!
//! Nothing here waits for time to pass: a fault is placed by counting bytes, and what the registry does
//! on its own is waited for by [`eventually`].

mod concurrency;
mod denied;
mod full_disk;
mod image;
mod kill;
mod mount;
mod referrers;
mod registry;
mod resume;
mod rng;
mod session;
mod store;
mod vanish;

use std::{
    fmt::Debug,
    thread,
    time::{Duration, Instant},
};

pub(crate) use image::{Image, pull};
pub(crate) use mount::Mount;
pub(crate) use registry::Registry;
pub(crate) use rng::Rng;
pub(crate) use store::Store;

/// How long a visible state may take to come about.
const BOUND: Duration = Duration::from_secs(15);

/// Looks until there is something to see; panics with the last sight when it takes too long.
pub(crate) fn eventually<T, S: Debug>(what: &str, mut look: impl FnMut() -> Result<T, S>) -> T {
    let end = Instant::now() + BOUND;
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(state) if Instant::now() > end => panic!("never seen: {what}; last: {state:?}"),
            Err(_) => thread::yield_now(),
        }
    }
}

/// Whether the long version of a test is wanted.
fn is_full_run() -> bool {
    std::env::var("REGCTL_TEST_FULL").is_ok_and(|value| value == "1")
}
