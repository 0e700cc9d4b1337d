//! The other registry, as a client of its API.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use oci::{Digest, ManifestType, RepositoryName};
use reqwest::{Client, Response, Url};

use super::{challenge::Challenge, error::Error, login::Login, silence::Silence};
use crate::{
    config,
    metrics::Pulls,
    outbound::{self, Fault, Redirects, Terms},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The other side of a blob may say nothing for so long.
const SILENCE: Duration = Duration::from_secs(30);

/// For a request whose answer is small.
const SMALL: Duration = Duration::from_secs(20);

/// The other registry.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client,
    /// Without connections that were used before.
    fresh: Client,
    pub(super) base: Url,
    login: Login,
    pub(super) pulls: Arc<Pulls>,
    pub(super) silence: Silence,
    /// Whether manifests of Docker's schema 1 are taken.
    pub(super) schema1: AtomicBool,
}

/// What an answer says of content without having it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    /// None: it does not say.
    pub(crate) digest: Option<Digest>,
    pub(crate) size: Option<u64>,
    /// Of a manifest.
    pub(crate) media_type: Option<ManifestType>,
}

/// A request, but for where it goes.
#[derive(Debug)]
pub(super) struct Asking {
    method: Method,
    /// None for answers of any size.
    patience: Option<Duration>,
    /// Where the part of it begins that is wanted; none for all.
    start: Option<u64>,
}

impl Asking {
    /// For what something is.
    pub(super) fn head() -> Self {
        Self { method: Method::HEAD, patience: Some(SMALL), start: None }
    }

    /// For a document.
    pub(super) fn small() -> Self {
        Self { method: Method::GET, ..Self::head() }
    }

    /// For content of any size, from here on.
    pub(super) fn large(start: Option<u64>) -> Self {
        Self { method: Method::GET, patience: None, start }
    }
}

impl Upstream {
    pub(super) fn new(
        config: &config::Proxy,
        schema1: bool,
        pulls: Arc<Pulls>,
    ) -> Result<Self, Fault> {
        let terms = Terms { whole: None, silence: SILENCE, redirects: Redirects::Anywhere };
        let base: Url =
            format!("{}/v2/", config.remote).parse().expect("the configuration has checked it");
        let login = Login::new(config, base.clone())?;
        let (client, fresh) = (outbound::client(terms)?, outbound::unpooled_client(terms)?);
        let (silence, schema1) = (Silence::default(), AtomicBool::new(schema1));
        Ok(Self { client, fresh, base, login, pulls, silence, schema1 })
    }

    pub(super) fn takes_schema1(&self) -> bool {
        self.schema1.load(Ordering::Relaxed)
    }

    pub(super) fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|_| Error::Unusable("its URL cannot be made"))
    }

    pub(super) async fn ask(
        &self,
        name: &RepositoryName,
        path: &str,
        asking: &Asking,
    ) -> Result<Response, Error> {
        self.ask_at(name, self.url(path)?, asking).await
    }

    /// Asks, and proves itself when that is wanted; returns an answer that has what was asked for.
    pub(super) async fn ask_at(
        &self,
        name: &RepositoryName,
        url: Url,
        asking: &Asking,
    ) -> Result<Response, Error> {
        let remembered = self.login.remembered(name);
        let response = self.send(name, &url, asking, remembered).await?;
        let Some(challenge) = self.challenge(&response) else {
            return judged(response, asking.start.is_some());
        };
        self.login.forget(name);
        let proof = self.login.answer(&challenge, name).await?;
        let response = self.send(name, &url, asking, Some(proof)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.login.forget(name);
        }
        judged(response, asking.start.is_some())
    }

    async fn send(
        &self,
        name: &RepositoryName,
        url: &Url,
        asking: &Asking,
        proof: Option<HeaderValue>,
    ) -> Result<Response, Error> {
        let mut sent = self.send_by(&self.client, url, asking, proof.as_ref()).await;
        // The other side ends connections that were idle just when they are used again.
        if sent.as_ref().is_err_and(Fault::is_closed) {
            sent = self.send_by(&self.fresh, url, asking, proof.as_ref()).await;
        }
        match &sent {
            Ok(_) => self.silence.broken(name),
            Err(fault) if fault.is_timeout() && fault.is_connect() => self.silence.of_registry(),
            Err(fault) if fault.is_timeout() && asking.patience.is_some() => {
                self.silence.of_repository(name);
            }
            Err(_) => {}
        }
        Ok(sent?)
    }

    async fn send_by(
        &self,
        client: &Client,
        url: &Url,
        asking: &Asking,
        proof: Option<&HeaderValue>,
    ) -> Result<Response, Fault> {
        let mut request = client.request(asking.method.clone(), url.clone());
        request = request.header(ACCEPT, accept(self.takes_schema1()));
        if let Some(start) = asking.start {
            request = request.header(RANGE, format!("bytes={start}-"));
        }
        if let Some(proof) = proof {
            request = request.header(AUTHORIZATION, proof);
        }
        if let Some(patience) = asking.patience {
            request = request.timeout(patience);
        }
        Ok(request.send().await?)
    }

    /// What the registry itself asks for; a host that it has led to has nothing to ask.
    fn challenge(&self, response: &Response) -> Option<Challenge> {
        let is_asked = response.status() == StatusCode::UNAUTHORIZED
            && response.url().origin() == self.base.origin();
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let texts = headers.iter().filter_map(|value| value.to_str().ok());
        is_asked.then(|| Challenge::of(texts)).flatten()
    }
}

impl Described {
    /// Whether it says of a manifest what an answer to a HEAD has to say. Schema 1 is signed anew here, so its length is
    /// another.
    pub(super) fn is_whole(&self) -> bool {
        let kind = self.media_type.filter(|kind| !kind.is_schema1());
        self.digest.is_some() && self.size.is_some_and(|size| size > 0) && kind.is_some()
    }

    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Self {
            digest: text(CONTENT_DIGEST).and_then(|text| text.parse().ok()),
            size: text(CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            media_type: text(CONTENT_TYPE).and_then(ManifestType::from_media_type),
        }
    }
}

impl Error {
    pub(super) fn other_content(asked: &Digest, actual: &Digest) -> Self {
        Self::OtherContent { asked: Box::new(*asked), actual: Box::new(*actual) }
    }
}

/// Every kind of manifest: who says less gets another one than the tag points to.
fn accept(schema1: bool) -> HeaderValue {
    let newer = ManifestType::ACCEPTED.map(ManifestType::as_str).join(", ");
    let older = if schema1 { ManifestType::DockerSchema1Signed.as_str() } else { "*/*" };
    HeaderValue::try_from(format!("{newer}, {older};q=0.1")).expect("media types are visible ASCII")
}

/// Says what an answer without the content means.
fn judged(response: Response, is_part: bool) -> Result<Response, Error> {
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::PARTIAL_CONTENT if is_part => Ok(response),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Error::Missing),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(Error::Denied(status)),
        StatusCode::TOO_MANY_REQUESTS => {
            Err(Error::Busy { retry_after: response.headers().get(RETRY_AFTER).cloned() })
        }
        status => Err(Error::Status(status)),
    }
}
