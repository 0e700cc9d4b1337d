//! Where connections come in: a TCP address or a unix socket.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::FileTypeExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use rustix::net::sockopt;
use socket2::SockRef;

use crate::config::Address;

/// The kernel cuts this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// So much of an answer waits in the kernel before the client has made room for it: what is sent is still in the
/// processor's cache then, and a client that takes its time holds less memory.
const UNSENT_BYTES: u32 = 128 * 1024;

/// How answers are paced to programs of this machine, such as nginx in front: nothing is lost on the way there, and nobody
/// else has to be let through. BBR, where a machine has it for the net, measures and waits between packets all the same,
/// which can more than double the processor time of a large pull. Every kernel has this one, and lets everybody ask for it.
const PACING_WITHIN: &str = "reno";

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// None where another process has made the socket: it is that one's.
    file: Option<SocketFile>,
}

/// A socket of the standard library, of either family.
#[derive(Debug)]
pub enum Socket {
    /// `http.net: tcp`.
    Tcp(TcpListener),
    /// `http.net: unix`.
    Unix(UnixListener),
}

/// A listener within the runtime.
#[derive(Debug)]
pub(crate) struct Incomings {
    socket: Listening,
    _file: Option<SocketFile>,
}

#[derive(Debug)]
enum Listening {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

/// The file of a unix socket, removed with its listener.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that stays is replaced by the next process.
        let _ = fs::remove_file(&self.0);
    }
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Socket {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// To be passed on to another process.
impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
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
            Address::Tcp(address) => {
                Ok(Self { socket: Socket::Tcp(bind_tcp(*address)?), file: None })
            }
            Address::Unix(path) => {
                let socket = Socket::Unix(bind_unix(path)?);
                Ok(Self { socket, file: Some(SocketFile(path.clone())) })
            }
        }
    }

    /// Takes a socket that another process has made, listens on, and keeps: connections that nobody
    /// has accepted when this one stops are that process's, and so is the file of a unix socket.
    ///
    /// # Errors
    /// The socket does not listen.
    pub fn passed(socket: impl Into<Socket>) -> io::Result<Self> {
        let socket = socket.into();
        if !sockopt::socket_acceptconn(&socket)? {
            let message = "the socket that was passed does not listen";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        // Whoever made it may have asked for a shorter queue.
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self { socket, file: None })
    }

    /// Where it listens, for people: `127.0.0.1:5000`, or the path of a socket.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.socket {
            Socket::Tcp(listener) => {
                listener.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string())
            }
            Socket::Unix(listener) => {
                let at = listener.local_addr().ok();
                let path = at.as_ref().and_then(|at| at.as_pathname());
                path.map_or_else(|| "@".to_owned(), |path| path.display().to_string())
            }
        }
    }

    /// Whether other machines can reach it.
    pub(crate) fn is_public(&self) -> bool {
        match &self.socket {
            Socket::Tcp(listener) => {
                !listener.local_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback())
            }
            Socket::Unix(_) => false,
        }
    }

    pub(crate) fn into_tokio(self) -> io::Result<Incomings> {
        let socket = match self.socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                tune(&listener)?;
                Listening::Tcp(tokio::net::TcpListener::from_std(listener)?)
            }
            Socket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Listening::Unix(tokio::net::UnixListener::from_std(listener)?)
            }
        };
        Ok(Incomings { socket, _file: self.file })
    }
}

/// Has the connections that will come in send answers at once, and in portions: they inherit it.
fn tune(listener: &TcpListener) -> io::Result<()> {
    let socket = SockRef::from(listener);
    // An answer is one write; waiting for more to send would only delay it.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
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
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            Ok(_) | Err(_) => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    UnixListener::bind(path)
}

fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

impl Incomings {
    pub(crate) async fn accept(&mut self) -> io::Result<Accepted> {
        match &self.socket {
            Listening::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                if remote.ip().to_canonical().is_loopback() {
                    // Where it is not to be had, the machine's own serves as well.
                    let _ = sockopt::set_tcp_congestion(&stream, PACING_WITHIN);
                }
                Ok(Accepted::Tcp(stream, remote))
            }
            Listening::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

impl Accepted {
    /// Who has connected, with the port.
    pub(crate) fn peer(&self) -> String {
        match self {
            Self::Tcp(_, remote) => {
                SocketAddr::new(remote.ip().to_canonical(), remote.port()).to_string()
            }
            Self::Unix(_) => "@".to_owned(),
        }
    }

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

    #[tokio::test]
    async fn a_connection_of_this_machine_is_not_paced_as_one_from_the_net() {
        let listener = Listener::bind(&Address::Tcp("[::]:0".parse().unwrap())).unwrap();
        let port = listener.address().rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let mut incomings = listener.into_tokio().unwrap();
        let _client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let Accepted::Tcp(stream, _) = incomings.accept().await.unwrap() else { panic!() };
        assert_eq!(sockopt::tcp_congestion(&stream).unwrap(), PACING_WITHIN);
    }

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
    fn the_file_of_a_socket_goes_with_who_made_it_and_not_with_who_was_passed_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("socket");
        let owner = Listener::bind(&Address::Unix(path.clone())).unwrap();
        let socket = UnixListener::from(owner.as_fd().try_clone_to_owned().unwrap());
        let passed = Listener::passed(socket).unwrap();
        assert_eq!(passed.address(), path.display().to_string());
        drop(passed);
        assert!(path.exists());
        drop(owner);
        assert!(!path.exists());
    }

    #[test]
    fn a_passed_socket_must_listen() {
        let listening = Listener::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let socket = TcpListener::from(listening.as_fd().try_clone_to_owned().unwrap());
        assert_eq!(Listener::passed(socket).unwrap().address(), listening.address());
        let connected = std::net::TcpStream::connect(listening.address()).unwrap();
        let socket = TcpListener::from(std::os::fd::OwnedFd::from(connected));
        let error = Listener::passed(socket).unwrap_err();
        assert!(error.to_string().contains("does not listen"), "{error}");
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
