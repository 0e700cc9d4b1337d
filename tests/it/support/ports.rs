//! Ports for what tests start.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Returns a port that nothing listens on and that no other test of this process is given.
///
/// It lies below those that the kernel hands out (`ip_local_port_range` begins at 32768): a connection that another test
/// makes, or a server on port 0, would take it before it is used.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes beside this one begin elsewhere.
    let begin = process::id().wrapping_mul(769);
    let port = (0..COUNT).find_map(|_| {
        let next = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + next % COUNT).unwrap();
        let taken = |address: IpAddr| {
            let bound = TcpListener::bind((address, port));
            bound.is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
        };
        (!taken(Ipv4Addr::UNSPECIFIED.into()) && !taken(Ipv6Addr::LOCALHOST.into())).then_some(port)
    });
    port.expect("no port is free")
}
