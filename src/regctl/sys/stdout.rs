//! Whether anybody reads what this process writes.

use std::{io, os::fd::AsFd as _};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Whether stdout is a pipe or a socket whose other end is closed, which a writer learns only when it writes.
pub(crate) fn is_closed() -> bool {
    let stdout = io::stdout();
    let mut asked = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    poll(&mut asked, PollTimeout::ZERO).is_ok()
        && asked[0].revents().is_some_and(|events| events.intersects(gone))
}
