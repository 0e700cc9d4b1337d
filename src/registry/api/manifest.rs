//! Manifests: GET, HEAD, PUT, DELETE, by tag or digest.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION},
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use oci::{ErrorCode, Manifest, ManifestType, Reference, RepositoryName};

use tokio::time::timeout;

use super::{
    Answer, Body, Call,
    blob::{CONTENT_DIGEST, etag, matches_etag, not_modified, value},
    failure::Failure,
};
use crate::content::{BodyError, Error, StoredManifest};

/// What Distribution takes, and what the OCI specification asks registries to take at least.
const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Nearly all manifests are smaller.
const SMALL_BYTES: usize = 64 * 1024;

/// 4 MiB in a minute are 70 kB a second.
const BODY_TIME: Duration = Duration::from_secs(60);

impl Call<'_> {
    /// Serves the manifest as it was pushed, whatever `Accept` says: a client that cannot read it says so
    /// better than a 404 would. Only where schema 1 is enabled, old clients get what they can read.
    pub(super) async fn manifest(&self, name: &RepositoryName, reference: &Reference) -> Answer {
        let stored = self.api.content.manifest(name, reference).await?;
        let StoredManifest { digest, bytes } = self.for_client(name, reference, stored).await?;
        let mut response = if matches_etag(&self.parts.headers, &digest) {
            not_modified()
        } else {
            let kind = Manifest::sniff(&bytes).map_err(|error| {
                tracing::error!(%digest, %error, "stored manifest cannot be read");
                Failure::new(ErrorCode::Unknown)
            })?;
            let (kind, bytes) = match kind.is_schema1() {
                true => (ManifestType::DockerSchema1Signed, self.signed(bytes)?),
                false => (kind, bytes),
            };
            let mut response = Response::new(Body::full(bytes));
            let content_type = HeaderValue::from_static(kind.as_str());
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_DIGEST, value(&digest.to_string()));
        headers.insert(ETAG, etag(&digest));
        Ok(response)
    }

    pub(super) async fn put_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        body: Incoming,
    ) -> Answer {
        let bytes = self.manifest_bytes(body).await?;
        let declared = self.parts.headers.get(CONTENT_TYPE);
        let declared = declared.and_then(|value| value.to_str().ok());
        let (manifest, bytes) = match self.pushed_schema1(declared, &bytes).await? {
            Some(pushed) => (pushed.manifest, pushed.payload),
            None => (Manifest::parse(declared, &bytes).map_err(Error::from)?, bytes),
        };
        let digest = self.writing()?.put_manifest(name, reference, manifest, bytes).await?;
        let path = format!("{name}/manifests/{digest}");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::CREATED;
        let headers = response.headers_mut();
        headers.insert(LOCATION, self.settings.external.location(self.parts, &path));
        headers.insert(CONTENT_DIGEST, value(&digest.to_string()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(response)
    }

    pub(super) async fn delete_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Answer {
        match reference {
            Reference::Tag(tag) => self.writing()?.delete_tag(name, tag).await?,
            Reference::Digest(digest) => self.writing()?.delete_manifest(name, digest).await?,
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(response)
    }

    /// The body, which may not be larger than a manifest can be.
    async fn manifest_bytes(&self, body: Incoming) -> Result<Bytes, Failure> {
        let length = self.parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length: Option<usize> = length.and_then(|length| length.parse().ok());
        if length.is_some_and(|length| length > MANIFEST_BYTES) {
            return Err(too_large());
        }
        match timeout(BODY_TIME, self.receive(body)).await {
            Ok(received) => received,
            Err(_) => Err(Failure::new(ErrorCode::ManifestInvalid)
                .because("it did not arrive within a minute")
                .with_status(StatusCode::REQUEST_TIMEOUT)),
        }
    }

    /// Receives a body. Only a few large ones at once are in memory, whoever sends how many; a client
    /// that sends nothing keeps nobody waiting.
    async fn receive(&self, mut body: Incoming) -> Result<Bytes, Failure> {
        let mut received = BytesMut::new();
        let mut permit = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let reason = Error::from(BodyError::new(error));
                Failure::new(ErrorCode::ManifestInvalid).because(reason)
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            if received.len() + bytes.len() > MANIFEST_BYTES {
                return Err(too_large());
            }
            if permit.is_none() && received.len() + bytes.len() > SMALL_BYTES {
                permit = Some(self.api.large_manifests.acquire().await);
            }
            received.extend_from_slice(&bytes);
        }
        Ok(received.freeze())
    }
}

/// 413 as the OCI specification says; Distribution answers 400.
fn too_large() -> Failure {
    Failure::new(ErrorCode::ManifestInvalid)
        .because("it is larger than 4 MiB")
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
