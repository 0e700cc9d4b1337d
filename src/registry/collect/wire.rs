//! A connection to the admin socket of a running registry: questions and answers in JSON.

use std::{io, os::unix::net::UnixStream as Stream, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    net::UnixStream,
    sync::Mutex,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::line::LineError;

/// How long the registry may take for a batch: it waits for pushes that are about to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A registry closes a connection on which nothing is asked for longer than this, three times over.
const SILENCE: Duration = Duration::from_secs(3);

/// Longer than any answer.
const ANSWER_BYTES: usize = 16 << 20;

/// The connection.
#[derive(Debug)]
pub(crate) struct Wire {
    sender: SendRequest<Full<Bytes>>,
}

impl Wire {
    /// Speaks over a connection, within a runtime.
    pub(crate) async fn open(stream: Stream) -> Result<Self, LineError> {
        stream.set_nonblocking(true).map_err(LineError::Socket)?;
        let stream = UnixStream::from_std(stream).map_err(LineError::Socket)?;
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(broken)?;
        // It ends when the sender is dropped; what went wrong there is said by the sender.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender })
    }

    /// Sends a question and waits for its answer.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &Q,
    ) -> Result<A, LineError> {
        self.ask_within(PATIENCE, path, question).await
    }

    async fn ask_within<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        patience: Duration,
        path: &str,
        question: &Q,
    ) -> Result<A, LineError> {
        let text = serde_json::to_vec(question).expect("texts and lists are always JSON");
        let request = Request::post(path).header(HOST, "registry").body(Full::from(text));
        let request = request.expect("a path and a host are a request");
        let asked = async {
            self.sender.ready().await.map_err(broken)?;
            let response = self.sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| LineError::Socket(io::Error::other(error)))?;
            Ok((status, body.to_bytes()))
        };
        let (status, body) =
            timeout(patience, asked).await.map_err(|_| LineError::Silent(patience))??;
        match (status, serde_json::from_slice(&body)) {
            (StatusCode::OK, Ok(answer)) => Ok(answer),
            (StatusCode::CONFLICT, _) => Err(LineError::Refused(reason(&body))),
            (status, _) => {
                let body = String::from_utf8_lossy(&body).chars().take(200).collect();
                Err(LineError::Strange { status: status.as_u16(), body })
            }
        }
    }
}

/// A connection that stays open while nothing is asked: the registry ends one that is silent.
#[derive(Debug)]
pub(crate) struct Humming {
    wire: Arc<Mutex<Wire>>,
    humming: AbortHandle,
}

impl Humming {
    /// Keeps a connection open by a question that asks for nothing.
    pub(crate) fn over<Q: Serialize + Send + Sync + 'static>(
        wire: Wire,
        path: &'static str,
        nothing: Q,
    ) -> Self {
        let wire = Arc::new(Mutex::new(wire));
        let hummed = Arc::clone(&wire);
        let humming = tokio::spawn(async move {
            loop {
                sleep(SILENCE).await;
                // Who is asking keeps the connection by that; what is wrong with it is said to who asks next.
                if let Ok(mut wire) = hummed.try_lock() {
                    let _: Result<serde_json::Value, _> = wire.ask(path, &nothing).await;
                }
            }
        });
        Self { wire, humming: humming.abort_handle() }
    }

    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<A, LineError> {
        self.wire.lock().await.ask(path, question).await
    }

    /// The same with what takes its time.
    pub(crate) async fn ask_within<Q: Serialize, A: DeserializeOwned>(
        &self,
        patience: Duration,
        path: &str,
        question: &Q,
    ) -> Result<A, LineError> {
        self.wire.lock().await.ask_within(patience, path, question).await
    }
}

impl Drop for Humming {
    fn drop(&mut self) {
        self.humming.abort();
    }
}

fn reason(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Failed {
        error: String,
    }
    let failed: Result<Failed, _> = serde_json::from_slice(body);
    failed.map_or_else(|_| "the running registry refuses".to_owned(), |failed| failed.error)
}

fn broken(error: hyper::Error) -> LineError {
    LineError::Socket(io::Error::other(error))
}
