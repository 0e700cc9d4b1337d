//! A socket that is written to without waiting: of TCP, or a unix socket.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    task::{Context, Poll},
};

use tokio::{
    io::Interest,
    net::{TcpStream, UnixStream},
};

/// A socket that is written to without waiting.
pub trait Socket {
    /// Waits until it takes something.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Writes; [`io::ErrorKind::WouldBlock`] has the next [`Socket::poll_writable`] wait.
    ///
    /// # Errors
    /// Those of `write`.
    fn try_write_by(
        &self,
        write: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize>;
}

impl Socket for TcpStream {
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(context)
    }

    fn try_write_by(
        &self,
        write: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, || write(self.as_fd()))
    }
}

impl Socket for UnixStream {
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(context)
    }

    fn try_write_by(
        &self,
        write: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, || write(self.as_fd()))
    }
}
