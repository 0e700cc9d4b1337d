//! Blobs: GET with ranges and conditions, HEAD, DELETE.

use std::collections::VecDeque;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE,
    },
};
use http_body::Body as _;
use oci::{Digest, ErrorCode, RepositoryName};

use super::{
    Answer, Api, Body, Call,
    body::Piece,
    condition,
    failure::Failure,
    proxied::Source,
    range::{ByteRanges, RangeError},
    witnessed::{tell_gone, to_its_end},
};
use crate::{
    content::{Error, UploadId, blob_path},
    events::What,
    metrics::Kept,
};

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

impl Call<'_> {
    pub(super) async fn blob(&self, name: &RepositoryName, digest: &Digest) -> Answer {
        let (digest, source) = self.find_blob(name, digest, self.wanted()).await?;
        let stored = source.stored().cloned();
        if stored.is_some()
            && let Some(elsewhere) = self.elsewhere(&digest).await
        {
            self.tell_blob_pull(name, digest, source.size().unwrap_or_default());
            return Ok(elsewhere);
        }
        // Of one that passes through, nobody may know it yet.
        let size = source.size().unwrap_or_default();
        let mut response = self.blob_body(&digest, source)?;
        let nginx = self.settings.nginx.as_ref();
        if !nginx.is_some_and(|nginx| nginx.asks_again(&self.parts.headers)) {
            self.tell_blob_pull(name, digest, size);
            self.count_pushed(Kept::Blob, response.body().size_hint().lower());
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_DIGEST, value(&digest.to_string()));
        headers.insert(ETAG, etag(&digest));
        // Content under a digest never changes.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=31536000"));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let (Some(nginx), Some(object)) = (nginx, &stored) {
            nginx.hand_over(self.parts, object, &mut response);
        }
        Ok(response)
    }

    /// The way to a blob that clients get elsewhere, and that this one does not have.
    async fn elsewhere(&self, digest: &Digest) -> Option<Response<Body>> {
        let Api { redirect, bucket_urls, content, .. } = self.api;
        if matches_etag(&self.parts.headers, digest) {
            return None;
        }
        let url = match (redirect, bucket_urls) {
            (Some(redirect), _) => redirect.url(&blob_path(digest))?,
            (None, Some(lasting)) => {
                let head = self.parts.method == Method::HEAD;
                content.bucket_url(digest, head, *lasting).await?
            }
            (None, None) => return None,
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        let headers = response.headers_mut();
        headers.insert(LOCATION, HeaderValue::try_from(url).ok()?);
        headers.insert(CONTENT_TYPE, OCTETS);
        headers.insert(CONTENT_DIGEST, value(&digest.to_string()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Some(response)
    }

    pub(super) async fn delete_blob(&self, name: &RepositoryName, digest: &Digest) -> Answer {
        let (writing, witness) = (self.writing()?.clone(), self.witness());
        let (name, digest) = (name.clone(), *digest);
        to_its_end(async move {
            writing.delete_blob(&name, &digest).await?;
            if let Some(witness) = witness {
                tell_gone(&witness, &name, What::Gone(digest));
            }
            Ok(())
        })
        .await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(response)
    }

    /// Status and body: all of it, parts of it, or nothing because the client has it.
    fn blob_body(&self, digest: &Digest, source: Source) -> Result<Response<Body>, Failure> {
        let headers = &self.parts.headers;
        if condition::wanted(headers).is_some_and(|wanted| !wanted.include(Some(digest))) {
            return Err(Error::Condition((*digest).into()).into());
        }
        if matches_etag(headers, digest) {
            return Ok(not_modified());
        }
        let size = source.size().unwrap_or_default();
        let wanted = headers.get(RANGE).and_then(|value| value.to_str().ok());
        let ranges = match wanted {
            Some(wanted)
                if self.parts.method == Method::GET
                    && source.has_parts()
                    && still_current(headers, digest) =>
            {
                ByteRanges::parse(wanted, size).map_err(|error| unsatisfiable(error, size))?
            }
            _ => ByteRanges::Whole,
        };
        let ranges = match ranges {
            ByteRanges::Whole => {
                let mut response = source.whole();
                response.headers_mut().insert(CONTENT_TYPE, OCTETS);
                return Ok(response);
            }
            ByteRanges::Some(ranges) => ranges,
        };
        let mut response = match <[_; 1]>::try_from(ranges) {
            Ok([range]) => {
                let part = source.part(range.clone());
                let mut response = Response::new(part.map_or_else(Body::empty, Body::one));
                let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                response.headers_mut().insert(CONTENT_RANGE, value(&content_range));
                response.headers_mut().insert(CONTENT_TYPE, OCTETS);
                response
            }
            Err(ranges) => multipart(&source, ranges),
        };
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        Ok(response)
    }
}

/// Several ranges in one answer (RFC 9110, section 14.6).
fn multipart(source: &Source, ranges: Vec<std::ops::Range<u64>>) -> Response<Body> {
    // Random, so that no blob can hold it on purpose.
    let boundary = UploadId::random();
    let size = source.size().unwrap_or_default();
    let mut pieces = VecDeque::with_capacity(2 * ranges.len() + 1);
    let mut line_break = "";
    for range in ranges {
        let head = format!(
            "{line_break}--{boundary}\r\nContent-Type: application/octet-stream\r\n\
             Content-Range: bytes {}-{}/{size}\r\n\r\n",
            range.start,
            range.end - 1
        );
        pieces.push_back(Piece::Bytes(head.into()));
        pieces.extend(source.part(range));
        line_break = "\r\n";
    }
    pieces.push_back(Piece::Bytes(format!("\r\n--{boundary}--\r\n").into()));
    let mut response = Response::new(Body::parts(pieces));
    let content_type = format!("multipart/byteranges; boundary={boundary}");
    response.headers_mut().insert(CONTENT_TYPE, value(&content_type));
    response
}

fn unsatisfiable(error: RangeError, size: u64) -> Failure {
    Failure::new(ErrorCode::RangeInvalid)
        .because(error)
        .with_status(StatusCode::RANGE_NOT_SATISFIABLE)
        .with_header(CONTENT_RANGE, value(&format!("bytes */{size}")))
}

pub(super) fn not_modified() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

pub(super) fn etag(digest: &Digest) -> HeaderValue {
    value(&format!("\"{digest}\""))
}

/// Whether the client has this content already. Docker sends the digest without quotes.
pub(super) fn matches_etag(headers: &HeaderMap, digest: &Digest) -> bool {
    let own = digest.to_string();
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == own)
    })
}

/// Whether a range may be answered: the client's part is of this content. A date proves nothing.
fn still_current(headers: &HeaderMap, digest: &Digest) -> bool {
    let tag = headers.get(IF_RANGE).map(|value| value.to_str().unwrap_or_default());
    tag.is_none_or(|tag| tag.trim_matches('"') == digest.to_string())
}

pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).expect("digests, numbers and UUIDs are visible ASCII")
}
