//! One request to an endpoint, and what its answer means.

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_TYPE, LOCATION},
};

use super::{endpoint::Settings, retry::Failure};
use crate::{
    config::EventFormat,
    outbound::{self, Fault, Redirects, Terms},
};

const V1: HeaderValue =
    HeaderValue::from_static("application/vnd.docker.distribution.events.v1+json");
const V2: HeaderValue =
    HeaderValue::from_static("application/vnd.docker.distribution.events.v2+json");

/// As much of an answer is read as keeps the connection useful; nobody looks at it.
const ANSWER_BYTES: usize = 64 * 1024;

/// Sends requests by the settings it was made of.
#[derive(Debug)]
pub(super) struct Client {
    client: Result<reqwest::Client, Fault>,
    headers: HeaderMap,
}

/// Why an attempt failed. It names no URL and no header.
#[derive(Debug)]
pub(super) enum Trouble {
    Unreachable(Fault),
    Status(u16),
    /// It leads to another host, which nobody configured, or to a GET, whose success would mean nothing.
    Redirects(u16),
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Self {
        let timeout = settings.endpoint.timeout;
        let redirects = Redirects::SameHostUnchanged;
        let client = outbound::client(Terms { whole: Some(timeout), silence: timeout, redirects });
        let mut headers = HeaderMap::new();
        let format = match settings.format {
            EventFormat::V1 => V1,
            EventFormat::V2 => V2,
        };
        headers.insert(CONTENT_TYPE, format);
        for (name, value) in &settings.endpoint.headers {
            headers.append(name, value.clone());
        }
        Self { client, headers }
    }

    /// Sends an event; returns the status that says that it is taken.
    pub(super) async fn post(&self, settings: &Settings, event: &Bytes) -> Result<u16, Trouble> {
        let client = self.client.as_ref().map_err(|fault| Trouble::Unreachable(fault.clone()))?;
        let body = [b"{\"events\":[", &event[..], b"]}"].concat();
        let request = client.post(settings.endpoint.url.expose().clone());
        let sent = request.headers(self.headers.clone()).body(body).send().await;
        let mut answer = sent.map_err(|error| Trouble::Unreachable(error.into()))?;
        let status = answer.status();
        let is_moved = status.is_redirection() && answer.headers().contains_key(LOCATION);
        let mut read = 0;
        while let Ok(Some(bytes)) = answer.chunk().await {
            read += bytes.len();
            if read > ANSWER_BYTES {
                break;
            }
        }
        match status.as_u16() {
            status if is_moved => Err(Trouble::Redirects(status)),
            // As Distribution has it.
            status @ 200..=399 => Ok(status),
            status => Err(Trouble::Status(status)),
        }
    }
}

impl Trouble {
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Unreachable(_) | Self::Redirects(_) => Failure::Unavailable,
            Self::Status(status) => Failure::of(*status),
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Unreachable(_) => None,
            Self::Status(status) | Self::Redirects(status) => Some(*status),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(fault) => write!(f, "it cannot be reached: {fault}"),
            Self::Status(status) => write!(f, "it answers {status}"),
            Self::Redirects(status) => {
                write!(
                    f,
                    "it answers {status}, a redirect, which events do not follow: configure the URL that it leads to"
                )
            }
        }
    }
}
