//! A stream on which pieces of files leave through the kernel, between what is written to it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use crate::content::{Outlet, Socket, Unsent};
use crate::log::Causes as _;

/// A stream, and the connection whose outlet it has.
#[derive(Debug)]
pub(super) struct Sending<S> {
    stream: S,
    connection: Arc<Connection>,
}

impl<S: AsyncWrite + Socket + Unpin> Sending<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    fn poll_send(&self, context: &mut Context<'_>, stand_in: &[u8]) -> Poll<io::Result<usize>> {
        let sent = ready!(self.connection.outlet().poll_send(context, &self.stream, stand_in));
        Poll::Ready(match sent {
            Ok(bytes) => {
                self.connection.sent_of_file(bytes);
                Ok(bytes)
            }
            Err(Unsent::Socket(error)) => Err(error),
            Err(error @ (Unsent::File(_) | Unsent::Disagreement)) => {
                // The status is long gone: the client sees a broken connection, the operator this.
                tracing::error!(error = error.causes(), "blob could not be sent to its end");
                Err(io::Error::other(error))
            }
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sending<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Socket + Unpin> AsyncWrite for Sending<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.outlet().is_broken() {
            return Poll::Ready(Err(io::Error::other(Unsent::Disagreement)));
        }
        match slices.iter().position(|slice| Outlet::is_stand_in(slice)) {
            None => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
            Some(0) => self.poll_send(context, &slices[0]),
            Some(before) => {
                Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..before])
            }
        }
    }

    /// Without it stand-ins would be copied together with what stands around them.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
