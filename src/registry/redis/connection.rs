//! One connection to Redis, logged in, on the right database. No wait is without an end.

use std::{fmt, future::Future, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    fault::Fault,
    keys::{Command, command},
    reply::{self, Reply},
    tls,
};
use crate::config;

/// Something that bytes go over, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection on which commands are understood.
pub(super) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    patience: Duration,
}

impl Connection {
    pub(super) async fn open(
        settings: &config::Redis,
        tls: Option<&TlsConnector>,
    ) -> Result<Self, Fault> {
        let connected = within(settings.dial_timeout, connect(settings, tls)).await?;
        let stream = BufReader::new(connected.map_err(Fault::Connect)?);
        let patience = settings.read_timeout.saturating_add(settings.write_timeout);
        let mut connection = Self { stream, patience };
        let mut greeting = Vec::new();
        match (&settings.username, &settings.password) {
            (Some(name), Some(password)) => {
                greeting.push(command(&["AUTH", name, password.expose()]));
            }
            (None, Some(password)) => greeting.push(command(&["AUTH", password.expose()])),
            (_, None) => {}
        }
        if settings.db != 0 {
            greeting.push(command(&["SELECT", &settings.db.to_string()]));
        }
        connection.ask(&greeting).await?;
        Ok(connection)
    }

    /// Sends commands together, and returns an answer to each.
    pub(super) async fn ask(&mut self, commands: &[Command]) -> Result<Vec<Reply>, Fault> {
        let patience = self.patience;
        let asked = within(patience, self.exchange(commands)).await?;
        let replies = asked.map_err(|error| match error.kind() {
            // By TLS 1.3 a Redis says only afterwards what it misses of this side's certificate.
            io::ErrorKind::InvalidData if !is_of_tls(&error) => Fault::NotRedis,
            _ => Fault::Broken(error),
        })?;
        for (command, reply) in commands.iter().zip(&replies) {
            match reply {
                // Not what Distribution has put there: it does not answer from that either.
                Reply::Refused(message) if message.starts_with("WRONGTYPE") => {}
                Reply::Refused(message) => return Err(Fault::refused(command, message)),
                _ => {}
            }
        }
        Ok(replies)
    }

    async fn exchange(&mut self, commands: &[Command]) -> io::Result<Vec<Reply>> {
        let mut sent = Vec::new();
        for command in commands {
            write(command, &mut sent);
        }
        self.stream.write_all(&sent).await?;
        self.stream.flush().await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(reply::read(&mut self.stream).await?);
        }
        Ok(replies)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("patience", &self.patience).finish_non_exhaustive()
    }
}

async fn connect(
    settings: &config::Redis,
    tls: Option<&TlsConnector>,
) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(settings.address.as_str()).await?;
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => {
            let host = tls::server_name(&settings.address)?;
            Ok(Box::new(tls.connect(host, stream).await?))
        }
        None => Ok(Box::new(stream)),
    }
}

fn is_of_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Fault> {
    timeout(limit, work).await.map_err(|_| Fault::Late(limit))
}

/// Writes a command as the protocol has it: a list of texts with their lengths.
fn write(command: &[Vec<u8>], sent: &mut Vec<u8>) {
    sent.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
    for word in command {
        sent.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        sent.extend_from_slice(word);
        sent.extend_from_slice(b"\r\n");
    }
}
