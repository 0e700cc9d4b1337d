//! One request to a server on a unix socket of this machine, and its answer.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    path::Path,
    time::Duration,
};

/// Longer than a registry takes to end the writes that are under way.
const PATIENCE: Duration = Duration::from_secs(20);

/// No answer here comes near.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// What a server answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends a document; `None` when nothing listens there.
pub(crate) fn put(socket: &Path, path: &str, document: &str) -> io::Result<Option<Answer>> {
    let Some(mut stream) = connect(socket)? else { return Ok(None) };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = document.len();
    // In one piece: a server that has read enough may answer and close at once.
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{document}"
    );
    stream.write_all(request.as_bytes())?;
    let mut said = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut said).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => {
            let reason = format!("no answer within {} s", PATIENCE.as_secs());
            io::Error::new(ErrorKind::TimedOut, reason)
        }
        _ => error,
    })?;
    let no_http = || io::Error::new(ErrorKind::InvalidData, "what listens there speaks no HTTP");
    answer(&String::from_utf8_lossy(&said)).ok_or_else(no_http).map(Some)
}

/// Connects through the socket's folder: the path of a deep one is longer than an address may be.
fn connect(socket: &Path) -> io::Result<Option<UnixStream>> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Ok(None);
    };
    let connected = File::open(folder).and_then(|folder| {
        let near = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        UnixStream::connect(near)
    });
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads an answer that ends with its connection.
fn answer(said: &str) -> Option<Answer> {
    let (head, body) = said.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some(Answer { status: status.get(..3)?.parse().ok()?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, thread};

    use super::*;

    #[test]
    fn a_document_arrives_and_its_answer_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let short = folder.path().join("s");
        let listener = UnixListener::bind(&short).unwrap();
        std::fs::rename(&short, deep.join("s")).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut said = [0; 1024];
            let length = stream.read(&mut said).unwrap();
            stream.write_all(b"HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\nno\n").unwrap();
            String::from_utf8_lossy(&said[..length]).into_owned()
        });
        let answer = put(&deep.join("s"), "/v1/x", "{}").unwrap().unwrap();
        assert_eq!(answer, Answer { status: 409, body: "no\n".to_owned() });
        let said = server.join().unwrap();
        assert!(
            said.starts_with("PUT /v1/x HTTP/1.1\r\n") && said.ends_with("\r\n\r\n{}"),
            "{said}"
        );
        // The listener is gone, its socket is not.
        assert_eq!(put(&deep.join("s"), "/v1/x", "{}").unwrap(), None);
        assert_eq!(put(&folder.path().join("none/s"), "/v1/x", "{}").unwrap(), None);
    }

    #[test]
    fn what_is_no_http_is_no_answer() {
        for said in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
            assert_eq!(answer(said), None, "{said}");
        }
        assert_eq!(answer("HTTP/1.0 204\r\n\r\n").unwrap().status, 204);
    }
}
