//! Which ports are free. Free now is not free later: this serves a suggestion, never a promise.

use std::net::{Ipv4Addr, TcpListener};

/// How many ports above the first are tried.
const TRIED: u16 = 1000;

/// Returns the first port from `first` upwards that nothing listens on, on loopback.
///
/// A listener on all addresses takes the port too, as binding shows.
pub(crate) fn next_free(first: u16) -> Option<u16> {
    (first..=first.saturating_add(TRIED)).find(|port| is_free(*port))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
