//! Where connections come in: a TCP address or a unix socket.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use crate::config::Address;

/// The kernel cuts this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// `http.net: tcp`.
    Tcp(TcpListener),
    /// `http.net: unix`, with its path.
    Unix(UnixListener, PathBuf),
}

/// A listener within the runtime.
#[derive(Debug)]
pub(crate) enum Incomings {
    Tcp(tokio::net::TcpListener),
    Unix { listener: tokio::net::UnixListener, _file: SocketFile },
}

/// The file of a unix socket, removed with its listener.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that stays is replaced by the next process.
        let _ = fs::remove_file(&self.0);
    }
}

/// A connection that came in.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(tokio::net::TcpStream, SocketAddr),
    Unix(tokio::net::UnixStream),
}

impl Listener {
    /// Listens on the address.
    ///
    /// # Errors
    /// The address is taken, or not this machine's, or the path cannot be made.
    pub fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            Address::Unix(path) => bind_unix(path),
        }
    }

    /// Where it listens, for people: `127.0.0.1:5000`, or the path of a socket.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string())
            }
            Self::Unix(_, path) => path.display().to_string(),
        }
    }

    /// Whether other machines can reach it.
    pub(crate) fn is_public(&self) -> bool {
        match self {
            Self::Tcp(listener) => {
                !listener.local_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback())
            }
            Self::Unix(..) => false,
        }
    }

    pub(crate) fn into_tokio(self) -> io::Result<Incomings> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener).map(Incomings::Tcp)
            }
            Self::Unix(listener, path) => {
                listener.set_nonblocking(true)?;
                let listener = tokio::net::UnixListener::from_std(listener)?;
                Ok(Incomings::Unix { listener, _file: SocketFile(path) })
            }
        }
    }
}

/// Listens with a queue that holds a burst; the standard library asks for 128.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// `[::]` takes IPv4 too; where IPv6 is switched off, IPv4 is what is meant.
fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match listen(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            listen((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        result => result,
    }
}

/// A socket that a former process has left is replaced; one that somebody answers on is taken.
fn bind_unix(path: &Path) -> io::Result<Listener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            Ok(_) | Err(_) => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let listener = UnixListener::bind(path)?;
    Ok(Listener::Unix(listener, path.to_owned()))
}

fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

impl Incomings {
    pub(crate) async fn accept(&mut self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                // An answer is one write; waiting for more to send would only delay it.
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream, remote))
            }
            Self::Unix { listener, .. } => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

impl Accepted {
    /// The client's address, without the port.
    pub(crate) fn remote(&self) -> String {
        match self {
            Self::Tcp(_, remote) => remote.ip().to_canonical().to_string(),
            Self::Unix(_) => "@".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_living_one_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let address = Address::Unix(scratch.path().join("socket"));
        let living = Listener::bind(&address).unwrap();
        let second = Listener::bind(&address).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        drop(living);
        Listener::bind(&address).unwrap();
    }

    #[test]
    fn a_file_in_the_way_of_a_socket_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        fs::File::create(&path).unwrap();
        assert!(Listener::bind(&Address::Unix(path.clone())).is_err());
        assert!(path.exists());
    }
}
