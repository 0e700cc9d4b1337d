//! The other registry, as a client of its API.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LINK, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use oci::{Algorithm, Digest, Manifest, ManifestType, Reference, RepositoryName, Tag};
use reqwest::{Client, Response, Url};
use serde::Deserialize;

use super::{challenge::Challenge, error::Error, login::Login, read::bounded};
use crate::{
    config,
    metrics::{Kept, Pulls},
    outbound::{self, Fault, Redirects, Terms},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// As much as this registry takes itself.
const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// A page of tags, and how many pages are followed: more than any repository has.
const TAGS_BYTES: usize = 8 * 1024 * 1024;
const TAGS_PAGES: usize = 200;

/// The other side of a blob may say nothing for so long.
const SILENCE: Duration = Duration::from_secs(30);

/// For a request whose answer is small.
const SMALL: Duration = Duration::from_secs(20);

/// A registry that said nothing in time is not waited for again so soon.
const PAUSE: Duration = Duration::from_secs(10);

/// The other registry.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client,
    base: Url,
    login: Login,
    pulls: Arc<Pulls>,
    /// Until when it is taken to be silent.
    silent_until: Mutex<Option<Instant>>,
}

/// What an answer says of content without having it.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    /// None: it does not say.
    pub(crate) digest: Option<Digest>,
    pub(crate) size: Option<u64>,
    /// Of a manifest.
    pub(crate) media_type: Option<ManifestType>,
}

#[derive(Deserialize)]
struct TagPage {
    tags: Option<Vec<String>>,
}

impl Upstream {
    pub(super) fn new(config: &config::Proxy, pulls: Arc<Pulls>) -> Result<Self, Fault> {
        let terms = Terms { whole: None, silence: SILENCE, redirects: Redirects::Anywhere };
        let base: Url =
            format!("{}/v2/", config.remote).parse().expect("the configuration has checked it");
        let login = Login::new(config, base.clone())?;
        let silent_until = Mutex::default();
        Ok(Self { client: outbound::client(terms)?, base, login, pulls, silent_until })
    }

    /// Asks what a manifest is now.
    pub(super) async fn describe_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Described, Error> {
        if self.is_silent() {
            return Err(Error::Silent);
        }
        let path = format!("{name}/manifests/{reference}");
        let response = self.ask(Method::HEAD, name, &path, Some(SMALL)).await?;
        Ok(Described::of(response.headers()))
    }

    /// Fetches a manifest, which has the digest asked for, and is one.
    pub(super) async fn manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(Digest, Bytes), Error> {
        self.pulls.missed(Kept::Manifest);
        let path = format!("{name}/manifests/{reference}");
        let response = self.ask(Method::GET, name, &path, Some(SMALL)).await?;
        let said = Described::of(response.headers());
        match said.media_type {
            Some(kind) if !kind.is_schema1() => {}
            Some(_) => return Err(Error::Unusable("it is a manifest of Docker's schema 1")),
            None => return Err(Error::Unusable("its Content-Type is no manifest's")),
        }
        let bytes = bounded(response, MANIFEST_BYTES).await?;
        self.pulls.pulled(Kept::Manifest, bytes.len() as u64);
        Manifest::from_stored(&bytes)?;
        let asked = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => said.digest,
        };
        let algorithm = asked.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let actual = Digest::of(algorithm, &bytes);
        match asked {
            Some(asked) if asked != actual => Err(Error::other_content(&asked, &actual)),
            _ => Ok((actual, bytes)),
        }
    }

    pub(super) async fn describe_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<Described, Error> {
        let path = format!("{name}/blobs/{digest}");
        let response = self.ask(Method::HEAD, name, &path, Some(SMALL)).await?;
        Ok(Described { digest: Some(*digest), ..Described::of(response.headers()) })
    }

    /// Opens a blob, which may be anything as long as its bytes are not looked at. Its length is said.
    pub(super) async fn blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<(u64, reqwest::Body), Error> {
        let path = format!("{name}/blobs/{digest}");
        let response = self.ask(Method::GET, name, &path, None).await?;
        let size = Described::of(response.headers()).size;
        let size = size.ok_or(Error::Unusable("it does not say how long the blob is"))?;
        Ok((size, response.into()))
    }

    /// All tags, sorted by their bytes.
    pub(super) async fn tags(&self, name: &RepositoryName) -> Result<Vec<Tag>, Error> {
        if self.is_silent() {
            return Err(Error::Silent);
        }
        let mut tags = BTreeSet::new();
        let mut next = self.url(&format!("{name}/tags/list"))?;
        for _ in 0..TAGS_PAGES {
            let response = self.ask_at(Method::GET, name, next.clone(), Some(SMALL)).await?;
            let link = response.headers().get(LINK).and_then(|value| value.to_str().ok());
            let following = link.and_then(next_page).and_then(|page| next.join(page).ok());
            let page: TagPage = serde_json::from_slice(&bounded(response, TAGS_BYTES).await?)
                .map_err(|_| Error::Unusable("it is no list of tags"))?;
            tags.extend(page.tags.unwrap_or_default().iter().filter_map(|tag| tag.parse().ok()));
            match following {
                Some(following) if following.origin() == self.base.origin() => next = following,
                Some(_) | None => return Ok(tags.into_iter().collect()),
            }
        }
        Err(Error::Unusable("it has more pages of tags than anybody reads"))
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|_| Error::Unusable("its URL cannot be made"))
    }

    async fn ask(
        &self,
        method: Method,
        name: &RepositoryName,
        path: &str,
        patience: Option<Duration>,
    ) -> Result<Response, Error> {
        self.ask_at(method, name, self.url(path)?, patience).await
    }

    /// Asks, and proves itself when that is wanted; returns an answer that has what was asked for.
    async fn ask_at(
        &self,
        method: Method,
        name: &RepositoryName,
        url: Url,
        patience: Option<Duration>,
    ) -> Result<Response, Error> {
        let remembered = self.login.remembered(name);
        let response = self.send(&method, &url, patience, remembered).await?;
        let Some(challenge) = self.challenge(&response) else { return judged(response) };
        self.login.forget(name);
        let proof = self.login.answer(&challenge, name).await?;
        let response = self.send(&method, &url, patience, Some(proof)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.login.forget(name);
        }
        judged(response)
    }

    async fn send(
        &self,
        method: &Method,
        url: &Url,
        patience: Option<Duration>,
        proof: Option<HeaderValue>,
    ) -> Result<Response, Error> {
        let mut request = self.client.request(method.clone(), url.clone()).header(ACCEPT, accept());
        if let Some(proof) = proof {
            request = request.header(AUTHORIZATION, proof);
        }
        if let Some(patience) = patience {
            request = request.timeout(patience);
        }
        let sent = request.send().await.map_err(Fault::from);
        let is_timeout = sent.as_ref().is_err_and(Fault::is_timeout);
        let mut silent = self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        *silent = is_timeout.then(|| Instant::now() + PAUSE);
        drop(silent);
        Ok(sent?)
    }

    /// What the registry itself asks for; a host that it has led to has nothing to ask.
    fn challenge(&self, response: &Response) -> Option<Challenge> {
        let is_asked = response.status() == StatusCode::UNAUTHORIZED
            && response.url().origin() == self.base.origin();
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let texts = headers.iter().filter_map(|value| value.to_str().ok());
        is_asked.then(|| Challenge::of(texts)).flatten()
    }

    fn is_silent(&self) -> bool {
        let silent = self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        silent.is_some_and(|until| until > Instant::now())
    }
}

impl Described {
    fn of(headers: &HeaderMap) -> Self {
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
fn accept() -> HeaderValue {
    let kinds = ManifestType::ACCEPTED.map(ManifestType::as_str).join(", ");
    HeaderValue::try_from(format!("{kinds}, */*;q=0.1")).expect("media types are visible ASCII")
}

/// Says what an answer without the content means.
fn judged(response: Response) -> Result<Response, Error> {
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Error::Missing),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(Error::Denied(status)),
        StatusCode::TOO_MANY_REQUESTS => {
            Err(Error::Busy { retry_after: response.headers().get(RETRY_AFTER).cloned() })
        }
        status => Err(Error::Status(status)),
    }
}

/// The target of `Link: <…>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim_start().strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then_some(target)
}
