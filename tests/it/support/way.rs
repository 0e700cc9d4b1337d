//! A way to a server that speaks HTTP/1.1: somebody hears of each request before it goes on, and may take their time.
//!
//! The benchmarks of `xtask` use this file too.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// A head is not longer.
const HEAD_BYTES: u64 = 64 * 1024;

/// The way, open as long as the process lives.
pub(crate) struct Way {
    endpoint: String,
}

struct Passage<F> {
    server: String,
    /// Hears of the method and the target of each request.
    admit: F,
}

impl Way {
    /// A way to the server at `http://HOST:PORT`; a request goes on when `admit` comes back, which hears its method and target.
    pub(crate) fn to<F>(server: &str, admit: F) -> io::Result<Self>
    where
        F: Fn(&str, &str) + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let server = server.trim_start_matches("http://").to_owned();
        let passage = Arc::new(Passage { server, admit });
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let passage = Arc::clone(&passage);
                // Whoever goes away goes away.
                thread::spawn(move || drop(passage.serve(client)));
            }
        });
        Ok(Self { endpoint })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl<F: Fn(&str, &str)> Passage<F> {
    /// Passes requests on, and their answers back, as long as both sides are there.
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let server = TcpStream::connect(&self.server)?;
        server.set_nodelay(true)?;
        let (mut to_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        let (mut client, mut server) = (BufReader::new(client), BufReader::new(server));
        while let Some(head) = Head::read(&mut client)? {
            let method = head.method().to_owned();
            (self.admit)(&method, head.target());
            to_server.write_all(head.text.as_bytes())?;
            if head.is("expect", "100-continue") {
                let Some(answer) = Head::read(&mut server)? else { return Ok(()) };
                to_client.write_all(answer.text.as_bytes())?;
                if !answer.is_interim() {
                    return answer.copy_body(&method, &mut server, &mut to_client);
                }
            }
            head.copy_body("", &mut client, &mut to_server)?;
            loop {
                let Some(answer) = Head::read(&mut server)? else { return Ok(()) };
                to_client.write_all(answer.text.as_bytes())?;
                if !answer.is_interim() {
                    answer.copy_body(&method, &mut server, &mut to_client)?;
                    break;
                }
            }
        }
        Ok(())
    }
}

/// The head of a request or of an answer, as it came.
struct Head {
    text: String,
}

impl Head {
    /// The next one; none where the other side has ended.
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let (mut text, mut from) = (String::new(), from.take(HEAD_BYTES));
        loop {
            if from.read_line(&mut text)? == 0 {
                return Ok(None);
            }
            if text.ends_with("\r\n\r\n") {
                return Ok(Some(Self { text }));
            }
        }
    }

    fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    fn target(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        let headers = self.text.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.next().map(|(_, value)| value.trim())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.header(name).is_some_and(|it| it.eq_ignore_ascii_case(value))
    }

    /// Whether it is an answer before the answer.
    fn is_interim(&self) -> bool {
        self.target().starts_with('1')
    }

    /// Copies what follows; `asked` is the method that is answered.
    fn copy_body(
        &self,
        asked: &str,
        from: &mut impl BufRead,
        to: &mut impl Write,
    ) -> io::Result<()> {
        let is_answer = self.method().starts_with("HTTP/");
        if is_answer && (asked == "HEAD" || matches!(self.target(), "204" | "304")) {
            return Ok(());
        }
        if self.is("transfer-encoding", "chunked") {
            return copy_chunks(from, to);
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        match length {
            Some(length) => copy(from, to, length),
            None if is_answer => io::copy(from, to).map(drop),
            None => Ok(()),
        }
    }
}

fn copy(from: &mut impl BufRead, to: &mut impl Write, length: u64) -> io::Result<()> {
    match io::copy(&mut from.take(length), to)? == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Copies chunks up to the empty line after the last one.
fn copy_chunks(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let line = copy_line(from, to)?;
        let length = line.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(length, 16).map_err(io::Error::other)?;
        if length == 0 {
            while !copy_line(from, to)?.trim().is_empty() {}
            return Ok(());
        }
        copy(from, to, length + 2)?;
    }
}

fn copy_line(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<String> {
    let mut line = String::new();
    if from.take(HEAD_BYTES).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    to.write_all(line.as_bytes())?;
    Ok(line)
}
