//! An object of the bucket that is read: what breaks off is gone on with, as long as it is the same object.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::mpsc::{Sender, error::SendError},
    time::sleep,
};

use super::store::Store;
use crate::{Error, Kind, remote::Remote};

/// How often it is gone on with without a byte in between.
const TRIES: u32 = 5;

/// How long it is waited for at first; twice as long each time.
const PAUSE: Duration = Duration::from_millis(100);

/// An object that is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) store: Arc<Store>,
    pub(super) path: String,
    /// As messages name it.
    pub(super) name: String,
    pub(super) tag: Option<String>,
}

/// Why no more came of a request.
enum Broken {
    /// The request was refused, or what came is not what was asked for: another one is in vain.
    Failed(Error),
    /// The connection broke.
    Off(Error),
    /// Nobody wants it any more.
    Unwanted,
}

impl From<SendError<Result<Bytes, Error>>> for Broken {
    fn from(_: SendError<Result<Bytes, Error>>) -> Self {
        Self::Unwanted
    }
}

impl Remote for Reading {
    fn key(&self) -> &str {
        &self.name
    }

    fn send(self: Arc<Self>, range: Range<u64>, to: Sender<Result<Bytes, Error>>) {
        tokio::spawn(async move {
            if let Err(error) = self.send_all(range, &to).await {
                // Whoever has gone wants to know nothing.
                let _ = to.send(Err(error)).await;
            }
        });
    }
}

impl Reading {
    async fn send_all(
        &self,
        mut range: Range<u64>,
        to: &Sender<Result<Bytes, Error>>,
    ) -> Result<(), Error> {
        let mut tries = 0;
        while !range.is_empty() {
            let begun = range.start;
            match self.send_some(&mut range, to).await {
                Ok(()) => {}
                Err(Broken::Unwanted) => return Ok(()),
                Err(Broken::Failed(error)) => return Err(error),
                Err(Broken::Off(error)) if range.start == begun && tries == TRIES => {
                    return Err(error);
                }
                Err(Broken::Off(_)) => {
                    tries = if range.start == begun { tries + 1 } else { 1 };
                    let pause = PAUSE * 2_u32.pow(tries - 1);
                    // Not all of those whom the same fault has hit come again at once.
                    sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                }
            }
        }
        Ok(())
    }

    /// Sends what one request brings, and takes it off the range.
    async fn send_some(
        &self,
        range: &mut Range<u64>,
        to: &Sender<Result<Bytes, Error>>,
    ) -> Result<(), Broken> {
        let Store { client, bucket, .. } = &*self.store;
        let wanted = format!("bytes={}-{}", range.start, range.end - 1);
        let request = client.get_object().bucket(bucket).key(&self.path).range(wanted);
        let sent = request.set_if_match(self.tag.clone()).send().await;
        let mut answer = sent.map_err(|error| {
            let error = self.store.failed("read", &self.path, &error);
            // It was there when it was opened.
            Broken::Failed(if error.is_not_found() { self.changed() } else { error })
        })?;
        let expected = range.end - range.start;
        if answer.content_length().and_then(|length| u64::try_from(length).ok()) != Some(expected) {
            return Err(Broken::Failed(self.changed()));
        }
        loop {
            let piece = match answer.body.try_next().await {
                Ok(Some(piece)) if piece.is_empty() => continue,
                Ok(Some(piece)) => piece,
                Ok(None) if range.is_empty() => return Ok(()),
                Ok(None) => return Err(Broken::Off(self.changed())),
                Err(error) => {
                    let error = Error::answered(Kind::Other, "read", &self.name, error);
                    return Err(Broken::Off(error));
                }
            };
            if piece.len() as u64 > range.end - range.start {
                return Err(Broken::Failed(self.changed()));
            }
            range.start += piece.len() as u64;
            to.send(Ok(piece)).await?;
        }
    }

    fn changed(&self) -> Error {
        Error::new(Kind::Truncated, "read", &self.name)
    }
}
