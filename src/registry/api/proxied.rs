//! What a cache in front of another registry answers with when it does not have something.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, RETRY_AFTER},
};
use http_body_util::{BodyExt as _, Limited};
use oci::{Digest, ErrorCode, Reference, RepositoryName, Tag};

use super::{
    Body, Call,
    blob::{CONTENT_DIGEST, etag, matches_etag, not_modified, value},
    body::Piece,
    failure::Failure,
    warning::warn,
};
use crate::{
    content::{Blob, Error, Object},
    metrics,
    proxy::{self, Arriving, Described, Found, Kept, Listed, Manifest, Passing, Wanted},
};

/// For people: clients print it.
const STALE: &str = "the upstream registry cannot be asked; this may be out of date";

/// Where the bytes of a blob come from.
#[derive(Debug)]
pub(super) enum Source {
    Stored(Object),
    /// From the other registry, by way of the storage.
    Arriving(Arriving),
    /// From the other registry, as a whole.
    Passing(Passing),
    /// From nowhere: only its length is wanted, which nobody may know before its end.
    Described(Option<u64>),
}

/// A manifest, or an answer that has none.
#[derive(Debug)]
pub(super) enum Answered {
    Kept(Kept),
    Described(Box<Response<Body>>),
}

impl Source {
    /// None: nobody knows before its end.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Stored(object) => Some(object.size()),
            Self::Arriving(arriving) => Some(arriving.size()),
            Self::Passing(passing) => passing.remaining(),
            Self::Described(size) => *size,
        }
    }

    /// What is in the storage.
    pub(super) fn stored(&self) -> Option<&Object> {
        match self {
            Self::Stored(object) => Some(object),
            Self::Arriving(_) | Self::Passing(_) | Self::Described(_) => None,
        }
    }

    /// Whether parts of it can be had.
    pub(super) fn has_parts(&self) -> bool {
        matches!(self, Self::Stored(_) | Self::Arriving(_))
    }

    /// A part of a source that has parts.
    pub(super) fn part(&self, range: Range<u64>) -> Option<Piece> {
        match self {
            Self::Stored(object) => Some(Piece::Blob(object.chunks(range))),
            Self::Arriving(arriving) => Some(Piece::Arriving(Box::new(arriving.chunks(range)))),
            Self::Passing(_) | Self::Described(_) => None,
        }
    }

    pub(super) fn whole(self) -> Response<Body> {
        let size = self.size();
        let body = match self {
            Self::Passing(passing) => Body::one(Piece::Passing(Box::new(passing))),
            Self::Described(None) => Body::unread(),
            source => {
                let part = size.and_then(|size| source.part(0..size));
                part.map_or_else(Body::empty, Body::one)
            }
        };
        let mut response = Response::new(body);
        if let Some(size) = size {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
        }
        response
    }
}

impl Call<'_> {
    /// The blob here, or else there.
    pub(super) async fn find_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        wanted: Wanted,
    ) -> Result<(Digest, Source), Failure> {
        let unknown = match self.api.content.blob(name, digest).await {
            Ok(Blob { digest, object }) => {
                self.count_hit();
                return Ok((digest, Source::Stored(object)));
            }
            Err(error @ Error::BlobUnknown(_)) => error,
            Err(error) => return Err(error.into()),
        };
        let Some(proxy) = &self.api.proxy else { return Err(unknown.into()) };
        match proxy.blob(name, digest, wanted).await {
            Ok(Found::Arriving(arriving)) => Ok((*digest, Source::Arriving(arriving))),
            Ok(Found::Passing(passing)) => Ok((*digest, Source::Passing(passing))),
            Ok(Found::Described(said)) => Ok((*digest, Source::Described(said.size))),
            Err(error) if error.is_missing() => Err(unknown.into()),
            Err(error) => Err(failure_of(error)),
        }
    }

    /// The manifest there, as it is kept here; what is said of it, where no more is asked for.
    pub(super) async fn find_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Answered, Failure> {
        if self.wanted() == Wanted::Description
            && let Some(proxy) = &self.api.proxy
        {
            let found = proxy.manifest(name, reference, Wanted::Description).await;
            match found.map_err(failure_of)? {
                Manifest::Kept(kept) => return Ok(Answered::Kept(kept)),
                // A HEAD says what a GET gets.
                Manifest::Described(said) if self.gets_another(reference, said.media_type) => {}
                Manifest::Described(said) => {
                    let response = self.described(name, reference, &said)?;
                    return Ok(Answered::Described(Box::new(response)));
                }
            }
        }
        self.find_content(name, reference).await.map(Answered::Kept)
    }

    /// The manifest there, as it is kept here.
    pub(super) async fn find_content(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Kept, Failure> {
        let Some(proxy) = &self.api.proxy else {
            let manifest = self.api.content.manifest(name, reference).await?;
            return Ok(Kept { manifest, is_stale: false });
        };
        match proxy.manifest(name, reference, Wanted::Content).await.map_err(failure_of)? {
            Manifest::Kept(kept) => Ok(kept),
            Manifest::Described(_) => Err(failure(&nothing_said())),
        }
    }

    /// Reads a blob here, or else there; none if there is none that is so small.
    pub(super) async fn find_small_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        most: usize,
    ) -> Result<Option<Bytes>, Failure> {
        if let Some(bytes) = self.api.content.small_blob(name, digest, most).await? {
            return Ok(Some(bytes));
        }
        if self.api.proxy.is_none() {
            return Ok(None);
        }
        let source = match self.find_blob(name, digest, Wanted::Content).await {
            Ok((_, source)) => source,
            Err(failure) if failure.is_not_found() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        if source.size().is_some_and(|size| size > most as u64) {
            return Ok(None);
        }
        match Limited::new(source.whole().into_body(), most).collect().await {
            Ok(collected) => Ok(Some(collected.to_bytes())),
            Err(error) => {
                tracing::warn!(repository = %name, %digest, error, "blob could not be read");
                Ok(None)
            }
        }
    }

    pub(super) async fn find_tags(
        &self,
        name: &RepositoryName,
    ) -> Result<(Arc<[Tag]>, bool), Failure> {
        match &self.api.proxy {
            None => Ok((self.api.content.tags(name).await?, false)),
            Some(proxy) => proxy.tags(name).await.map_err(failure_of),
        }
    }

    /// The list of referrers there; none for a registry that has its own.
    pub(super) async fn find_referrers(
        &self,
        name: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<Listed<'_>>, Failure> {
        match &self.api.proxy {
            None => Ok(None),
            Some(proxy) => proxy.referrers(name, subject).await.map(Some).map_err(failure_of),
        }
    }

    /// Counts a blob that is here, as those that are not are counted where they are fetched.
    fn count_hit(&self) {
        if let (Some(proxy), Wanted::Content) = (&self.api.proxy, self.wanted()) {
            proxy.pulls().hit(metrics::Kept::Blob);
        }
    }

    /// Counts what a client of a cache is about to be sent.
    pub(super) fn count_pushed(&self, kind: metrics::Kept, bytes: u64) {
        if let (Some(proxy), Wanted::Content) = (&self.api.proxy, self.wanted()) {
            proxy.pulls().pushed(kind, bytes);
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        match self.parts.method {
            Method::HEAD => Wanted::Description,
            _ => Wanted::Content,
        }
    }

    /// What a HEAD of a manifest says that only the other registry has.
    fn described(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        said: &Described,
    ) -> Result<Response<Body>, Failure> {
        let (Some(size), Some(media_type)) = (said.size, said.media_type) else {
            return Err(failure(&nothing_said()));
        };
        if let Some(digest) = said.digest.filter(|own| matches_etag(&self.parts.headers, own)) {
            let mut response = not_modified();
            response.headers_mut().insert(ETAG, etag(&digest));
            return Ok(response);
        }
        if let Some(digest) = said.digest {
            let told = (digest, reference.tag());
            self.tell_manifest_pull(name, told, (media_type.as_str(), size), None);
        }
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type.as_str()));
        if let Some(digest) = said.digest {
            headers.insert(CONTENT_DIGEST, value(&digest.to_string()));
            headers.insert(ETAG, etag(&digest));
        }
        Ok(response)
    }
}

/// Says that an answer may be out of date.
pub(super) fn warn_of_age(response: &mut Response<Body>, is_stale: bool) {
    if is_stale {
        warn(response, STALE);
    }
}

fn nothing_said() -> proxy::Error {
    proxy::Error::Unusable("it does not say what it has")
}

fn failure_of(error: proxy::Error) -> Failure {
    match error {
        proxy::Error::Content(error) => error.into(),
        error => failure(&error),
    }
}

/// What a client is told whose wish could not be fulfilled there: never a 401, which it would answer to this one.
fn failure(error: &proxy::Error) -> Failure {
    use proxy::Error;
    let bad_gateway =
        || Failure::new(ErrorCode::Unavailable).because(error).with_status(StatusCode::BAD_GATEWAY);
    match error {
        Error::Shared(error) => failure(error),
        Error::Missing => Failure::new(ErrorCode::ManifestUnknown),
        Error::Denied(_) => Failure::new(ErrorCode::Denied).because(error),
        Error::Busy { retry_after } => {
            let failure = Failure::new(ErrorCode::TooManyRequests).because(error);
            match retry_after {
                Some(after) => failure.with_header(RETRY_AFTER, after.clone()),
                None => failure,
            }
        }
        Error::Unreachable(fault) if fault.is_timeout() => {
            bad_gateway().with_status(StatusCode::GATEWAY_TIMEOUT)
        }
        Error::GivenUp | Error::NotKept(_) => Failure::new(ErrorCode::Unavailable).because(error),
        // What went wrong here is in the log.
        Error::Content(_) => Failure::new(ErrorCode::Unknown),
        Error::Silent
        | Error::Status(_)
        | Error::Unreachable(_)
        | Error::Login(_)
        | Error::Unusable(_)
        | Error::Manifest(_)
        | Error::OtherContent { .. }
        | Error::Cut(_) => bad_gateway(),
    }
}
