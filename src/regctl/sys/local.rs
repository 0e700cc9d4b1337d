//! One request to a server of this machine, and its answer.

use std::{
    error::Error as StdError,
    fs::File,
    io::{self, Read as _},
    net::SocketAddr,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{blocking::Client, redirect::Policy};

pub(crate) use reqwest::Method;

use super::whoever;

/// No answer here comes near.
const ANSWER_BYTES_MAX: u64 = 256 << 10;

/// Whom to ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    /// The same, over TLS.
    Tls(SocketAddr),
    Unix(PathBuf),
}

/// What a server answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends a request, with a JSON document where there is one.
///
/// No proxy is asked, and no redirect followed: the peer is who is meant.
pub(crate) fn request(
    peer: &Peer,
    method: &Method,
    path: &str,
    document: Option<String>,
    patience: Duration,
) -> io::Result<Answer> {
    let client = Client::builder()
        .user_agent("regctl")
        .no_proxy()
        .redirect(Policy::none())
        // Nothing here goes over TLS, and reading what the system trusts takes longer than most answers.
        .tls_certs_only([])
        .timeout(patience);
    // The folder is open as long as its name under /proc is used.
    let (client, origin, _folder) = match peer {
        Peer::Tcp(address) => (client, format!("http://{address}"), None),
        Peer::Tls(address) => {
            let client = client.tls_backend_preconfigured(whoever::is_there());
            (client, format!("https://{address}"), None)
        }
        Peer::Unix(socket) => {
            let (near, folder) = near(socket)?;
            (client.unix_socket(near), "http://localhost".to_owned(), Some(folder))
        }
    };
    let client = client.build().map_err(failed)?;
    let mut request = client.request(method.clone(), format!("{origin}{path}"));
    if let Some(document) = document {
        request = request.header("content-type", "application/json").body(document);
    }
    let answer = request.send().map_err(failed)?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    answer.take(ANSWER_BYTES_MAX).read_to_end(&mut body)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Names a socket through its open folder: the path of a deep one is longer than an address may be.
fn near(socket: &Path) -> io::Result<(PathBuf, File)> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = File::open(folder)?;
    let near = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((near, folder))
}

/// Says what went wrong below, and not that something did.
fn failed(error: reqwest::Error) -> io::Error {
    if error.is_timeout() {
        return io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return io::Error::new(error.kind(), error.to_string());
        }
        cause = error.source();
    }
    io::Error::other(error)
}
