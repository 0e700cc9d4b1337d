//! Upload sessions: POST begins, mounts, or uploads at once; PATCH appends; PUT commits; GET tells how far; DELETE gives up.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE},
};
use http_body_util::Empty;
use oci::{Algorithm, Digest, ErrorCode, RepositoryName};
use serde_json::json;

use super::{
    Answer, Body, Call,
    blob::{CONTENT_DIGEST, value},
    failure::Failure,
    page::query,
    received::Received,
    witnessed::{tell_blob, to_its_end},
};
use crate::{
    auth::{Access, Action},
    content::{BodyError, Error, Position, Session, Sources, UploadId},
    upload::{ChunkRange, State},
};

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// Smaller chunks are taken too, but cost more in requests than in bytes.
const CHUNK_BYTES: u32 = 1 << 20;

const ALGORITHM: &str = "digest-algorithm";

impl From<std::convert::Infallible> for BodyError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl Call<'_> {
    pub(super) async fn begin_upload(&self, name: &RepositoryName, body: Received) -> Answer {
        if let Some(answer) = self.mount(name).await? {
            return Ok(answer);
        }
        // A digest that cannot be read is refused before anything is sent in vain.
        let digest = self.claimed_digest()?;
        self.algorithm()?;
        let content = self.writing()?;
        let session = content.begin_upload(name).await?;
        let Some(digest) = digest else {
            let mut response = self.session_answer(name, &session, StatusCode::ACCEPTED);
            response.headers_mut().insert(CHUNK_MIN_LENGTH, HeaderValue::from(CHUNK_BYTES));
            return Ok(response);
        };
        match self.store_blob(name, session.id, Position::At(0), body, &digest).await {
            Ok(()) => Ok(self.created(name, &digest)),
            Err(error) => {
                // The client knows no URL under which it could go on.
                let _ = content.cancel_upload(name, session.id).await;
                Err(error.into())
            }
        }
    }

    pub(super) async fn append(
        &self,
        name: &RepositoryName,
        id: UploadId,
        body: Received,
    ) -> Answer {
        let state = self.signed_state(name, id)?;
        let position = self.position(&state)?;
        let algorithm = self.algorithm()?;
        match self.writing()?.append(name, id, (position, algorithm), body).await {
            Ok(offset) => {
                let session = Session { id, started_at: state.started_at, offset };
                Ok(self.session_answer(name, &session, StatusCode::ACCEPTED))
            }
            Err(error) => Err(self.refused(name, id, state, error)),
        }
    }

    pub(super) async fn commit(
        &self,
        name: &RepositoryName,
        id: UploadId,
        body: Received,
    ) -> Answer {
        let state = self.signed_state(name, id)?;
        let digest = self.claimed_digest()?;
        let digest = digest.ok_or_else(|| {
            Failure::new(ErrorCode::DigestInvalid).because("the parameter `digest` is missing")
        })?;
        let position = self.position(&state)?;
        self.writing()?;
        let committed = if is_empty(&body) && !self.parts.headers.contains_key(CONTENT_RANGE) {
            // All bytes are there; if they are the right ones, the client's idea of how many does not matter.
            self.store_blob(name, id, Position::Anywhere, Empty::<Bytes>::new(), &digest).await
        } else {
            self.store_blob(name, id, position, body, &digest).await
        };
        match committed {
            Ok(()) => Ok(self.created(name, &digest)),
            Err(error) => Err(self.refused(name, id, state, error)),
        }
    }

    /// Makes a session a blob, and tells of it.
    async fn store_blob<B>(
        &self,
        name: &RepositoryName,
        id: UploadId,
        position: Position,
        body: B,
        digest: &Digest,
    ) -> Result<(), Error>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BodyError> + Send> + Send + Unpin + 'static,
    {
        let Some(writing) = self.writing.cloned() else { return Err(Error::UploadUnknown(id)) };
        let Some(witness) = self.witness() else {
            return writing.commit(name, id, position, body, digest).await;
        };
        let (name, digest) = (name.clone(), *digest);
        to_its_end(async move {
            writing.commit(&name, id, position, body, &digest).await?;
            tell_blob(&witness, &writing, &name, digest, None).await;
            Ok(())
        })
        .await
    }

    pub(super) async fn upload(&self, name: &RepositoryName, id: UploadId) -> Answer {
        if query(self.parts, "_state").is_some() {
            self.signed_state(name, id)?;
        }
        let session = self.api.content.upload(name, id).await?;
        Ok(self.session_answer(name, &session, StatusCode::NO_CONTENT))
    }

    pub(super) async fn cancel_upload(&self, name: &RepositoryName, id: UploadId) -> Answer {
        if query(self.parts, "_state").is_some() {
            self.signed_state(name, id)?;
        }
        self.writing()?.cancel_upload(name, id).await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(UPLOAD_UUID, value(&id.to_string()));
        Ok(response)
    }

    /// Takes a blob over from another repository; none if an upload has to follow.
    ///
    /// What cannot be mounted, for whatever reason, is uploaded: the spec has no error for it.
    async fn mount(&self, name: &RepositoryName) -> Result<Option<Response<Body>>, Failure> {
        let digest = query(self.parts, "mount").and_then(|text| text.parse().ok());
        let Some(digest) = digest else { return Ok(None) };
        let from = match query(self.parts, "from").map(|text| text.parse()) {
            None => None,
            Some(Ok(from)) => Some(from),
            Some(Err(_)) => return Ok(None),
        };
        let sources = match self.sources(from) {
            Sources::These(sources) if sources.is_empty() => return Ok(None),
            sources => sources,
        };
        let (writing, witness) = (self.writing()?.clone(), self.witness());
        let repository = name.clone();
        let mounted = to_its_end(async move {
            let from = writing.mount(sources, &repository, &digest).await?;
            if let (Some(from), Some(witness)) = (&from, witness) {
                let from = Some(from.clone());
                tell_blob(&witness, &writing, &repository, digest, from).await;
            }
            Ok(from.is_some())
        });
        Ok(mounted.await?.then(|| self.created(name, &digest)))
    }

    /// Where a blob may be taken from: only what the client could pull anyway.
    fn sources(&self, from: Option<RepositoryName>) -> Sources {
        match (from, self.grant.pullable()) {
            (None, None) => Sources::Any,
            (None, Some(pullable)) => Sources::These(pullable),
            (Some(from), _) => {
                let pull = Access::to_repository(&from, Action::Pull);
                Sources::These(self.grant.covers(&pull).then_some(from).into_iter().collect())
            }
        }
    }

    /// The parameter `digest`.
    fn claimed_digest(&self) -> Result<Option<Digest>, Failure> {
        let Some(text) = query(self.parts, "digest") else { return Ok(None) };
        text.parse().map(Some).map_err(|error: oci::DigestError| {
            Failure::new(ErrorCode::DigestInvalid)
                .because(error)
                .with_detail(json!({ "digest": text }))
        })
    }

    /// The parameter `digest-algorithm`: what the digest will be made with, so that it is hashed on arrival.
    fn algorithm(&self) -> Result<Algorithm, Failure> {
        let Some(text) = query(self.parts, ALGORITHM) else { return Ok(Algorithm::Sha256) };
        text.parse().map_err(|error: oci::DigestError| {
            Failure::new(ErrorCode::DigestInvalid)
                .because(error)
                .with_detail(json!({ ALGORITHM: text }))
        })
    }

    /// The state in the URL, if this registry signed it for this session.
    ///
    /// Otherwise 404, as Distribution: the URL is none that was given out.
    fn signed_state(&self, name: &RepositoryName, id: UploadId) -> Result<State, Failure> {
        let invalid = |reason: &str| {
            Failure::new(ErrorCode::BlobUploadInvalid)
                .because(reason)
                .with_status(StatusCode::NOT_FOUND)
        };
        let text = query(self.parts, "_state");
        let text =
            text.ok_or_else(|| invalid("the parameter `_state` of the location is missing"))?;
        let state = self.api.signer.verify(&text).map_err(|error| invalid(&error.to_string()))?;
        if state.name != name.as_str() || state.uuid != id.to_string() {
            return Err(invalid("the state belongs to another upload"));
        }
        Ok(state)
    }

    /// Where the body belongs: `Content-Range` says it, or else what the client was told last.
    fn position(&self, state: &State) -> Result<Position, Failure> {
        let Some(header) = self.parts.headers.get(CONTENT_RANGE) else {
            return Ok(Position::At(state.offset));
        };
        let invalid = |reason: &str| Failure::new(ErrorCode::RangeInvalid).because(reason);
        let text = header.to_str().map_err(|_| invalid("content range is no text"))?;
        let range: ChunkRange = text
            .parse()
            .map_err(|error: crate::upload::ChunkRangeError| invalid(&error.to_string()))?;
        let length = content_length(&self.parts.headers);
        if length.is_some_and(|length| length != range.length()) {
            return Err(Failure::new(ErrorCode::SizeInvalid)
                .because("`Content-Length` differs from the length of `Content-Range`"));
        }
        Ok(Position::Range { start: range.start(), length: range.length() })
    }

    /// A refusal that tells the client where to go on.
    fn refused(&self, name: &RepositoryName, id: UploadId, state: State, error: Error) -> Failure {
        let Error::WrongOffset { current } = error else { return error.into() };
        let session = Session { id, started_at: state.started_at, offset: current };
        let mut failure = Failure::from(error);
        for (name, value) in self.session_headers(name, &session) {
            failure = failure.with_header(name, value);
        }
        failure
    }

    fn session_answer(
        &self,
        name: &RepositoryName,
        session: &Session,
        status: StatusCode,
    ) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response.headers_mut().extend(self.session_headers(name, session));
        if status != StatusCode::NO_CONTENT {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        response
    }

    fn session_headers(
        &self,
        name: &RepositoryName,
        session: &Session,
    ) -> [(HeaderName, HeaderValue); 3] {
        let state = self.api.signer.sign(&State {
            name: name.as_str().to_owned(),
            uuid: session.id.to_string(),
            offset: session.offset,
            started_at: session.started_at.clone(),
        });
        let mut path = format!("{name}/blobs/uploads/{}?_state={state}", session.id);
        // Only a hint, so nobody has to sign it.
        if let Ok(Algorithm::Sha512) = self.algorithm() {
            path.push_str("&digest-algorithm=sha512");
        }
        // Inclusive, so nothing and one byte look the same; every client knows.
        let range = format!("0-{}", session.offset.saturating_sub(1));
        [
            (LOCATION, self.settings.external.location(self.parts, &path)),
            (RANGE, value(&range)),
            (UPLOAD_UUID, value(&session.id.to_string())),
        ]
    }

    fn created(&self, name: &RepositoryName, digest: &Digest) -> Response<Body> {
        let path = format!("{name}/blobs/{digest}");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::CREATED;
        let headers = response.headers_mut();
        headers.insert(LOCATION, self.settings.external.location(self.parts, &path));
        headers.insert(CONTENT_DIGEST, value(&digest.to_string()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        response
    }
}

fn is_empty(body: &Received) -> bool {
    http_body::Body::is_end_stream(body)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
