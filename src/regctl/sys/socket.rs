//! Unix sockets at paths of any length, for this user and root alone.
//!
//! The kernel takes 107 bytes for a socket's path. A longer one is reached through the open folder, by its
//! name under `/proc/self/fd`.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::AsRawFd as _,
        unix::{
            fs::PermissionsExt as _,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    sys::socket::{getsockopt, sockopt},
    unistd::geteuid,
};

use super::{random, stage};

/// The longest path of a socket, in bytes.
const PATH_BYTES_MAX: usize = 107;

/// Listens at a path, for its owner alone. What was there is replaced: the caller knows that nobody listens.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    let staged = stage::path(path, &random::hex(stage::NONCE_BYTES)?);
    let listener = at(&staged, |short| UnixListener::bind(short))?;
    fs::set_permissions(&staged, Permissions::from_mode(0o600))?;
    fs::rename(&staged, path)?;
    Ok(listener)
}

/// Connects to whoever listens at a path.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    at(path, |short| UnixStream::connect(short))
}

/// Whether the other end is this user or root.
pub(crate) fn is_permitted(stream: &UnixStream) -> bool {
    let peer = getsockopt(stream, sockopt::PeerCredentials);
    peer.is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}

/// Calls with a path that the kernel takes, which is good during the call.
fn at<T>(path: &Path, call: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return call(path);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = File::open(folder)?;
    call(&PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_may_lie_as_deep_as_a_file() {
        let scratch = tempfile::tempdir().unwrap();
        let deep = scratch.path().join("d".repeat(100)).join("e".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        for path in [scratch.path().join("short.sock"), deep.join("long.sock")] {
            let listener = listen(&path).unwrap();
            let stream = connect(&path).unwrap();
            assert!(is_permitted(&stream));
            listener.accept().unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("s.sock");
        drop(listen(&path).unwrap());
        assert_eq!(connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let _listener = listen(&path).unwrap();
        connect(&path).unwrap();
    }
}
